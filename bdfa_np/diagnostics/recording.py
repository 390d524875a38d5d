"""What is measured of a run while it goes on: grows by a measurement at a time, and can be cut."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bdfa_np.diagnostics.diagnostics import Diagnostics
from bdfa_np.diagnostics.quantities import ordered

ALL_SNAPSHOTS = 64
"""So many measurements keep their snapshots; from then on every second one of as many more, then every fourth, ..."""


class Recording:
    """What was measured of a run so far.

    Parameters
    ----------
    layers : sequence of str
        The L layers with weights.
    names : sequence of str
        What is measured of each, by `Quantity.name`.
    settings : mapping, optional
        As `Diagnostics` has them.
    before : Diagnostics, optional
        What was measured earlier; quantities of which one of the two knows nothing are NaN there.
    """

    def __init__(
        self,
        layers: Sequence[str],
        names: Sequence[str],
        settings: Mapping[str, object] | None = None,
        before: Diagnostics | None = None,
    ) -> None:
        self.layers = tuple(layers)
        of_before = () if before is None else tuple(before.values)
        self.names = tuple(ordered([*names, *of_before]))
        self.settings = dict(settings or {})
        self._count = 0
        self._epochs: NDArray[np.float64] = np.empty(0)
        self._steps: NDArray[np.int64] = np.empty(0, np.int64)
        self._values: dict[str, NDArray[np.float64]] = {name: np.empty((0, len(self.layers))) for name in self.names}
        self._snapshots: dict[int, dict[str, NDArray[np.float32]]] = {}
        self._made: Diagnostics | None = None
        if before is not None:
            self._take(before)

    def _take(self, before: Diagnostics) -> None:
        self._make_room(len(before))
        self._count = len(before)
        self._epochs[: self._count], self._steps[: self._count] = before.epochs, before.steps
        for name, column in before.values.items():
            self._values[name][: self._count] = column
        for place, row in enumerate(before.snapshot_rows.tolist()):
            self._snapshots[row] = {name: arrays[place] for name, arrays in before.snapshots.items()}
        self.settings = {**before.settings, **self.settings}

    def _make_room(self, count: int) -> None:
        """See that so many measurements fit; where they do not, so many more that this is rarely called for."""
        if count > len(self._steps):
            more = max(count, 2 * len(self._steps)) - len(self._steps)
            self._epochs = np.concatenate([self._epochs, np.zeros(more)])
            self._steps = np.concatenate([self._steps, np.zeros(more, np.int64)])
            empty = np.full((more, len(self.layers)), np.nan)
            self._values = {name: np.concatenate([column, empty]) for name, column in self._values.items()}

    def __len__(self) -> int:
        """Return the number of measurements."""
        return self._count

    def add(
        self,
        epoch: float,
        step: int,
        values: Mapping[str, NDArray[Any]],
        snapshots: Mapping[str, NDArray[Any]],
    ) -> None:
        """Take one more measurement.

        Parameters
        ----------
        epoch, step : float, int
            When it was made.
        values : mapping of str to ndarray, shape (L,)
            By name; what is not among them is NaN.
        snapshots : mapping of str to ndarray
            Pictures of weights, by name.
        """
        row = self._count
        self._make_room(row + 1)
        self._epochs[row], self._steps[row] = epoch, step
        for name, column in values.items():
            self._values[name][row] = column
        if row - 1 in self._snapshots and not keeps_snapshot(row - 1):
            del self._snapshots[row - 1]  # the latest one is always there
        if snapshots:
            self._snapshots[row] = {name: np.array(one, np.float32) for name, one in snapshots.items()}
        self._count, self._made = row + 1, None

    def diagnostics(self) -> Diagnostics:
        """Return all of it as arrays."""
        if self._made is None:
            count = self._count  # what is behind it is written later, and never again
            self._made = Diagnostics(
                self.layers,
                self._epochs[:count],
                self._steps[:count],
                {name: column[:count] for name, column in self._values.items()},
                self._stacked(),
                dict(self.settings),
                np.array(sorted(self._snapshots), np.int64),
            )
        return self._made

    def _stacked(self) -> dict[str, NDArray[np.float32]]:
        """Return snapshots by name; where a measurement lacks one that others have, NaN."""
        rows = [self._snapshots[row] for row in sorted(self._snapshots)]
        shapes = {name: one.shape for found in rows for name, one in found.items()}
        stacked = {}
        for name, shape in sorted(shapes.items()):
            nothing = np.full(shape, np.nan, np.float32)
            stacked[name] = np.stack([found.get(name, nothing) for found in rows])
        return stacked


def keeps_snapshot(row: int) -> bool:
    """Return whether a measurement keeps its snapshots when later ones are there, so that files stay small."""
    between, end = 1, ALL_SNAPSHOTS
    while row >= end:
        between, end = 2 * between, 2 * end
    return row % between == 0

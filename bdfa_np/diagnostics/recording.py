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
        self._epochs: list[float] = []
        self._steps: list[int] = []
        self._values: list[dict[str, NDArray[np.float64]]] = []
        self._snapshots: dict[int, dict[str, NDArray[np.float32]]] = {}
        if before is not None:
            self._take(before)

    def _take(self, before: Diagnostics) -> None:
        self._epochs, self._steps = before.epochs.tolist(), before.steps.tolist()
        self._values = [{name: column[row] for name, column in before.values.items()} for row in range(len(before))]
        for place, row in enumerate(before.snapshot_rows.tolist()):
            self._snapshots[row] = {name: arrays[place] for name, arrays in before.snapshots.items()}
        self.settings = {**before.settings, **self.settings}

    def __len__(self) -> int:
        """Return the number of measurements."""
        return len(self._steps)

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
        last = len(self) - 1
        if last in self._snapshots and not keeps_snapshot(last):
            del self._snapshots[last]  # the latest one is always there
        self._epochs.append(epoch)
        self._steps.append(step)
        self._values.append({name: np.array(column, np.float64) for name, column in values.items()})
        if snapshots:
            self._snapshots[last + 1] = {name: np.array(one, np.float32) for name, one in snapshots.items()}

    def diagnostics(self) -> Diagnostics:
        """Return all of it as arrays."""
        shape = (len(self), len(self.layers))
        values = {}
        for name in self.names:
            values[name] = np.full(shape, np.nan)
            for row, found in enumerate(self._values):
                if name in found:
                    values[name][row] = found[name]
        return Diagnostics(
            self.layers,
            np.array(self._epochs, np.float64),
            np.array(self._steps, np.int64),
            values,
            self._stacked(),
            dict(self.settings),
            np.array(sorted(self._snapshots), np.int64),
        )

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

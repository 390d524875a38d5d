"""What was measured of a run: an array a quantity, a row a measurement, a column a layer."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bdfa_np.diagnostics.file import read_contents, write_contents
from bdfa_np.diagnostics.quantities import FILE
from bdfa_np.errors import ConfigError
from bdfa_np.representation import one_line
from bdfa_np.system.paths import user_path
from bdfa_np.system.text import counted
from bdfa_np.tables import Table

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True, eq=False)
class Diagnostics:
    """What was measured of a run.

    Attributes
    ----------
    layers : tuple of str
        The L layers with weights, from input to output, those inside of others by their paths.
    epochs : ndarray of float64, shape (T,)
        When each measurement was made, in epochs of training done; 0 is before the first step.
    steps : ndarray of int64, shape (T,)
        The same in steps of the run.
    values : dict of str to ndarray of float64, shape (T, L)
        By `Quantity.name`; NaN where a quantity does not apply, or was not measured.
    snapshots : dict of str to ndarray of float32, shape (S, n, ...)
        ``features``: the weights into the first n units of the lowest layer, each shaped as an input; ``feedback``:
        the rows of its B, where it has one. Of a long run not every measurement keeps one: see ``snapshot_rows``.
    settings : dict
        How it was measured: ``groups`` and ``every`` as ``--track`` and ``--track-every`` have them, the number of
        training ``images``, that of ``held_out_images``, and of which ``part`` these are, ``"test"`` or
        ``"validation"``.
    snapshot_rows : ndarray of int64, shape (S,)
        Which of the T measurements each snapshot is of; all of them unless given.

    Examples
    --------
    >>> from bdfa_np import train
    >>> options = dict(num_hidden=20, train_limit=200, epochs=2, threads=1)
    >>> found = train(dataset="mnist-5k", gradient="dfa", track="weights", **options).diagnostics
    >>> found.layers, found.epochs.tolist(), found.values["weight_norm"].shape
    (('linear1', 'linear2', 'linear3'), [0.0, 1.0, 2.0], (3, 3))
    """

    layers: tuple[str, ...]
    epochs: NDArray[np.float64]
    steps: NDArray[np.int64]
    values: dict[str, NDArray[np.float64]]
    snapshots: dict[str, NDArray[np.float32]] = field(default_factory=dict)
    settings: dict[str, object] = field(default_factory=dict)
    snapshot_rows: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))

    def __post_init__(self) -> None:
        if not len(self.snapshot_rows):
            object.__setattr__(self, "snapshot_rows", np.arange(max(map(len, self.snapshots.values()), default=0)))

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Diagnostics:
        """Read what was measured of a run.

        Parameters
        ----------
        path : str or path
            A ``diagnostics.h5``, or the run folder that it is in.

        Raises
        ------
        RunError
            If it is missing, unreadable, damaged, no such file, or written by a later version.
        """
        found = user_path(path, "path")
        return cls(**read_contents(found / FILE if found.is_dir() else found))

    def write(self, path: Path) -> None:
        """Write it as a run folder has it, replacing the file at ``path`` in one step."""
        write_contents(path, vars(self))

    def __len__(self) -> int:
        """Return the number of measurements T."""
        return len(self.steps)

    def angles(self, name: str) -> NDArray[np.float64]:
        """Return angles (T, L) in degrees, NaN where the exact gradient is below the numerical floor.

        Parameters
        ----------
        name : str
            ``signal_angle``, ``gradient_angle`` or ``feedback_angle``, as far as it was measured.

        Raises
        ------
        ConfigError
            If there is no such quantity.
        """
        if name not in self.values:
            names = ", ".join(one for one in self.values if one.endswith("_angle")) or "no angle"
            raise ConfigError(f"there is no {name!r} here: what was measured has {names}")
        found = self.values[name]
        meaningful = self.values.get("meaningful")
        if meaningful is None or name == "feedback_angle":
            return found
        return np.where(meaningful > 0, found, np.nan)

    def _at(self, row: int) -> Diagnostics:
        """Return one measurement alone, without its pictures."""
        values = {name: column[row, np.newaxis] for name, column in self.values.items()}
        return Diagnostics(self.layers, self.epochs[row, np.newaxis], self.steps[row, np.newaxis], values)

    def up_to(self, steps: int) -> Diagnostics:
        """Return what was measured up to so many steps of the run."""
        count = int((self.steps <= steps).sum())
        pictured = self.snapshot_rows < count
        return Diagnostics(
            self.layers,
            self.epochs[:count],
            self.steps[:count],
            {name: column[:count] for name, column in self.values.items()},
            {name: array[pictured] for name, array in self.snapshots.items()},
            dict(self.settings),
            self.snapshot_rows[pictured],
        )

    def last_of_epoch(self, epoch: int) -> int | None:
        """Return which measurement was the last one in an epoch, counted from 1; None where there was none."""
        row = int(np.searchsorted(self.epochs, epoch, side="right")) - 1
        return row if row >= 0 and self.epochs[row] > epoch - 1 else None

    def figures(self, row: int = -1) -> dict[str, float]:
        """Return all numbers of a measurement, the last one unless told otherwise, as ``signal_angle.linear1``.

        What does not apply to a layer, or says nothing, is left out.
        """
        one = self._at(row)
        return {
            f"{name}.{layer}": value
            for name in self.values
            for layer, value in zip(self.layers, one._shown(name)[0].tolist(), strict=True)
            if not isnan(value)
        }

    def rows(self) -> list[dict[str, Any]]:
        """Return a dictionary a measurement and layer: ``epoch``, ``step``, ``layer``, and each quantity by name."""
        columns = {name: self._shown(name) for name in self.values}
        return [
            {
                "epoch": float(self.epochs[row]),
                "step": int(self.steps[row]),
                "layer": layer,
                **{name: float(column[row, place]) for name, column in columns.items()},
            }
            for row in range(len(self))
            for place, layer in enumerate(self.layers)
        ]

    def to_pandas(self) -> pandas.DataFrame:
        """Return a table of pandas', a row a measurement and layer.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        try:
            import pandas
        except ImportError:
            raise ImportError("to_pandas() needs pandas: pip install pandas; rows() does without") from None
        return pandas.DataFrame(self.rows(), columns=["epoch", "step", "layer", *self.values])

    def table(self, row: int = -1) -> Table:
        """Return the numbers of a measurement, the last one unless told otherwise.

        A row a quantity and a column a layer, or where there are more layers than quantities the other way round.
        """
        names = list(self.values)
        if not len(self):
            return Table(["layer"], [], title="nothing measured")
        one = self._at(row)
        cells = [[None if isnan(value) else value for value in one._shown(name)[0].tolist()] for name in names]
        title = f"after {self.epochs[row]:g} epochs"
        if len(self.layers) <= len(names):
            rows = [[name, *found] for name, found in zip(names, cells, strict=True)]
            return Table(["", *self.layers], rows, title=title)
        rows = [[layer, *(found[place] for found in cells)] for place, layer in enumerate(self.layers)]
        return Table(["", *names], rows, title=title)

    def _shown(self, name: str) -> NDArray[np.float64]:
        """Return a quantity (T, L), angles without those that say nothing."""
        return self.angles(name) if name.endswith("_angle") else self.values[name]

    def _repr_html_(self) -> str:
        """Return what a notebook shows: the last measurement."""
        return self.table().to_html()

    def __repr__(self) -> str:
        """Return how many measurements of how many layers, when, and of what."""
        when = f"epochs {self.epochs[0]:g} to {self.epochs[-1]:g}" if len(self) else ""
        of = f"{counted(len(self), 'measurement')} of {counted(len(self.layers), 'layer')}"
        return one_line(self, [of, when, *self.values])

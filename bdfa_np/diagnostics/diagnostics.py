"""What was measured of a run: an array a quantity, a row a measurement, a column a layer."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


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
        By `Quantity.name`; NaN where a quantity does not apply.
    snapshots : dict of str to ndarray of float32, shape (T, n, ...)
        ``features``: the weights into the first n units of the lowest layer, each shaped as an input; ``feedback``:
        the rows of its B, where it has one.
    settings : dict
        How it was measured: ``groups``, ``every``, ``images``, ``part``.
    """

    layers: tuple[str, ...]
    epochs: NDArray[np.float64]
    steps: NDArray[np.int64]
    values: dict[str, NDArray[np.float64]]
    snapshots: dict[str, NDArray[np.float32]] = field(default_factory=dict)
    settings: dict[str, object] = field(default_factory=dict)

    def angles(self, name: str) -> NDArray[np.float64]:
        """Return angles (T, L) in degrees, NaN where the exact gradient is below the numerical floor."""
        found = self.values[name]
        meaningful = self.values.get("meaningful")
        if meaningful is None or name == "feedback_angle":
            return found
        return np.where(meaningful > 0, found, np.nan)

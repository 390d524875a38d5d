"""How far arrays of two backends are apart, and whether that is near enough."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bdfa_np.backend.base import Array


@dataclass(frozen=True)
class Difference:
    """How far an array of one backend is from the other's.

    Attributes
    ----------
    name : str
        What was compared.
    value : float
        The largest difference, as a share of the largest entry; infinite where the two cannot be compared.
    tolerance : float
        How large it may be.
    note : str
        The error, where the backend could not compute at all.
    """

    name: str
    value: float
    tolerance: float
    note: str = ""

    @property
    def passed(self) -> bool:
        """Whether it is small enough."""
        return self.value <= self.tolerance


def failure(name: str, error: Exception) -> Difference:
    """Return the difference from a backend that raised an error."""
    lines = str(error).splitlines() or [""]
    return Difference(name, float("inf"), 0.0, note=f"{type(error).__name__}: {lines[0]}")


def difference(
    name: str, found: Array | None, expected: Array, tolerance: float, scale: Array | float | None = None
) -> Difference:
    """Return max|a-b| / max|b|, or by another scale.

    Whole numbers must be equal. So must be infinite entries, and NaN must be in the same places: what is not is an
    infinite difference, as is another shape or type.

    Parameters
    ----------
    name : str
        What is compared.
    found, expected : array
        ``a`` and ``b``, on the host; there may be no ``a``.
    tolerance : float
        How large the difference may be.
    scale : float or array, optional
        What to divide by in place of max|b|, as a whole or entry by entry.
    """
    if found is None or found.shape != expected.shape or found.dtype != expected.dtype:
        return Difference(name, float("inf"), tolerance)
    if expected.dtype.kind != "f":
        return Difference(name, 0.0 if np.array_equal(found, expected) else float("inf"), 0.0)
    unlike = ~((found == expected) | (np.isnan(found) & np.isnan(expected)))
    a, b = found[unlike].astype(np.float64), expected[unlike].astype(np.float64)
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        return Difference(name, float("inf"), tolerance)
    if scale is None:
        finite = expected[np.isfinite(expected)]
        scale = float(np.abs(finite).max(initial=0))
    by = np.broadcast_to(np.asarray(scale, np.float64), expected.shape)[unlike]
    # Both are divided first: the difference of two numbers of opposite signs may be too large for the type.
    with np.errstate(divide="ignore", over="ignore"):
        values = np.where(by > 0, np.abs(a / np.where(by > 0, by, 1) - b / np.where(by > 0, by, 1)), np.inf)
    return Difference(name, float(values.max(initial=0)), tolerance)


def worst(differences: Sequence[Difference]) -> Difference:
    """Return the one that is the furthest from passing."""

    def exhausted(one: Difference) -> float:
        return one.value / one.tolerance if one.tolerance else one.value

    return max(differences, key=exhausted)

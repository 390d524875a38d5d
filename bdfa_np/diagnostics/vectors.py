"""Norms, products and angles of whole batches, summed in float64 whatever they are of."""

from collections.abc import Iterator
from math import inf, nan

import numpy as np
from numpy.typing import NDArray

from bdfa_np.backend.base import Array, Backend

BLOCK = 2**20
"""Entries that are brought to float64 at a time: of a convolution's feature maps there may be a hundred times more."""


def products(backend: Backend, a: Array, b: Array) -> NDArray[np.float64]:
    """Return ``Σ a ⊙ b``, ``Σ a ⊙ a`` and ``Σ b ⊙ b`` for each place of the first axis, (3, N), on the host.

    Where ``a`` and ``b`` are equal, so are the three.
    """
    found = []
    for part in _parts(a):
        one, other = (array[part].astype("float64").reshape(part.stop - part.start, -1) for array in (a, b))
        sums = [(left * right).sum(axis=1) for left, right in ((one, other), (one, one), (other, other))]
        found.append([backend.to_host(sum_) for sum_ in sums])
    return np.concatenate(found, axis=1)


def row_norms(backend: Backend, a: Array) -> NDArray[np.float64]:
    """Return the norm of each image's entries, of an array (N, ...), on the host."""
    found = []
    for part in _parts(a):
        entries = a[part].astype("float64").reshape(part.stop - part.start, -1)
        entries *= entries
        found.append(backend.to_host(entries.sum(axis=1)))
    norms: NDArray[np.float64] = np.sqrt(np.concatenate(found))
    return norms


def norm(backend: Backend, a: Array) -> float:
    """Return the norm of all entries."""
    return float(np.sqrt((row_norms(backend, a) ** 2).sum()))


def _parts(a: Array) -> Iterator[slice]:
    step = max(1, BLOCK * len(a) // max(a.size, 1))
    return (slice(start, min(start + step, len(a))) for start in range(0, len(a), step))


def angle(ab: float, aa: float, bb: float) -> float:
    """Return the angle between two vectors, in degrees, of ``Σ a ⊙ b`` and the two squared norms.

    From 0, which two equal vectors have exactly, to 180; NaN where one is zero or not finite.
    """
    if not (0 < aa < inf and 0 < bb < inf):
        return nan
    squared_cosine = np.float64(ab) / aa * (np.float64(ab) / bb)
    sine = np.sqrt(np.maximum(0.0, 1 - squared_cosine))
    return float(np.degrees(np.arctan2(sine, np.copysign(np.sqrt(squared_cosine), ab))))


def host_norm(a: NDArray[np.floating]) -> float:
    """Return the norm of all entries of an array on the host."""
    flat = a.astype(np.float64).reshape(-1)
    return float(np.sqrt(flat @ flat))

"""The reference backend: NumPy on the CPU."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import numpy.typing as npt

from bdfa_np.backend.base import Array, Backend

BLOCK = 16384
"""Elements a block: a handful of float32 arrays of this length stay in a core's second-level cache."""


class NumpyBackend(Backend):
    """NumPy on the CPU; see `Backend` for what each method does."""

    name = "numpy"
    xp = np

    def asarray(self, array: npt.ArrayLike) -> Array:
        """Bring an array to this backend: floats in its dtype, integers as int64; no copy where none is needed."""
        host = np.asarray(array)
        if host.dtype == self.dtype:
            return host
        return host.astype(self.dtype if host.dtype.kind == "f" else np.int64, copy=False)

    def to_host(self, array: Array) -> Array:
        """Return the array itself: it is on the host already."""
        return array

    def empty(self, shape: tuple[int, ...], dtype: npt.DTypeLike | None = None) -> Array:
        """Return an uninitialised array, in the backend's dtype unless another is given."""
        return np.empty(shape, dtype=self.dtype if dtype is None else dtype)

    def zeros(self, shape: tuple[int, ...]) -> Array:
        """Return an array of zeros in the backend's dtype."""
        return np.zeros(shape, dtype=self.dtype)

    def matmul(self, a: Array, b: Array, out: Array, accumulate: bool = False) -> Array:
        """Write the matrix product ``a b`` into ``out``, or add it where ``accumulate`` is true; return ``out``."""
        if accumulate:
            out += a @ b
            return out
        return np.matmul(a, b, out=out)

    def column_sum(self, a: Array, out: Array, accumulate: bool = False) -> Array:
        """Write (or add) the sum of ``a`` (N, n) over its rows into ``out`` (n,); return ``out``."""
        if accumulate:
            out += a.sum(axis=0)
            return out
        return np.sum(a, axis=0, out=out)

    def row_dot(self, a: Array, b: Array, out: Array) -> Array:
        """Write the inner product of each row of ``a`` with the same row of ``b`` into ``out`` (N,); return it."""
        np.einsum("ij,ij->i", a, b, out=out)
        return out

    def blocks(self, size: int) -> Iterator[slice]:
        """Cut a flat vector into pieces of `BLOCK` elements, which stay in cache from one operation to the next."""
        for start in range(0, size, BLOCK):
            yield slice(start, min(start + BLOCK, size))

    def non_finite_allowed(self) -> AbstractContextManager[Any]:
        """Return ``numpy.errstate`` with overflow and invalid operations ignored."""
        return np.errstate(over="ignore", invalid="ignore", divide="ignore")

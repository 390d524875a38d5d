"""The reference backend: NumPy on the CPU."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from bdfa_np.backend import (
    numpy_augment,
    numpy_conv,
    numpy_elementwise,
    numpy_few_channels,
    numpy_pool,
    numpy_products,
    numpy_threads,
    numpy_winograd,
)
from bdfa_np.backend.base import Array, Backend, Formula


class NumpyBackend(Backend):
    """NumPy on the CPU; see `Backend` for what each method does."""

    name = "numpy"
    xp = np

    def __init__(self, dtype: str = "float32") -> None:
        super().__init__(dtype)
        self._number = np.dtype(dtype).type
        self._scratch: dict[str, Array] = {}

    def _workspace(self, name: str, shape: tuple[int, ...], dtype: npt.DTypeLike | None = None) -> Array:
        """Return scratch memory that every layer shares: its content lasts until the next kernel runs."""
        size = prod(shape)
        held = self._scratch.get(name)
        if held is None or held.size < size:
            held = self._scratch[name] = self.empty((size,), dtype)
        return held[:size].reshape(shape)

    def _ones(self, size: int) -> Array:
        held = self._scratch.get("ones")
        if held is None or held.size < size:
            held = self._scratch["ones"] = np.ones(size, self.dtype)
        return held[:size]

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
        return numpy_products.matmul(a, b, out)

    def column_sum(self, a: Array, out: Array, accumulate: bool = False) -> Array:
        """Write (or add) the sum of ``a`` (N, n) over its rows into ``out`` (n,); return ``out``."""
        return numpy_products.column_sum(a, out, accumulate, self._ones)

    def row_dot(self, a: Array, b: Array, out: Array) -> Array:
        """Write the inner product of each row of ``a`` with the same row of ``b`` into ``out`` (N,); return it."""
        np.einsum("ij,ij->i", a, b, out=out)
        return out

    def _suits_winograd(self, W: Array, y: Array, stride: int, padding: int) -> bool:
        return numpy_winograd.suits(W.shape, y.shape, stride, padding, W.dtype)

    def convolve(self, x: Array, W: Array, out: Array, stride: int, padding: int) -> Array:
        """Convolve in the way that is the fastest for these shapes; `numpy_conv`'s is the reference for the others."""
        way: Any = numpy_few_channels if numpy_few_channels.suits(W.shape) else numpy_conv
        if self._suits_winograd(W, out, stride, padding):
            way = numpy_winograd
        way.convolve(x, W, out, stride, padding, self._workspace)
        return out

    def convolve_weight_gradient(
        self, x: Array, grad_y: Array, out: Array, stride: int, padding: int, accumulate: bool = False
    ) -> Array:
        """Write (or add) the gradient of a convolution's ``W``, in the way that is the fastest for these shapes."""
        way: Any = numpy_few_channels if numpy_few_channels.suits(out.shape) else numpy_conv
        if self._suits_winograd(out, grad_y, stride, padding):
            way = numpy_winograd
        way.convolve_weight_gradient(x, grad_y, out, stride, padding, accumulate, self._workspace)
        return out

    def convolve_input_gradient(self, grad_y: Array, W: Array, out: Array, stride: int, padding: int) -> Array:
        """Write the transposed convolution by ``W``, in the way that is the fastest for these shapes."""
        way: Any = numpy_winograd if self._suits_winograd(W, grad_y, stride, padding) else numpy_conv
        way.convolve_input_gradient(grad_y, W, out, stride, padding, self._workspace)
        return out

    def max_pool(self, x: Array, size: int, stride: int, out: Array, chosen: Array) -> Array:
        """Write each window's maximum, and where it came from."""
        return numpy_pool.max_pool(x, size, stride, out, chosen, self._workspace)

    def max_pool_gradient(self, grad_y: Array, chosen: Array, size: int, stride: int, out: Array) -> Array:
        """Hand each window's gradient to the entry that it chose."""
        return numpy_pool.max_pool_gradient(grad_y, chosen, size, stride, out, self._workspace)

    def dropout_mask(self, key: tuple[int, ...], keep: float, out: Array) -> Array:
        """Fill ``out`` with 1/keep or 0, by a generator seeded with ``key``."""
        np.random.Generator(np.random.SFC64(key)).random(out=out, dtype=out.dtype)
        np.less(out, keep, out=out)
        out *= 1 / keep
        return out

    def crop_and_mirror(
        self, images: Array, top: Array, left: Array, margin: Array, mirrored: Array, out: Array
    ) -> Array:
        """Scale the crops' rows and then their columns, of the whole batch at once."""
        return numpy_augment.crop_and_mirror(images, top, left, margin, mirrored, out, self._workspace)

    def limit_norms(self, W: Array, axes: tuple[int, ...], bound: float) -> None:
        """Scale each vector of ``W`` along ``axes`` back, in place, to a Euclidean norm of at most ``bound``."""
        norms = np.sqrt(np.sum(np.square(W), axis=axes, keepdims=True))
        if (norms > bound).any():
            W *= np.minimum(1, bound / np.maximum(norms, bound))

    def elementwise(
        self, formula: Formula, given: Sequence[Array], out: Sequence[Array], constants: Sequence[float] = ()
    ) -> None:
        """Evaluate a formula in blocks that stay in cache, or compiled where Numba is installed; with the same bits."""
        numpy_elementwise.elementwise(formula, given, out, [self._number(constant) for constant in constants])

    def tanh(self, a: Array, out: Array) -> Array:
        """Write tanh(a) into ``out``; return it."""
        return numpy_elementwise.tanh(a, out)

    def add_bias(self, y: Array, b: Array) -> Array:
        """Add ``b`` (C,) to every row of ``y`` (N, ..., C) in place; return it."""
        return numpy_elementwise.add_bias(y, b)

    def computing(self, shares_batch: bool) -> AbstractContextManager[Any]:
        """Return `numpy_threads.alone`, in which BLAS's own threads rest, for a net that cuts its batches."""
        return numpy_threads.alone() if shares_batch else nullcontext()

    def non_finite_allowed(self) -> AbstractContextManager[Any]:
        """Return ``numpy.errstate`` with overflow and invalid operations ignored."""
        return np.errstate(over="ignore", invalid="ignore", divide="ignore")

"""The reference backend: NumPy on the CPU."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from bdfa_np.backend.base import Array, Backend, Batch, CountsPasses, Step
from bdfa_np.backend.cpu import (
    augment,
    average,
    convolution,
    direct,
    elementwise,
    few_channels,
    normalisation,
    pool,
    products,
    threads,
    whole_image,
    winograd,
)
from bdfa_np.backend.cpu.lending import Lender, pages
from bdfa_np.backend.formula import Formula, in_order

Sizes = tuple[int, ...]


class NumpyBackend(Backend):
    """NumPy on the CPU; see `Backend` for what each method does."""

    name = "numpy"
    xp = np
    waits = True

    def __init__(self, dtype: str = "float32") -> None:
        super().__init__(dtype)
        self._number = np.dtype(dtype).type
        self._scratch: dict[str, Array] = {}
        self._lender = Lender()

    def _workspace(self, name: str, shape: tuple[int, ...], dtype: npt.DTypeLike | None = None) -> Array:
        """Return scratch memory that every layer shares: its content lasts until the next kernel runs."""
        size = prod(shape)
        held = self._scratch.get(name)
        if held is None or held.size < size:
            number = np.dtype(self.dtype if dtype is None else dtype)
            self._scratch.pop(name, None)
            held = self._scratch[name] = pages(size * number.itemsize).view(number)
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

    def lend(self, shape: tuple[int, ...]) -> Array:
        """Return an array whose memory comes back once nobody holds it."""
        return self._lender.lend(shape, self.dtype)

    def pages_held(self) -> int:
        """Return the bytes of lent memory and of the kernels' work space, which no allocator of NumPy's knows of."""
        work_space = sum(array.nbytes for name, array in self._scratch.items() if name != "ones")
        return sum(self._lender.bytes_held()) + work_space

    def matmul(self, a: Array, b: Array, out: Array, accumulate: bool = False) -> Array:
        """Write the matrix product ``a b`` into ``out``, or add it where ``accumulate`` is true; return ``out``."""
        if accumulate:
            out += a @ b
            return out
        return products.matmul(a, b, out)

    def column_sum(self, a: Array, out: Array, accumulate: bool = False) -> Array:
        """Write (or add) the sum of ``a`` (N, n) over its rows into ``out`` (n,); return ``out``."""
        return products.column_sum(a, out, accumulate, self._ones)

    def moments(self, x: Array, mean: Array, variance: Array) -> None:
        """Write the mean and the (biased) variance of each column, by blocks that stay in cache, or compiled."""
        normalisation.moments(x, mean, variance)

    def normalise(self, x: Array, mean: Array, scale: Array, shift: Array, out: Array) -> Array:
        """Write ``(x - mean) scale + shift``, in one pass."""
        return normalisation.normalise(x, mean, scale, shift, out)

    def centred_sums(self, grad_y: Array, x: Array, mean: Array, sum_g: Array, sum_gx: Array) -> None:
        """Write ``Σ grad_y`` and ``Σ grad_y (x - mean)``, in one pass."""
        normalisation.centred_sums(grad_y, x, mean, sum_g, sum_gx)

    def normalise_gradient(
        self, grad_y: Array, x: Array, mean: Array, along: Array, common: Array, scale: Array, out: Array
    ) -> Array:
        """Write ``((x - mean) along + grad_y - common) scale``, in one pass."""
        return normalisation.normalise_gradient(grad_y, x, mean, along, common, scale, out)

    def one_hot(self, labels: Array, num_classes: int) -> Array:
        """Return the targets (N, K) of labels (N,)."""
        t = self.zeros((len(labels), num_classes))
        t[np.arange(len(labels)), labels] = 1
        return t

    def log_softmax(self, o: Array) -> Array:
        """Return ``o - log Σ exp(o)`` of each row."""
        below = o - o.max(axis=1, keepdims=True)
        below -= np.log(np.exp(below).sum(axis=1, keepdims=True))
        return below

    def tally(self, logits: Array, labels: Array, terms: Array, counts: Array, sums: Array) -> None:
        """Count a batch's predictions and add up its loss."""
        K = len(counts)
        counts += np.bincount(labels * K + logits.argmax(axis=1), minlength=K * K).reshape(K, K)
        total = terms.sum(dtype=np.float64)
        sums[0] += total
        sums[1] += 1
        if not (np.isfinite(total) or sums[2]):
            sums[2:] = sums[1], total

    def row_dots(self, a: Array, b: Array, out: Array) -> Array:
        """Write the inner product of each row of ``a`` (N, n) with that of ``b`` into ``out`` (N,); return it."""
        return np.einsum("ij,ij->i", a, b, out=out)

    def _way(self, x_shape: Sizes, W_shape: Sizes, y_shape: Sizes, stride: int, padding: int) -> Any:
        """Return the module that is the fastest for these shapes; `convolution`'s way is the reference for the others.

        It hangs on shapes, precision and on whether Numba is installed alone, never on what was computed before.
        """
        if whole_image.suits(W_shape, x_shape, padding):
            return whole_image
        if direct.suits(W_shape, y_shape, stride, padding):
            return direct
        return winograd if winograd.suits(W_shape, y_shape, stride, padding, np.dtype(self.dtype)) else convolution

    def convolve(self, x: Array, W: Array, out: Array, stride: int, padding: int) -> Array:
        """Convolve in the way that is the fastest for these shapes."""
        way = self._way(x.shape, W.shape, out.shape, stride, padding)
        if way is convolution and few_channels.suits(W.shape):
            way = few_channels
        way.convolve(x, W, out, stride, padding, self._workspace)
        return out

    def convolve_weight_gradient(
        self, x: Array, grad_y: Array, out: Array, stride: int, padding: int, accumulate: bool = False
    ) -> Array:
        """Write (or add) the gradient of a convolution's ``W``, in the way that is the fastest for these shapes."""
        way = self._way(x.shape, out.shape, grad_y.shape, stride, padding)
        if way is convolution and few_channels.suits(out.shape):
            way = few_channels
        way.convolve_weight_gradient(x, grad_y, out, stride, padding, accumulate, self._workspace)
        return out

    def convolve_input_gradient(self, grad_y: Array, W: Array, out: Array, stride: int, padding: int) -> Array:
        """Write the transposed convolution by ``W``, in the way that is the fastest for these shapes."""
        way = self._way(out.shape, W.shape, grad_y.shape, stride, padding)
        way.convolve_input_gradient(grad_y, W, out, stride, padding, self._workspace)
        return out

    def max_pool(self, x: Array, size: int, stride: int, out: Array, chosen: Array) -> Array:
        """Write each window's maximum, and where it came from."""
        return pool.max_pool(x, size, stride, out, chosen, self._workspace)

    def max_pool_gradient(self, grad_y: Array, chosen: Array, size: int, stride: int, out: Array) -> Array:
        """Hand each window's gradient to the entry that it chose."""
        return pool.max_pool_gradient(grad_y, chosen, size, stride, out, self._workspace)

    def max_pool_tangent(self, dx: Array, chosen: Array, size: int, stride: int, out: Array) -> Array:
        """Gather the entries that windows chose."""
        return pool.max_pool_tangent(dx, chosen, size, stride, out, self._workspace)

    def unpool(self, y: Array, stride: int, out: Array) -> Array:
        """Repeat rows and columns."""
        rows, columns = (np.minimum(np.arange(out.shape[i]) // stride, y.shape[i] - 1) for i in (1, 2))
        out[...] = y[:, rows][:, :, columns]
        return out

    def unpool_gradient(self, grad_x: Array, stride: int, out: Array) -> Array:
        """Add up rows and columns."""
        rows, columns = (np.arange(0, stride * side, stride) for side in out.shape[1:3])
        return np.add.reduceat(np.add.reduceat(grad_x, rows, axis=1), columns, axis=2, out=out)

    def average_pool(self, x: Array, size: int, stride: int, out: Array) -> Array:
        """Add up rows, then columns."""
        return average.average_pool(x, size, stride, out, self._workspace)

    def average_pool_gradient(self, grad_y: Array, size: int, stride: int, out: Array) -> Array:
        """Hand each entry its shares."""
        return average.average_pool_gradient(grad_y, size, stride, out, self._workspace)

    def dropout(self, x: Array, key: tuple[int, ...], keep: float, mask: Array, out: Array) -> Array:
        """Draw the mask by a generator seeded with ``key``."""
        np.random.Generator(np.random.SFC64(key)).random(out=mask, dtype=mask.dtype)
        np.less(mask, keep, out=mask)
        mask *= 1 / keep
        return np.multiply(x, mask, out=out)

    def uniform(self, out: Array, key: tuple[int, ...], bound: float) -> Array:
        """Draw by a generator seeded with ``key``."""
        np.random.Generator(np.random.SFC64(key)).random(out=out, dtype=out.dtype)  # within 0..1
        out *= 2 * bound
        out -= bound
        return out

    def normal(self, out: Array, key: tuple[int, ...]) -> Array:
        """Draw by a generator seeded with ``key``."""
        return np.random.Generator(np.random.SFC64(key)).standard_normal(out=out, dtype=out.dtype)

    def crop_and_mirror(
        self, images: Array, top: Array, left: Array, margin: Array, mirrored: Array, out: Array
    ) -> Array:
        """Scale the crops' rows and then their columns, of the whole batch at once."""
        return augment.crop_and_mirror(images, top, left, margin, mirrored, out, self._workspace)

    def shift_and_mirror(
        self, images: Array, blank: Array, top: Array, left: Array, mirrored: Array, out: Array
    ) -> Array:
        """Put what is seen of each image into a blank one."""
        return augment.shift_and_mirror(images, blank, top, left, mirrored, out)

    def limit_norms(self, W: Array, axes: tuple[int, ...], bound: float) -> None:
        """Scale each vector of ``W`` along ``axes`` back, in place, to a Euclidean norm of at most ``bound``."""
        norms = np.sqrt(np.sum(np.square(W), axis=axes, keepdims=True))
        if (norms > bound).any():
            W *= np.minimum(1, bound / np.maximum(norms, bound))

    def clip_norm(self, vectors: Sequence[Array], bound: float) -> None:
        """Sum the squares in blocks that stay in cache."""
        first, total = vectors[0], 0.0
        for start in range(0, first.size, elementwise.BLOCK):
            block = first[start : start + elementwise.BLOCK].astype(np.float64, copy=False)
            total += float(block @ block)
        if total > bound**2:
            factor = self._number(bound / total**0.5)
            for vector in vectors:
                np.multiply(vector, factor, out=vector)

    def elementwise(
        self, formula: Formula, given: Sequence[Array], out: Sequence[Array], /, **constants: float
    ) -> None:
        """Evaluate a formula in blocks that stay in cache, or compiled where Numba is installed; with the same bits."""
        elementwise.elementwise(formula, given, out, [self._number(c) for c in in_order(formula, constants)])

    def add_bias(self, y: Array, b: Array) -> Array:
        """Add ``b`` (C,) to every row of ``y`` (N, ..., C) in place; return it."""
        return elementwise.add_bias(y, b)

    def computing(self, shares_batch: bool) -> AbstractContextManager[Any]:
        """Return `threads.alone`, in which BLAS's own threads rest, for a net that cuts its batches."""
        return threads.alone() if shares_batch else nullcontext()

    def on_device(self, array: object) -> bool:
        """Return False: all memory is the host's."""
        return False

    def feed(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """Hand the batches on as they are: `asarray` brings what is of another type to this one."""
        yield from batches

    def recorded(self, step: Step, network: CountsPasses) -> Step:
        """Return ``step`` itself."""
        return step

    def synchronize(self) -> None:
        """Do nothing: a kernel is done when its call returns."""

    def describe(self) -> str:
        """Return the name and the precision."""
        return f"{self.name} {self.dtype}"

    def non_finite_allowed(self) -> AbstractContextManager[Any]:
        """Return ``numpy.errstate`` with overflow and invalid operations ignored."""
        return np.errstate(over="ignore", invalid="ignore", divide="ignore")

"""CuPy on an NVIDIA GPU: every kernel of the step is a product by cuBLAS or one of our own."""

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from bdfa_np.backend.base import Array, Backend, Batch, CountsPasses, Step
from bdfa_np.backend.cuda.adding import begin_adding
from bdfa_np.backend.cuda.cublas import Cublas
from bdfa_np.backend.cuda.feed import Feed
from bdfa_np.backend.cuda.graph import RecordedStep
from bdfa_np.backend.cuda.importing import import_cupy
from bdfa_np.backend.cuda.kernels import THREADS, Kernels
from bdfa_np.backend.formula import Formula, in_order
from bdfa_np.parallel.share import Team

COLUMNS_BYTES = 256 * 2**20
"""How large the matrix of windows may grow before the batch is cut."""


class CupyBackend(Backend):
    """CuPy on one CUDA device; see `Backend` for what each method does.

    The device becomes the current one of this thread. No method waits for the device but `to_host` and `synchronize`.

    Parameters
    ----------
    dtype : {"float32", "float64"}
        The precision of every floating-point array.
    device : int, default 0
        The CUDA device, counted from 0.
    tf32 : bool, default False
        Whether products of float32 may use TF32: faster, with three digits less.
    cuda_graph : bool, default False
        Whether training steps are captured as CUDA graphs.
    memory_limit : int, optional
        Bytes of the device's memory that may be taken; all of it by default.
    """

    name = "cupy"
    waits = False

    def __init__(
        self,
        dtype: str = "float32",
        *,
        device: int = 0,
        tf32: bool = False,
        cuda_graph: bool = False,
        memory_limit: int | None = None,
    ) -> None:
        super().__init__(dtype)
        cupy = self.xp = import_cupy()
        self.device, self.tf32, self.cuda_graph = device, tf32, cuda_graph
        self._memory_limit = memory_limit
        self._device = cupy.cuda.Device(device)
        self._device.use()
        if memory_limit is not None:
            cupy.get_default_memory_pool().set_limit(size=memory_limit)
        self.allocations = 0
        """How many arrays were handed out by `empty`; a graph knows by it whether its buffers are still those."""
        self._kernels = Kernels(cupy, dtype)
        self._cublas = Cublas(cupy, dtype, tf32=tf32)
        self.stream = cupy.cuda.Stream(non_blocking=True)
        """Where a net computes; a stream that can be captured waits for no other by itself."""
        self._feed = Feed(cupy, dtype)
        self._scratch: dict[str, Array] = {}
        self._squares = cupy.zeros(THREADS, "float64")
        self.later = self.whole_number(0)
        """Added to the number of a training pass: 0 unless a step that was recorded is replayed."""

    # Memory

    def asarray(self, array: npt.ArrayLike) -> Array:
        """Bring an array to the device: floats in the backend's dtype, integers as int64."""
        source: Any = array if self.on_device(array) else np.asarray(array)
        return self.xp.asarray(source, self.dtype if source.dtype.kind == "f" else "int64")

    def to_host(self, array: Array) -> Array:
        """Wait for the device and return a copy in NumPy."""
        on_device: Any = array
        return on_device.get()

    def empty(self, shape: tuple[int, ...], dtype: npt.DTypeLike | None = None) -> Array:
        """Return an uninitialised array, in the backend's dtype unless another is given."""
        self.allocations += 1
        return self.xp.empty(shape, self.dtype if dtype is None else dtype)

    def zeros(self, shape: tuple[int, ...]) -> Array:
        """Return an array of zeros in the backend's dtype."""
        return self.xp.zeros(shape, self.dtype)

    def lend(self, shape: tuple[int, ...]) -> Array:
        """Return an array of CuPy's pool, to which it comes back; a graph that is recorded has a pool of its own."""
        return self.xp.empty(shape, self.dtype)

    def whole_number(self, value: int) -> Array:
        """Return a number that lies on the device, as an array (1,)."""
        return self.xp.asarray(np.array([value], np.int64))

    def new_pool(self) -> Any:
        """Return a memory pool under the same limit as the default one."""
        pool = self.xp.cuda.MemoryPool()
        if self._memory_limit is not None:
            pool.set_limit(size=self._memory_limit)
        return pool

    def on_device(self, array: object) -> bool:
        """Return whether an array is CuPy's."""
        return isinstance(array, self.xp.ndarray)

    def _workspace(self, name: str, shape: tuple[int, ...]) -> Array:
        """Return scratch memory that every layer shares: its content lasts until the next kernel runs."""
        size = prod(shape)
        held = self._scratch.get(name)
        if held is None or held.size < size:
            held = self._scratch[name] = self.empty((size,))
        return held[:size].reshape(shape)

    def _ones(self, size: int) -> Array:
        held = self._scratch.get("ones")
        if held is None or held.size < size:
            held = self._scratch["ones"] = self.empty((size,))
            held.fill(1)
        return held[:size]

    # Products

    def matmul(self, a: Array, b: Array, out: Array, accumulate: bool = False) -> Array:
        """Write the matrix product ``a b`` into ``out``, or add it where ``accumulate`` is true; return ``out``."""
        return self._cublas.matmul(a, b, out, accumulate)

    def column_sum(self, a: Array, out: Array, accumulate: bool = False) -> Array:
        """Write (or add) the sum over rows, as a product with ones."""
        self._cublas.matmul(self._ones(len(a)).reshape(1, -1), a, out.reshape(1, -1), accumulate)
        return out

    def _columns(self, x: Array, y_shape: tuple[int, ...], size: int) -> Iterator[tuple[slice, Array]]:
        """Yield a few images at a time, and memory for their windows as the rows of a matrix."""
        _, Ho, Wo, _ = y_shape
        width = size * size * x.shape[-1]
        step = max(1, COLUMNS_BYTES // (Ho * Wo * width * x.itemsize))
        for start in range(0, len(x), step):
            part = slice(start, min(start + step, len(x)))
            yield part, self._workspace("columns", ((part.stop - start) * Ho * Wo, width))

    def _im2col(self, x: Array, columns: Array, y_shape: tuple[int, ...], size: int, stride: int, padding: int) -> None:
        sides = (*x.shape[1:], *y_shape[1:3])
        rows = len(x) * y_shape[1]
        self._kernels.places("im2col", columns.size, x, columns, *sides, size, stride, padding, blocks=rows)

    def convolve(self, x: Array, W: Array, out: Array, stride: int, padding: int) -> Array:
        """Lay the windows out as rows, and multiply them by ``W`` as a matrix."""
        matrix = W.reshape(-1, W.shape[-1])
        for part, columns in self._columns(x, out.shape, len(W)):
            self._im2col(x[part], columns, out.shape, len(W), stride, padding)
            self.matmul(columns, matrix, out[part].reshape(-1, W.shape[-1]))
        return out

    def convolve_weight_gradient(
        self, x: Array, grad_y: Array, out: Array, stride: int, padding: int, accumulate: bool = False
    ) -> Array:
        """Multiply the transposed windows by the output gradients."""
        K = out.shape[-1]
        for part, columns in self._columns(x, grad_y.shape, len(out)):
            self._im2col(x[part], columns, grad_y.shape, len(out), stride, padding)
            self.matmul(columns.T, grad_y[part].reshape(-1, K), out.reshape(-1, K), accumulate)
            accumulate = True
        return out

    def convolve_input_gradient(self, grad_y: Array, W: Array, out: Array, stride: int, padding: int) -> Array:
        """Multiply the output gradients by ``Wᵀ``, and add up what falls on the same place."""
        size, K = len(W), W.shape[-1]
        for part, columns in self._columns(out, grad_y.shape, size):
            self.matmul(grad_y[part].reshape(-1, K), W.reshape(-1, K).T, columns)
            few, sides = out[part], (*out.shape[1:], *grad_y.shape[1:3])
            self._kernels.places("col2im", few.size, columns, few, few.size, *sides, size, stride, padding)
        return out

    # Rows and entries

    def moments(self, x: Array, mean: Array, variance: Array) -> None:
        """Take the mean over rows, and that of the squares of what lies beside it."""
        self._column_mean(x, mean)
        squares = self.lend(x.shape)
        self._kernels.places("centred_square", x.size, x, mean, squares, x.size, mean.size)
        self._column_mean(squares, variance)

    def _column_mean(self, a: Array, out: Array) -> None:
        ones = self._ones(len(a)).reshape(1, -1)
        self._cublas.matmul(ones, a, out.reshape(1, -1), accumulate=False, scale=1 / len(a))

    def normalise(self, x: Array, mean: Array, scale: Array, shift: Array, out: Array) -> Array:
        """Shift and scale entry by entry."""
        self._kernels.places("normalise", x.size, x, mean, scale, shift, out, x.size, mean.size)
        return out

    def centred_sums(self, grad_y: Array, x: Array, mean: Array, sum_g: Array, sum_gx: Array) -> None:
        """Multiply entry by entry, and sum over rows."""
        product = self.lend(x.shape)
        self._kernels.places("centred_product", x.size, grad_y, x, mean, product, x.size, mean.size)
        self.column_sum(grad_y, sum_g)
        self.column_sum(product, sum_gx)

    def normalise_gradient(
        self, grad_y: Array, x: Array, mean: Array, along: Array, common: Array, scale: Array, out: Array
    ) -> Array:
        """Add up and scale entry by entry."""
        vectors = (mean, along, common, scale)
        self._kernels.places("normalise_gradient", x.size, grad_y, x, *vectors, out, x.size, mean.size)
        return out

    def one_hot(self, labels: Array, num_classes: int) -> Array:
        """Return the targets (N, K) of labels (N,); a label that is out of range gives NaN."""
        t = self.xp.empty((len(labels), num_classes), self.dtype)
        self._kernels.each("one_hot", t.size, labels, t, t.size, num_classes)
        return t

    def log_softmax(self, o: Array) -> Array:
        """Return ``o - log Σ exp(o)`` of each row."""
        out = self.xp.empty_like(o)
        self._kernels.each("log_softmax", len(o), o, out, *o.shape)
        return out

    def tally(self, logits: Array, labels: Array, terms: Array, counts: Array, sums: Array) -> None:
        """Count and add up in one block."""
        self._kernels.blocks("tally", 1, logits, labels, terms, counts, sums, *logits.shape)

    def row_dots(self, a: Array, b: Array, out: Array) -> Array:
        """Take a block for each row."""
        self._kernels.blocks("row_dots", len(a), a, b, out, a.shape[1])
        return out

    def limit_norms(self, W: Array, axes: tuple[int, ...], bound: float) -> None:
        """Take a block for each vector."""
        (kept,) = set(range(W.ndim)) - set(axes)
        A, B, C = prod(W.shape[:kept]), W.shape[kept], prod(W.shape[kept + 1 :])
        self._kernels.blocks("limit_norms", B, W, A, B, C, float(bound))

    def clip_norm(self, vectors: Sequence[Array], bound: float) -> None:
        """Leave as many sums of squares as a block has threads; each block that scales adds them up."""
        first = vectors[0]
        sums = self._squares
        self._kernels.blocks("squares", THREADS, first, sums, first.size)
        for vector in vectors:
            self._kernels.each("clip_norm", vector.size, vector, sums, float(bound), vector.size)

    def elementwise(
        self, formula: Formula, given: Sequence[Array], out: Sequence[Array], /, **constants: float
    ) -> None:
        """Launch the kernel that the formula has become."""
        arrays = {id(array): array for array in (*given, *out)}
        for array in arrays.values():
            if not array.flags.c_contiguous or array.shape != out[0].shape:
                raise ValueError("an elementwise formula takes contiguous arrays of one shape")
        place = {key: i for i, key in enumerate(arrays)}
        places = [tuple([place[id(array)] for array in group]) for group in (given, out)]
        numbers = [float(c) for c in in_order(formula, constants)]
        self._kernels.elementwise(formula, list(arrays.values()), places[0], places[1], numbers)

    def add_bias(self, y: Array, b: Array) -> Array:
        """Add ``b`` (C,) to every row of ``y`` (N, ..., C) in place; return it."""
        self._kernels.places("add_bias", y.size, y, b, y.size, b.size)
        return y

    def dropout(self, x: Array, key: tuple[int, ...], keep: float, mask: Array, out: Array) -> Array:
        """Draw the mask by Philox from a hash of ``key``, the last number of it as a counter."""
        self._kernels.each("dropout", x.size, x, mask, out, x.size, *self._drawn_by(key), round(keep * 2**32), 1 / keep)
        return out

    def uniform(self, out: Array, key: tuple[int, ...], bound: float) -> Array:
        """Draw by Philox, as a mask is drawn."""
        self._kernels.each("uniform", out.size, out, out.size, *self._drawn_by(key), float(bound))
        return out

    def normal(self, out: Array, key: tuple[int, ...]) -> Array:
        """Draw by Philox, two numbers at a time by the method of Box and Muller."""
        self._kernels.each("normal", out.size, out, out.size, *self._drawn_by(key))
        return out

    def _drawn_by(self, key: tuple[int, ...]) -> tuple[Any, ...]:
        return (*np.random.SeedSequence(key[:-1]).generate_state(2), key[-1], self.later)

    # Images

    def max_pool(self, x: Array, size: int, stride: int, out: Array, chosen: Array) -> Array:
        """Write each window's maximum, and where it came from."""
        sides = (*x.shape[1:], *out.shape[1:3])
        self._kernels.places("max_pool", out.size, x, out, chosen, out.size, *sides, size, stride)
        return out

    def max_pool_gradient(self, grad_y: Array, chosen: Array, size: int, stride: int, out: Array) -> Array:
        """Let each entry gather the gradients of the windows that chose it."""
        sides = (*out.shape[1:], *grad_y.shape[1:3])
        self._kernels.places("max_pool_gradient", out.size, grad_y, chosen, out, out.size, *sides, size, stride)
        return out

    def max_pool_tangent(self, dx: Array, chosen: Array, size: int, stride: int, out: Array) -> Array:
        """Gather the entries that windows chose."""
        sides = (*dx.shape[1:], *out.shape[1:3])
        self._kernels.places("max_pool_tangent", out.size, dx, chosen, out, out.size, *sides, size, stride)
        return out

    def unpool(self, y: Array, stride: int, out: Array) -> Array:
        """Repeat rows and columns."""
        self._kernels.places("unpool", out.size, y, out, out.size, *out.shape[1:], *y.shape[1:3], stride)
        return out

    def unpool_gradient(self, grad_x: Array, stride: int, out: Array) -> Array:
        """Add up rows and columns."""
        sides = (*grad_x.shape[1:], *out.shape[1:3])
        self._kernels.places("unpool_gradient", out.size, grad_x, out, out.size, *sides, stride)
        return out

    def average_pool(self, x: Array, size: int, stride: int, out: Array) -> Array:
        """Add up each window's entries."""
        sides = (*x.shape[1:], *out.shape[1:3])
        self._kernels.places("average_pool", out.size, x, out, out.size, *sides, size, stride)
        return out

    def average_pool_gradient(self, grad_y: Array, size: int, stride: int, out: Array) -> Array:
        """Let each entry gather its shares."""
        sides = (*out.shape[1:], *grad_y.shape[1:3])
        self._kernels.places("average_pool_gradient", out.size, grad_y, out, out.size, *sides, size, stride)
        return out

    def crop_and_mirror(
        self, images: Array, top: Array, left: Array, margin: Array, mirrored: Array, out: Array
    ) -> Array:
        """Bring the draws to the device, and interpolate entry by entry."""
        draws = self.xp.asarray(np.stack([top, left, margin, mirrored]).astype(np.int64))
        self._kernels.places("crop_and_mirror", out.size, images, draws, out, out.size, *images.shape)
        return out

    def shift_and_mirror(
        self, images: Array, blank: Array, top: Array, left: Array, mirrored: Array, out: Array
    ) -> Array:
        """Bring the draws to the device, and copy entry by entry."""
        draws = self.xp.asarray(np.stack([top, left, mirrored]).astype(np.int64))
        self._kernels.places("shift_and_mirror", out.size, images, blank, draws, out, out.size, *images.shape)
        return out

    # Time

    @contextlib.contextmanager
    def _computing(self) -> Iterator[None]:
        cuda = self.xp.cuda
        outer = cuda.get_current_stream()
        if outer.ptr == self.stream.ptr:
            yield
            return
        before, after = cuda.Event(disable_timing=True), cuda.Event(disable_timing=True)
        before.record(outer)
        self.stream.wait_event(before)
        try:
            with self._device, self.stream:
                yield
        finally:
            after.record(self.stream)
            outer.wait_event(after)

    def computing(self, shares_batch: bool) -> AbstractContextManager[Any]:
        """Return a context in which kernels go to a stream of their own, which can be captured."""
        return self._computing()

    def feed(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """Copy batches from page-locked memory, on a second stream."""
        return self._feed(batches)

    def recorded(self, step: Step, network: CountsPasses) -> Step:
        """Return the step itself or, with ``cuda_graph``, what captures and replays it."""
        return RecordedStep(self, step, network) if self.cuda_graph else step

    def join(self, team: Team) -> str:
        """Give a team what adds up on its devices."""
        return begin_adding(self, team)

    def synchronize(self) -> None:
        """Wait until the device has done everything that was asked for."""
        self._device.synchronize()

    def describe(self) -> str:
        """Return what computes, in which precision."""
        name = self.xp.cuda.runtime.getDeviceProperties(self.device)["name"].decode()
        options = "".join(f", {text}" for on, text in ((self.tf32, "TF32"), (self.cuda_graph, "CUDA graphs")) if on)
        return f"{self.name} {self.dtype} on {name} (device {self.device}){options}"

    def non_finite_allowed(self) -> AbstractContextManager[Any]:
        """Return a context that does nothing: CUDA does not warn."""
        return contextlib.nullcontext()

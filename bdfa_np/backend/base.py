"""What every backend offers: the shared array API as ``xp``, and a short list of named kernels."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from bdfa_np.backend.formula import Formula
from bdfa_np.parallel.share import WHOLE, Share, Team
from bdfa_np.representation import one_line, settings

# The names of rules, optimizers and losses are read by `bdfa --help`, which must not wait for NumPy.
if TYPE_CHECKING:
    import numpy.typing as npt

    Array: TypeAlias = npt.NDArray[Any]
else:
    Array = Any  # an array of the backend in use; NumPy's type stands for it where types are checked

DTYPES = ("float32", "float64")

Batch: TypeAlias = tuple[Array, Array]
"""Samples (N, ...) and their labels (N,)."""

Step: TypeAlias = Callable[[Array, Array], None]
"""Trains on one batch: ``step(x, labels)``."""


class CountsPasses(Protocol):
    """What a step trains, as far as a backend has to know it.

    Attributes
    ----------
    training_passes : int
        How many passes it has made in training; random masks are keyed by it.
    """

    training_passes: int


class Backend(ABC):
    """The one seam between the maths and the machine.

    Layers, rules, losses and optimizers know a backend and nothing below it: elementwise functions are taken
    from ``xp``, everything whose best form differs between machines is a method here.

    Attributes
    ----------
    xp : module
        NumPy, or CuPy: what the two share.
    waits : bool
        Whether a kernel is done when its call returns, so that looking at its result costs nothing.
    hands_over : bool
        Whether signals are handed over at present: see `handing_over`.
    share : Share
        What part of a batch is computed here at present: see `sharing`.

    Parameters
    ----------
    dtype : {"float32", "float64"}
        The precision of every floating-point array; chosen here and nowhere else.

    Raises
    ------
    ValueError
        If ``dtype`` is another type.
    """

    name: str
    xp: Any
    waits: bool
    dtype: str
    hands_over: bool = False
    share: Share = WHOLE

    def __init__(self, dtype: str = "float32") -> None:
        if dtype not in DTYPES:
            raise ValueError(f"dtype must be one of {', '.join(DTYPES)}, not {dtype!r}")
        self.dtype = dtype

    def __repr__(self) -> str:
        """Return the precision, and what was chosen beside it."""
        return one_line(self, settings(self, always=("dtype",)))

    @abstractmethod
    def asarray(self, array: "npt.ArrayLike") -> Array:
        """Bring an array to this backend: floats in its dtype, integers as int64; no copy where none is needed."""

    @abstractmethod
    def to_host(self, array: Array) -> Array:
        """Return the array as a NumPy array (the same one on the CPU)."""

    @abstractmethod
    def empty(self, shape: tuple[int, ...], dtype: "npt.DTypeLike | None" = None) -> Array:
        """Return an uninitialised array, in the backend's dtype unless another is given."""

    @abstractmethod
    def zeros(self, shape: tuple[int, ...]) -> Array:
        """Return an array of zeros in the backend's dtype."""

    @abstractmethod
    def lend(self, shape: tuple[int, ...]) -> Array:
        """Return an uninitialised array in the backend's dtype, for what does not outlive a step.

        Its memory is lent again once nobody holds the array or a view of it, and not before.
        """

    @contextmanager
    def sharing(self, share: Share) -> Iterator[None]:
        """Return a context in which what goes through a net is one share of a batch, whose rest others have."""
        before, self.share = self.share, share
        try:
            yield
        finally:
            self.share = before

    def join(self, team: Team) -> str:
        """Make ready to add up with the backends of a team's other processes, which all do this at once.

        Returns over what they add up, and by what, where that is to be said.
        """
        return ""

    @contextmanager
    def handing_over(self, allowed: bool = True) -> Iterator[None]:
        """Return a context in which a layer may write over a signal that comes to it, where it `owns_signal`.

        Whoever carries signals down from layer to layer opens it, and thereby says that it keeps none of them.
        """
        before, self.hands_over = self.hands_over, allowed
        try:
            yield
        finally:
            self.hands_over = before

    @abstractmethod
    def matmul(self, a: Array, b: Array, out: Array, accumulate: bool = False) -> Array:
        """Write the matrix product ``a b`` into ``out``, or add it where ``accumulate`` is true; return ``out``."""

    @abstractmethod
    def column_sum(self, a: Array, out: Array, accumulate: bool = False) -> Array:
        """Write (or add) the sum of ``a`` (N, n) over its rows into ``out`` (n,); return ``out``."""

    @abstractmethod
    def moments(self, x: Array, mean: Array, variance: Array) -> None:
        """Write the mean and the (biased) variance of each column of ``x`` (M, C) into two vectors (C,)."""

    @abstractmethod
    def normalise(self, x: Array, mean: Array, scale: Array, shift: Array, out: Array) -> Array:
        """Write ``(x - mean) scale + shift`` of each row of ``x`` (M, C) into ``out``, another array; return it."""

    @abstractmethod
    def centred_sums(self, grad_y: Array, x: Array, mean: Array, sum_g: Array, sum_gx: Array) -> None:
        """Write ``Σ grad_y`` and ``Σ grad_y (x - mean)`` over the rows (M, C) into two vectors (C,)."""

    @abstractmethod
    def normalise_gradient(
        self, grad_y: Array, x: Array, mean: Array, along: Array, common: Array, scale: Array, out: Array
    ) -> Array:
        """Write ``((x - mean) along + grad_y - common) scale`` of each row (M, C) into ``out``; return it.

        ``out`` may be ``grad_y``. All arrays (M, C) of this method and of the three before are contiguous.
        """

    @abstractmethod
    def one_hot(self, labels: Array, num_classes: int) -> Array:
        """Return the targets (N, K) of labels (N,) on the backend: 1 at the label, 0 elsewhere."""

    @abstractmethod
    def log_softmax(self, o: Array) -> Array:
        """Return ``o - log Σ exp(o)`` of each row of ``o`` (N, K), free of overflow, in a new array."""

    @abstractmethod
    def tally(self, logits: Array, labels: Array, terms: Array, counts: Array, sums: Array) -> None:
        """Count a batch's predictions and add up its loss.

        ``counts`` (K, K; int64) gets 1 more for each (label, first largest logit); ``sums`` (4; float64) holds the sum
        of all ``terms`` (N, K), the batches counted, and of the first batch whose sum is no finite number its place
        (from 1; 0 while there is none) and this sum.
        """

    @abstractmethod
    def row_dots(self, a: Array, b: Array, out: Array) -> Array:
        """Write the inner product of each row of ``a`` (N, n) with that of ``b`` into ``out`` (N,); return it."""

    @abstractmethod
    def convolve(self, x: Array, W: Array, out: Array, stride: int, padding: int) -> Array:
        """Write the convolution of ``x`` (N, H, W, C) with ``W`` (k, k, C, K) into ``out`` (N, Ho, Wo, K); return it.

        It is a cross-correlation, as everywhere in this field: windows are not mirrored. ``padding`` zeros are
        put on each side.
        """

    @abstractmethod
    def convolve_weight_gradient(
        self, x: Array, grad_y: Array, out: Array, stride: int, padding: int, accumulate: bool = False
    ) -> Array:
        """Write (or add) the gradient of a convolution's ``W`` into ``out``, from its input and output gradient."""

    @abstractmethod
    def convolve_input_gradient(self, grad_y: Array, W: Array, out: Array, stride: int, padding: int) -> Array:
        """Write the transposed convolution of ``grad_y`` (N, Ho, Wo, K) by ``W`` into ``out`` (N, H, W, C)."""

    @abstractmethod
    def max_pool(self, x: Array, size: int, stride: int, out: Array, chosen: Array) -> Array:
        """Write each window's maximum into ``out`` (N, Ho, Wo, C); return it.

        ``chosen`` (uint8, the shape of ``out``) gets the place in its window that each maximum came from, row by
        row; of equal entries the first. Rows and columns that fill no whole window are left out.
        """

    @abstractmethod
    def max_pool_gradient(self, grad_y: Array, chosen: Array, size: int, stride: int, out: Array) -> Array:
        """Write into ``out`` (N, H, W, C) the sum of the gradients of the windows that chose each entry; return it."""

    @abstractmethod
    def max_pool_tangent(self, dx: Array, chosen: Array, size: int, stride: int, out: Array) -> Array:
        """Write into ``out`` (N, Ho, Wo, C) the entry of ``dx`` (N, H, W, C) that each window chose; return it."""

    @abstractmethod
    def unpool(self, y: Array, stride: int, out: Array) -> Array:
        """Write into ``out`` (N, H, W, C) at each place the entry of ``y`` (N, Ho, Wo, C) whose window is the nearest.

        That is the window that begins at or before the place, the last one for what lies beyond.
        """

    @abstractmethod
    def unpool_gradient(self, grad_x: Array, stride: int, out: Array) -> Array:
        """Apply the transpose of `unpool`: each entry of ``out`` gets the sum over the places that it filled."""

    @abstractmethod
    def average_pool(self, x: Array, size: int, stride: int, out: Array) -> Array:
        """Write each window's mean into ``out`` (N, Ho, Wo, C); return it.

        Rows and columns that fill no whole window are left out.
        """

    @abstractmethod
    def average_pool_gradient(self, grad_y: Array, size: int, stride: int, out: Array) -> Array:
        """Write into ``out`` (N, H, W, C) the sum of each entry's shares in the gradients of its windows; return it."""

    @abstractmethod
    def dropout(self, x: Array, key: tuple[int, ...], keep: float, mask: Array, out: Array) -> Array:
        """Fill ``mask`` with 1/keep where an entry is kept (with probability ``keep``) and 0 elsewhere.

        Write ``x ⊙ mask`` into ``out`` and return it. The mask is a function of the whole numbers in ``key`` alone,
        on this backend; the last of them is the number of the training pass.
        """

    @abstractmethod
    def uniform(self, out: Array, key: tuple[int, ...], bound: float) -> Array:
        """Fill ``out``, which is contiguous, with numbers uniform within ±bound; return it.

        They are a function of the whole numbers in ``key`` alone, on this backend and in its precision; the last of
        them is the number of the training pass.
        """

    @abstractmethod
    def normal(self, out: Array, key: tuple[int, ...]) -> Array:
        """Fill ``out`` with independent numbers of mean 0 and variance 1, normally distributed; else as `uniform`."""

    @abstractmethod
    def crop_and_mirror(
        self, images: Array, top: Array, left: Array, margin: Array, mirrored: Array, out: Array
    ) -> Array:
        """Write a crop of each image (N, H, W, C), scaled back to H × W, into ``out``; return it.

        The crop of image n has its first pixel at ``top[n]``, ``left[n]`` (both 0..``margin[n]``) and is ``margin[n]``
        smaller than the image in height and in width. It is scaled bilinearly with aligned corners: row i of ``out``
        is read at ``top + i (H-1-margin) / (H-1)``; columns likewise, and from the right where ``mirrored[n]``. With
        margin 0, an image that is not mirrored stays as it is. ``top``, ``left`` and ``margin`` are int64, ``mirrored``
        bool, all (N,) and on the host; ``out`` must not overlap ``images``.
        """

    @abstractmethod
    def shift_and_mirror(
        self, images: Array, blank: Array, top: Array, left: Array, mirrored: Array, out: Array
    ) -> Array:
        """Write a crop of each image (N, H, W, C), of its own size, into ``out``; return it.

        The crop of image n has its first pixel at ``top[n]``, ``left[n]``, which may lie outside; it is mirrored
        left-right where ``mirrored[n]``. What is not the image's there is that of ``blank`` (H, W, C) at the same
        place of ``out``. ``top`` and ``left`` are int64, ``mirrored`` bool, all (N,) and on the host; ``out`` must not
        overlap ``images``.
        """

    @abstractmethod
    def limit_norms(self, W: Array, axes: tuple[int, ...], bound: float) -> None:
        """Scale each vector of ``W`` along ``axes`` back, in place, to a Euclidean norm of at most ``bound``."""

    @abstractmethod
    def clip_norm(self, vectors: Sequence[Array], bound: float) -> None:
        """Scale vectors in place, all by one factor, by which the norm of the first comes down to at most ``bound``.

        They are contiguous. The squares are summed in float64.
        """

    @abstractmethod
    def elementwise(
        self, formula: Formula, given: Sequence[Array], out: Sequence[Array], /, **constants: float
    ) -> None:
        """Write what ``formula(*given, **constants)`` returns into ``out``, entry by entry.

        All arrays have one shape and are contiguous. An array may be both given and written to, as a whole.
        ``formula`` is the same object at every use.
        """

    @abstractmethod
    def add_bias(self, y: Array, b: Array) -> Array:
        """Add ``b`` (C,) to every row of ``y`` (N, ..., C) in place; return it."""

    @abstractmethod
    def computing(self, shares_batch: bool) -> AbstractContextManager[Any]:
        """Return a context for a whole step or pass of a net, in which its kernels are fastest.

        Everything works outside of it too, and gives the same numbers to rounding. ``shares_batch`` says whether the
        net has layers whose kernels may cut a batch into shares, one a thread.
        """

    @abstractmethod
    def on_device(self, array: object) -> bool:
        """Return whether an array lies on a device, where to look at its entries is to wait."""

    @abstractmethod
    def feed(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """Bring batches from the host, which may overwrite each with its next, to the backend, one after the other.

        A batch is valid until the next is asked for. On CUDA a batch is on its way while the one before computes.
        """

    @abstractmethod
    def recorded(self, step: Step, network: CountsPasses) -> Step:
        """Return ``step(x, labels)`` itself or, where this backend captures steps, what captures and replays it."""

    @abstractmethod
    def synchronize(self) -> None:
        """Wait until everything that was asked for is done: for clocks."""

    @abstractmethod
    def describe(self) -> str:
        """Return in a few words what computes, in which precision."""

    @abstractmethod
    def non_finite_allowed(self) -> AbstractContextManager[Any]:
        """Return a context in which inf and NaN raise no warning, for code that checks its results itself."""

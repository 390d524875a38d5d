"""Direct convolution on the CPU, compiled by Numba, for few channels: with products that BLAS is slow at.

All three products of a convolution are with a matrix of windows: of the images in the outputs, y = M W; of the images
in the weights' gradient, ∂W = Mᵀ ∂y; of the outputs' gradient in the images', ∂x = M' W'. With sixteen channels, laying
M out takes longer than multiplying. Here it is never laid out: an entry of M is an entry of the padded images, at the
place of its window and the place in the window added up, and `tiles` reads it there.

Fewer channels than a vector has lanes would leave lanes idle. So several outputs side by side, whose numbers lie side
by side, are taken for one with all of their channels: its window is as wide as theirs together, and its weights are
theirs, among zeros. (What is not finite may so reach an output's neighbour too.)

Images are padded a few at a time, which then lie in cache. An output, or an entry of ∂x, is the same sum whatever the
batch and however many threads there are. The weights' gradient is summed in each thread's share, and then over shares.
"""

import functools
import itertools
from collections.abc import Sequence
from math import prod
from typing import Any, NamedTuple

import numpy as np

from bdfa_np.backend.base import Array
from bdfa_np.backend.cpu.compiling import can_compile
from bdfa_np.backend.cpu.convolution import Workspace, image_blocks
from bdfa_np.backend.cpu.threads import shares, work

CHANNELS = 64
"""Up to so many channels, on both sides, and fewer on one of them, this is faster than products by BLAS."""

WINOGRADS_SIZES = (3, 4, 5)
"""Sides of filters for which Winograd's way is the faster one with enough channels, see below, unless strided."""

WINOGRADS_CHANNELS = {3: 33, 4: 16, 5: 16}
"""Where the wider side has so many channels, and the other 16 at least, Winograd's way takes less."""

FEW_PRODUCTS = 2**22
"""Below so many multiplications a call, compiling (half a second) and preparing take more than they save."""

BLOCK_BYTES = 2**18
"""How many images are padded at a time: a fraction of a core's second-level cache, which holds the results too."""

PIXELS = 256
"""About how many outputs the weights' gradient is summed over in one go: they stay in the first-level cache."""


class Margins(NamedTuple):
    """The zeros around images."""

    top: int
    left: int
    bottom: int
    right: int

    def around(self, shape: Sequence[int]) -> tuple[int, int, int]:
        """Return the padded shape of images of a shape (H, W, C)."""
        H, W, C = shape
        return H + self.top + self.bottom, W + self.left + self.right, C


class Windows(NamedTuple):
    """Where windows are in a few padded images, laid out flat; places are counted in numbers."""

    at: Array
    """Where each window begins."""
    rows: Array
    """Where each row of a window begins, seen from the window's beginning."""
    length: int
    """How long a row of a window is."""
    to: Array
    """Where each window's results begin in the array of all results."""

    def first(self, block: slice, each: int) -> "Windows":
        """Return the windows of as many images as a block has, with ``each`` of them an image."""
        count = (block.stop - block.start) * each
        return self._replace(at=self.at[:count], to=self.to[:count])


def suits(W_shape: tuple[int, ...], y_shape: tuple[int, ...], stride: int, padding: int) -> bool:
    """Tell whether this is the fastest way to convolve by W (k, k, C, K) into y (N, Ho, Wo, K), and Numba is there."""
    size, _, C, K = W_shape
    fewer, more = sorted((C, K))
    if padding >= size or more > CHANNELS or fewer == CHANNELS or prod(y_shape) * size * size * C < FEW_PRODUCTS:
        return False
    winograds = stride == 1 and size in WINOGRADS_CHANNELS and fewer >= 16 and more >= WINOGRADS_CHANNELS[size]
    return not winograds and can_compile()


def places(counts: Sequence[int], steps: Sequence[int]) -> Array:
    """Return the sums of multiples of steps, for every combination of counts, the last running fastest."""
    numbers = np.zeros((), np.int64)
    for count, step in zip(counts, steps, strict=True):
        numbers = np.add.outer(numbers, np.arange(count) * step)
    return numbers.reshape(-1)


def images_at_once(shape: tuple[int, ...]) -> int:
    """Return how many padded images of a shape (H, W, C) are worked on at a time."""
    return max(1, BLOCK_BYTES // (4 * prod(shape)))


def together(columns: int, width: int, size: int, stride: int, itemsize: int) -> int:
    """Return how many of ``width`` outputs side by side are best taken for one, of a number of columns each."""
    from bdfa_np.backend.cpu.tiles import vector_bytes

    most = max(1, vector_bytes() // itemsize // columns)
    counts = [count for count in range(1, most + 1) if width % count == 0]
    return min(counts, key=lambda count: (size + (count - 1) * stride) / count)


def widened(W: Array, count: int, stride: int) -> Array:
    """Return the weights of ``count`` outputs side by side, taken for one: (k, k + (count-1) stride, C, count K)."""
    high, wide, C, K = W.shape
    if count == 1:
        return np.ascontiguousarray(W)
    wider = np.zeros((high, wide + (count - 1) * stride, C, count * K), W.dtype)
    for number in range(count):
        wider[:, number * stride : number * stride + wide, :, number * K : (number + 1) * K] = W
    return wider


@functools.lru_cache(256)
def output_windows(
    padded: tuple[int, int, int], size: int, stride: int, y_shape: tuple[int, int, int], count: int
) -> Windows:
    """Return the windows of outputs (Ho, Wo, K), ``count`` in one, for as many images as are padded at a time."""
    (H, W, C), (Ho, Wo, K) = padded, y_shape
    counts = (images_at_once(padded), Ho, Wo // count)
    at = places(counts, (H * W * C, stride * W * C, count * stride * C))
    length = (size + (count - 1) * stride) * C
    return Windows(at, places((size,), (W * C,)), length, places(counts, (Ho * Wo * K, Wo * K, count * K)))


@functools.lru_cache(256)
def weight_windows(
    padded: tuple[int, int, int], size: int, stride: int, y_shape: tuple[int, int, int], count: int
) -> Windows:
    """Return the columns of the same matrix: a window for each weight, its rows over rows of outputs."""
    (H, W, C), (Ho, Wo, K) = padded, y_shape
    wide = size + (count - 1) * stride
    at = places((size, wide * C), (W * C, 1))
    rows = places((images_at_once(padded), Ho), (H * W * C, stride * W * C))
    return Windows(at, rows, Wo // count, places((size * wide * C,), (count * K,)))


@functools.lru_cache(256)
def input_margins(size: int, stride: int, padding: int, x_shape: tuple[int, ...], y_shape: tuple[int, ...]) -> Margins:
    """Return the zeros around the outputs' gradient (Ho, Wo, K) for the windows of inputs (H, W, C) to lie inside."""
    before = max(0, -(-size // stride) - 1 - padding // stride)
    below, right = (max(0, (x_shape[i] - 1 + padding) // stride - (y_shape[i] - 1)) for i in (0, 1))
    return Margins(before, before, below, right)


@functools.lru_cache(256)
def input_windows(
    padded: tuple[int, int, int],
    before: int,
    size: int,
    stride: int,
    padding: int,
    x_shape: tuple[int, int, int],
    count: int,
) -> dict[tuple[int, int], Windows]:
    """Return the windows of inputs (H, W, C) in the outputs' gradient, by the first row and column of W they meet.

    An input in row a meets row i of W where a + padding - i is a multiple of the stride: in every ``stride``-th row
    from (a + padding) mod ``stride`` on, backwards as outputs go forward. Where the stride is 1, ``count`` inputs
    side by side are taken for one.
    """
    (high, wide, K), (H, W, C) = padded, x_shape
    images, found = images_at_once(padded), {}
    for i, j in itertools.product(range(min(size, stride)), repeat=2):
        taken = [-(-(size - first) // stride) for first in (i, j)]  # rows and columns of W
        first = [(first - padding) % stride for first in (i, j)]  # the first such input
        counts = [len(range(start, side, stride)) for start, side in zip(first, (H, W), strict=True)]
        begin = [(a + padding) // stride - (rows - 1) + before for a, rows in zip(first, taken, strict=True)]
        counts = [images, counts[0], counts[1] // count]
        at = places(counts, (high * wide * K, wide * K, count * K)) + (begin[0] * wide + begin[1]) * K
        to = places(counts, (H * W * C, stride * W * C, count * stride * C)) + (first[0] * W + first[1]) * C
        found[i, j] = Windows(at, places((taken[0],), (wide * K,)), (taken[1] + count - 1) * K, to)
    return found


def product(x: Array, windows: Windows, step: int, w: Array, out: Array, group: int | None = None) -> None:
    """Write the product of a matrix of windows with w (entries of a window, columns) to the windows' places in ``out``.

    Where ``group`` is given, add it up: over so many rows of windows at a time.
    """
    from bdfa_np.backend.cpu.tiles import compiled, shape_of

    at, rows, length, to = windows
    if at.size:
        columns = w.shape[-1]
        loop = compiled(shape_of(at.size, columns, x.itemsize))
        loop(
            x.reshape(-1),
            at,
            rows,
            length,
            step,
            w.reshape(-1),
            columns,
            to,
            out.reshape(-1),
            group or rows.size,
            group is not None,
        )


class PaddedImages:
    """Memory for as many images as are worked on at a time, and zeros around them.

    Parameters
    ----------
    name : str
        Of the memory, which no other thread may have.
    shape : tuple of int
        The images', (H, W, C).
    margins : Margins
        The zeros around each.
    workspace : callable
        Gives the memory.
    """

    def __init__(self, name: str, shape: Sequence[int], margins: Margins, workspace: Workspace) -> None:
        self.shape = margins.around(shape)
        self.held: Array | None = None
        if any(margins):
            H, W, _ = shape
            self.held = workspace(name, (images_at_once(self.shape), *self.shape))
            self.held.fill(0)
            self.inside = self.held[:, margins.top : margins.top + H, margins.left : margins.left + W]

    def of(self, few: Array) -> Array:
        """Return a few images (n, H, W, C) with zeros around them, contiguous."""
        if self.held is None:
            return np.ascontiguousarray(few)
        self.inside[: len(few)] = few
        return self.held[: len(few)]


def blocks(share: slice, padded: tuple[int, int, int]) -> Any:
    """Cut a share of the batch into as many images as are padded at a time."""
    return image_blocks(share, 1, images_at_once(padded))


def convolve(x: Array, W: Array, out: Array, stride: int, padding: int, workspace: Workspace) -> Array:
    """See `Backend.convolve`."""
    size, (Ho, Wo, K) = len(W), out.shape[1:]
    count = together(K, Wo, size, stride, x.itemsize)
    weights = widened(W, count, stride)

    def task(number: int, share: slice) -> None:
        images = PaddedImages(f"direct_padded_{number}", x.shape[1:], Margins(*[padding] * 4), workspace)
        windows = output_windows(images.shape, size, stride, (Ho, Wo, K), count)
        for block in blocks(share, images.shape):
            product(images.of(x[block]), windows.first(block, Ho * Wo // count), 1, weights, out[block])

    work(task, shares(len(x)))
    return out


def convolve_weight_gradient(
    x: Array, grad_y: Array, out: Array, stride: int, padding: int, accumulate: bool, workspace: Workspace
) -> Array:
    """See `Backend.convolve_weight_gradient`."""
    size, _, C, K = out.shape
    _, Ho, Wo, _ = grad_y.shape
    count = together(K, Wo, size, stride, x.itemsize)
    parts = shares(len(x))
    totals = workspace("direct_totals", (len(parts), size, size + (count - 1) * stride, C, count * K))

    def task(number: int, share: slice) -> None:
        images = PaddedImages(f"direct_padded_{number}", x.shape[1:], Margins(*[padding] * 4), workspace)
        windows = weight_windows(images.shape, size, stride, (Ho, Wo, K), count)
        total, step = totals[number], count * stride * C
        total.fill(0)
        for block in blocks(share, images.shape):
            rows = windows.rows[: (block.stop - block.start) * Ho]
            few = np.ascontiguousarray(grad_y[block]).reshape(-1, count * K)
            product(images.of(x[block]), windows._replace(rows=rows), step, few, total, max(1, PIXELS // Wo))

    work(task, parts)
    for total in totals[1:]:
        totals[0] += total
    gradient = totals[0][:, :size, :, :K]
    for number in range(1, count):
        gradient += totals[0][:, number * stride : number * stride + size, :, number * K : (number + 1) * K]
    if accumulate:
        out += gradient
    else:
        out[...] = gradient
    return out


def convolve_input_gradient(
    grad_y: Array, W: Array, out: Array, stride: int, padding: int, workspace: Workspace
) -> Array:
    """See `Backend.convolve_input_gradient`."""
    size, y_shape, x_shape = len(W), grad_y.shape[1:], out.shape[1:]
    count = together(x_shape[2], x_shape[1], size, 1, out.itemsize) if stride == 1 else 1
    margins = input_margins(size, stride, padding, x_shape, y_shape)
    all_windows = input_windows(margins.around(y_shape), margins.top, size, stride, padding, x_shape, count)
    weights = {  # (rows, columns, K, C), mirrored in both directions
        (i, j): widened(W[i::stride, j::stride][::-1, ::-1].swapaxes(2, 3), count, 1) for i, j in all_windows
    }

    def task(number: int, share: slice) -> None:
        images = PaddedImages(f"direct_padded_{number}", y_shape, margins, workspace)
        if size < stride:
            out[share] = 0  # some inputs lie between the windows
        for block in blocks(share, images.shape):
            padded = images.of(grad_y[block])
            for first, windows in all_windows.items():
                each = windows.at.size // images_at_once(images.shape)
                product(padded, windows.first(block, each), 1, weights[first], out[block])

    work(task, shares(len(out)))
    return out

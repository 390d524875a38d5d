"""Direct convolution on the CPU, compiled by Numba, for few channels: with products that BLAS is slow at.

All three products of a convolution are with a matrix of windows: of the images in the outputs, y = M W; of the images
in the weights' gradient, ∂W = Mᵀ ∂y; of the outputs' gradient in the images', ∂x = M' W'. With sixteen channels, laying
M out takes longer than multiplying. Here it is never laid out: an entry of M is an entry of the padded images, at the
place of its window and the place in the window added up, and `tiles` reads it there.

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


@functools.lru_cache(256)
def output_windows(padded: tuple[int, int, int], size: int, stride: int, y_shape: tuple[int, int, int]) -> Windows:
    """Return the windows of outputs (Ho, Wo, K), for as many images as are padded at a time."""
    (H, W, C), (Ho, Wo, K) = padded, y_shape
    counts = (images_at_once(padded), Ho, Wo)
    at = places(counts, (H * W * C, stride * W * C, stride * C))
    return Windows(at, places((size,), (W * C,)), size * C, places(counts, (Ho * Wo * K, Wo * K, K)))


@functools.lru_cache(256)
def weight_windows(padded: tuple[int, int, int], size: int, stride: int, y_shape: tuple[int, int, int]) -> Windows:
    """Return the columns of the same matrix: a window for each weight, its rows over rows of outputs."""
    (H, W, C), (Ho, Wo, K) = padded, y_shape
    at = places((size, size * C), (W * C, 1))
    rows = places((images_at_once(padded), Ho), (H * W * C, stride * W * C))
    return Windows(at, rows, Wo, places((size * size * C,), (K,)))


@functools.lru_cache(256)
def input_margins(size: int, stride: int, padding: int, x_shape: tuple[int, ...], y_shape: tuple[int, ...]) -> Margins:
    """Return the zeros around the outputs' gradient (Ho, Wo, K) for the windows of inputs (H, W, C) to lie inside."""
    before = max(0, -(-size // stride) - 1 - padding // stride)
    below, right = (max(0, (x_shape[i] - 1 + padding) // stride - (y_shape[i] - 1)) for i in (0, 1))
    return Margins(before, before, below, right)


@functools.lru_cache(256)
def input_windows(
    padded: tuple[int, int, int], before: int, size: int, stride: int, padding: int, x_shape: tuple[int, int, int]
) -> dict[tuple[int, int], Windows]:
    """Return the windows of inputs (H, W, C) in the outputs' gradient, by the first row and column of W they meet.

    An input in row a meets row i of W where a + padding - i is a multiple of the stride: in every ``stride``-th row
    from (a + padding) mod ``stride`` on, backwards as outputs go forward.
    """
    (high, wide, K), (H, W, C) = padded, x_shape
    count, found = images_at_once(padded), {}
    for i, j in itertools.product(range(min(size, stride)), repeat=2):
        taken = [-(-(size - first) // stride) for first in (i, j)]  # rows and columns of W
        first = [(first - padding) % stride for first in (i, j)]  # the first such input
        counts = [len(range(start, side, stride)) for start, side in zip(first, (H, W), strict=True)]
        begin = [(a + padding) // stride - (rows - 1) + before for a, rows in zip(first, taken, strict=True)]
        at = places((count, *counts), (high * wide * K, wide * K, K)) + (begin[0] * wide + begin[1]) * K
        to = places((count, *counts), (H * W * C, stride * W * C, stride * C)) + (first[0] * W + first[1]) * C
        found[i, j] = Windows(at, places((taken[0],), (wide * K,)), taken[1] * K, to)
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
    W = np.ascontiguousarray(W)

    def task(number: int, share: slice) -> None:
        images = PaddedImages(f"direct_padded_{number}", x.shape[1:], Margins(*[padding] * 4), workspace)
        windows = output_windows(images.shape, W.shape[0], stride, out.shape[1:])
        each = prod(out.shape[1:3])
        for block in blocks(share, images.shape):
            few, n = out[block], (block.stop - block.start) * each
            product(images.of(x[block]), windows._replace(at=windows.at[:n], to=windows.to[:n]), 1, W, few)

    work(task, shares(len(x)))
    return out


def convolve_weight_gradient(
    x: Array, grad_y: Array, out: Array, stride: int, padding: int, accumulate: bool, workspace: Workspace
) -> Array:
    """See `Backend.convolve_weight_gradient`."""
    parts = shares(len(x))
    totals = workspace("direct_totals", (len(parts), *out.shape))
    _, Ho, Wo, _ = grad_y.shape

    def task(number: int, share: slice) -> None:
        images = PaddedImages(f"direct_padded_{number}", x.shape[1:], Margins(*[padding] * 4), workspace)
        windows = weight_windows(images.shape, len(out), stride, grad_y.shape[1:])
        total, step = totals[number], stride * x.shape[3]
        total.fill(0)
        for block in blocks(share, images.shape):
            rows = windows.rows[: (block.stop - block.start) * Ho]
            few = np.ascontiguousarray(grad_y[block])
            product(images.of(x[block]), windows._replace(rows=rows), step, few, total, max(1, PIXELS // Wo))

    work(task, parts)
    for total in totals[1:]:
        totals[0] += total
    if accumulate:
        out += totals[0]
    else:
        out[...] = totals[0]
    return out


def convolve_input_gradient(
    grad_y: Array, W: Array, out: Array, stride: int, padding: int, workspace: Workspace
) -> Array:
    """See `Backend.convolve_input_gradient`."""
    size = len(W)
    margins = input_margins(size, stride, padding, out.shape[1:], grad_y.shape[1:])
    all_windows = input_windows(margins.around(grad_y.shape[1:]), margins.top, size, stride, padding, out.shape[1:])
    parts_of_W = {  # (rows, columns, K, C), mirrored in both directions
        (i, j): np.ascontiguousarray(W[i::stride, j::stride][::-1, ::-1].swapaxes(2, 3)) for i, j in all_windows
    }

    def task(number: int, share: slice) -> None:
        images = PaddedImages(f"direct_padded_{number}", grad_y.shape[1:], margins, workspace)
        if size < stride:
            out[share] = 0  # some inputs lie between the windows
        for block in blocks(share, images.shape):
            few, padded = out[block], images.of(grad_y[block])
            for first, windows in all_windows.items():
                n = windows.at.size // images_at_once(images.shape) * len(few)
                product(padded, windows._replace(at=windows.at[:n], to=windows.to[:n]), 1, parts_of_W[first], few)

    work(task, shares(len(out)))
    return out

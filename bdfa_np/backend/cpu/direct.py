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

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from bdfa_np.backend.base import Array
from bdfa_np.backend.cpu.compiling import can_compile
from bdfa_np.backend.cpu.convolution import Workspace, image_blocks
from bdfa_np.backend.cpu.threads import shares, work
from bdfa_np.backend.cpu.windows import (
    Margins,
    Windows,
    images_at_once,
    input_margins,
    input_windows,
    output_windows,
    shared_weight_windows,
    weight_windows,
)

CHANNELS = 64
"""Up to so many channels, on both sides, and fewer on one of them, this is faster than products by BLAS."""

WINOGRADS_SIZES = (3, 4, 5)
"""Sides of filters for which Winograd's way is the faster one with enough channels, see below, unless strided."""

WINOGRADS_CHANNELS = {3: 33, 4: 16, 5: 16}
"""Where the wider side has so many channels, and the other 16 at least, Winograd's way takes less."""

FEW_PRODUCTS = 2**22
"""Below so many multiplications a call, compiling (half a second) and preparing take more than they save."""

PIXELS = 256
"""About how many outputs the weights' gradient is summed over in one go: they stay in the first-level cache."""


def suits(W_shape: tuple[int, ...], y_shape: tuple[int, ...], stride: int, padding: int) -> bool:
    """Tell whether this is the fastest way to convolve by W (k, k, C, K) into y (N, Ho, Wo, K), and Numba is there."""
    size, _, C, K = W_shape
    fewer, more = sorted((C, K))
    if padding >= size or more > CHANNELS or fewer == CHANNELS or prod(y_shape) * size * size * C < FEW_PRODUCTS:
        return False
    winograds = stride == 1 and size in WINOGRADS_CHANNELS and fewer >= 16 and more >= WINOGRADS_CHANNELS[size]
    return not winograds and can_compile()


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


FULL_TILES = 8
"""Channels from which on a tile for each channel of each row of W leaves little unused."""


def shares_gradients(size: int, stride: int, C: int, K: int, itemsize: int) -> bool:
    """Return whether the gradients of outputs side by side are best multiplied with an entry of x at once."""
    from bdfa_np.backend.cpu.tiles import vector_bytes

    whole = vector_bytes() == 64 == K * itemsize and size % 3 == 0
    return stride == 1 and whole and C >= FULL_TILES


def product(
    x: Array,
    windows: Windows,
    step: int,
    w: Array,
    out: Array,
    *,
    columns: int,
    w_step: int,
    w_row: int | None = None,
    taps: int = 1,
    group: int | None = None,
) -> None:
    """Write the product of a matrix of windows with w (entries of a window, columns) to the windows' places in ``out``.

    Parameters
    ----------
    x, w, out : array
        Images, the other factor, and where the product goes; contiguous.
    windows : Windows
        The windows in x.
    step : int
        From one entry of a window's row to the next.
    columns : int
        Of w, and of the result.
    w_step, w_row : int
        From one row of w to the next, and from those of one row of windows to those of the next.
    taps : int
        See `tiles.Shape`.
    group : int, optional
        Add the product up, over so many rows of windows at a time.
    """
    from bdfa_np.backend.cpu.tiles import compiled, shape_of

    at, rows, length, to = windows
    if at.size:
        loop = compiled(shape_of(at.size, columns, x.itemsize, taps))
        factor = (w.reshape(-1), length * w_step if w_row is None else w_row, w_step, columns)
        end = (to, out.reshape(-1), group or rows.size, group is not None)
        loop(x.reshape(-1), at, rows, length, step, x.shape[-1], *factor, *end)


class Weights:
    """Weights (k, k', C, K) as `product` takes them; in order, or with those that a row of windows shares side by side.

    Entries of windows side by side overlap. Where a tile is a stretch of one row of windows, each entry is read once
    and multiplied with the weights of all the windows that it is in: reading is what holds up tiles of one vector.

    Parameters
    ----------
    W : array
        The weights.
    width : int
        How many windows a row has, if each begins a pixel after the one before, else 0.
    """

    def __init__(self, W: Array, width: int) -> None:
        from bdfa_np.backend.cpu.tiles import shares_entries

        _, wide, self.channels, self.columns = W.shape
        shared = shares_entries(width, self.columns, wide, W.itemsize) if width else False
        self.taps = wide if shared else 1
        self.values = np.ascontiguousarray(W.swapaxes(1, 2) if shared else W)

    def times(self, windows: Windows, images: Array, out: Array) -> None:
        """Write the product of the windows in padded images with these weights."""
        if self.taps > 1:
            windows = windows._replace(length=self.channels)
        columns = self.columns
        product(images, windows, 1, self.values, out, columns=columns, w_step=self.taps * columns, taps=self.taps)


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
    weights = Weights(widened(W, count, stride), Wo if stride == count == 1 else 0)

    def task(number: int, share: slice) -> None:
        images = PaddedImages(f"direct_padded_{number}", x.shape[1:], Margins(*[padding] * 4), workspace)
        windows = output_windows(images.shape, size, stride, (Ho, Wo, K), count)
        for block in blocks(share, images.shape):
            weights.times(windows.first(block, Ho * Wo // count), images.of(x[block]), out[block])

    work(task, shares(len(x)))
    return out


def convolve_weight_gradient(
    x: Array, grad_y: Array, out: Array, stride: int, padding: int, accumulate: bool, workspace: Workspace
) -> Array:
    """See `Backend.convolve_weight_gradient`."""
    size, _, C, K = out.shape
    _, Ho, Wo, _ = grad_y.shape
    beside = shares_gradients(size, stride, C, K, x.itemsize)
    count = 1 if beside else together(K, Wo, size, stride, x.itemsize)
    parts = shares(len(x))
    shape = (size, C, size, K) if beside else (size, size + (count - 1) * stride, C, count * K)
    totals = workspace("direct_totals", (len(parts), *shape))

    def task(number: int, share: slice) -> None:
        images = PaddedImages(f"direct_padded_{number}", x.shape[1:], Margins(*[padding] * 4), workspace)
        total, group = totals[number], max(1, PIXELS // Wo)
        total.fill(0)
        if beside:
            margins = Margins(0, size - 1, 0, size - 1)
            gradients = PaddedImages(f"direct_gradients_{number}", grad_y.shape[1:], margins, workspace)
            windows = shared_weight_windows(images.shape, size, (Ho, Wo, K))
            most = min(images_at_once(images.shape), images_at_once(gradients.shape))
            row = gradients.shape[1] * K
        else:
            windows = weight_windows(images.shape, size, stride, (Ho, Wo, K), count)
            most, row = images_at_once(images.shape), Wo * K
        for block in image_blocks(share, 1, most):
            few = windows._replace(rows=windows.rows[: (block.stop - block.start) * Ho])
            w = gradients.of(grad_y[block]) if beside else np.ascontiguousarray(grad_y[block])
            columns, w_step = (size * K, K) if beside else (count * K, count * K)
            step = count * stride * C
            product(images.of(x[block]), few, step, w, total, columns=columns, w_step=w_step, w_row=row, group=group)

    work(task, parts)
    for total in totals[1:]:
        totals[0] += total
    if beside:
        gradient = totals[0].swapaxes(1, 2)[:, ::-1]
    else:
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
    width, weights = x_shape[1] if stride == count == 1 else 0, {}
    for i, j in all_windows:
        mirrored = W[i::stride, j::stride][::-1, ::-1].swapaxes(2, 3)  # (rows, columns, K, C)
        weights[i, j] = Weights(widened(mirrored, count, 1), width)

    def task(number: int, share: slice) -> None:
        images = PaddedImages(f"direct_padded_{number}", y_shape, margins, workspace)
        if size < stride:
            out[share] = 0  # some inputs lie between the windows
        for block in blocks(share, images.shape):
            padded = images.of(grad_y[block])
            for first, windows in all_windows.items():
                each = windows.at.size // images_at_once(images.shape)
                weights[first].times(windows.first(block, each), padded, out[block])

    work(task, shares(len(out)))
    return out

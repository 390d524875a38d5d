"""Convolution on the CPU, channels last: a few images at a time through one matrix product.

A convolution's windows are laid out as the rows of a matrix (im2col), for as many images as keep that matrix in
cache; one product with the weights then gives those images' outputs.
"""

from collections.abc import Callable, Iterator
from itertools import product

import numpy as np
from numpy.lib.stride_tricks import as_strided

from bdfa_np.backend.base import Array

COLUMNS_BYTES = 4 * 2**20
"""How large the matrix of windows may grow before the batch is cut: about what the last-level cache holds a core."""

Workspace = Callable[..., Array]
"""Gives scratch memory by name, shape and, unless it is the backend's own, dtype; the same at every call."""


def windows(x: Array, size: int, stride: int) -> Array:
    """Return a view of x (N, H, W, C) as (N, Ho, Wo, size, size·C): each row of a window is one stretch of memory."""
    N, H, W, C = x.shape
    n, h, w, c = x.strides
    shape = (N, (H - size) // stride + 1, (W - size) // stride + 1, size, size * C)
    return as_strided(x, shape, (n, stride * h, stride * w, h, c), writeable=False)


def image_blocks(share: slice, bytes_per_image: int, largest: int) -> Iterator[slice]:
    """Cut a share of a batch into a few images at a time, of at most ``largest`` bytes unless one has more."""
    step = max(1, largest // bytes_per_image)
    for start in range(share.start, share.stop, step):
        yield slice(start, min(start + step, share.stop))


def columns_of(x: Array, y_shape: tuple[int, ...], size: int, stride: int, padding: int, workspace: Workspace) -> Array:
    """Return the windows of a few images x (n, H, W, C) as the rows of a matrix (n·Ho·Wo, size·size·C)."""
    n, H, W, C = x.shape
    if padding:
        padded = workspace("padded", (n, H + 2 * padding, W + 2 * padding, C))
        padded.fill(0)
        padded[:, padding:-padding, padding:-padding] = x
        x = padded
    columns = workspace("columns", (n, y_shape[1], y_shape[2], size, size * C))
    np.copyto(columns, windows(x, size, stride))
    return columns.reshape(-1, size * size * C)


def convolve(x: Array, W: Array, out: Array, stride: int, padding: int, workspace: Workspace) -> Array:
    """See `Backend.convolve`."""
    size, _, C, K = W.shape
    matrix = W.reshape(-1, K)
    for part in image_blocks(slice(0, len(x)), out[0].size // K * size * size * C * x.itemsize, COLUMNS_BYTES):
        columns = columns_of(x[part], out.shape, size, stride, padding, workspace)
        np.matmul(columns, matrix, out=out[part].reshape(-1, K))
    return out


def convolve_weight_gradient(
    x: Array, grad_y: Array, out: Array, stride: int, padding: int, accumulate: bool, workspace: Workspace
) -> Array:
    """See `Backend.convolve_weight_gradient`."""
    size, _, C, K = out.shape
    total, part_sum = out.reshape(-1, K), workspace("part_sum", (size * size * C, K))
    for part in image_blocks(slice(0, len(x)), grad_y[0].size // K * size * size * C * x.itemsize, COLUMNS_BYTES):
        columns = columns_of(x[part], grad_y.shape, size, stride, padding, workspace)
        rows = grad_y[part].reshape(-1, K)
        if accumulate:
            np.matmul(columns.T, rows, out=part_sum)
            total += part_sum
        else:
            np.matmul(columns.T, rows, out=total)
            accumulate = True
    return out


def convolve_input_gradient(
    grad_y: Array, W: Array, out: Array, stride: int, padding: int, workspace: Workspace
) -> Array:
    """See `Backend.convolve_input_gradient`."""
    size, _, C, K = W.shape
    _, Ho, Wo, _ = grad_y.shape
    _, H, width, _ = out.shape
    matrix = W.reshape(-1, K)
    for part in image_blocks(slice(0, len(out)), Ho * Wo * size * size * C * out.itemsize, COLUMNS_BYTES):
        n = part.stop - part.start
        columns = workspace("columns", (n, Ho, Wo, size, size, C))
        np.matmul(grad_y[part].reshape(-1, K), matrix.T, out=columns.reshape(-1, size * size * C))
        padded = workspace("padded", (n, H + 2 * padding, width + 2 * padding, C))
        padded.fill(0)
        for i, j in product(range(size), repeat=2):
            padded[:, i : i + stride * Ho : stride, j : j + stride * Wo : stride] += columns[:, :, :, i, j]
        out[part] = padded[:, padding : padding + H, padding : padding + width]
    return out


def strided_part(x: Array, i: int, j: int, stride: int, y_shape: tuple[int, ...]) -> Array:
    """Return the view of x that holds, for every window, its entry in row i and column j."""
    return x[:, i : i + stride * (y_shape[1] - 1) + 1 : stride, j : j + stride * (y_shape[2] - 1) + 1 : stride]

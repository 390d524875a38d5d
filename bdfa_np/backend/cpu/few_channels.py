"""Convolution of images of few channels on the CPU: the matrix of windows is laid out by entry.

With the three channels of a picture, a row of a window is a stretch of fifteen numbers, and copying such stretches
takes about as long as multiplying them. Laid out as (k·k·C, n·Ho·Wo), the matrix of windows is copied in stretches as
long as a row of outputs. It is multiplied a few outputs at a time, since a small product needs no copy of its factors.
"""

import numpy as np
from numpy.lib.stride_tricks import as_strided

from bdfa_np.backend.base import Array
from bdfa_np.backend.cpu.convolution import Workspace, image_blocks
from bdfa_np.backend.cpu.threads import shares, work

CHANNELS = 4
"""Up to so many channels this is the faster layout."""

COLUMNS_BYTES = 2**19
"""How large the matrix of windows may grow before the batch is cut: half of a core's second-level cache."""

SMALL_PRODUCT = 10**6
"""Multiplications up to which OpenBLAS multiplies in place, without copying the factors first."""


def suits(W_shape: tuple[int, ...]) -> bool:
    """Tell whether this is a faster way to convolve by W (k, k, C, K)."""
    size, _, C, K = W_shape
    return C <= CHANNELS and size * size * C * K <= SMALL_PRODUCT // 16


def chunk_of(weights: int) -> int:
    """Return how many outputs to multiply at a time, for a product that stays small: a multiple of 16."""
    return max(16, SMALL_PRODUCT // weights // 16 * 16)


def columns_of(
    x: Array, height: int, width: int, size: int, stride: int, padding: int, workspace: Workspace, number: int
) -> Array:
    """Return the windows of a few images x (n, H, W, C), one to a column: (size·size·C, n·height·width)."""
    n, H, W, C = x.shape
    padded = workspace(f"padded_{number}", (C, n, H + 2 * padding, W + 2 * padding))
    padded.fill(0)
    padded[:, :, padding : padding + H, padding : padding + W] = x.transpose(3, 0, 1, 2)
    columns = workspace(f"columns_{number}", (size, size, C, n, height, width))
    c, i, h, w = padded.strides
    np.copyto(columns, as_strided(padded, columns.shape, (h, w, c, i, stride * h, stride * w), writeable=False))
    return columns.reshape(size * size * C, -1)


def convolve(x: Array, W: Array, out: Array, stride: int, padding: int, workspace: Workspace) -> Array:
    """See `Backend.convolve`."""
    size, _, _, K = W.shape
    matrix = W.reshape(-1, K)
    _, Ho, Wo, _ = out.shape

    def task(number: int, part: slice) -> None:
        for block in image_blocks(part, Ho * Wo * len(matrix) * x.itemsize, COLUMNS_BYTES):
            columns = columns_of(x[block], Ho, Wo, size, stride, padding, workspace, number)
            rows = out[block].reshape(-1, K)
            chunk = chunk_of(matrix.size)
            whole = len(rows) - len(rows) % chunk
            few_outputs = columns[:, :whole].reshape(len(matrix), -1, chunk)
            np.matmul(few_outputs.transpose(1, 2, 0), matrix, out=rows[:whole].reshape(-1, chunk, K))
            np.matmul(columns[:, whole:].T, matrix, out=rows[whole:])

    work(task, shares(len(x)))
    return out


def convolve_weight_gradient(
    x: Array, grad_y: Array, out: Array, stride: int, padding: int, accumulate: bool, workspace: Workspace
) -> Array:
    """See `Backend.convolve_weight_gradient`."""
    size, _, C, K = out.shape
    length = size * size * C
    _, Ho, Wo, _ = grad_y.shape
    parts = shares(len(x))
    totals = workspace("totals", (len(parts), length, K))

    def task(number: int, part: slice) -> None:
        totals[number].fill(0)
        sums = workspace(f"sums_{number}", (length, K))
        for block in image_blocks(part, Ho * Wo * length * x.itemsize, COLUMNS_BYTES):
            columns = columns_of(x[block], Ho, Wo, size, stride, padding, workspace, number)
            rows = grad_y[block].reshape(-1, K)
            chunk = chunk_of(length * K)
            whole = len(rows) - len(rows) % chunk
            products = workspace(f"products_{number}", (whole // chunk, length, K))
            few_outputs = columns[:, :whole].reshape(length, -1, chunk).swapaxes(0, 1)
            np.matmul(few_outputs, rows[:whole].reshape(-1, chunk, K), out=products)
            totals[number] += np.add.reduce(products, axis=0, out=sums)
            totals[number] += np.matmul(columns[:, whole:], rows[whole:], out=sums)

    work(task, parts)
    for total in totals[1:]:
        totals[0] += total
    if accumulate:
        out.reshape(length, K)[...] += totals[0]
    else:
        out.reshape(length, K)[...] = totals[0]
    return out

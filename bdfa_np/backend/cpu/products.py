"""Matrix products and column sums on the CPU."""

from collections.abc import Callable

import numpy as np

from bdfa_np.backend.base import Array
from bdfa_np.backend.cpu.threads import runs_alone, shares, shares_of_large, work

SHARE = 2**24
"""Multiplications, each with its addition, for which it is worth waking a thread."""

CHUNK = 256
"""Rows that a column sum adds up in one go."""


def matmul(a: Array, b: Array, out: Array) -> Array:
    """Write the matrix product ``a b`` into ``out``; return ``out``.

    Within `numpy_threads.alone` a large one is cut along the longer side of ``out``, since BLAS is held to one thread.
    """
    (M, K), N = a.shape, out.shape[1]
    most = M * K * N // SHARE
    if most < 2 or not runs_alone():
        return np.matmul(a, b, out=out)
    if N > M:
        work(lambda _, part: np.matmul(a, b[:, part], out=out[:, part]), shares(N, most))
    else:
        work(lambda _, part: np.matmul(a[part], b, out=out[part]), shares(M, most))
    return out


def column_sum(a: Array, out: Array, accumulate: bool, ones: Callable[[int], Array]) -> Array:
    """Write (or add) the sum of ``a`` (M, C) over its rows into ``out`` (C,); return ``out``.

    As a product with ones it rides on BLAS: faster than a sum over axis 0, and closer to the exact one. Many rows are
    added up in two stages, since the rounding of a sum grows with its length, and gradients cancel in it.
    """
    M, C = a.shape
    if M >= 2 * CHUNK:
        whole = M - M % CHUNK
        chunks, row = a[:whole].reshape(-1, CHUNK, C), ones(CHUNK)
        sums = np.empty((len(chunks), C), a.dtype)
        work(lambda _, part: np.matmul(row, chunks[part], out=sums[part]), shares_of_large(a.size, len(chunks)))
        add_product(ones(len(sums)), sums, out, accumulate)
        a, accumulate = a[whole:], True
    if len(a):
        add_product(ones(len(a)), a, out, accumulate)
    return out


def add_product(row: Array, a: Array, out: Array, accumulate: bool) -> None:
    """Write, or add, a row's product with a matrix."""
    if accumulate:
        out += row @ a
    else:
        np.matmul(row, a, out=out)

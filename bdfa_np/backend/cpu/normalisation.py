"""Sums and normalisation by channel on the CPU: block by block in cache, or compiled, with the same bits.

The rows of (M, C) are short where a feature map has few channels, and neither NumPy nor a compiler is fast with short
rows. So several rows lie side by side in one *lane* array of some hundred entries, which costs nothing: they are
neighbours in memory. Sums go down the lanes of a block in the arrays' precision, and from there on in float64.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from bdfa_np.backend.base import Array
from bdfa_np.backend.cpu.compiling import compile_loop, worth_compiling
from bdfa_np.backend.cpu.threads import shares_of_large, work

WIDTH = 256
"""Entries that lie side by side, about: at least a row."""

BLOCK = 32768
"""Entries a block, about: two float32 arrays of this length stay in a core's second-level cache."""


@dataclass(frozen=True)
class Plan:
    """How rows are cut into blocks: block b is the rows from ``starts[b]`` to ``stops[b]``, ``side[b]`` in a lane."""

    starts: Array
    stops: Array
    side: Array

    def widened(self, vector: Array) -> Array:
        """Return a vector (C,) as often as rows lie side by side; its front does for blocks that have fewer."""
        wide = np.empty((int(self.side[0]), len(vector)), vector.dtype)
        wide[...] = vector
        return wide.reshape(-1)


@functools.lru_cache(maxsize=256)
def plan(M: int, C: int) -> Plan:
    """Return how M rows of C entries are cut; what fills no lane is the last block, row by row."""
    side = max(1, min(M, WIDTH // C))
    length = max(1, BLOCK // (side * C)) * side
    whole = M - M % side
    edges = [*range(0, whole, length), whole]
    starts, stops, sides = edges[:-1], edges[1:], [side] * (len(edges) - 1)
    if whole < M:
        starts, stops, sides = [*starts, whole], [*stops, M], [*sides, 1]
    return Plan(*(np.array(numbers, np.int64) for numbers in (starts, stops, sides)))


def in_blocks(block: Callable[..., None], loop: Callable[..., None], rows: Array, *arguments: Any) -> None:
    """Work through all blocks of ``rows`` (M, C), by ``loop``, compiled, or by ``block``, one at a time.

    Both are given the plan's three arrays, the blocks to work on, and the arguments.
    """
    cut = plan(*rows.shape)
    given = (cut.starts, cut.stops, cut.side)
    way = compile_loop(loop) if worth_compiling(loop) else functools.partial(_each, block)
    work(lambda _, part: way(*given, part.start, part.stop, *arguments), shares_of_large(rows.size, len(cut.starts)))


def _each(
    block: Callable[..., None], starts: Array, stops: Array, side: Array, first: int, last: int, *arguments: Any
) -> None:
    for b in range(first, last):
        block(b, slice(starts[b], stops[b]), int(side[b]), *arguments)


def lanes(rows: Array, side: int) -> Array:
    """Return rows (n, C) as lanes (n / side, side·C): a view."""
    return rows.reshape(len(rows) // side, side * rows.shape[1])


def down(wide: Array, C: int, out: Array) -> None:
    """Write the sum of lanes (n, side·C) by channel into ``out`` (C,; float64): one after the other, from 0."""
    if wide.shape[1] == 1:  # which alone NumPy adds up in another order
        wide = np.add.accumulate(wide, axis=0)[-1:]
    total = np.add.reduce(wide, axis=0, initial=0)
    out[...] = 0
    for row in total.astype(np.float64).reshape(-1, C):
        out += row


# Mean and variance


def moments(x: Array, mean: Array, variance: Array) -> None:
    """See `Backend.moments`: each block's squares are taken around its own mean, while it is in cache.

    With ``S``, ``m`` and ``Q`` a block's sum, rounded mean and Σ (x - m)², and ``n`` its rows,
    ``Σ (x - μ)² = Q + 2 (m - μ) (S - n m) + n (m - μ)²``.
    """
    M, C = x.shape
    cut = plan(M, C)
    sums, centres, squares = np.empty((3, len(cut.starts), C))
    in_blocks(moments_block, moments_loop, x, x, sums, centres, squares)
    n = (cut.stops - cut.starts)[:, None]
    mu = sums.sum(axis=0) / M
    away = centres - mu
    mean[...] = mu
    variance[...] = (squares + away * (2 * (sums - n * centres) + n * away)).sum(axis=0) / M


def moments_block(b: int, part: slice, side: int, x: Array, sums: Array, centres: Array, squares: Array) -> None:
    """Write a block's sum, mean and Σ (x - mean)²."""
    C = x.shape[1]
    few = lanes(x[part], side)
    down(few, C, sums[b])
    centre = (sums[b] / (part.stop - part.start)).astype(x.dtype)
    centres[b] = centre
    away = few - np.tile(centre, side)
    down(np.multiply(away, away, out=away), C, squares[b])


def moments_loop(
    starts: Any, stops: Any, side: Any, first: Any, last: Any, x: Any, sums: Any, centres: Any, squares: Any
) -> None:
    """Do what `moments_block` does, to be compiled."""
    C = x.shape[1]
    flat = x.reshape(-1)
    all_total, all_centre = np.empty((side[0], C), x.dtype), np.empty((side[0], C), x.dtype)
    for b in range(first, last):
        total, centre, width = all_total[: side[b]].reshape(-1), all_centre[: side[b]].reshape(-1), side[b] * C
        total[:] = 0
        for start in range(starts[b] * C, stops[b] * C, width):
            lane = flat[start : start + width]
            for j in range(width):
                total[j] += lane[j]
        sums[b] = 0
        for row in all_total[: side[b]]:
            sums[b] += row
        for row in all_centre[: side[b]]:
            row[:] = sums[b] / (stops[b] - starts[b])
        centres[b] = all_centre[0]
        total[:] = 0
        for start in range(starts[b] * C, stops[b] * C, width):
            lane = flat[start : start + width]
            for j in range(width):
                total[j] += (lane[j] - centre[j]) * (lane[j] - centre[j])
        squares[b] = 0
        for row in all_total[: side[b]]:
            squares[b] += row


# Forward


def normalise(x: Array, mean: Array, scale: Array, shift: Array, out: Array) -> Array:
    """See `Backend.normalise`."""
    wide = plan(*x.shape).widened
    in_blocks(normalise_block, normalise_loop, x, x, wide(mean), wide(scale), wide(shift), out)
    return out


def normalise_block(
    _: int, part: slice, side: int, x: Array, mean: Array, scale: Array, shift: Array, out: Array
) -> None:
    """Write ``(x - mean) scale + shift``."""
    width = side * x.shape[1]
    y = lanes(out[part], side)
    np.subtract(lanes(x[part], side), mean[:width], out=y)
    y *= scale[:width]
    y += shift[:width]


def normalise_loop(
    starts: Any, stops: Any, side: Any, first: Any, last: Any, x: Any, mean: Any, scale: Any, shift: Any, out: Any
) -> None:
    """Do what `normalise_block` does, to be compiled."""
    C = x.shape[1]
    flat, flat_out = x.reshape(-1), out.reshape(-1)
    for b in range(first, last):
        width = side[b] * C
        for start in range(starts[b] * C, stops[b] * C, width):
            lane, lane_out = flat[start : start + width], flat_out[start : start + width]
            for j in range(width):
                lane_out[j] = (lane[j] - mean[j]) * scale[j] + shift[j]


# Backward


def centred_sums(grad_y: Array, x: Array, mean: Array, sum_g: Array, sum_gx: Array) -> None:
    """See `Backend.centred_sums`."""
    cut, C = plan(*x.shape), x.shape[1]
    plain, centred = np.empty((2, len(cut.starts), C))
    in_blocks(sums_block, sums_loop, x, grad_y, x, cut.widened(mean), plain, centred)
    sum_g[...], sum_gx[...] = plain.sum(axis=0), centred.sum(axis=0)


def sums_block(
    b: int, part: slice, side: int, grad_y: Array, x: Array, mean: Array, plain: Array, centred: Array
) -> None:
    """Write a block's Σ g and Σ g (x - mean)."""
    C = x.shape[1]
    g = lanes(grad_y[part], side)
    down(g, C, plain[b])
    product = lanes(x[part], side) - mean[: side * C]
    down(np.multiply(product, g, out=product), C, centred[b])


def sums_loop(
    starts: Any, stops: Any, side: Any, first: Any, last: Any, grad_y: Any, x: Any, mean: Any, plain: Any, centred: Any
) -> None:
    """Do what `sums_block` does, to be compiled."""
    C = x.shape[1]
    flat, flat_g = x.reshape(-1), grad_y.reshape(-1)
    all_total, all_product = np.empty((side[0], C), x.dtype), np.empty((side[0], C), x.dtype)
    for b in range(first, last):
        total, product, width = all_total[: side[b]].reshape(-1), all_product[: side[b]].reshape(-1), side[b] * C
        total[:] = 0
        product[:] = 0
        for start in range(starts[b] * C, stops[b] * C, width):
            lane, g = flat[start : start + width], flat_g[start : start + width]
            for j in range(width):
                total[j] += g[j]
                product[j] += (lane[j] - mean[j]) * g[j]
        plain[b] = 0
        centred[b] = 0
        for row in range(side[b]):
            plain[b] += all_total[row]
            centred[b] += all_product[row]


def normalise_gradient(
    grad_y: Array, x: Array, mean: Array, along: Array, common: Array, scale: Array, out: Array
) -> Array:
    """See `Backend.normalise_gradient`."""
    wide = plan(*x.shape).widened
    arguments = (grad_y, x, wide(mean), wide(along), wide(common), wide(scale), out)
    in_blocks(gradient_block, gradient_loop, x, *arguments)
    return out


def gradient_block(
    _: int,
    part: slice,
    side: int,
    grad_y: Array,
    x: Array,
    mean: Array,
    along: Array,
    common: Array,
    scale: Array,
    out: Array,
) -> None:
    """Write ``((x - mean) along + g - common) scale``."""
    width = side * x.shape[1]
    grad_x = lanes(x[part], side) - mean[:width]
    grad_x *= along[:width]
    grad_x += lanes(grad_y[part], side)
    grad_x -= common[:width]
    np.multiply(grad_x, scale[:width], out=lanes(out[part], side))


def gradient_loop(
    starts: Any,
    stops: Any,
    side: Any,
    first: Any,
    last: Any,
    grad_y: Any,
    x: Any,
    mean: Any,
    along: Any,
    common: Any,
    scale: Any,
    out: Any,
) -> None:
    """Do what `gradient_block` does, to be compiled; by way of a lane of its own, since ``out`` may be ``grad_y``."""
    C = x.shape[1]
    flat, flat_g, flat_out = x.reshape(-1), grad_y.reshape(-1), out.reshape(-1)
    grad_x = np.empty(side[0] * C, x.dtype)
    for b in range(first, last):
        width = side[b] * C
        for start in range(starts[b] * C, stops[b] * C, width):
            lane, g, lane_out = (
                flat[start : start + width],
                flat_g[start : start + width],
                flat_out[start : start + width],
            )
            for j in range(width):
                grad_x[j] = ((lane[j] - mean[j]) * along[j] + g[j] - common[j]) * scale[j]
            for j in range(width):
                lane_out[j] = grad_x[j]

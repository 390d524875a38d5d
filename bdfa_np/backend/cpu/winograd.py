"""Convolution on the CPU by Winograd's minimal filtering: a third to a sixth of the direct form's products.

A tile of r x r outputs of a k x k filter g is a bilinear function of g and of the input tile d of T x T = (r+k-1)²
pixels; computed as

    Y = Aᵀ [(G g Gᵀ) ⊙ (Bᵀ d B)] A

it takes T² products instead of r²k². Summed over input channels, the elementwise product becomes T² matrix products
over tiles and channels; the rest are sums that cost little. Transposing the same formula gives the gradients:

    ∂W = Gᵀ [Σ (Bᵀ d B) ⊙ (A ∂Y Aᵀ)] G        over all tiles
    ∂x = the convolution of ∂Y with W mirrored in both directions, input and output channels exchanged.

The matrices are Toom and Cook's: A and G evaluate polynomials at T-1 points and at infinity, and Bᵀ is the transposed
interpolation (Winograd, Arithmetic Complexity of Computations, 1980; Lavin and Gray, arXiv:1509.09308). In float32
the results differ from the direct form's by about 1e-5 of the largest.

Inside, images are laid out as (H, W, n, C): a transform along rows or columns is then a product of a small matrix with
rows of n·C numbers, read where they lie.
"""

import functools
import itertools
from collections.abc import Iterator
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided

from bdfa_np.backend.base import Array
from bdfa_np.backend.cpu.convolution import Workspace
from bdfa_np.backend.cpu.threads import shares, work

INTERPOLATION_POINTS = tuple(map(Fraction, ("0", "1", "-1", "2", "-2", "1/2", "-1/2")))
"""In the order in which they are taken: small numbers and their inverses keep rounding small. Infinity comes last."""

ROWS = 256
"""About how many tiles are transformed and multiplied at a time: what the caches hold of them."""

SMALL_PRODUCT = 10**6
"""Multiplications up to which OpenBLAS multiplies in place, without copying the factors first."""

FEW_CHANNELS = 16
"""Below so many channels, on either side, the transforms cost more than the products save."""

FEW_TILES = 32
"""Below so many tiles in a batch, transforming the weights costs more than the products save."""

Exact = list[list[Fraction]]


class Matrices(NamedTuple):
    """The transforms of one size of tile."""

    input: Array
    """Bᵀ (T, T)."""
    weight: Array
    """G (T, k)."""
    weight_mirrored: Array
    """G for a filter read backwards (T, k)."""
    weight_gradient: Array
    """Gᵀ (k, T)."""
    output: Array
    """Aᵀ (r, T)."""
    output_gradient: Array
    """A (T, r)."""


class Tiling(NamedTuple):
    """How outputs (N, Ho, Wo, K) of a k x k filter are cut into tiles."""

    outputs: int
    """r, the side of a tile."""
    size: int
    """k, the side of the filter."""
    down: int
    """Tiles from top to bottom; the last may reach over the edge."""
    across: int
    """Tiles from left to right."""

    @property
    def points(self) -> int:
        """Return T, the side of a tile of inputs and of its transform."""
        return self.outputs + self.size - 1


def times_linear(polynomial: list[Fraction], root: Fraction) -> list[Fraction]:
    """Return the coefficients, lowest first, of ``polynomial(x) (x - root)``."""
    shifted, scaled = [Fraction(0), *polynomial], [root * c for c in polynomial] + [Fraction(0)]
    return [a - b for a, b in zip(shifted, scaled, strict=True)]


def toom_cook(outputs: int, size: int) -> tuple[Exact, Exact, Exact]:
    """Return Aᵀ (r, T), G (T, k) and Bᵀ (T, T) for r outputs of a filter of length k, in one dimension.

    Row i of Bᵀ is the polynomial that vanishes at every point but the i-th; what it is there divides row i of G, so
    that Aᵀ and Bᵀ have entries that float32 holds exactly.
    """
    points = INTERPOLATION_POINTS[: outputs + size - 2]
    A_t = [[p**j for p in points] + [Fraction(j == outputs - 1)] for j in range(outputs)]
    G, B_t = [], []
    for i, p in enumerate(points):
        vanishing = functools.reduce(times_linear, points[:i] + points[i + 1 :], [Fraction(1)])
        there = sum((c * p**j for j, c in enumerate(vanishing)), Fraction(0))
        G.append([p**j / there for j in range(size)])
        B_t.append([*vanishing, Fraction(0)])
    G.append([Fraction(j == size - 1) for j in range(size)])
    B_t.append(functools.reduce(times_linear, points, [Fraction(1)]))
    return A_t, G, B_t


@functools.cache
def matrices(outputs: int, size: int) -> Matrices:
    """Return the transforms in float32."""
    A_t, G, B_t = (np.array(exact, float).astype(np.float32) for exact in toom_cook(outputs, size))
    forms = (B_t, G, G[:, ::-1], G.T, A_t, A_t.T)
    return Matrices(*map(np.ascontiguousarray, forms))


@functools.cache
def tiling(size: int, height: int, width: int) -> Tiling:
    """Choose the side of the tiles, for outputs of ``height`` x ``width``, that takes the fewest products."""
    sides = range(2, len(INTERPOLATION_POINTS) + 3 - size)
    candidates = [Tiling(side, size, -(-height // side), -(-width // side)) for side in sides]
    return min(candidates, key=lambda tiles: tiles.points**2 * tiles.down * tiles.across)


def suits(W_shape: tuple[int, ...], y_shape: tuple[int, ...], stride: int, padding: int, dtype: np.dtype) -> bool:
    """Tell whether this is a faster way to convolve by W (k, k, C, K) into y (N, Ho, Wo, K), and accurate enough."""
    size, _, C, K = W_shape
    if stride != 1 or not 3 <= size <= 5 or padding >= size or dtype != np.float32 or min(C, K) < FEW_CHANNELS:
        return False
    tiles = tiling(size, *y_shape[1:3])
    return y_shape[0] * tiles.down * tiles.across >= FEW_TILES


def blocks(part: slice, tiles: Tiling) -> Iterator[slice]:
    """Cut a share of the batch into blocks of about `ROWS` tiles, each of the same number of images or one more."""
    images = part.stop - part.start
    count = -(-images * tiles.down * tiles.across // ROWS)
    edges = [part.start + images * block // count for block in range(count + 1)]
    return itertools.starmap(slice, itertools.pairwise(edges))


def laid_out(x: Array, height: int, width: int, padding: int, scratch: Array) -> Array:
    """Copy images x (n, H, W, C) into zeros of (height, width, n·C), ``padding`` from the top and from the left."""
    n, H, W, C = x.shape
    padded = scratch.reshape(height, width, n, C)
    padded.fill(0)
    padded[padding : padding + H, padding : padding + W] = x.transpose(1, 2, 0, 3)
    return padded.reshape(height, width, n * C)


def tiles_along(x: Array, count: int, side: int, step: int) -> Array:
    """Return a view of x (..., Q, L) as (..., count, side, L): stretches of ``side`` rows, one every ``step``."""
    *before, t, u = x.strides
    shape = (*x.shape[:-2], count, side, x.shape[-1])
    return as_strided(x, shape, (*before, step * t, t, u), writeable=False)


def transform_weights(matrix: Array, x: Array, out: Array, scratch: Workspace, accumulate: bool) -> None:
    """Write, or add, matrix x matrixᵀ into out (p, p, L) for every filter in x (q, q, L)."""
    p, q = matrix.shape
    step = max(1, SMALL_PRODUCT // (p * max(p, q)))
    for start in range(0, x.shape[2], step):
        columns = slice(start, min(start + step, x.shape[2]))
        length = columns.stop - columns.start
        half = scratch("half", (p, q, length))
        np.matmul(matrix, x[:, :, columns].swapaxes(0, 1), out=half.swapaxes(0, 1))
        if accumulate:
            whole = scratch("whole", (p, p, length))
            np.matmul(matrix, half, out=whole)
            out[:, :, columns] += whole
        else:
            np.matmul(matrix, half, out=out[:, :, columns])


class Share:
    """One thread's share of a convolution: its scratch memory, and the steps on a few images at a time."""

    def __init__(self, number: int, tiles: Tiling, workspace: Workspace) -> None:
        self.number, self.tiles, self.workspace = number, tiles, workspace
        self.matrices = matrices(tiles.outputs, tiles.size)

    def scratch(self, name: str, shape: tuple[int, ...]) -> Array:
        """Return memory that no other share uses."""
        return self.workspace(f"winograd_{name}_{self.number}", shape)

    def columns_transformed(self, matrix: Array, x: Array, padding: int, name: str) -> Array:
        """Transform the columns of images x (n, H, W, C); return a view of tiles (T, down, across, side, n·C)."""
        tiles, (n, _, _, C), side = self.tiles, x.shape, matrix.shape[1]
        rest = side - tiles.outputs  # what a tile shares with the next
        height, width = tiles.down * tiles.outputs + rest, tiles.across * tiles.outputs + rest
        padded = laid_out(x, height, width, padding, self.scratch(name + "_padded", (height, width, n * C)))
        half = self.scratch(name + "_half", (tiles.points, tiles.down, width, n * C))
        columns = tiles_along(padded.swapaxes(0, 1), tiles.down, side, tiles.outputs)
        np.matmul(matrix, columns, out=half.transpose(2, 1, 0, 3))
        return tiles_along(half, tiles.across, side, tiles.outputs)

    def rows_transformed(self, matrix: Array, rows: Array, channels: int, name: str) -> Array:
        """Transform the rows of tiles (down, across, side, n·C): (T, tiles, C)."""
        down, across, _, length = rows.shape
        whole = self.scratch(name, (self.tiles.points, down, across, length))
        np.matmul(matrix, rows, out=whole.transpose(1, 2, 0, 3))
        return whole.reshape(self.tiles.points, -1, channels)

    def convolve(self, x: Array, U: Array, out: Array, padding: int) -> None:
        """Write the convolution of a few images with the transformed weights U (T, T, C, K) into out (n, Ho, Wo, K)."""
        tiles, (n, Ho, Wo, K) = self.tiles, out.shape
        T, r, count = tiles.points, tiles.outputs, tiles.down * tiles.across
        half = self.columns_transformed(self.matrices.input, x, padding, "input")
        products = self.scratch("products", (T, count * n, K))
        rows = self.scratch("rows", (T, count, r, n * K))
        for i in range(T):  # a row of the transform at a time, so that what follows finds it in cache
            V = self.rows_transformed(self.matrices.input, half[i], x.shape[3], "input")
            np.matmul(V, U[i], out=products)
            np.matmul(self.matrices.output, products.reshape(T, count, n * K).swapaxes(0, 1), out=rows[i])
        width = tiles.across * r
        y = self.scratch("outputs", (tiles.down, r, width, n * K))
        by_column = rows.reshape(T, tiles.down, width, n * K).transpose(1, 2, 0, 3)
        np.matmul(self.matrices.output, by_column, out=y.swapaxes(1, 2))
        np.copyto(out, y.reshape(tiles.down * r, width, n, K)[:Ho, :Wo].transpose(2, 0, 1, 3))

    def weight_gradient(self, x: Array, grad_y: Array, total: Array, padding: int, accumulate: bool) -> None:
        """Write, or add, a few images' part of the weights' gradient, before its inverse transform: (T, T, C, K)."""
        T, C, K = self.tiles.points, x.shape[3], grad_y.shape[3]
        half = self.columns_transformed(self.matrices.input, x, padding, "input")
        half_grad = self.columns_transformed(self.matrices.output_gradient, grad_y, 0, "gradient")
        part_sum = self.scratch("part_sum", (T, C, K))
        for i in range(T):
            V = self.rows_transformed(self.matrices.input, half[i], C, "input")
            grad = self.rows_transformed(self.matrices.output_gradient, half_grad[i], K, "gradient")
            if accumulate:
                np.matmul(V.swapaxes(1, 2), grad, out=part_sum)
                total[i] += part_sum
            else:
                np.matmul(V.swapaxes(1, 2), grad, out=total[i])


def transformed(matrix: Array, W: Array, out: Array, tiles: Tiling, workspace: Workspace) -> None:
    """Write the transform of the weights W (k, k, C, K) into out (T, T, C, K)."""
    filters, result = W.reshape(*W.shape[:2], -1), out.reshape(*out.shape[:2], -1)

    def task(number: int, part: slice) -> None:
        scratch = Share(number, tiles, workspace).scratch
        transform_weights(matrix, filters[:, :, part], result[:, :, part], scratch, accumulate=False)

    work(task, shares(filters.shape[2]))


def convolve_tiles(x: Array, U: Array, out: Array, tiles: Tiling, padding: int, workspace: Workspace) -> Array:
    """Write the convolution of x (N, H, W, C) with the transformed weights U (T, T, C, K) into out (N, Ho, Wo, K)."""

    def task(number: int, part: slice) -> None:
        share = Share(number, tiles, workspace)
        for block in blocks(part, tiles):
            share.convolve(x[block], U, out[block], padding)

    work(task, shares(len(x)))
    return out


def convolve(x: Array, W: Array, out: Array, stride: int, padding: int, workspace: Workspace) -> Array:
    """See `Backend.convolve`; the stride must be 1."""
    assert stride == 1
    size, _, C, K = W.shape
    tiles = tiling(size, *out.shape[1:3])
    U = workspace("winograd_weights", (tiles.points, tiles.points, C, K))
    transformed(matrices(tiles.outputs, size).weight, W, U, tiles, workspace)
    return convolve_tiles(x, U, out, tiles, padding, workspace)


def convolve_input_gradient(
    grad_y: Array, W: Array, out: Array, stride: int, padding: int, workspace: Workspace
) -> Array:
    """See `Backend.convolve_input_gradient`; the stride must be 1, and ``padding`` at most k - 1."""
    assert stride == 1
    size, _, C, K = W.shape
    tiles = tiling(size, *out.shape[1:3])
    U = workspace("winograd_weights", (tiles.points, tiles.points, C, K))
    transformed(matrices(tiles.outputs, size).weight_mirrored, W, U, tiles, workspace)
    return convolve_tiles(grad_y, U.swapaxes(2, 3), out, tiles, size - 1 - padding, workspace)


def convolve_weight_gradient(
    x: Array, grad_y: Array, out: Array, stride: int, padding: int, accumulate: bool, workspace: Workspace
) -> Array:
    """See `Backend.convolve_weight_gradient`; the stride must be 1."""
    assert stride == 1
    size, _, C, K = out.shape
    tiles = tiling(size, *grad_y.shape[1:3])
    parts = shares(len(x))
    # The weights' own place: no kernel needs both.
    totals = workspace("winograd_weights", (len(parts), tiles.points, tiles.points, C, K))

    def sum_tiles(number: int, part: slice) -> None:
        share = Share(number, tiles, workspace)
        for block in blocks(part, tiles):
            share.weight_gradient(x[block], grad_y[block], totals[number], padding, accumulate=block.start > part.start)

    def sum_shares(number: int, part: slice) -> None:
        scratch = Share(number, tiles, workspace).scratch
        sums = totals.reshape(*totals.shape[:3], -1)[..., part]
        for other in sums[1:]:
            sums[0] += other
        gradient = out.reshape(size, size, -1)[:, :, part]
        transform_weights(matrices(tiles.outputs, size).weight_gradient, sums[0], gradient, scratch, accumulate)

    work(sum_tiles, parts)
    work(sum_shares, shares(C * K))
    return out

"""Where the windows of a convolution lie in padded images: tables of places, for `direct`."""

import functools
import itertools
from collections.abc import Sequence
from math import prod
from typing import NamedTuple

import numpy as np

from bdfa_np.backend.base import Array

BLOCK_BYTES = 2**19
"""How many images are padded at a time: a fraction of a core's second-level cache, which holds the results too."""


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
def shared_weight_windows(padded: tuple[int, int, int], size: int, y_shape: tuple[int, int, int]) -> Windows:
    """Return a window for the weights of a row of W that belong to one channel, of all inputs in as many rows.

    An input is met by ``size`` outputs side by side, whose gradients lie side by side, where zeros are around them.
    """
    (H, W, C), (Ho, Wo, K) = padded, y_shape
    rows = places((images_at_once(padded), Ho), (H * W * C, W * C))
    return Windows(places((size, C), (W * C, 1)), rows, Wo + size - 1, places((size * C,), (size * K,)))


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

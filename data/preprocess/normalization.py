"""Normalization of images by statistics of the training images."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from bdfa_np.data.recipe import NORMALIZATIONS
from bdfa_np.data.samples import noun
from bdfa_np.errors import ConfigError, DataError
from bdfa_np.representation import one_line, value_text
from bdfa_np.system.text import counted

VERSION = 1
"""Part of what a prepared file is found by: raise it when the same images would come out otherwise."""

_IMAGES_PER_BLOCK = 128
_MOST_SHOWN = 4

Array = NDArray[np.float64]


# Comparing two of these compares arrays, which has no single truth value: so eq=False.
@dataclass(frozen=True, eq=False)
class Normalization:
    """What is taken from each pixel, and by what the rest is divided.

    Parameters
    ----------
    kind : {"scale", "simple", "channel", "image", "column"}
        ``"scale"``: the smallest training pixel becomes 0 and the largest 1. ``"simple"``: the training images as a
        whole get mean 0 and standard deviation 1; ``"channel"``: each of their channels does; ``"image"``: each
        pixel position of each channel, or entry of vectors, does; ``"column"``: the same under the name that it has
        in tables, for vectors alone.
    offset : ndarray of float64, shape (), (), (C,), (H, W, C) or (d,), and (d,), in this order
        What becomes 0: the smallest value or the mean.
    divisor : ndarray of float64, the shape of ``offset``
        What becomes 1: the span of the values or their standard deviation, of the population (over n). For a
        channel or a pixel position whose values are all the same, it is 1.

    Examples
    --------
    >>> import numpy as np
    >>> images = np.array([0, 51, 255], np.uint8).reshape(3, 1, 1, 1)
    >>> scale = Normalization.fit("scale", images)
    >>> scale.apply(images, np.empty(images.shape, np.float32)).ravel().tolist()
    [0.0, 0.20000000298023224, 1.0]
    """

    kind: str
    offset: Array
    divisor: Array

    def __repr__(self) -> str:
        """Return its kind, and its numbers, or the shapes of its arrays where those are many."""
        told = [
            f"{name} {value_text(part.tolist() if part.size <= _MOST_SHOWN else part)}"
            for name, part in (("offset", self.offset), ("divisor", self.divisor))
        ]
        return one_line(self, [self.kind, *told])

    @classmethod
    def fit(cls, kind: str, train_images: NDArray[Any]) -> "Normalization":
        """Return the normalization by these training images.

        Parameters
        ----------
        kind : {"scale", "simple", "channel", "image", "column"}
            Over what the statistics are taken.
        train_images : ndarray of uint8 or floating-point numbers, shape (N, H, W, C) or (N, d)
            The images that are trained on, and no others. Of bytes the statistics are exact to the last rounding.

        Returns
        -------
        Normalization
            By their statistics.

        Raises
        ------
        ConfigError
            If the kind is another one, or is ``"channel"`` and the samples are vectors, which have no channels, or
            ``"column"`` and they are images, which have no columns.
        DataError
            If float32 cannot hold the statistics, ``"scale"`` or ``"simple"`` meet values that are all the same, or
            the others several samples none of whose channels, places or columns varies.
        """
        if kind not in NORMALIZATIONS:
            raise ConfigError(f"--normalization {kind}: choose from {', '.join(NORMALIZATIONS)}")
        if kind == "channel" and train_images.ndim != 4:
            numbers = counted(train_images.shape[1], "number")
            raise ConfigError(
                f"--normalization channel needs images, and these are vectors of {numbers}: choose another"
            )
        if kind == "column" and train_images.ndim != 2:
            raise ConfigError("--normalization column needs vectors, and these are images: choose image or channel")
        if kind in ("scale", "simple"):
            minimum, maximum = _range(train_images, "scaled to 0..1" if kind == "scale" else "normalised")
            if kind == "scale":
                return cls(kind, np.array(minimum), np.array(maximum - minimum))
        axes = {"simple": tuple(range(train_images.ndim)), "channel": (0, 1, 2), "image": (0,), "column": (0,)}[kind]
        mean, deviation = moments(train_images, axes)
        divisor = np.where(deviation == 0, 1.0, deviation)
        _check_float32(mean, divisor, noun(train_images))
        if len(train_images) > 1 and not deviation.any():
            raise DataError(
                f"the training {noun(train_images)} do not vary: --normalization {kind} leaves nothing of them"
            )
        return cls(kind, mean, divisor)

    def apply(self, images: NDArray[Any], out: NDArray[Any]) -> NDArray[Any]:
        """Write ``(images - offset) / divisor`` to ``out``, computed in the type of ``out``.

        Parameters
        ----------
        images : ndarray, shape (N, H, W, C) or (N, d)
            Images as they are kept, for example uint8.
        out : ndarray of floating-point numbers, the shape of ``images``
            Where the normalised images go.

        Returns
        -------
        ndarray
            ``out``.
        """
        key = (out.dtype, images.shape[1:])
        if key not in self._casts:
            self._casts[key] = self._cast(*key)
        offset, divisor = self._casts[key]
        np.copyto(out, images)
        if offset.any():
            np.subtract(out, offset, out=out)
        np.divide(out, divisor, out=out)
        return out

    @cached_property
    def _casts(self) -> dict[Any, tuple[NDArray[Any], NDArray[Any]]]:
        return {}

    def _cast(self, dtype: np.dtype[Any], shape: tuple[int, ...]) -> tuple[NDArray[Any], NDArray[Any]]:
        offset, divisor = self.in_type(dtype)
        if self.kind == "channel":
            # With an entry for every pixel, NumPy's inner loop is a whole image and not three channels.
            offset, divisor = (np.ascontiguousarray(np.broadcast_to(part, shape)) for part in (offset, divisor))
        return offset, divisor

    def in_type(self, dtype: DTypeLike) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return offset and divisor in the type in which they are computed with."""
        offset, divisor = self.offset.astype(dtype), self.divisor.astype(dtype)
        if self.kind == "scale":
            # The span is a difference of rounded numbers, as each pixel's is: so the largest pixel becomes exactly 1.
            divisor = np.subtract((self.offset + self.divisor).astype(dtype), offset)
        return offset, divisor


def _range(images: NDArray[Any], purpose: str) -> tuple[float, float]:
    """Return the smallest and the largest value; refuse what float32 cannot tell apart."""
    minimum, maximum = float(images.min()), float(images.max())
    with np.errstate(over="ignore", invalid="ignore"):
        span = np.float32(maximum) - np.float32(minimum)
    if not (np.isfinite(span) and span > 0):
        raise DataError(
            f"{noun(images)} with values from {minimum} to {maximum} cannot be {purpose}: "
            f"the training {noun(images)} must hold at least two values that float32 tells apart"
        )
    return minimum, maximum


def _check_float32(mean: Array, divisor: Array, samples: str) -> None:
    limits = np.finfo(np.float32)
    # Written so that what is not a number is refused too.
    if not (np.all(np.abs(mean) <= limits.max) and np.all((divisor >= limits.tiny) & (divisor <= limits.max))):
        raise DataError(
            f"the training {samples} cannot be normalised: they hold values that are not finite, "
            "or whose mean or standard deviation is too large or too small for float32"
        )


def _blocks(images: NDArray[Any]) -> Iterator[NDArray[Any]]:
    for start in range(0, len(images), _IMAGES_PER_BLOCK):
        yield images[start : start + _IMAGES_PER_BLOCK]


def moments(images: NDArray[Any], axes: tuple[int, ...]) -> tuple[Array, Array]:
    """Return the mean and the standard deviation, of the population, over some axes.

    Parameters
    ----------
    images : ndarray of uint8 or floating-point numbers, shape (N, H, W, C) or (N, d)
        The images. Of bytes, both are exact to the last rounding.
    axes : tuple of int
        Over which; the first is among them.

    Returns
    -------
    mean, deviation : ndarray of float64
        With the other axes.
    """
    return _moments_of_bytes(images, axes) if images.dtype == np.uint8 else _moments_of_floats(images, axes)


def _moments_of_bytes(images: NDArray[np.uint8], axes: tuple[int, ...]) -> tuple[Array, Array]:
    """Return mean and standard deviation over these axes, from sums of whole numbers: none is rounded."""
    sums, squares = np.zeros(images.shape[1:], np.uint64), np.zeros(images.shape[1:], np.uint64)
    for block in _blocks(images):
        values = block.astype(np.uint32)  # holds the sum of 128 squares of bytes
        sums += values.sum(axis=0, dtype=np.uint32)
        np.square(values, out=values)
        squares += values.sum(axis=0, dtype=np.uint32)
    count = math.prod(images.shape[axis] for axis in axes)
    pooled = tuple(axis - 1 for axis in axes if axis > 0)
    # Python's integers, for which nothing is too large; their quotient is correctly rounded.
    total, total_of_squares = (np.asarray(part.sum(axis=pooled)).astype(object) for part in (sums, squares))
    variance = (count * total_of_squares - total * total) / count**2
    return np.asarray(total / count, np.float64), np.sqrt(np.asarray(variance, np.float64))


def _moments_of_floats(images: NDArray[Any], axes: tuple[int, ...]) -> tuple[Array, Array]:
    """Return mean and standard deviation over these axes, in two passes in float64."""
    # Less the first value, values that are all the same are exactly 0, and so is their deviation from their mean.
    first = images[tuple(slice(0, 1 if axis in axes else None) for axis in range(images.ndim))].astype(np.float64)
    count = math.prod(images.shape[axis] for axis in axes)
    with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is refused afterwards
        total = np.zeros(first.shape)
        for block in _blocks(images):
            total += np.subtract(block, first, dtype=np.float64).sum(axis=axes, keepdims=True)
        mean = first + total / count
        total[:] = 0
        for block in _blocks(images):
            deviation = np.subtract(block, mean, dtype=np.float64)
            total += np.square(deviation, out=deviation).sum(axis=axes, keepdims=True)
    return mean.squeeze(axes), np.sqrt(total / count).squeeze(axes)

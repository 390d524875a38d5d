"""What the pixels of a data set are like."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bdfa_np.data.preprocess.normalization import moments

_UNEVEN = 100
_ONE_IN = 10


@dataclass(frozen=True)
class ChannelStatistics:
    """Of the pixels of one channel.

    Attributes
    ----------
    minimum, maximum : float
        The smallest and the largest.
    mean, deviation : float
        Their mean and their standard deviation, of the population.
    """

    minimum: float
    maximum: float
    mean: float
    deviation: float


def channel_statistics(images: NDArray[Any]) -> list[ChannelStatistics]:
    """Return the statistics of each channel.

    Parameters
    ----------
    images : ndarray of uint8 or floating-point numbers, shape (N, H, W, C) or (N, d)
        The images; vectors count as one channel.

    Returns
    -------
    list of ChannelStatistics
        C of them, or one.
    """
    pixels = images if images.ndim == 4 else images[:, None, :, None]
    axes = (0, 1, 2)
    columns = pixels.min(axes), pixels.max(axes), *moments(pixels, axes)
    return [ChannelStatistics(*map(float, figures)) for figures in zip(*columns, strict=True)]


def unevenness(deviations: NDArray[Any]) -> float | None:
    """Return how much the columns of vectors differ in scale, where they do so widely.

    Parameters
    ----------
    deviations : ndarray of floating-point numbers, shape (d,)
        The standard deviation of each column; those that do not vary have no part.

    Returns
    -------
    float or None
        The largest deviation over the smallest, if that of at least one column in ten is less than a hundredth of the
        largest: a few pixels at the edge, which hardly vary, do not make images that are stored as rows uneven.
    """
    varying = deviations[deviations > 0]
    if np.count_nonzero(varying * _UNEVEN < varying.max(initial=0)) * _ONE_IN < max(len(varying), 1):
        return None
    return float(varying.max() / varying.min())

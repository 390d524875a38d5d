"""What the pixels of a data set are like."""

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from bdfa_np.data.preprocess.normalization import moments


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

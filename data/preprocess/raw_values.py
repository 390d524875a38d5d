"""What raw training samples were like, so that values which cannot have been meant are refused."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bdfa_np.data.preprocess.normalization import moments
from bdfa_np.errors import DataError
from bdfa_np.representation import one_line, shape_text

_IMAGES_PER_BLOCK = 1024


# Comparing two of these compares arrays, which has no single truth value: so eq=False.
@dataclass(frozen=True, eq=False)
class RawValues:
    """The range of the training samples as they are in their files.

    Parameters
    ----------
    is_bytes : bool
        Whether they are whole numbers from 0 to 255.
    lowest, highest : ndarray of float32, shape () of images, (d,) of vectors
        Of images, the smallest and the largest pixel. Of vectors, each entry's mean less, and plus, two standard
        deviations: at most a quarter of what they were computed from lies outside (Chebyshev's inequality).
    darkest, lightest : float
        The smallest and the largest mean value of a training image; of vectors, 0.
    """

    is_bytes: bool
    lowest: NDArray[np.float32]
    highest: NDArray[np.float32]
    darkest: float = 0.0
    lightest: float = 0.0

    def __repr__(self) -> str:
        """Return the range; of vectors, in how many entries."""
        if self.lowest.ndim:
            return one_line(self, [f"ranges of {shape_text(self.lowest.shape)} entries", "bytes" * self.is_bytes])
        return one_line(self, [f"{self.lowest.item():g} to {self.highest.item():g}", "bytes" * self.is_bytes])

    @classmethod
    def of(cls, samples: NDArray[Any]) -> "RawValues":
        """Return those of training samples, uint8 or floating, of shape (N, H, W, C) or (N, d)."""
        is_bytes = samples.dtype == np.uint8
        if samples.ndim == 2:
            mean, deviation = moments(samples, (0,))
            return cls(is_bytes, _float32(mean - 2 * deviation), _float32(mean + 2 * deviation))
        means = np.concatenate(
            [
                samples[start : start + _IMAGES_PER_BLOCK].mean(axis=(1, 2, 3), dtype=np.float64)
                for start in range(0, len(samples), _IMAGES_PER_BLOCK)
            ]
        )
        lowest, highest = (0, 255) if is_bytes else (samples.min(), samples.max())
        return cls(is_bytes, _float32(lowest), _float32(highest), float(means.min()), float(means.max()))

    @property
    def deviations(self) -> NDArray[np.float32]:
        """Of vectors, the standard deviation of each entry, shape (d,)."""
        return _float32((self.highest - self.lowest) / 4)

    def check(self, samples: NDArray[Any]) -> None:
        """Refuse samples whose values cannot be raw ones.

        Parameters
        ----------
        samples : ndarray, shape (N, H, W, C) or (N, d)
            Numbers; of samples of bytes, of any type within 0..255.

        Raises
        ------
        DataError
            If a value is not finite; if images leave the training range by more than its own width, or all lie within
            its first hundredth without being dark throughout, as images scaled to 0..1 do beside 0..255; or if more
            than half of all entries of vectors that varied in training lie outside of their range.
        """
        if samples.dtype.kind not in "uifb":
            raise DataError(f"samples of the type {samples.dtype} are no numbers: give an array of numbers")
        if not np.isfinite(samples).all():
            raise DataError("samples hold values that are not finite numbers: every value must be one")
        smallest, largest = float(samples.min()), float(samples.max())
        if samples.ndim == 2:
            self._check_entries(samples)
            return
        lowest, highest = float(self.lowest), float(self.highest)
        width = highest - lowest
        outside = (
            smallest < lowest or largest > highest
            if self.is_bytes
            else smallest < lowest - width or largest > highest + width
        )
        too_small = lowest < largest <= lowest + width / 100 and smallest >= lowest and samples.dtype.kind == "f"
        if outside or too_small:
            self._refuse(f"values from {smallest:g} to {largest:g}", f"from {lowest:g} to {highest:g}")

    def _check_entries(self, vectors: NDArray[Any]) -> None:
        outside = ((vectors < self.lowest) | (vectors > self.highest))[:, self.highest > self.lowest]
        if outside.size and outside.mean() > 0.5:
            far = "more than two standard deviations from the training mean"
            self._refuse(f"vectors {outside.mean():.0%} of whose entries lie {far}", "closer to it")

    @staticmethod
    def _refuse(given: str, wanted: str) -> None:
        raise DataError(
            f"{given} cannot be raw values, which were {wanted} in training: give them as they are in files, "
            "or say prepared=True if they are normalised already"
        )

    def unusual(self, image: NDArray[Any]) -> str | None:
        """Say how an image (H, W, C) differs from all training images: that it is darker or lighter; else None."""
        mean, width = float(image.mean(dtype=np.float64)), float(self.highest) - float(self.lowest)
        margin = width / 100
        if mean < self.darkest - margin or float(image.max()) == float(image.min()) == float(self.lowest):
            return "darker than every training image"
        if mean > self.lightest + margin:
            return "lighter than every training image"
        return None


def _float32(value: Any) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):  # no value lies outside of an infinite range
        return np.asarray(value, np.float32)

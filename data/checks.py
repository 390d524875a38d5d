"""What the images and labels of every data set must be."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bdfa_np.errors import DataError

_IMAGES_PER_CHECK = 1024


def check_images(images: NDArray[Any], where: str) -> None:
    """Refuse images that cannot be used.

    Parameters
    ----------
    images : ndarray
        What should be (N, H, W, C) or (N, d), uint8 or floating, none of these 0, every value finite.
    where : str
        What to call them in the message.

    Raises
    ------
    DataError
        If they are something else.
    """
    if images.ndim not in (2, 4) or images.size == 0:
        raise DataError(
            f"{where} have the shape {images.shape}: they must be (images, height, width, channels) "
            "or (vectors, entries), none of them 0"
        )
    floating = np.issubdtype(images.dtype, np.floating)
    if not floating and images.dtype != np.uint8:
        raise DataError(f"{where} are {images.dtype}: they must be uint8 or floating-point numbers")
    # In blocks, so that the check needs little memory beside the images.
    for start in range(0, len(images) if floating else 0, _IMAGES_PER_CHECK):
        finite = np.isfinite(images[start : start + _IMAGES_PER_CHECK])
        if not finite.all():
            place = np.argwhere(~finite)[0]
            place[0] += start
            index = tuple(int(i) for i in place)
            raise DataError(f"{where} hold {images[index]} at {index}: every value must be a finite number")


def check_labels(labels: NDArray[Any], classes: int, where: str) -> None:
    """Refuse labels that are not whole numbers from 0 to ``classes - 1``.

    Parameters
    ----------
    labels : ndarray
        What should be integers of shape (N,), N at least 1.
    classes : int
        The number of classes.
    where : str
        What to call them in the message.

    Raises
    ------
    DataError
        If they are something else; the message names the first wrong label and its index.
    """
    if labels.ndim != 1 or labels.size == 0:
        raise DataError(f"{where} have the shape {labels.shape}: they must be one number an image, and at least one")
    if not np.issubdtype(labels.dtype, np.integer):
        raise DataError(f"{where} are {labels.dtype}: they must be integers")
    wrong = np.flatnonzero((labels < 0) | (labels >= classes))
    if wrong.size:
        index = int(wrong[0])
        raise DataError(f"{where}: label {labels[index]} at index {index} is out of range 0..{classes - 1}")

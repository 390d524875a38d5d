"""Images and vectors as people have them become bytes or float32, of the shapes that nets take."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bdfa_np.data.checks import check_images
from bdfa_np.errors import DataError

_IMAGES_PER_BLOCK = 1024
# Images have more rows and columns than this, and not more channels.
_MOST_CHANNELS = 4


def noun(samples: NDArray[Any]) -> str:
    """Return what samples are called: ``"images"``, or ``"vectors"`` where they are (N, d)."""
    return "images" if samples.ndim == 4 else "vectors"


def check_layout(where: str, shape: tuple[int, ...]) -> None:
    """Refuse images whose channels come before the rows.

    Parameters
    ----------
    where : str
        What to call them in the message.
    shape : tuple of int
        (N, H, W, C), or anything else.

    Raises
    ------
    DataError
        If there are at most 4 "rows" and more than 4 each of "columns" and "channels".
    """
    if len(shape) == 4 and shape[1] <= _MOST_CHANNELS < min(shape[2:]):
        raise DataError(
            f"{where} have the shape {shape}, the channels before the rows: store them as (images, height, width, "
            "channels), numpy.moveaxis(images, 1, -1)"
        )


def with_channels(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape with an axis of one channel, where images (N, H, W) have none."""
    return (*shape, 1) if len(shape) == 3 else shape


def as_samples(where: str, stored: NDArray[Any]) -> NDArray[Any]:
    """Return images, or vectors, as the package keeps them.

    Parameters
    ----------
    where : str
        What to call them in messages.
    stored : ndarray of integers or floating, shape (N, H, W, C), (N, H, W) or (N, d)
        The images, or vectors, in any order of axes or bytes.

    Returns
    -------
    ndarray of uint8 or float32, shape (N, H, W, C) or (N, d)
        Contiguous, of the same values. Images without an axis of channels have one channel.

    Raises
    ------
    DataError
        If integers are outside 0 ... 255, or a number is not finite or beyond float32.
    """
    stored = stored.reshape(with_channels(stored.shape))
    floating = stored.dtype.kind == "f"
    if floating:
        check_images(stored, where)
    dtype = np.dtype(np.float32 if floating else np.uint8)
    if stored.dtype == dtype and stored.flags.c_contiguous:
        return stored
    images = np.empty(stored.shape, dtype)
    for start in range(0, len(stored), _IMAGES_PER_BLOCK):
        block = stored[start : start + _IMAGES_PER_BLOCK]
        if not floating and (block.min() < 0 or block.max() > 255):
            raise DataError(
                f"{where} are {stored.dtype} with values from {stored.min()} to {stored.max()}: "
                "bring them to 0..255, or store them as float32"
            )
        with np.errstate(over="ignore"):
            images[start : start + len(block)] = block
        if floating and not np.isfinite(images[start : start + len(block)]).all():
            raise DataError(f"{where} are {stored.dtype} with values beyond float32: scale them down")
    return images


def fit_bytes(stored: NDArray[Any]) -> bool:
    """Return False for vectors of integers outside 0 ... 255, which become float32; for all else True."""
    is_wide = stored.ndim == 2 and stored.dtype.kind in "ui" and stored.dtype != np.uint8
    return not is_wide or (int(stored.min()) >= 0 and int(stored.max()) <= 255)


def from_values(where: str, values: Any) -> NDArray[Any]:
    """Return images, or vectors, that are given from Python as the package keeps them.

    Parameters
    ----------
    where : str
        What to call them in messages.
    values : array-like, shape (N, H, W, C), (N, H, W) or (N, d)
        Numbers or truth values.

    Returns
    -------
    ndarray of uint8 or float32, shape (N, H, W, C) or (N, d)
        As `as_samples` has it; but vectors of integers other than uint8 become float32, whatever their values, and of
        truth values, true is 255 in images and 1 in vectors.

    Raises
    ------
    DataError
        As `as_samples`, or if they are of another type or shape.
    """
    try:
        array = np.asarray(values)
    except ValueError as error:  # rows of different lengths
        raise DataError(f"{where} are rows of different lengths: give samples of one shape") from error
    if array.ndim not in (2, 3, 4) or array.size == 0:
        raise DataError(
            f"{where} have the shape {array.shape}: they must be (images, height, width, channels), "
            "(images, height, width) or (vectors, entries), none of them 0"
        )
    if array.dtype.kind not in "buif":
        raise DataError(
            f"{where} are {array.dtype}: they must be numbers; of objects that are numbers, give "
            "values.astype('float32')"
        )
    check_layout(where, array.shape)
    is_image = array.ndim > 2
    if array.dtype == bool:
        return as_samples(where, array * np.uint8(255) if is_image else array.astype(np.float32))
    if array.dtype.kind in "ui" and array.dtype != np.uint8 and not is_image:
        array = array.astype(np.float32)
    return as_samples(where, array)

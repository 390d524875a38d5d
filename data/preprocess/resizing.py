"""Scaling images to another number of rows and columns."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bdfa_np.errors import ConfigError
from bdfa_np.system.memory import beyond_memory
from bdfa_np.system.text import counted

VERSION = 1
"""Part of what a prepared file is found by: raise it when the same images would come out otherwise."""

Images = NDArray[Any]


def resize_images(images: Images, size: int) -> Images:
    """Scale images to ``size`` rows and columns.

    The weights are those of Pillow's bilinear filter, which widens with the factor by which an image shrinks, so that
    no pixel is left out and fine patterns do not turn into coarse ones.

    Parameters
    ----------
    images : ndarray of uint8 or floating, shape (N, H, W, C)
        The images. Bytes are rounded to bytes; floating-point images are computed in float32.
    size : int
        Rows and columns wanted, 1 or more.

    Returns
    -------
    ndarray of uint8 or float32, shape (N, size, size, C)
        The images themselves, and not a copy, where they are of that size.

    Raises
    ------
    ConfigError
        If the samples are vectors, or the scaled images do not fit into the machine's memory.
    """
    if images.ndim != 4:
        numbers = counted(images.shape[-1], "number")
        raise ConfigError(f"--resize needs images, and these are vectors of {numbers}: leave it out")
    count, height, width, channels = images.shape
    if height == width == size:
        return images
    dtype = np.dtype(np.uint8 if images.dtype == np.uint8 else np.float32)
    shape = (count, size, size, channels)
    too_much = beyond_memory(count * size * size * channels * dtype.itemsize)
    if too_much:
        raise ConfigError(f"--resize {size}: {counted(count, 'image')} of that size {too_much}: choose a smaller size")
    resized = np.empty(shape, dtype)
    # Pillow has colour images of bytes only; of other images each channel is an image of its own.
    in_colour = dtype == np.uint8 and channels == 3
    for image, scaled in zip(images, resized, strict=True):
        if in_colour:
            scaled[...] = _scaled(image, size)
            continue
        for channel in range(channels):
            scaled[..., channel] = _scaled(image[..., channel].astype(dtype, copy=False), size)
    return resized


def _scaled(pixels: Images, size: int) -> Images:
    """Scale an image of shape (H, W) or (H, W, 3)."""
    image = Image.fromarray(pixels)
    return np.asarray(image.resize((size, size), Image.Resampling.BILINEAR))

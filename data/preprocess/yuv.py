"""Colour images as brightness and two colour differences."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bdfa_np.errors import DataError

VERSION = 1
"""Part of what a prepared file is found by: raise it when the same images would come out otherwise."""

# Of Y, U and V in R, G and B: the analogue system of television (ITU-R BT.470).
WEIGHTS = np.array([[0.299, 0.587, 0.114], [-0.14713, -0.28886, 0.436], [0.615, -0.51499, -0.10001]])

_IMAGES_PER_BLOCK = 256


def to_yuv(images: NDArray[Any], out: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
    """Turn RGB images into YUV images.

    ``Y = .299R + .587G + .114B``, ``U = -.14713R - .28886G + .436B`` and ``V = .615R - .51499G - .10001B``, of the
    values as they are: of 0..255, Y has that range too, U and V are 0 (to a hundredth) for every grey.

    Parameters
    ----------
    images : ndarray of uint8 or floating-point numbers, shape (N, H, W, 3)
        Red, green and blue.
    out : ndarray of float32, the shape of ``images``, optional
        Where the result goes; new memory by default.

    Returns
    -------
    ndarray of float32, shape (N, H, W, 3)
        Y, U and V, computed in float64 and rounded once.

    Raises
    ------
    DataError
        If the images do not have three channels, or a result is too large for float32.

    Examples
    --------
    >>> import numpy as np
    >>> to_yuv(np.full((1, 1, 1, 3), 255, np.uint8)).ravel().round(2).tolist()
    [255.0, 0.0, 0.0]
    """
    if images.ndim != 4 or images.shape[3] != 3:
        raise DataError(
            f"YUV is made of red, green and blue, and samples of the shape {images.shape[1:]} do not have these: "
            "leave out --format yuv"
        )
    if out is None:
        out = np.empty(images.shape, np.float32)
    for start in range(0, len(images), _IMAGES_PER_BLOCK):
        block = slice(start, start + _IMAGES_PER_BLOCK)
        rgb = images[block].astype(np.float64)
        with np.errstate(over="ignore", invalid="ignore"):
            for channel, (red, green, blue) in enumerate(WEIGHTS):
                out[block, ..., channel] = red * rgb[..., 0] + green * rgb[..., 1] + blue * rgb[..., 2]
        if not np.isfinite(out[block]).all():
            raise DataError("the images hold values that are not finite, or too large for YUV in float32")
    return out


def to_rgb(images: NDArray[Any]) -> NDArray[np.float64]:
    """Turn YUV images (..., 3) back into red, green and blue; the inverse of `to_yuv`, not rounded."""
    return np.asarray(images, np.float64) @ np.linalg.inv(WEIGHTS).T

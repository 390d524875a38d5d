"""Samples as they are looked at: raw values, in grey or in colour."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bdfa_np.data import Preprocessing

Images = NDArray[Any]


def range_of(preprocessing: Preprocessing | None, images: Images) -> tuple[float, float]:
    """Return what black and white stand for: the range of raw training images, or the outermost of these values."""
    if preprocessing is not None and preprocessing.raw.lowest.ndim == 0:
        return float(preprocessing.raw.lowest), float(preprocessing.raw.highest)
    return float(images.min()), float(images.max())


def drawable(images: Images, lowest: float, highest: float) -> list[Images]:
    """Return images (n, h, w, C) as `Tiles` takes them: grey ones as they are, colours within 0..1.

    Of other numbers of channels than one and three they stand side by side.
    """
    if images.shape[3] == 3:
        return list(np.clip((images - lowest) / ((highest - lowest) or 1.0), 0, 1))
    return list(np.moveaxis(images, 3, 2).reshape(len(images), images.shape[1], -1))


def unprepared(preprocessing: Preprocessing | None, prepared: Images) -> tuple[Images, str]:
    """Return prepared samples as raw values where that can be undone, and what their values are called."""
    if preprocessing is None:
        return prepared, "prepared value"
    if preprocessing.whitening is not None and preprocessing.whitening.P_inverse is None:
        return prepared, "whitened value"
    return preprocessing.undo(prepared), "pixel value" if prepared.ndim == 4 else "value"

"""What the arrays of a user's own data set must be: asked of their headers first, then of their values."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bdfa_np.data.checks import check_images, check_labels
from bdfa_np.data.class_names import MOST_CLASSES
from bdfa_np.errors import DataError
from bdfa_np.system.memory import beyond_memory

ARRAYS = ("train_images", "train_labels", "test_images", "test_labels")
CLASS_NAMES = "class_names"

_PARTS = ("train", "test")
_IMAGES_PER_BLOCK = 1024


@dataclass(frozen=True)
class Claim:
    """What a file says of an array, before any of it is read.

    Parameters
    ----------
    shape : tuple of int
        Its shape.
    dtype : numpy.dtype
        Its type.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def nbytes(self) -> int:
        """The number of bytes that it takes in memory."""
        return prod(self.shape) * self.dtype.itemsize


def check_claims(path: Path, claims: Mapping[str, Claim]) -> None:
    """Refuse arrays that cannot be a data set, or are too large, before memory is taken for them.

    Parameters
    ----------
    path : pathlib.Path
        Where they are, for the messages.
    claims : mapping of str to Claim
        The four arrays by name.

    Raises
    ------
    DataError
        If an array has a type or a shape that cannot be used, or they do not fit each other or the machine's memory.
    """
    for part in _PARTS:
        images, labels = claims[f"{part}_images"], claims[f"{part}_labels"]
        _check_images_claim(f"{path}: {part}_images", images)
        _check_labels_claim(f"{path}: {part}_labels", labels)
        if images.shape[0] != labels.shape[0]:
            raise DataError(
                f"{path}: {images.shape[0]} {part}_images but {labels.shape[0]} {part}_labels: "
                "give every image one label"
            )
    train, test = (claims[f"{part}_images"] for part in _PARTS)
    shapes = [_with_channels(claim.shape)[1:] for claim in (train, test)]
    if shapes[0] != shapes[1]:
        raise DataError(
            f"{path}: a sample of train_images is {shapes[0]} but one of test_images is {shapes[1]}: "
            "make their shapes the same"
        )
    if (train.dtype.kind == "f") != (test.dtype.kind == "f"):
        raise DataError(
            f"{path}: train_images are {train.dtype} but test_images are {test.dtype}: "
            "store both as uint8, or both as floating-point numbers on one scale"
        )
    # What is read, and what it is converted to, are there together.
    needed = sum(claim.nbytes for claim in claims.values())
    needed += sum(_converted_nbytes(claim) for claim in (train, test))
    too_much = beyond_memory(needed)
    if too_much:
        raise DataError(f"{path}: its train_images {train.shape} and test_images {test.shape} {too_much}: store fewer")


def _check_images_claim(where: str, claim: Claim) -> None:
    if claim.dtype == bool:
        raise DataError(f"{where} are bool: store them as uint8, 255 for true")
    if claim.dtype.kind not in "uif":
        raise DataError(f"{where} are {claim.dtype}: they must be uint8 or floating-point numbers")
    if len(claim.shape) not in (2, 3, 4) or 0 in claim.shape:
        raise DataError(
            f"{where} have the shape {claim.shape}: they must be (images, height, width, channels), "
            "(images, height, width) or (vectors, entries), none of them 0"
        )
    shape = claim.shape
    if len(shape) == 4 and shape[1] in (1, 3) and shape[2] == shape[3] > 4:
        raise DataError(
            f"{where} have the shape {shape}, the channels before the rows: store them as (images, height, width, "
            "channels), images.transpose(0, 2, 3, 1)"
        )


def _check_labels_claim(where: str, claim: Claim) -> None:
    if len(claim.shape) == 2 and claim.shape[1] > 1:
        raise DataError(
            f"{where} have the shape {claim.shape}: they must be one number an image; of one-hot rows, store "
            "labels.argmax(axis=1)"
        )
    if len(claim.shape) not in (1, 2) or 0 in claim.shape:
        raise DataError(f"{where} have the shape {claim.shape}: they must be one number an image, and at least one")
    if claim.dtype.kind not in "ui":
        raise DataError(f"{where} are {claim.dtype}: they must be integers: store labels.astype('int64')")


def _with_channels(shape: tuple[int, ...]) -> tuple[int, ...]:
    return (*shape, 1) if len(shape) == 3 else shape


def _converted_nbytes(claim: Claim) -> int:
    if claim.dtype in (np.uint8, np.float32):
        return 0
    return prod(claim.shape) * (4 if claim.dtype.kind == "f" else 1)


def as_images(where: str, stored: NDArray[Any]) -> NDArray[Any]:
    """Return images as the package keeps them.

    Parameters
    ----------
    where : str
        Path and name, for the messages.
    stored : ndarray of integers or floating, shape (N, H, W, C), (N, H, W) or (N, d)
        The images, or vectors, as they were stored, in any order of axes or bytes.

    Returns
    -------
    ndarray of uint8 or float32, shape (N, H, W, C) or (N, d)
        Contiguous, of the same values. Images without an axis of channels have one channel.

    Raises
    ------
    DataError
        If integers are outside 0 ... 255, or a number is not finite or beyond float32.
    """
    stored = stored.reshape(_with_channels(stored.shape))
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


def as_labels(where: str, stored: NDArray[Any]) -> NDArray[np.int64]:
    """Return labels as the package keeps them.

    Parameters
    ----------
    where : str
        Path and name, for the messages.
    stored : ndarray of integers, shape (N,) or (N, 1)
        The labels.

    Returns
    -------
    ndarray of int64, shape (N,)
        The labels.

    Raises
    ------
    DataError
        If one is negative or `MOST_CLASSES` or more.
    """
    labels = stored.reshape(-1)
    check_labels(labels, MOST_CLASSES, where)
    return labels.astype(np.int64)

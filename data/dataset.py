"""A data set in memory, checked once."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bdfa_np.data.preprocess.resizing import resize_images
from bdfa_np.errors import DataError

_IMAGES_PER_CHECK = 1024


# Comparing two of these compares arrays, which has no single truth value: so eq=False.
@dataclass(frozen=True, eq=False)
class Dataset:
    """Images and labels of a training and a test set.

    Parameters
    ----------
    name : str
        The registry's name, or one of the user's own.
    train_images : ndarray of uint8 or floating, shape (N, H, W, C) or (N, d)
        Images, or vectors of d numbers, to train on.
    train_labels : ndarray of integers, shape (N,)
        Their classes, 0 ... K-1; kept as int64.
    test_images : ndarray of uint8 or floating, shape (M, H, W, C) or (M, d)
        Images, or vectors, to test on.
    test_labels : ndarray of integers, shape (M,)
        Their classes.
    class_names : tuple of str
        The names of the K classes.
    checksums : dict of str to str, optional
        SHA-256 of the uncompressed content of each file that was read; empty by default.

    Raises
    ------
    DataError
        If a part is empty, has the wrong number of dimensions or type, holds a label outside 0 ... K-1 or a value
        that is not finite, or does not fit the other parts.
    """

    name: str
    train_images: NDArray[Any]
    train_labels: NDArray[np.int64]
    test_images: NDArray[Any]
    test_labels: NDArray[np.int64]
    class_names: tuple[str, ...]
    checksums: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for part, images, labels in (
            ("train", self.train_images, self.train_labels),
            ("test", self.test_images, self.test_labels),
        ):
            check_images(images, f"{self.name}: {part}_images")
            check_labels(labels, len(self.class_names), f"{self.name}: {part}_labels")
            if len(images) != len(labels):
                raise DataError(
                    f"{self.name}: {len(images)} {part}_images but {len(labels)} {part}_labels: "
                    "give every image one label"
                )
            # A frozen dataclass refuses plain assignment.
            object.__setattr__(self, f"{part}_labels", labels.astype(np.int64, copy=False))
        if self.train_images.shape[1:] != self.test_images.shape[1:]:
            raise DataError(
                f"{self.name}: train_images are {self.train_images.shape[1:]} but test_images are "
                f"{self.test_images.shape[1:]}: make one sample's shape the same in both"
            )

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape (H, W, C), or (d,), of one sample."""
        return self.train_images.shape[1:]

    def resized(self, size: int) -> "Dataset":
        """Return it with its images scaled to ``size`` rows and columns, as `resize_images` does it."""
        train, test = resize_images(self.train_images, size), resize_images(self.test_images, size)
        return replace(self, train_images=train, test_images=test)


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

"""Reader of STL-10's binary version: images in planes, each column by column, and labels from 1."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bdfa_np.data.checks import check_labels
from bdfa_np.data.dataset import Dataset
from bdfa_np.data.readers.reading import check_sha256, read_exactly
from bdfa_np.data.sources.kinds import ArchivedFile, Entry


def read_images(path: Path, count: int, image_shape: tuple[int, int, int]) -> tuple[NDArray[np.uint8], str]:
    """Read a file of images: their channels one after the other, each column by column.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    count : int
        How many images there must be.
    image_shape : tuple of int
        (H, W, C).

    Returns
    -------
    images : ndarray of uint8, shape (N, H, W, C)
        Contiguous. Beside them, reading takes the memory of the file.
    sha256 : str
        SHA-256 of the file, in lower-case hexadecimal.

    Raises
    ------
    DataError
        If the file is missing, unreadable, truncated or too long.
    """
    height, width, channels = image_shape
    content = read_exactly(path, count * height * width * channels, f"{count} images of {height}x{width}x{channels}")
    planes = np.frombuffer(content, np.uint8).reshape(count, channels, width, height).transpose(0, 3, 2, 1)
    images = np.empty((count, *image_shape), np.uint8)
    # All at once takes five times as long: NumPy's inner loop is then three channels, not a column's pixels.
    for channel in range(channels):
        images[..., channel] = planes[..., channel]
    return images, hashlib.sha256(content).hexdigest()


def read_labels(path: Path, count: int, classes: int) -> tuple[NDArray[np.int64], str]:
    """Read a file of labels, a byte each, counted from 1.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    count : int
        How many there must be.
    classes : int
        The number of classes.

    Returns
    -------
    labels : ndarray of int64, shape (N,)
        Counted from 0.
    sha256 : str
        SHA-256 of the file, in lower-case hexadecimal.

    Raises
    ------
    DataError
        If the file is missing, unreadable, truncated or too long, or holds another label than 1 ... K.
    """
    content = read_exactly(path, count, f"{count} labels")
    labels = np.frombuffer(content, np.uint8).astype(np.int64)
    check_labels(labels - 1, classes, f"{path}: counted from 0")
    return labels - 1, hashlib.sha256(content).hexdigest()


def load_stl10(entry: Entry, files: Sequence[tuple[ArchivedFile, Path]]) -> Dataset:
    """Read STL-10's binary version: training images, their labels, test images, theirs; see `Publication.reader`."""
    parts: list[NDArray[Any]] = []
    checksums = {}
    for position, (file, path) in enumerate(files):
        count = (entry.train_images, entry.test_images)[position // 2]
        if position % 2:
            values, sha256 = read_labels(path, count, len(entry.class_names))
            parts.append(values)
        else:
            images, sha256 = read_images(path, count, entry.image_shape)
            parts.append(images)
        if file.sha256_content is not None:
            check_sha256(path, sha256, file.sha256_content)
        checksums[file.name] = sha256
    train_images, train_labels, test_images, test_labels = parts
    return Dataset(entry.name, train_images, train_labels, test_images, test_labels, entry.class_names, checksums)

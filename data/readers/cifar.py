"""Readers of CIFAR's binary version, records of label bytes and an image in planes, and of its Python version."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bdfa_np.data.dataset import Dataset, check_labels
from bdfa_np.data.readers.pickles import read_pickle
from bdfa_np.data.readers.reading import ADVICE, check_sha256, open_data_file, read_up_to
from bdfa_np.data.sources.registry import ArchivedFile, Entry
from bdfa_np.errors import DataError

# CIFAR-100's superclasses: aquatic mammals to vehicles 2.
_COARSE_CLASSES = 20


def read_records(
    path: Path, records: int, image_shape: tuple[int, int, int], label_bytes: int = 1
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], str]:
    """Read a file of records: label bytes, then the image's channels one after the other, each row by row.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    records : int
        How many there must be.
    image_shape : tuple of int
        (H, W, C).
    label_bytes : int, default 1
        The number of label bytes: 1 in CIFAR-10, 2 in CIFAR-100 (coarse and fine).

    Returns
    -------
    labels : ndarray of uint8, shape (N, label_bytes)
        Of each record, in the file's order.
    images : ndarray of uint8, shape (N, H, W, C)
        Channels last; a view of the file's content, not contiguous.
    sha256 : str
        SHA-256 of the file, in lower-case hexadecimal.

    Raises
    ------
    DataError
        If the file is missing, unreadable, truncated or too long.
    """
    height, width, channels = image_shape
    record_size = label_bytes + height * width * channels
    size = records * record_size
    with open_data_file(path) as file:
        content, _ = read_up_to(file, size + 1)
    if len(content) < size:
        raise DataError(f"{path}: truncated: has {len(content)} of {size} bytes: {ADVICE}")
    if len(content) > size:
        raise DataError(
            f"{path}: too long: {records} records of {record_size} bytes are {size} bytes and more follow: {ADVICE}"
        )
    rows = np.frombuffer(content, np.uint8).reshape(records, record_size)
    planes = rows[:, label_bytes:].reshape(records, channels, height, width)
    return rows[:, :label_bytes], planes.transpose(0, 2, 3, 1), hashlib.sha256(content).hexdigest()


def load_cifar10(entry: Entry, files: Sequence[tuple[ArchivedFile, Path]]) -> Dataset:
    """Read a data set in the format of CIFAR-10's binary version: a label byte and an image a record.

    Parameters
    ----------
    entry : Entry
        The data set.
    files : sequence of (ArchivedFile, pathlib.Path)
        Its files and where each is; the last is the test set.

    Returns
    -------
    Dataset
        Images of shape (N, H, W, C), uint8, in the files' order.

    Raises
    ------
    DataError
        If a file is missing, unreadable, damaged, or its content is not the published one.
    """
    return _load(entry, files, _record_reader(entry, (len(entry.class_names),)))


def load_cifar100(entry: Entry, files: Sequence[tuple[ArchivedFile, Path]]) -> Dataset:
    """Read a data set in the format of CIFAR-100's binary version: two label bytes, coarse and fine, and an image.

    Parameters
    ----------
    entry : Entry
        The data set; its classes are the fine ones.
    files : sequence of (ArchivedFile, pathlib.Path)
        Its files and where each is; the last is the test set.

    Returns
    -------
    Dataset
        Images of shape (N, H, W, C), uint8, in the files' order, and their fine labels.

    Raises
    ------
    DataError
        If a file is missing, unreadable, damaged, or its content is not the published one.
    """
    return _load(entry, files, _record_reader(entry, (_COARSE_CLASSES, len(entry.class_names))))


def load_cifar10_pickles(entry: Entry, files: Sequence[tuple[ArchivedFile, Path]]) -> Dataset:
    """Read a data set in the format of CIFAR-10's Python version: pickled dictionaries with ``data`` and ``labels``.

    Parameters
    ----------
    entry : Entry
        The data set.
    files : sequence of (ArchivedFile, pathlib.Path)
        Its files and where each is; the last is the test set.

    Returns
    -------
    Dataset
        Images of shape (N, H, W, C), uint8, in the files' order.

    Raises
    ------
    DataError
        If a file is missing, unreadable, damaged, or its content is not the published one.
    """
    return _load(entry, files, _pickle_reader(entry, "labels"))


def load_cifar100_pickles(entry: Entry, files: Sequence[tuple[ArchivedFile, Path]]) -> Dataset:
    """Read a data set in the format of CIFAR-100's Python version: as CIFAR-10's, but with ``fine_labels``.

    Parameters
    ----------
    entry : Entry
        The data set; its classes are the fine ones.
    files : sequence of (ArchivedFile, pathlib.Path)
        Its files and where each is; the last is the test set.

    Returns
    -------
    Dataset
        Images of shape (N, H, W, C), uint8, in the files' order, and their fine labels.

    Raises
    ------
    DataError
        If a file is missing, unreadable, damaged, or its content is not the published one.
    """
    return _load(entry, files, _pickle_reader(entry, "fine_labels"))


# What reads a file, of which it is told how many images it should have: images, their labels, the file's SHA-256.
_Reader = Callable[[ArchivedFile, Path, int], tuple[NDArray[np.uint8], NDArray[np.int64], str]]


def _record_reader(entry: Entry, classes: tuple[int, ...]) -> _Reader:
    """Return the reader of a file of records; ``classes`` holds the number of classes of each label byte."""

    def read(_: ArchivedFile, path: Path, count: int) -> tuple[NDArray[np.uint8], NDArray[np.int64], str]:
        labels, images, sha256 = read_records(path, count, entry.image_shape, len(classes))
        for column, number in enumerate(classes):
            check_labels(labels[:, column], number, str(path))
        return images, labels[:, -1].astype(np.int64), sha256

    return read


def _pickle_reader(entry: Entry, key: str) -> _Reader:
    """Return the reader of a pickle that has the labels under a key."""
    height, width, channels = entry.image_shape

    def read(file: ArchivedFile, path: Path, count: int) -> tuple[NDArray[np.uint8], NDArray[np.int64], str]:
        content, sha256 = read_pickle(path, file.size)
        rows, labels = content.get("data"), content.get(key)
        shape = (count, height * width * channels)
        if not isinstance(rows, np.ndarray) or rows.shape != shape:
            raise DataError(f"{path}: its 'data' are not {shape[0]} x {shape[1]} bytes: {ADVICE}")
        if not isinstance(labels, list) or len(labels) != count or not all(type(label) is int for label in labels):
            raise DataError(f"{path}: its {key!r} are not {count} whole numbers: {ADVICE}")
        classes = np.array(labels, np.int64)
        check_labels(classes, len(entry.class_names), str(path))
        return rows.reshape(count, channels, height, width).transpose(0, 2, 3, 1), classes, sha256

    return read


def _load(entry: Entry, files: Sequence[tuple[ArchivedFile, Path]], read: _Reader) -> Dataset:
    """Read all but the last file as the training set, the last as the test set; they share the images equally."""
    checksums: dict[str, str] = {}
    parts: list[tuple[NDArray[np.uint8], NDArray[np.int64]]] = []
    for total, part in ((entry.train_images, files[:-1]), (entry.test_images, files[-1:])):
        # Filled file by file: joining them at the end would need the memory twice.
        images = np.empty((total, *entry.image_shape), np.uint8)
        labels = np.empty(total, np.int64)
        count = total // len(part)
        for number, (file, path) in enumerate(part):
            place = slice(number * count, (number + 1) * count)
            # The readers check labels before the checksum is: which label is wrong says more than that something is.
            file_images, labels[place], sha256 = read(file, path, count)
            if file.sha256_content is not None:
                check_sha256(path, sha256, file.sha256_content)
            checksums[file.name] = sha256
            # Channel by channel takes a fifth of the time: NumPy's inner loop is then a row's pixels, not three
            # channels.
            for channel in range(entry.image_shape[-1]):
                images[place, ..., channel] = file_images[..., channel]
        parts.append((images, labels))
    return Dataset(entry.name, *parts[0], *parts[1], entry.class_names, checksums)

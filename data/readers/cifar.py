"""Readers of CIFAR's binary version, records of label bytes and an image in planes, and of its Python version."""

import hashlib
import pickle
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bdfa_np.data.checks import check_labels
from bdfa_np.data.dataset import Dataset
from bdfa_np.data.readers.reading import check_sha256, read_exactly
from bdfa_np.data.sources.kinds import ArchivedFile, Entry

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
    content = read_exactly(path, records * record_size, f"{records} records of {record_size} bytes")
    rows = np.frombuffer(content, np.uint8).reshape(records, record_size)
    planes = rows[:, label_bytes:].reshape(records, channels, height, width)
    return rows[:, :label_bytes], planes.transpose(0, 2, 3, 1), hashlib.sha256(content).hexdigest()


# The images of a file, their labels, and the file's SHA-256.
_Content = tuple[NDArray[np.uint8], NDArray[np.int64], str]
# What reads a file; it is told how many images that should have.
_Reader = Callable[[ArchivedFile, Path, Entry, int], _Content]


def load_cifar10(entry: Entry, files: Sequence[tuple[ArchivedFile, Path]]) -> Dataset:
    """Read CIFAR-10's binary version, a label byte and an image a record; see `Publication.reader`."""
    return _load(entry, files, partial(_read_records, classes=(len(entry.class_names),)))


def load_cifar100(entry: Entry, files: Sequence[tuple[ArchivedFile, Path]]) -> Dataset:
    """Read CIFAR-100's, two label bytes and an image a record, of which the second, the fine one, is kept."""
    return _load(entry, files, partial(_read_records, classes=(_COARSE_CLASSES, len(entry.class_names))))


def _read_records(file: ArchivedFile, path: Path, entry: Entry, count: int, classes: tuple[int, ...]) -> _Content:
    """Return the content of a file of records, whose label bytes count up to ``classes``."""
    labels, images, sha256 = read_records(path, count, entry.image_shape, len(classes))
    # Before the checksum: which label is wrong says more than that something is.
    for column, number in enumerate(classes):
        check_labels(labels[:, column], number, str(path))
    if file.sha256_content is not None:
        check_sha256(path, sha256, file.sha256_content)
    return images, labels[:, -1].astype(np.int64), sha256


def load_pickles(entry: Entry, files: Sequence[tuple[ArchivedFile, Path]]) -> Dataset:
    """Read either CIFAR's Python version, dictionaries that Python 2 pickled; of two labels, the fine one is kept."""
    return _load(entry, files, _read_pickle)


def _read_pickle(file: ArchivedFile, path: Path, entry: Entry, count: int) -> _Content:
    """Return the images and labels of a published pickle, and nothing of any other: to read one is to run it."""
    content = read_exactly(path, file.size, "pickled images and labels")
    sha256 = hashlib.sha256(content).hexdigest()
    if file.sha256_content is None:
        raise ValueError(f"{file.name}: the catalogue has no checksum that vouches for this pickle")
    check_sha256(path, sha256, file.sha256_content)
    with warnings.catch_warnings():
        # NumPy 2.4 and later do, where a dtype was pickled with 0 for False.
        warnings.filterwarnings("ignore", message=r"dtype\(\): align should be passed")
        found = pickle.loads(content, encoding="latin1")  # noqa: S301 - its checksum is the published one
    height, width, channels = entry.image_shape
    images = found["data"].reshape(count, channels, height, width).transpose(0, 2, 3, 1)
    labels = found["fine_labels"] if "fine_labels" in found else found["labels"]
    return images, np.array(labels, np.int64), sha256


def _load(
    entry: Entry, files: Sequence[tuple[ArchivedFile, Path]], read: Callable[[ArchivedFile, Path, Entry, int], _Content]
) -> Dataset:
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
            file_images, labels[place], checksums[file.name] = read(file, path, entry, count)
            # Channel by channel takes a fifth of the time: NumPy's inner loop is then a row's pixels, not three
            # channels.
            for channel in range(entry.image_shape[-1]):
                images[place, ..., channel] = file_images[..., channel]
        parts.append((images, labels))
    return Dataset(entry.name, *parts[0], *parts[1], entry.class_names, checksums)

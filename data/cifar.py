"""Reader of CIFAR's binary version: records of label bytes and an image in planes."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bdfa_np.data.dataset import Dataset, check_labels
from bdfa_np.data.download import find_files
from bdfa_np.data.reading import ADVICE, check_sha256, open_data_file, read_up_to
from bdfa_np.data.registry import ArchivedFile, Entry
from bdfa_np.errors import DataError


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


def load_cifar10(entry: Entry, datapath: Path | None, progress: bool) -> Dataset:
    """Read a data set in the format of CIFAR-10's binary version.

    Parameters
    ----------
    entry : Entry
        The files of its archive have one label byte a record; the last of them is the test set.
    datapath : pathlib.Path or None
        Where to look, as in `bdfa_np.data.load_dataset`.
    progress : bool
        Whether to draw a progress bar while downloading.

    Returns
    -------
    Dataset
        Images of shape (N, H, W, C), uint8, in the files' order.

    Raises
    ------
    DataError
        If a file is missing, unreadable, damaged, or its content is not the published one.
    """
    if entry.archive is None:
        raise ValueError(f"the entry of {entry.name} names no archive")
    files = list(zip(entry.archive.files, find_files(entry, datapath, progress), strict=True))
    train_images, train_labels = _read_part(entry, files[:-1])
    test_images, test_labels = _read_part(entry, files[-1:])
    checksums = {file.name: file.sha256_content for file in entry.archive.files}
    return Dataset(entry.name, train_images, train_labels, test_images, test_labels, entry.class_names, checksums)


def _read_part(entry: Entry, files: Sequence[tuple[ArchivedFile, Path]]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return the images and labels of some files, in their order."""
    record_size = 1 + int(np.prod(entry.image_shape))
    counts = [file.size // record_size for file, _ in files]
    # Filled file by file: joining them at the end would need the memory twice.
    images = np.empty((sum(counts), *entry.image_shape), np.uint8)
    labels = np.empty(sum(counts), np.int64)
    start = 0
    for (file, path), count in zip(files, counts, strict=True):
        file_labels, file_images, sha256 = read_records(path, count, entry.image_shape)
        # Before the checksum: which label is wrong says more than that something is.
        check_labels(file_labels[:, 0], len(entry.class_names), str(path))
        check_sha256(path, sha256, file.sha256_content)
        # Channel by channel takes a fifth of the time: NumPy's inner loop is then a row's pixels, not three channels.
        for channel in range(entry.image_shape[2]):
            images[start : start + count, ..., channel] = file_images[..., channel]
        labels[start : start + count] = file_labels[:, 0]
        start += count
    return images, labels

"""Reader of IDX files, the format of MNIST, gzipped or not."""

import hashlib
import math
import os
import struct
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from bdfa_np.data.checks import check_labels
from bdfa_np.data.dataset import Dataset
from bdfa_np.data.readers.reading import (
    ADVICE,
    Stream,
    check_sha256,
    decompressed,
    file_sha256,
    is_gzipped,
    open_data_file,
    read_up_to,
)
from bdfa_np.data.sources.kinds import ArchivedFile, Entry, RemoteFile
from bdfa_np.data.sources.registry import ENTRIES
from bdfa_np.errors import DataError

# Of the types that the format has, those that occur: their codes, and what to call them.
_TYPES = {np.dtype(np.uint8): (0x08, "unsigned bytes"), np.dtype(np.int32): (0x0C, "32-bit integers")}
# No known IDX set comes near it (EMNIST, the largest, has 0.55e9); a header that promises more is damaged or a trap.
_LARGEST_CONTENT = 2**30

File = RemoteFile | ArchivedFile
Files = Sequence[tuple[File, Path]]


def read_idx(
    path: str | os.PathLike[str], item_shape: tuple[int, ...], dtype: DTypeLike = np.uint8
) -> tuple[NDArray[Any], str]:
    """Read an IDX file.

    Whether it is gzipped is seen from its first two bytes, not from its name. Memory is taken as content comes in,
    never on the word of the header, and no more is decompressed than the header promises.

    Parameters
    ----------
    path : str or path-like
        The file.
    item_shape : tuple of int
        The shape of one item: ``(28, 28)`` for MNIST's images, ``()`` for labels.
    dtype : {numpy.uint8, numpy.int32}, default numpy.uint8
        The type of the numbers.

    Returns
    -------
    values : ndarray of ``dtype``, shape (N, *item_shape)
        The content, N at least 1.
    sha256 : str
        SHA-256 of the uncompressed file, in lower-case hexadecimal.

    Raises
    ------
    DataError
        If the file is missing or unreadable, is not an IDX file of such items, or is truncated, too long or
        damaged.
    """
    path = Path(path)
    with open_data_file(path) as file, decompressed(file) as stream:
        return _read_stream(path, stream, item_shape, np.dtype(dtype))


def _read_stream(
    path: Path, stream: Stream, item_shape: tuple[int, ...], dtype: np.dtype[Any]
) -> tuple[NDArray[Any], str]:
    header_size = 4 * (2 + len(item_shape))
    header, _ = read_up_to(stream, header_size)
    shape = _check_header(path, bytes(header), item_shape, dtype)
    expected = math.prod(shape) * dtype.itemsize
    body, broke_off = read_up_to(stream, expected + 1)
    if len(body) < expected:
        raise DataError(f"{path}: truncated: has {header_size + len(body)} of {header_size + expected} bytes: {ADVICE}")
    if len(body) > expected:
        raise DataError(
            f"{path}: too long: its header promises {header_size + expected} bytes and more follow: {ADVICE}"
        )
    if broke_off:
        raise DataError(f"{path}: truncated: the end of its gzip data, with their checksum, is missing: {ADVICE}")
    digest = hashlib.sha256(header)
    digest.update(body)
    values = np.frombuffer(body, dtype.newbyteorder(">")).reshape(shape)
    return values.astype(dtype, copy=False), digest.hexdigest()


def _check_header(path: Path, header: bytes, item_shape: tuple[int, ...], dtype: np.dtype[Any]) -> tuple[int, ...]:
    dimensions = 1 + len(item_shape)
    code, what = _TYPES[dtype]
    expected = (code << 8) | dimensions
    if len(header) >= 4:
        (magic,) = struct.unpack_from(">I", header)
        if magic != expected:
            raise DataError(
                f"{path}: wrong magic number 0x{magic:08x}: an IDX file of {what} in {dimensions} "
                f"dimension{'s' if dimensions > 1 else ''} begins with 0x{expected:08x}: {ADVICE}"
            )
    if len(header) < 4 * (1 + dimensions):
        raise DataError(f"{path}: truncated: has {len(header)} of its header's {4 * (1 + dimensions)} bytes: {ADVICE}")
    shape = struct.unpack_from(f">{dimensions}I", header, 4)
    if shape[1:] != item_shape:
        raise DataError(f"{path}: its items have the shape {shape[1:]} instead of {item_shape}: {ADVICE}")
    if shape[0] == 0:
        raise DataError(f"{path}: holds no items: {ADVICE}")
    size = math.prod(shape) * dtype.itemsize
    if size > _LARGEST_CONTENT:
        raise DataError(f"{path}: its header promises {size} bytes, more than any IDX data set: {ADVICE}")
    return shape


def load_idx_dataset(entry: Entry, files: Files) -> Dataset:
    """Read four IDX files: training images, their labels, test images, their labels; see `Publication.reader`."""
    return read_four(entry, files, read_labels)


def read_labels(path: Path, classes: int) -> tuple[NDArray[np.int64], str]:
    """Read the labels of an IDX file, counted from 0.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    classes : int
        The number of classes.

    Returns
    -------
    labels : ndarray of int64, shape (N,)
        The labels.
    sha256 : str
        As `read_idx` returns it.

    Raises
    ------
    DataError
        As `read_idx`, or if it holds another label than 0 ... K-1.
    """
    values, sha256 = read_idx(path, ())
    check_labels(values, classes, str(path))
    return values.astype(np.int64), sha256


def read_four(entry: Entry, files: Files, labels_of: Callable[[Path, int], tuple[NDArray[np.int64], str]]) -> Dataset:
    """Read training images, their labels, test images and their labels, and check that they are the published ones.

    Parameters
    ----------
    entry : Entry
        The data set.
    files : sequence of (RemoteFile or ArchivedFile, pathlib.Path)
        The four files, and where they are.
    labels_of : callable
        Reads the labels, as `read_labels` does.

    Returns
    -------
    Dataset
        The images as they lie there.

    Raises
    ------
    DataError
        If a file is missing, unreadable, damaged, or not the published one.
    """
    parts: list[NDArray[Any]] = []
    checksums = {}
    for position, (file, path) in enumerate(files):
        if position % 2:
            # Before the checksum: which label is wrong says more than that something is.
            values, sha256 = labels_of(path, len(entry.class_names))
        else:
            images, sha256 = read_idx(path, entry.image_shape[:2])
            values = images[..., np.newaxis]
        _check_content(entry, file, path, sha256)
        if file.sha256_content is None:
            _check_published(file, path, len(values), (entry.train_images, entry.test_images)[position // 2])
        parts.append(values)
        checksums[file.name] = sha256
    train_images, train_labels, test_images, test_labels = parts
    return Dataset(entry.name, train_images, train_labels, test_images, test_labels, entry.class_names, checksums)


def _check_content(entry: Entry, file: File, path: Path, sha256: str) -> None:
    # The files of MNIST and of what came after it have the same names, so that one is soon taken for the other.
    for other in ENTRIES.values():
        if other.name != entry.name and sha256 in (other.known_checksums() or {}).values():
            raise DataError(
                f"{path}: is a file of {other.title}, not of {entry.title}: name another data folder, or put the "
                f"files of {entry.title} into its subfolder {entry.subfolder}"
            )
    if file.sha256_content is not None:
        check_sha256(path, sha256, file.sha256_content)


def _check_published(file: File, path: Path, count: int, expected: int) -> None:
    """Refuse a file of whose content no sum is published, by the sum of the compressed file and by what it holds."""
    if is_gzipped(path) and file.sha256_archive is not None:
        check_sha256(path, file_sha256(path), file.sha256_archive)
    if count != expected:
        raise DataError(f"{path}: holds {count} images or labels, and {expected} are published: {ADVICE}")

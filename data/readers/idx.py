"""Reader of IDX files, the format of MNIST, gzipped or not."""

import gzip
import hashlib
import math
import os
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bdfa_np.data.checks import check_labels
from bdfa_np.data.dataset import Dataset
from bdfa_np.data.readers.reading import ADVICE, Stream, check_sha256, open_data_file, read_up_to
from bdfa_np.data.sources.kinds import Entry, RemoteFile
from bdfa_np.data.sources.registry import ENTRIES
from bdfa_np.errors import DataError

_UNSIGNED_BYTE = 0x08
_GZIP_MAGIC = b"\x1f\x8b"
# No known IDX set comes near it (EMNIST, the largest, has 0.55e9); a header that promises more is damaged or a trap.
_LARGEST_CONTENT = 2**30


def read_idx(path: str | os.PathLike[str], item_shape: tuple[int, ...]) -> tuple[NDArray[np.uint8], str]:
    """Read an IDX file of unsigned bytes.

    Whether it is gzipped is seen from its first two bytes, not from its name. Memory is taken as content comes in,
    never on the word of the header, and no more is decompressed than the header promises.

    Parameters
    ----------
    path : str or path-like
        The file.
    item_shape : tuple of int
        The shape of one item: ``(28, 28)`` for MNIST's images, ``()`` for labels.

    Returns
    -------
    values : ndarray of uint8, shape (N, *item_shape)
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
    with open_data_file(path) as raw:
        packed = raw.read(len(_GZIP_MAGIC)) == _GZIP_MAGIC
        raw.seek(0)
        if packed:
            with gzip.GzipFile(fileobj=raw, mode="rb") as stream:
                return _read_stream(path, stream, item_shape)
        return _read_stream(path, raw, item_shape)


def _read_stream(path: Path, stream: Stream, item_shape: tuple[int, ...]) -> tuple[NDArray[np.uint8], str]:
    header_size = 4 * (2 + len(item_shape))
    header, _ = read_up_to(stream, header_size)
    shape = _check_header(path, bytes(header), item_shape)
    expected = math.prod(shape)
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
    return np.frombuffer(body, np.uint8).reshape(shape), digest.hexdigest()


def _check_header(path: Path, header: bytes, item_shape: tuple[int, ...]) -> tuple[int, ...]:
    dimensions = 1 + len(item_shape)
    expected = (_UNSIGNED_BYTE << 8) | dimensions
    if len(header) >= 4:
        (magic,) = struct.unpack_from(">I", header)
        if magic != expected:
            raise DataError(
                f"{path}: wrong magic number 0x{magic:08x}: an IDX file of unsigned bytes in {dimensions} "
                f"dimension{'s' if dimensions > 1 else ''} begins with 0x{expected:08x}: {ADVICE}"
            )
    if len(header) < 4 * (1 + dimensions):
        raise DataError(f"{path}: truncated: has {len(header)} of its header's {4 * (1 + dimensions)} bytes: {ADVICE}")
    shape = struct.unpack_from(f">{dimensions}I", header, 4)
    if shape[1:] != item_shape:
        raise DataError(f"{path}: its items have the shape {shape[1:]} instead of {item_shape}: {ADVICE}")
    if shape[0] == 0:
        raise DataError(f"{path}: holds no items: {ADVICE}")
    if math.prod(shape) > _LARGEST_CONTENT:
        raise DataError(f"{path}: its header promises {math.prod(shape)} bytes, more than any IDX data set: {ADVICE}")
    return shape


def load_idx_dataset(entry: Entry, files: Sequence[tuple[RemoteFile, Path]]) -> Dataset:
    """Read four IDX files: training images, their labels, test images, their labels; see `Publication.reader`."""
    item_shapes = (entry.image_shape[:2], (), entry.image_shape[:2], ())
    parts: list[NDArray[Any]] = []
    checksums = {}
    for (file, path), item_shape in zip(files, item_shapes, strict=True):
        values, sha256 = read_idx(path, item_shape)
        if not item_shape:
            # Before the checksum: which label is wrong says more than that something is.
            check_labels(values, len(entry.class_names), str(path))
        _check_content(entry, file, path, sha256)
        parts.append(values[..., np.newaxis] if item_shape else values.astype(np.int64))
        checksums[file.name] = sha256
    train_images, train_labels, test_images, test_labels = parts
    return Dataset(entry.name, train_images, train_labels, test_images, test_labels, entry.class_names, checksums)


def _check_content(entry: Entry, file: RemoteFile, path: Path, sha256: str) -> None:
    # The files of MNIST and of what came after it have the same names, so that one is soon taken for the other.
    for other in ENTRIES.values():
        if other.name != entry.name and sha256 in (other.known_checksums() or {}).values():
            raise DataError(
                f"{path}: is a file of {other.title}, not of {entry.title}: name another data folder, or put the "
                f"files of {entry.title} into its subfolder {entry.name}"
            )
    check_sha256(path, sha256, file.sha256_content)

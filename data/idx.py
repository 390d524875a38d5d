"""Reader of IDX files, the format of MNIST, gzipped or not."""

import gzip
import hashlib
import io
import math
import os
import stat
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bdfa_np.data.dataset import Dataset, check_labels
from bdfa_np.data.download import find_files
from bdfa_np.data.registry import Entry
from bdfa_np.errors import DataError

_Stream = io.BufferedReader | gzip.GzipFile

_UNSIGNED_BYTE = 0x08
_GZIP_MAGIC = b"\x1f\x8b"
_BYTES_PER_READ = 2**20
# No known IDX set comes near it (EMNIST, the largest, has 0.55e9); a header that promises more is damaged or a trap.
_LARGEST_CONTENT = 2**30
_ADVICE = "delete it, so that it is fetched again, or put a good copy in its place"


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
    with _one_line_errors(path), _regular_file(path) as raw:
        packed = raw.read(len(_GZIP_MAGIC)) == _GZIP_MAGIC
        raw.seek(0)
        if packed:
            with gzip.GzipFile(fileobj=raw, mode="rb") as stream:
                return _read_stream(path, stream, item_shape)
        return _read_stream(path, raw, item_shape)


@contextmanager
def _one_line_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except (zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path}: its gzip data are damaged ({error}): {_ADVICE}") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error


@contextmanager
def _regular_file(path: Path) -> Iterator[io.BufferedReader]:
    # Asked before opening, since to open a named pipe is to wait for its writer.
    if not stat.S_ISREG(path.stat().st_mode):
        raise DataError(f"{path}: is a folder or a device, not a file: put the data file in its place")
    with path.open("rb") as file:
        yield file


def _read_stream(path: Path, stream: _Stream, item_shape: tuple[int, ...]) -> tuple[NDArray[np.uint8], str]:
    header_size = 4 * (2 + len(item_shape))
    header, _ = _read_up_to(stream, header_size)
    shape = _check_header(path, bytes(header), item_shape)
    expected = math.prod(shape)
    body, broke_off = _read_up_to(stream, expected + 1)
    if len(body) < expected:
        raise DataError(
            f"{path}: truncated: has {header_size + len(body)} of {header_size + expected} bytes: {_ADVICE}"
        )
    if len(body) > expected:
        raise DataError(
            f"{path}: too long: its header promises {header_size + expected} bytes and more follow: {_ADVICE}"
        )
    if broke_off:
        raise DataError(f"{path}: truncated: the end of its gzip data, with their checksum, is missing: {_ADVICE}")
    digest = hashlib.sha256(header)
    digest.update(body)
    return np.frombuffer(body, np.uint8).reshape(shape), digest.hexdigest()


def _read_up_to(stream: _Stream, size: int) -> tuple[bytearray, bool]:
    """Return the next ``size`` bytes, or all before the end, and whether gzip data broke off there."""
    content = bytearray()
    # read1, since read would lose what it already has when the gzip data break off.
    try:
        while len(content) < size and (chunk := stream.read1(min(_BYTES_PER_READ, size - len(content)))):
            content += chunk
    except EOFError:
        return content, True
    return content, False


def _check_header(path: Path, header: bytes, item_shape: tuple[int, ...]) -> tuple[int, ...]:
    dimensions = 1 + len(item_shape)
    expected = (_UNSIGNED_BYTE << 8) | dimensions
    if len(header) >= 4:
        (magic,) = struct.unpack_from(">I", header)
        if magic != expected:
            raise DataError(
                f"{path}: wrong magic number 0x{magic:08x}: an IDX file of unsigned bytes in {dimensions} "
                f"dimension{'s' if dimensions > 1 else ''} begins with 0x{expected:08x}: {_ADVICE}"
            )
    if len(header) < 4 * (1 + dimensions):
        raise DataError(f"{path}: truncated: has {len(header)} of its header's {4 * (1 + dimensions)} bytes: {_ADVICE}")
    shape = struct.unpack_from(f">{dimensions}I", header, 4)
    if shape[1:] != item_shape:
        raise DataError(f"{path}: its items have the shape {shape[1:]} instead of {item_shape}: {_ADVICE}")
    if shape[0] == 0:
        raise DataError(f"{path}: holds no items: {_ADVICE}")
    if math.prod(shape) > _LARGEST_CONTENT:
        raise DataError(f"{path}: its header promises {math.prod(shape)} bytes, more than any IDX data set: {_ADVICE}")
    return shape


def load_idx_dataset(entry: Entry, datapath: Path | None, progress: bool) -> Dataset:
    """Read a data set that is published as four IDX files.

    Parameters
    ----------
    entry : Entry
        Its ``files`` are the training images, training labels, test images and test labels; one channel.
    datapath : pathlib.Path or None
        Where to look, as in `bdfa_np.data.load_dataset`.
    progress : bool
        Whether to draw a progress bar while downloading.

    Returns
    -------
    Dataset
        Images of shape (N, H, W, 1), uint8, in the files' order.

    Raises
    ------
    DataError
        If a file is missing, unreadable, damaged, or its content is not the published one.
    """
    item_shapes = (entry.image_shape[:2], (), entry.image_shape[:2], ())
    parts: list[NDArray[Any]] = []
    checksums = {}
    for file, path, item_shape in zip(entry.files, find_files(entry, datapath, progress), item_shapes, strict=True):
        values, sha256 = read_idx(path, item_shape)
        if not item_shape:
            # Before the checksum: which label is wrong says more than that something is.
            check_labels(values, len(entry.class_names), str(path))
        if sha256 != file.sha256_content:
            raise DataError(
                f"{path}: altered: the SHA-256 of its content is {sha256} instead of {file.sha256_content}: {_ADVICE}"
            )
        parts.append(values[..., np.newaxis] if item_shape else values.astype(np.int64))
        checksums[file.name] = sha256
    train_images, train_labels, test_images, test_labels = parts
    return Dataset(entry.name, train_images, train_labels, test_images, test_labels, entry.class_names, checksums)

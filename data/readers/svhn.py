"""Reader of SVHN's cropped digits: MATLAB 5 files with images ``X`` and labels ``y``.

The format is the one of "MAT-File Format" (The MathWorks): a header of 128 bytes, then elements, compressed or not,
each with a tag of 8 bytes. It is read here and not by SciPy, whose reader of it ends the process with a segmentation
fault when a number's type in a file is none of MATLAB's, so that a single wrong byte can do it.
"""

import hashlib
import struct
import zlib
from collections.abc import Sequence
from math import prod
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from bdfa_np.data.dataset import Dataset, check_labels
from bdfa_np.data.readers.reading import ADVICE, BYTES_PER_READ, check_sha256, open_data_file
from bdfa_np.data.sources.registry import Entry, RemoteFile
from bdfa_np.errors import DataError

_CLASSES = 10
_MOST_IMAGES = 2_000_000
# Photographs pack to more than half of their size; what unpacks to so much more than the file is a trap.
_LARGEST_RATIO = 20
_IMAGES_PER_BLOCK = 64  # few enough for the cache: their channels are copied one by one

_HEADER_SIZE = 128
_VERSION = 0x0100
_MATRIX, _COMPRESSED = 14, 15
# Types of stored numbers, whatever the variable's class: whole numbers of class double are stored as bytes.
_DTYPES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_UNSIGNED_BYTES = 2
_CLASS_NAMES = (
    *("no class", "cell", "struct", "object", "char", "sparse", "double", "single", "int8", "uint8", "int16", "uint16"),
    *("int32", "uint32", "int64", "uint64", "function handle", "opaque"),
)
_NUMERIC = _CLASS_NAMES[6:16]
# Of a variable's flags, dimensions and name; MATLAB's names have up to 63 letters.
_LONGEST_DESCRIPTION = 1024


def read_svhn(
    path: Path, image_shape: tuple[int, int, int] = (32, 32, 3), sha256: str | None = None
) -> tuple[NDArray[np.uint8], NDArray[np.int64], str]:
    """Read a file of cropped digits.

    Memory is taken as content comes in, never on the word of a header.

    Parameters
    ----------
    path : pathlib.Path
        The file. Of two variables of one name the first counts; others than ``X`` and ``y`` are ignored.
    image_shape : tuple of int, default (32, 32, 3)
        (H, W, C).
    sha256 : str, optional
        The published file's SHA-256; with it, no byte of another file is interpreted.

    Returns
    -------
    images : ndarray of uint8, shape (N, H, W, C)
        A view of the file's order, column by column and image by image: not contiguous.
    labels : ndarray of int64, shape (N,)
        Their digits; the file's label 10 is digit 0.
    sha256 : str
        SHA-256 of the file, in lower-case hexadecimal.

    Raises
    ------
    DataError
        If the file is missing, unreadable, another one than the published, or is no MATLAB 5 file of such digits.
    """
    with open_data_file(path) as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
        if sha256 is not None:
            check_sha256(path, found, sha256)
        size = file.tell()
        try:
            X, y = _read_variables(path, file, size, image_shape)
        except (EOFError, ValueError, zlib.error) as error:
            raise DataError(f"{path}: not a readable MATLAB 5 file ({error}): {ADVICE}") from error
    if len(y) != X.shape[-1]:
        raise DataError(f"{path}: holds {X.shape[-1]} images but {len(y)} labels: {ADVICE}")
    with np.errstate(invalid="ignore"):  # of numbers that are not finite
        labels = y.astype(np.int64)
    if not np.array_equal(labels, y):
        raise DataError(f"{path}: its labels are not whole numbers: {ADVICE}")
    check_labels(labels - 1, _CLASSES, f"{path}: counted from 0")
    return X.transpose(3, 0, 1, 2), labels % _CLASSES, found


def _read_variables(
    path: Path, file: BinaryIO, file_size: int, image_shape: tuple[int, int, int]
) -> tuple[NDArray[np.uint8], NDArray[Any]]:
    """Return X, shape (H, W, C, N), and y, shape (number of labels,)."""
    file.seek(0)
    header = file.read(_HEADER_SIZE)
    order = {b"IM": "<", b"MI": ">"}.get(header[126:])
    if order is None or struct.unpack_from(f"{order}H", header, 124) != (_VERSION,):
        raise DataError(f"{path}: is no MATLAB 5 file (MATLAB 4 and 7.3 write other formats): {ADVICE}")
    X: NDArray[np.uint8] | None = None
    y: NDArray[Any] | None = None
    while X is None or y is None:
        tag = file.read(8)
        if not tag:
            raise DataError(f"{path}: holds no variable {'X' if X is None else 'y'}: {ADVICE}")
        if len(tag) < 8:
            raise EOFError("it breaks off")
        kind, size = struct.unpack(f"{order}2I", tag)
        end = file.tell() + size
        element = _Element(file, size, order, packed=kind == _COMPRESSED)
        if kind == _COMPRESSED:
            kind, _ = struct.unpack(f"{order}2I", element.read(8))
        if kind != _MATRIX:
            raise ValueError(f"an element of type {kind} where a variable should be")
        what, shape, name = element.description()
        if name == b"X" and X is None:
            X = _read_images(path, element, what, shape, image_shape, file_size)
        elif name == b"y" and y is None:
            y = _read_numbers(path, element, what, shape)
        file.seek(end)
    return X, y


class _Element:
    """An element of the file, read from front to back and unpacked no further than it is read."""

    def __init__(self, file: BinaryIO, size: int, order: str, packed: bool) -> None:
        self._file = file
        self._left = size
        self.order = order
        self._unpacker = zlib.decompressobj() if packed else None
        self._padding = 0

    def description(self) -> tuple[str, tuple[int, ...], bytes]:
        """Return a variable's class, shape and name."""
        _, flags = self.part(_LONGEST_DESCRIPTION)
        if len(flags) != 8:
            raise ValueError("a variable without flags")
        word, _ = struct.unpack(f"{self.order}2I", flags)
        number = word & 0xFF
        what = _CLASS_NAMES[number] if number < len(_CLASS_NAMES) else f"class {number}"
        if what == "opaque":  # has no dimensions
            return what, (), b""
        _, sizes = self.part(_LONGEST_DESCRIPTION)
        _, name = self.part(_LONGEST_DESCRIPTION)
        shape = struct.unpack(f"{self.order}{len(sizes) // 4}i", sizes[: len(sizes) // 4 * 4])
        return ("complex " if word & 0x800 else "logical " if word & 0x200 else "") + what, shape, bytes(name)

    def part(self, most: int) -> tuple[int, bytearray]:
        """Return the type and the bytes of the next part, which may be up to ``most``."""
        self.read(self._padding)
        tag = self.read(8)
        kind, size = struct.unpack(f"{self.order}2I", tag)
        if kind >> 16:  # a short part, whose bytes are the second half of its tag
            kind, size = kind & 0xFFFF, kind >> 16
            if size > 4:
                raise ValueError(f"a short part of {size} bytes")
            self._padding = 0
            return kind, tag[4 : 4 + size]
        if size > most:
            raise ValueError(f"a part of {size} bytes, where {most} are possible")
        self._padding = -size % 8
        return kind, self.read(size)

    def read(self, size: int) -> bytearray:
        """Return the next bytes."""
        content = bytearray()
        while len(content) < size:
            chunk = self._read_some(min(BYTES_PER_READ, size - len(content)))
            if not chunk:
                raise EOFError("it breaks off")
            content += chunk
        return content

    def check_end(self) -> None:
        """Refuse an element that goes on, or whose compressed data lack their checksum."""
        rest = 0
        while chunk := self._read_some(8):
            rest += len(chunk)
            if rest > 7:
                raise ValueError("a variable goes on after its numbers")
        if self._unpacker is not None and not self._unpacker.eof:
            raise EOFError("its compressed data break off")

    def _read_some(self, most: int) -> bytes:
        if self._unpacker is None:
            return self._read_stored(most)
        while not self._unpacker.eof:
            packed = self._unpacker.unconsumed_tail or self._read_stored(BYTES_PER_READ)
            chunk = self._unpacker.decompress(packed, most)
            if chunk or not packed:
                return chunk
        return b""

    def _read_stored(self, most: int) -> bytes:
        stored = self._file.read(min(most, self._left))
        self._left -= len(stored)
        return stored


def _read_images(
    path: Path,
    element: _Element,
    what: str,
    shape: tuple[int, ...],
    image_shape: tuple[int, int, int],
    file_size: int,
) -> NDArray[np.uint8]:
    if len(shape) == 3:  # MATLAB leaves out a last dimension of 1
        shape = (*shape, 1)
    if what != "uint8" or len(shape) != 4 or shape[:3] != image_shape:
        wanted = "x".join(map(str, image_shape))
        raise DataError(f"{path}: its X is {what} {shape} instead of uint8, {wanted} and the images' number: {ADVICE}")
    if not 1 <= shape[3] <= _MOST_IMAGES:
        raise DataError(f"{path}: claims {shape[3]} images; 1 to {_MOST_IMAGES} are possible: {ADVICE}")
    if prod(shape) > file_size * _LARGEST_RATIO:
        raise DataError(f"{path}: {file_size} bytes cannot hold the {shape[3]} images that they claim: {ADVICE}")
    kind, content = element.part(prod(shape))
    element.check_end()
    if kind != _UNSIGNED_BYTES or len(content) != prod(shape):
        raise DataError(f"{path}: its X is not stored as {prod(shape)} bytes: {ADVICE}")
    return np.frombuffer(content, np.uint8).reshape(shape, order="F")


def _read_numbers(path: Path, element: _Element, what: str, shape: tuple[int, ...]) -> NDArray[Any]:
    count = max(shape, default=0)
    if what not in _NUMERIC or shape not in ((count, 1), (1, count)) or not 1 <= count <= _MOST_IMAGES:
        raise DataError(f"{path}: its y is {what} {shape} instead of a number for each image: {ADVICE}")
    kind, content = element.part(8 * count)
    element.check_end()
    if kind not in _DTYPES or len(content) != count * np.dtype(_DTYPES[kind]).itemsize:
        raise DataError(f"{path}: its y is not stored as {count} numbers: {ADVICE}")
    return np.frombuffer(content, element.order + _DTYPES[kind])


def load_svhn(entry: Entry, files: Sequence[tuple[RemoteFile, Path]]) -> Dataset:
    """Read a data set in the format of SVHN's cropped digits.

    Parameters
    ----------
    entry : Entry
        The registry's entry.
    files : sequence of (RemoteFile, pathlib.Path)
        Training images, the extra ones if they are wanted, and test images, and where each file is.

    Returns
    -------
    Dataset
        Images of shape (N, H, W, C), uint8, in the files' order: the extra ones after the training images. With
        them, reading takes 3.9 GB of memory for a moment and 2 GB afterwards.

    Raises
    ------
    DataError
        If a file is missing, unreadable, damaged, or its content is not the published one.
    """
    checksums = {}
    read = []
    for file, path in files:
        images, labels, checksums[file.name] = read_svhn(path, entry.image_shape, file.sha256_content)
        read.append((images, labels))
    train_images = _joined([images for images, _ in read[:-1]], entry.image_shape)
    train_labels = np.concatenate([labels for _, labels in read[:-1]])
    test_images = _joined([read[-1][0]], entry.image_shape)
    test_labels = read[-1][1]
    return Dataset(entry.name, train_images, train_labels, test_images, test_labels, entry.class_names, checksums)


def _joined(parts: Sequence[NDArray[np.uint8]], image_shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Return images one after the other, contiguous."""
    joined = np.empty((sum(map(len, parts)), *image_shape), np.uint8)
    start = 0
    for images in parts:
        for first in range(0, len(images), _IMAGES_PER_BLOCK):
            block = images[first : first + _IMAGES_PER_BLOCK]
            # All at once take ten times as long: NumPy's inner loop is then three channels, not a row's pixels.
            for channel in range(image_shape[2]):
                joined[start : start + len(block), ..., channel] = block[..., channel]
            start += len(block)
    return joined

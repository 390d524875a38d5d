"""Reader of SVHN's cropped digits: MATLAB 5 files with images ``X`` and labels ``y``."""

import hashlib
import warnings
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import scipy.io
from numpy.typing import NDArray
from scipy.io.matlab import MatReadError

from bdfa_np.data.dataset import Dataset, check_labels
from bdfa_np.data.reading import ADVICE, check_sha256, open_data_file
from bdfa_np.data.registry import Entry, RemoteFile
from bdfa_np.errors import DataError

_CLASSES = 10
_MOST_IMAGES = 2_000_000
# zlib packs no better than 1032 to 1.
_LARGEST_RATIO = 1100
_IMAGES_PER_BLOCK = 4096
# What scipy raises for files that are not what they should be; a damaged file can make it ask for anything.
_DAMAGE = (
    MatReadError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    EOFError,
    OverflowError,
    MemoryError,
    NotImplementedError,
    UnicodeError,
    OSError,
    Warning,
    zlib.error,
)


def read_svhn(
    path: Path, image_shape: tuple[int, int, int] = (32, 32, 3), sha256: str | None = None
) -> tuple[NDArray[np.uint8], NDArray[np.int64], str]:
    """Read a file of cropped digits.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    image_shape : tuple of int, default (32, 32, 3)
        (H, W, C).
    sha256 : str, optional
        The published file's SHA-256; with it, no byte of another file is interpreted.

    Returns
    -------
    images : ndarray of uint8, shape (N, H, W, C)
        A view of what MATLAB's order (H, W, C, N) was read into: not contiguous.
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
            with warnings.catch_warnings(action="error"):
                X, y = _read_variables(path, file, size, image_shape)
        except _DAMAGE as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise DataError(f"{path}: not a readable MATLAB 5 file ({reason}): {ADVICE}") from error
    with np.errstate(invalid="ignore"):  # of numbers that are not finite
        labels = y.ravel().astype(np.int64)
    if not np.array_equal(labels, y.ravel()):
        raise DataError(f"{path}: its labels are not whole numbers: {ADVICE}")
    check_labels(labels - 1, _CLASSES, f"{path}: counted from 0")
    return X.transpose(3, 0, 1, 2), labels % _CLASSES, found


def _read_variables(
    path: Path, file: BinaryIO, size: int, image_shape: tuple[int, int, int]
) -> tuple[NDArray[np.uint8], NDArray[Any]]:
    """Return X and y after a look at what they claim to be, for nothing is to be allocated on the word of a header."""
    file.seek(0)
    claims = {name: (shape, kind) for name, shape, kind in scipy.io.whosmat(file)}
    for name in ("X", "y"):
        if name not in claims:
            raise DataError(f"{path}: holds no variable {name}: {ADVICE}")
    shape, kind = claims["X"]
    if kind != "uint8" or shape[:-1] != image_shape:
        wanted = "x".join(map(str, image_shape))
        raise DataError(f"{path}: its X is {kind} {shape} instead of uint8, {wanted} and the images' number: {ADVICE}")
    count = shape[-1]
    if not 1 <= count <= _MOST_IMAGES:
        raise DataError(f"{path}: claims {count} images; 1 to {_MOST_IMAGES} are possible: {ADVICE}")
    if count * int(np.prod(image_shape)) > size * _LARGEST_RATIO:
        raise DataError(f"{path}: {size} bytes cannot hold the {count} images that they claim: {ADVICE}")
    if claims["y"][0] not in ((count, 1), (1, count)) or claims["y"][1] not in ("uint8", "double"):
        raise DataError(f"{path}: its y is {claims['y'][1]} {claims['y'][0]}, not {count} labels: {ADVICE}")
    file.seek(0)
    variables = scipy.io.loadmat(file, variable_names=["X", "y"])
    X, y = variables["X"], variables["y"]
    # The claims were of headers; these are of what was read.
    if X.shape != shape or X.dtype != np.uint8 or y.size != count or y.dtype.kind not in "uf":
        raise DataError(f"{path}: its variables are not what their headers say: {ADVICE}")
    return X, y


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
        them, reading takes 3.6 GB of memory for a moment and 2 GB afterwards.

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
            joined[start : start + len(block)] = block
            start += len(block)
    return joined

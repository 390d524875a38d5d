"""Reader of SVHN's cropped digits: MATLAB 5 files with images ``X`` and labels ``y``."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bdfa_np.data.checks import check_labels
from bdfa_np.data.dataset import Dataset
from bdfa_np.data.readers.reading import ADVICE, check_sha256, check_size, open_data_file
from bdfa_np.data.sources.kinds import Entry, RemoteFile
from bdfa_np.errors import DataError

_CLASSES = 10
_IMAGES_PER_BLOCK = 64  # few enough for the cache: their channels are copied one by one


def read_svhn(
    path: Path, sha256: str, image_shape: tuple[int, int, int] = (32, 32, 3)
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Read a file of cropped digits.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    sha256 : str
        The published file's SHA-256. No byte of another file is interpreted: a single wrong one can end SciPy's reader,
        and the process with it, in a segmentation fault.
    image_shape : tuple of int, default (32, 32, 3)
        (H, W, C).

    Returns
    -------
    images : ndarray of uint8, shape (N, H, W, C)
        A view of the file's order, column by column and image by image: not contiguous.
    labels : ndarray of int64, shape (N,)
        Their digits; the file's label 10 is digit 0.

    Raises
    ------
    DataError
        If the file is missing, unreadable, another one than the published, or holds no such digits.
    """
    with open_data_file(path) as file:
        check_sha256(path, hashlib.file_digest(file, "sha256").hexdigest(), sha256)
        from scipy.io import loadmat

        file.seek(0)
        found = loadmat(file, variable_names=("X", "y"))
    X, y = found["X"], found["y"]
    if X.dtype != np.uint8 or X.ndim != 4 or X.shape[:3] != image_shape or y.shape != (X.shape[3], 1):
        wanted = f"uint8 {(*image_shape, 'N')} and (N, 1)"
        raise DataError(f"{path}: holds images {X.dtype} {X.shape} and labels {y.shape} instead of {wanted}: {ADVICE}")
    labels = y[:, 0].astype(np.int64)
    check_labels(labels - 1, _CLASSES, f"{path}: counted from 0")
    return X.transpose(3, 0, 1, 2), labels % _CLASSES


def load_svhn(entry: Entry, files: Sequence[tuple[RemoteFile, Path]]) -> Dataset:
    """Read SVHN's cropped digits: training images, extra ones where wanted, test images; see `Publication.reader`.

    With the extra ones, reading takes 3.9 GB of memory for a moment and 2 GB afterwards.
    """
    # Published uncompressed, a file is its content.
    for file, path in files:
        check_size(path, file.size_archive)
    read = [read_svhn(path, file.sha256_archive, entry.image_shape) for file, path in files]
    checksums = {file.name: file.sha256_archive for file, _ in files}
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

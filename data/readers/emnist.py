"""Readers of EMNIST: IDX files whose images lie on their sides, and letters counted from 1."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bdfa_np.data.checks import check_labels
from bdfa_np.data.dataset import Dataset
from bdfa_np.data.readers.idx import Files, read_four, read_idx, read_labels
from bdfa_np.data.sources.kinds import Entry

_IMAGES_PER_BLOCK = 4096


def load_emnist(entry: Entry, files: Files) -> Dataset:
    """Read EMNIST's splits but for the letters, the images upright; see `Publication.reader`."""
    return _upright(read_four(entry, files, read_labels))


def load_emnist_letters(entry: Entry, files: Files) -> Dataset:
    """Read EMNIST's letters, which its files count from 1, the images upright; see `Publication.reader`."""
    return _upright(read_four(entry, files, _labels_from_1))


def _labels_from_1(path: Path, classes: int) -> tuple[NDArray[np.int64], str]:
    values, sha256 = read_idx(path, ())
    labels = values.astype(np.int64) - 1
    check_labels(labels, classes, f"{path}: counted from 0")
    return labels, sha256


def _upright(dataset: Dataset) -> Dataset:
    """Swap rows and columns of all images, which Matlab's order of columns left swapped, in their own memory."""
    for images in (dataset.train_images, dataset.test_images):
        for start in range(0, len(images), _IMAGES_PER_BLOCK):
            block = images[start : start + _IMAGES_PER_BLOCK]
            block[...] = block.transpose(0, 2, 1, 3).copy()
    return dataset

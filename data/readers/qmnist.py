"""Reader of QMNIST: MNIST's format, but for labels that say where each digit comes from."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bdfa_np.data.checks import check_labels
from bdfa_np.data.dataset import Dataset
from bdfa_np.data.readers.idx import Files, read_four, read_idx
from bdfa_np.data.sources.kinds import Entry

# The class, the series and writer of the NIST database, the digit's number of that writer, NIST's code of the class,
# the digit's number in the database, the number of its duplicate, and one without a meaning.
_COLUMNS = 8


def load_qmnist(entry: Entry, files: Files) -> Dataset:
    """Read QMNIST, of whose labels the class is taken; see `Publication.reader`."""
    return read_four(entry, files, _classes)


def _classes(path: Path, classes: int) -> tuple[NDArray[np.int64], str]:
    rows, sha256 = read_idx(path, (_COLUMNS,), np.int32)
    labels = rows[:, 0].astype(np.int64)
    check_labels(labels, classes, str(path))
    return labels, sha256

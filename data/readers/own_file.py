"""Reader of a user's own ``.npz`` or HDF5 file of four arrays."""

import hashlib
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from bdfa_np.data.checks import check_labels
from bdfa_np.data.class_names import check_class_names
from bdfa_np.data.dataset import Dataset
from bdfa_np.data.readers.own_arrays import ARRAYS, CLASS_NAMES, as_images, as_labels, check_claims
from bdfa_np.data.readers.own_h5 import H5Reader
from bdfa_np.data.readers.own_npz import NpzReader
from bdfa_np.data.readers.reading import open_data_file
from bdfa_np.errors import DataError
from bdfa_np.system.progress import bar


def read_file(path: Path, progress: bool = False) -> Dataset:
    """Read a file of a data set of the user's own.

    Parameters
    ----------
    path : pathlib.Path
        An ``.npz`` or HDF5 (``.h5``, ``.hdf5``) file with the arrays ``train_images``, ``train_labels``,
        ``test_images``, ``test_labels`` and, if wanted, ``class_names``. Images are (N, H, W, C), (N, H, W) of one
        channel, or vectors (N, d): bytes, other integers from 0 to 255, or floating-point numbers. Labels are
        integers, (N,) or (N, 1).
    progress : bool, default False
        Whether to draw a progress bar on standard error.

    Returns
    -------
    Dataset
        Images of uint8 or float32. It is called as the file without its ending, and has as many classes as names,
        else one more than the largest label.

    Raises
    ------
    DataError
        If the file is missing, damaged, changes while it is read, or holds something else.
    """
    reader = NpzReader if path.suffix.lower() == ".npz" else H5Reader
    with open_data_file(path) as file:
        sha256 = _sha256(file)
        arrays, names = _read_arrays(path, reader(path, file), progress)
        if _sha256(file) != sha256:
            raise DataError(f"{path}: changed while it was read: try again")
    # One after the other, so that an array is let go of before the next is converted.
    train_images, test_images = (
        as_images(f"{path}: {name}", arrays.pop(name)) for name in ("train_images", "test_images")
    )
    train_labels, test_labels = (as_labels(f"{path}: {name}", arrays[name]) for name in ("train_labels", "test_labels"))
    if names is None:
        names = tuple(map(str, range(1 + max(int(train_labels.max()), int(test_labels.max())))))
        check_class_names(f"{path}: train_labels and test_labels", names)
    else:
        check_class_names(f"{path}: {CLASS_NAMES}", names)
        check_labels(train_labels, len(names), f"{path}: train_labels")
        check_labels(test_labels, len(names), f"{path}: test_labels")
    return Dataset(path.stem, train_images, train_labels, test_images, test_labels, names, {path.name: sha256})


def _read_arrays(
    path: Path, reader: NpzReader | H5Reader, progress: bool
) -> tuple[dict[str, NDArray[Any]], tuple[str, ...] | None]:
    check_claims(path, reader.claims)
    total = sum(claim.nbytes for claim in reader.claims.values())
    with bar(f"reading {path.name}, MB", _megabytes(total), progress) as show:
        advance = _counter(show)
        arrays = {name: reader.read(name, advance) for name in ARRAYS}
    return arrays, reader.class_names()


def _counter(show: Callable[[int], None]) -> Callable[[int], None]:
    """Return a function of the bytes that came in, which shows how many megabytes that makes altogether."""
    done = 0

    def advance(nbytes: int) -> None:
        nonlocal done
        done += nbytes
        show(_megabytes(done))

    return advance


def _megabytes(nbytes: int) -> int:
    return -(-nbytes // 10**6)


def _sha256(file: io.BufferedReader) -> str:
    file.seek(0)
    return hashlib.file_digest(file, "sha256").hexdigest()

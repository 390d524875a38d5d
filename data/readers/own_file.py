"""Reader of a user's own ``.npz`` or HDF5 file of arrays."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bdfa_np.data.arrays import Whole
from bdfa_np.data.class_names import check_class_names
from bdfa_np.data.labels import as_classes
from bdfa_np.data.readers.own_arrays import CLASS_NAMES, check_claims
from bdfa_np.data.readers.own_h5 import H5Reader
from bdfa_np.data.readers.own_npz import NpzReader
from bdfa_np.data.readers.reading import open_data_file, stream_sha256
from bdfa_np.data.samples import as_samples, fit_bytes
from bdfa_np.errors import DataError
from bdfa_np.system.progress import bar


def read_file(path: Path, progress: bool = False) -> Whole:
    """Read a file of a data set of the user's own.

    Parameters
    ----------
    path : pathlib.Path
        An ``.npz`` or HDF5 (``.h5``, ``.hdf5``) file with the arrays ``train_images``, ``train_labels`` and, unless
        it is to be divided, ``test_images`` and ``test_labels``; or ``x_train``, ``y_train``, ``x_test`` and
        ``y_test``; or ``images`` and ``labels``, or ``x`` and ``y``, alone; and, if wanted, ``class_names``. Images
        are (N, H, W, C), (N, H, W) of one channel, or vectors (N, d): bytes, other integers, in images from 0 to 255,
        or floating-point numbers. Labels are as `bdfa_np.data.labels.as_classes` takes them.
    progress : bool, default False
        Whether to draw a progress bar on standard error.

    Returns
    -------
    Whole
        Images of uint8 or float32. It is called as the file without its ending.

    Raises
    ------
    DataError
        If the file is missing, damaged, changes while it is read, or holds something else.
    """
    open_reader = NpzReader if path.suffix.lower() == ".npz" else H5Reader
    with open_data_file(path) as file:
        sha256 = stream_sha256(file)
        reader = open_reader(path, file)
        arrays = _read_arrays(path, reader, progress)
        class_names = reader.class_names()
        if stream_sha256(file) != sha256:
            raise DataError(f"{path}: changed while it was read: try again")
    if class_names is not None:
        check_class_names(f"{path}: {CLASS_NAMES}", class_names)
    label_names = [label_name for _, label_name in reader.names.values()]
    labels = as_classes(
        arrays[label_names[0]],
        arrays[label_names[1]] if len(label_names) > 1 else None,
        class_names,
        where=(f"{path}: {label_names[0]}", f"{path}: {label_names[-1]}"),
    )
    # One after the other, so that an array is let go of before the next is converted.
    image_names = [image_name for image_name, _ in reader.names.values()]
    if not all(fit_bytes(arrays[name]) for name in image_names):
        for name in image_names:
            arrays[name] = arrays[name].astype(np.float32)
    images = [as_samples(f"{path}: {name}", arrays.pop(name)) for name in image_names]
    parts = {"train": (images[0], labels.train)}
    if labels.test is not None:
        parts["test"] = images[1], labels.test
    notes = () if labels.note is None else (labels.note,)
    return Whole(path.stem, parts, labels.class_names, {path.name: sha256}, notes)


def _read_arrays(path: Path, reader: NpzReader | H5Reader, progress: bool) -> dict[str, NDArray[Any]]:
    check_claims(path, reader.names, reader.claims)
    total = sum(claim.nbytes for claim in reader.claims.values())
    with bar(f"reading {path.name}, MB", _megabytes(total), progress) as show:
        advance = _counter(show)
        return {name: reader.read(name, advance) for name in reader.claims}


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

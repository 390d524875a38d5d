"""Reader of the digits that come with the package."""

import hashlib
import io
from collections.abc import Sequence
from pathlib import Path

import h5py

from bdfa_np.data.dataset import Dataset
from bdfa_np.data.sources.kinds import BundledFile, Entry
from bdfa_np.errors import DataError
from bdfa_np.system.files import read_file
from bdfa_np.system.interrupts import interrupts_wait


@interrupts_wait()
def load_mnist_5k(entry: Entry, files: Sequence[tuple[BundledFile, Path]]) -> Dataset:
    """Read the one file that comes with the package; see `Publication.reader`."""
    [(bundled, path)] = files
    try:
        content = read_file(path)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}: install bdfa-np anew") from error
    sha256 = hashlib.sha256(content).hexdigest()
    if sha256 != bundled.sha256_content:
        raise DataError(
            f"{path}: damaged: its SHA-256 is {sha256} instead of {bundled.sha256_content}: install bdfa-np anew"
        )
    # The bytes that were checked are the bytes that are read, whatever happens to the file meanwhile.
    with h5py.File(io.BytesIO(content), "r") as file:
        return Dataset(
            entry.name,
            file["train_images"][...],
            file["train_labels"][...],
            file["test_images"][...],
            file["test_labels"][...],
            entry.class_names,
            {bundled.name: sha256},
        )

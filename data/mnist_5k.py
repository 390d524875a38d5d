"""Reader of the digits that come with the package."""

import hashlib
import io
from pathlib import Path

import h5py

from bdfa_np.data.dataset import Dataset
from bdfa_np.data.registry import Entry
from bdfa_np.errors import DataError
from bdfa_np.interrupts import interrupts_wait

FOLDER = Path(__file__).parent


@interrupts_wait()
def load_mnist_5k(entry: Entry, datapath: Path | None, progress: bool) -> Dataset:  # noqa: ARG001
    """Read the bundled digits.

    Parameters
    ----------
    entry : Entry
        The registry's entry, with a bundled file.
    datapath, progress : object
        Not used: the file is never anywhere else.

    Returns
    -------
    Dataset
        4,000 training and 1,000 test images of shape (28, 28, 1), uint8.

    Raises
    ------
    DataError
        If the installed file is missing, unreadable or damaged.
    """
    if entry.bundled is None:
        raise ValueError(f"the entry of {entry.name} names no bundled file")
    path = FOLDER / entry.bundled.name
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}: install bdfa-np anew") from error
    sha256 = hashlib.sha256(content).hexdigest()
    if sha256 != entry.bundled.sha256_content:
        raise DataError(
            f"{path}: damaged: its SHA-256 is {sha256} instead of {entry.bundled.sha256_content}: install bdfa-np anew"
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
            {entry.bundled.name: sha256},
        )

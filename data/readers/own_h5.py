"""Reading the arrays of an HDF5 file that may be damaged, or point to somewhere else."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import h5py
import numpy as np
from numpy.typing import NDArray

from bdfa_np.data.class_names import MOST_CLASSES
from bdfa_np.data.readers.own_arrays import ARRAYS, CLASS_NAMES, TEXTS, Claim, chosen_arrays
from bdfa_np.errors import ContentError, DataError
from bdfa_np.system.hdf5 import array_in, dataset_in, has, opened
from bdfa_np.system.hdf5_storage import read_rows

# A read cannot be interrupted, and takes some hundredths of a second.
_BYTES_PER_READ = 2**26
_LONGEST_NAME = 1024
_VARYING = (
    "texts of varying length, which are not read: store numpy.char.encode(numpy.array({name}, dtype=str), 'utf-8')"
)


class H5Reader:
    """The arrays at the top of an HDF5 file; whatever else is there is ignored.

    HDF5 has the file open only during a call, in which interrupts wait.

    Parameters
    ----------
    path : pathlib.Path
        The file's path, for the messages.
    file : binary file
        The file, to stay open while arrays are read.

    Attributes
    ----------
    names : dict of str to tuple of str
        What samples and labels are called, as `chosen_arrays` has it.
    claims : dict of str to Claim
        What the file says of each of these arrays.

    Raises
    ------
    DataError
        Here and in every method: if the file is damaged or no HDF5 file, or an array is missing, is no array of
        numbers, is kept in another file, was not written in full, or is packed in a way that cannot be unpacked here.
    """

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self._path = path
        self._file = file
        self._rows = {}
        self.claims = {}
        with self._reading() as arrays:
            # Not all names there are, which a damaged file may have without end.
            self.names = chosen_arrays(path, [name for name in sorted(ARRAYS) if has(arrays, name)])
            for name in (name for pair in self.names.values() for name in pair):
                array = self._array(arrays, name)
                self._rows[name] = _rows_per_read(array)
                self.claims[name] = Claim(array.shape, array.dtype.newbyteorder("="))

    @contextmanager
    def _reading(self) -> Iterator[h5py.File]:
        try:
            with opened(self._file) as file:
                yield file
        except ContentError as error:
            if error.advice:
                raise DataError(f"{self._path}: {error.reason}: {error.advice}") from error
            raise DataError(f"{self._path}: not a readable HDF5 file ({error.reason}): write it anew") from error

    def _array(self, file: h5py.File, name: str) -> h5py.Dataset:
        if name in TEXTS and _varies(dataset_in(file, name)):
            raise DataError(f"{self._path}: {name} are {_VARYING.format(name=name)}")
        return array_in(file, name, "buifS" if name in TEXTS else "buif", packed=True)

    def read(self, name: str, advance: Callable[[int], None] = lambda _: None) -> NDArray[Any]:
        """Read an array.

        Parameters
        ----------
        name : str
            Its name.
        advance : callable, optional
            Called with the number of bytes that came in since the last time.

        Returns
        -------
        ndarray
            What is stored, in the machine's order of bytes.
        """
        claim = self.claims[name]
        array = np.empty(claim.shape, claim.dtype)
        for start in range(0, len(array), self._rows[name]):
            block = array[start : start + self._rows[name]]
            with self._reading() as arrays:
                read_rows(self._array(arrays, name), start, block)
            advance(block.nbytes)
        return array

    def class_names(self) -> tuple[str, ...] | None:
        """Read the classes' names, texts of a fixed length in UTF-8; None if there are none."""
        with self._reading() as arrays:
            if not has(arrays, CLASS_NAMES):
                return None
            array = dataset_in(arrays, CLASS_NAMES)
            kind = h5py.check_string_dtype(array.dtype)
            is_row = array.shape is not None and len(array.shape) == 1 and 0 < array.size <= MOST_CLASSES
            if not is_row or kind is None:
                raise DataError(
                    f"{self._path}: {CLASS_NAMES} are {array.dtype} {array.shape}: they must be a row of texts, "
                    "one a class"
                )
            if _varies(array):
                raise DataError(f"{self._path}: {CLASS_NAMES} are {_VARYING.format(name='class_names')}")
            if kind.length > _LONGEST_NAME:
                raise DataError(f"{self._path}: {CLASS_NAMES} are longer than {_LONGEST_NAME} bytes: shorten them")
            names = np.empty(array.shape, array.dtype)
            read_rows(self._array(arrays, CLASS_NAMES), 0, names)
        try:
            return tuple(name.decode() for name in names.tolist())
        except UnicodeDecodeError as error:
            raise DataError(f"{self._path}: {CLASS_NAMES} are not UTF-8 ({error}): write them anew") from error


def _varies(array: h5py.Dataset) -> bool:
    """Return whether texts are of varying length: a damaged one sends HDF5 into a loop that never ends."""
    kind = h5py.check_string_dtype(array.dtype)
    return kind is not None and kind.length is None


def _rows_per_read(array: h5py.Dataset) -> int:
    """Return how many rows to read at once: whole chunks, so that none is unpacked twice."""
    rows = array.chunks[0] if array.chunks else 1
    row_bytes = max(1, array.nbytes // max(1, array.shape[0] if array.shape else 1))
    return int(rows * max(1, _BYTES_PER_READ // (rows * row_bytes)))

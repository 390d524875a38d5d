"""Reading the arrays of an HDF5 file that may be damaged, or point to somewhere else."""

import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import h5py
import numpy as np
from numpy.typing import NDArray

from bdfa_np.data.class_names import MOST_CLASSES
from bdfa_np.data.readers.own_arrays import ARRAYS, CLASS_NAMES, TEXTS, Claim, chosen_arrays
from bdfa_np.errors import DataError
from bdfa_np.system.interrupts import interrupts_wait

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
        self._size = os.fstat(file.fileno()).st_size
        self._rows = {}
        self.claims = {}
        with self._reading() as arrays:
            # Not all names there are, which a damaged file may have without end.
            found = [name for name in sorted(ARRAYS) if arrays.get(name, getlink=True) is not None]
            self.names = chosen_arrays(path, found)
            for name in (name for pair in self.names.values() for name in pair):
                array = self._array(arrays, name)
                self._check_stored(name, array)
                self._rows[name] = _rows_per_read(array)
                self.claims[name] = Claim(array.shape, array.dtype.newbyteorder("="))

    @contextmanager
    def _reading(self) -> Iterator[h5py.File]:
        try:
            with interrupts_wait(), h5py.File(self._file, "r") as file:
                yield file
        except DataError:
            raise
        except Exception as error:  # of damaged files nearly any kind is raised
            reason = (str(error).strip("'\"").splitlines() or [type(error).__name__])[0]
            raise DataError(f"{self._path}: not a readable HDF5 file ({reason}): write it anew") from error

    def _array(self, file: h5py.File, name: str) -> h5py.Dataset:
        """Return an array that is in this file itself, before HDF5 could look for it elsewhere."""
        # Not `name in file`, which follows links.
        link = file.get(name, getlink=True)
        if not isinstance(link, h5py.HardLink):
            raise DataError(f"{self._path}: {name} is a link to another place: store the array itself")
        array = file[name]
        if not isinstance(array, h5py.Dataset):
            raise DataError(f"{self._path}: {name} is a group, not an array: store the array itself")
        properties = array.id.get_create_plist()
        # Asked before the shape, which HDF5 would look up in the other files.
        if properties.get_layout() == h5py.h5d.VIRTUAL or properties.get_external_count():
            raise DataError(f"{self._path}: {name} is kept in other files: store the array itself")
        for index in range(properties.get_nfilters()):
            code, _, _, label = properties.get_filter(index)
            if not h5py.h5z.filter_avail(code):
                filter_name = label.decode(errors="replace") or "filter"
                raise DataError(
                    f"{self._path}: {name} is packed with {filter_name!a} ({code}), which the HDF5 here lacks: "
                    "write it anew with compression='gzip'"
                )
        return array

    def _check_stored(self, name: str, array: h5py.Dataset) -> None:
        """Refuse an array of which parts were never written: they would read as zeros, and cost nothing to claim."""
        if array.shape is None:
            raise DataError(f"{self._path}: {name} is empty: store an array of numbers")
        text = h5py.check_string_dtype(array.dtype)
        if name in TEXTS and text is not None and text.length is None:  # a damaged one: a loop that never ends
            raise DataError(f"{self._path}: {name} are {_VARYING.format(name=name)}")
        if array.dtype.kind not in ("buifS" if name in TEXTS else "buif"):
            raise DataError(f"{self._path}: {name} are {array.dtype}: store an array of numbers")
        is_packed = array.id.get_create_plist().get_nfilters() > 0
        if array.chunks is None or (not is_packed and array.nbytes > self._size):
            stored, needed, unit = min(array.id.get_storage_size(), self._size), array.nbytes, "bytes"
        else:
            needed = math.prod(-(-side // chunk) for side, chunk in zip(array.shape, array.chunks, strict=True))
            stored, unit = array.id.get_num_chunks(), "chunks"
        if stored < needed:
            raise DataError(f"{self._path}: {name} has only {stored} of its {needed} {unit}: write it in full")

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
                self._array(arrays, name).read_direct(block, np.s_[start : start + len(block)])
            advance(block.nbytes)
        return array

    def class_names(self) -> tuple[str, ...] | None:
        """Read the classes' names, texts of a fixed length in UTF-8; None if there are none."""
        with self._reading() as arrays:
            if arrays.get(CLASS_NAMES, getlink=True) is None:
                return None
            array = self._array(arrays, CLASS_NAMES)
            kind = h5py.check_string_dtype(array.dtype)
            is_row = array.shape is not None and len(array.shape) == 1 and 0 < array.size <= MOST_CLASSES
            if not is_row or kind is None:
                raise DataError(
                    f"{self._path}: {CLASS_NAMES} are {array.dtype} {array.shape}: they must be a row of texts, "
                    "one a class"
                )
            if kind.length is None:  # a damaged one sends HDF5 into a loop that never ends
                raise DataError(f"{self._path}: {CLASS_NAMES} are {_VARYING.format(name='class_names')}")
            if kind.length > _LONGEST_NAME:
                raise DataError(f"{self._path}: {CLASS_NAMES} are longer than {_LONGEST_NAME} bytes: shorten them")
            texts = array[...].tolist()
        try:
            return tuple(text.decode() for text in texts)
        except UnicodeDecodeError as error:
            raise DataError(f"{self._path}: {CLASS_NAMES} are not UTF-8 ({error}): write them anew") from error


def _rows_per_read(array: h5py.Dataset) -> int:
    """Return how many rows to read at once: whole chunks, so that none is unpacked twice."""
    rows = array.chunks[0] if array.chunks else 1
    row_bytes = max(1, array.nbytes // max(1, array.shape[0] if array.shape else 1))
    return int(rows * max(1, _BYTES_PER_READ // (rows * row_bytes)))

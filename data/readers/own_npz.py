"""Reading the arrays of an ``.npz`` file, a zip archive of ``.npy`` files, without trusting what it says of itself."""

import io
import os
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from bdfa_np.data.class_names import MOST_CLASSES
from bdfa_np.data.readers.own_arrays import CLASS_NAMES, Claim, chosen_arrays, without_objects
from bdfa_np.data.readers.reading import BYTES_PER_READ
from bdfa_np.errors import DataError
from bdfa_np.system.reading import guarded

_ENCRYPTED = 0x1
_DAMAGE = "not a readable .npz file ({}): write it anew with numpy.savez_compressed"
_HEADER_READERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
# zlib packs no better than 1032 to 1.
_LARGEST_RATIO = 1100
_LONGEST_NAME = 1024
# Beyond NumPy's own limit of 10,000; a header can claim to be 4 GiB long, which zeros pack into 4 MiB.
_LONGEST_HEADER = 2**14


@dataclass(frozen=True)
class _Member:
    """An array in the archive: where it is, and what its header says."""

    info: zipfile.ZipInfo
    claim: Claim
    in_columns: bool
    header_size: int


class NpzFile:
    """Some arrays of an ``.npz`` file as ``numpy.savez`` and ``numpy.savez_compressed`` write it; others are ignored.

    Parameters
    ----------
    path : pathlib.Path
        The file's path, for the messages.
    file : binary file
        The file, to stay open while arrays are read.
    choose : callable
        Returns, of the names of all arrays in it, those that are wanted.

    Attributes
    ----------
    claims : dict of str to Claim
        What the file says of each of these arrays; no more memory than a header's is taken before.

    Raises
    ------
    DataError
        Here and in every method: if the file is damaged, encrypted, or no zip archive, or an array is missing, twice
        there, or claims to be larger than what is stored of it.
    """

    def __init__(self, path: Path, file: BinaryIO, choose: Callable[[Collection[str]], Collection[str]]) -> None:
        self._path = path
        with self._reading():
            self._zip = zipfile.ZipFile(file)
            self._size = os.fstat(file.fileno()).st_size
            stored = [info for info in self._zip.infolist() if info.filename.endswith(".npy")]
        found = {info.filename.removesuffix(".npy"): info for info in stored}
        times = Counter(info.filename for info in stored)
        self._members = {}
        for name in choose(found):
            if times[found[name].filename] > 1:
                raise DataError(f"{path}: holds the array {name} twice: write it anew")
            with self._reading():
                self._members[name] = self._member(name, found[name])
        self.claims = {name: member.claim for name, member in self._members.items()}

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Turn what damaged files raise into one line; old headers that NumPy mends, and says so, are no damage."""
        with guarded(self._path, DataError, _DAMAGE), warnings.catch_warnings(action="ignore"):
            yield

    def _member(self, name: str, info: zipfile.ZipInfo) -> _Member:
        if info.flag_bits & _ENCRYPTED:
            raise DataError(f"{self._path}: {name} is encrypted: write it anew without a password")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise DataError(
                f"{self._path}: {name} is packed in an unusual way: write it anew with numpy.savez_compressed"
            )
        ratio = 1 if info.compress_type == zipfile.ZIP_STORED else _LARGEST_RATIO
        if info.file_size > ratio * min(info.compress_size, self._size):
            raise ValueError(f"{name} claims {info.file_size} bytes, packed into {info.compress_size}")
        with self._zip.open(info) as stream:
            header = io.BytesIO(stream.read(_LONGEST_HEADER))
        version = np.lib.format.read_magic(header)
        if version not in _HEADER_READERS:
            raise ValueError(f"{name} has a header of version {version}")
        try:
            shape, in_columns, dtype = _HEADER_READERS[version](header)
        except MemoryError as error:  # of Python's parser, which has had enough of nested brackets
            raise ValueError(f"{name} has a header that nests without end") from error
        header_size = header.tell()
        if dtype.hasobject:
            raise DataError(f"{self._path}: {name} holds Python objects, which are not read: {without_objects(name)}")
        claim = Claim(shape, dtype)
        if any(side < 0 for side in shape) or header_size + claim.nbytes != info.file_size:
            raise ValueError(f"{name} claims {dtype} {shape} in {info.file_size - header_size} bytes")
        return _Member(info, claim, in_columns, header_size)

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
            What is stored, in its order of axes and of bytes.
        """
        member = self._members[name]
        with self._reading(), self._zip.open(member.info) as stream:
            stream.seek(member.header_size)
            array = np.empty(member.claim.shape, member.claim.dtype, "F" if member.in_columns else "C")
            flat = array.reshape(-1, order="A").view(np.uint8)
            done = 0
            # To the end, for it is there that the checksum is compared.
            while chunk := stream.read(BYTES_PER_READ):
                flat[done : done + len(chunk)] = np.frombuffer(chunk, np.uint8)
                done += len(chunk)
                advance(len(chunk))
            if done < flat.size:
                raise EOFError(f"{name} breaks off after {done} of {flat.size} bytes")
            if array.dtype.kind == "U":
                array.tolist()  # raises what is no text
        return array


class NpzReader(NpzFile):
    """The arrays of a data set in an ``.npz`` file; see `NpzFile`.

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
        As `NpzFile`.
    """

    def __init__(self, path: Path, file: BinaryIO) -> None:
        super().__init__(path, file, self._chosen)
        self.claims.pop(CLASS_NAMES, None)

    def _chosen(self, found: Collection[str]) -> list[str]:
        self.names = chosen_arrays(self._path, found)
        named = [CLASS_NAMES] if CLASS_NAMES in found else []
        return [*(name for pair in self.names.values() for name in pair), *named]

    def class_names(self) -> tuple[str, ...] | None:
        """Read the classes' names; None if there are none."""
        if CLASS_NAMES not in self._members:
            return None
        claim = self._members[CLASS_NAMES].claim
        if claim.dtype.kind not in "US" or len(claim.shape) != 1 or not 0 < claim.shape[0] <= MOST_CLASSES:
            raise DataError(
                f"{self._path}: {CLASS_NAMES} are {claim.dtype} {claim.shape}: they must be a row of texts, one a class"
            )
        if not 0 < claim.dtype.itemsize <= 4 * _LONGEST_NAME:
            raise DataError(f"{self._path}: {CLASS_NAMES} are longer than {_LONGEST_NAME} characters: shorten them")
        with self._reading():
            names = self.read(CLASS_NAMES).tolist()
            return tuple(name.decode() if isinstance(name, bytes) else name for name in names)

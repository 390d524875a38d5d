"""Reading HDF5 files that may be damaged, or made to harm: what they claim is checked before HDF5 acts on it.

HDF5 follows links to other files, takes the memory that a few bytes ask for, and reads beyond a chunk that is stored
too short. Its own locks are not needed, since it reads through a Python file.
"""

import contextlib
import io
import math
import os
from collections.abc import Iterator
from typing import Any, BinaryIO

import h5py
import numpy as np
from numpy.typing import NDArray

from bdfa_np.errors import ContentError
from bdfa_np.system.hdf5_storage import check_stored
from bdfa_np.system.hdf5_structure import check_structure
from bdfa_np.system.interrupts import interrupts_wait
from bdfa_np.system.reading import DAMAGE, reason_of

_NUMBERS, _TEXT = "biuf", "S"
_LARGEST_ATTRIBUTE = 2**16  # HDF5 itself has no larger ones in the layout that is its usual one
_MOST_MEMBERS = 10**5
_KINDS = {h5py.h5t.INTEGER: "iu", h5py.h5t.FLOAT: "f", h5py.h5t.ENUM: "biu", h5py.h5t.STRING: "S"}


class Source(io.RawIOBase):
    """What HDF5 reads through: it gets all that it asks for, and an error of the system is kept apart from its own.

    Parameters
    ----------
    file : binary file
        Open for reading.
    """

    def __init__(self, file: BinaryIO | io.RawIOBase) -> None:
        super().__init__()
        self._file = file
        self._error: OSError | None = None
        self._is_short = False

    def check(self) -> None:
        """Raise the first error of the system that there was, or `ContentError` if more was asked for than there is."""
        if self._error is not None:
            # A new one: raised itself, it would lead to HDF5's objects and these to it, which Python at its end takes
            # down in an order that crashes.
            raise OSError(*self._error.args)
        if self._is_short:
            raise ContentError("it ends too early")

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, out: Any) -> int:
        """Fill ``out``, since HDF5 does not ask how much of it was: with zeros where there is no more."""
        left = memoryview(out).cast("B")
        try:
            while left and (count := self._file.readinto(left)):  # type: ignore[union-attr]
                left = left[count:]
        except OSError as error:
            self._error = self._error or error.with_traceback(None)
        else:
            self._is_short = self._is_short or bool(left)
        left[:] = bytes(len(left))
        return len(out)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place in the file."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Return the place in the file."""
        return self._file.tell()


@contextlib.contextmanager
def opened(file: BinaryIO | io.RawIOBase) -> Iterator[h5py.File]:
    """Open HDF5 content for reading; interrupts wait meanwhile.

    Parameters
    ----------
    file : binary file
        Open for reading.

    Raises
    ------
    ContentError
        In place of whatever is wrong with the content.
    OSError
        If the system failed to read the file.
    """
    source = Source(file)
    try:
        with interrupts_wait():
            check_structure(source)
            with h5py.File(source, "r") as content:
                yield content
    except (ContentError, *DAMAGE) as error:
        source.check()
        if isinstance(error, ContentError):
            raise
        raise ContentError(reason_of(error)) from error
    source.check()


def unmarked(content: bytes, start: int = 0) -> bytes:
    """Return content without the mark that HDF5 makes in its oldest layout while a program may write to a file.

    Parameters
    ----------
    content : bytes
        Of a file.
    start : int, default 0
        Where in it HDF5's part begins.
    """
    place = start + 20
    if content[start:place].startswith(b"\x89HDF\r\n\x1a\n\0") and content[place : place + 4] == b"\1\0\0\0":
        return content[:place] + bytes(4) + content[place + 4 :]
    return content


def has(group: h5py.Group, name: str) -> bool:
    """Return whether something is linked in a group by this name, one without slashes."""
    return bool(group.id.links.exists(name.encode()))


def member(group: h5py.Group, path: str) -> Any:
    """Return a group or dataset that is in the file itself, before HDF5 could look for it elsewhere.

    Raises
    ------
    ContentError
        If it is missing, or a link to another place.
    """
    found = group
    for name in path.split("/"):
        if not isinstance(found, h5py.Group) or not has(found, name):
            raise ContentError(f"{path} is missing")
        if found.id.links.get_info(name.encode()).type != h5py.h5l.TYPE_HARD:
            raise ContentError(f"{path} is a link to another place", "store the array itself")
        found = found[name]
    return found


def subgroup(group: h5py.Group, path: str) -> h5py.Group:
    """Return a group; raise `ContentError` as `member` does, and where it is none."""
    found = member(group, path)
    if not isinstance(found, h5py.Group):
        raise ContentError(f"{path} is not a group")
    return found


def names(group: h5py.Group) -> list[str]:
    """Return the names of a group's members; raise `ContentError` if there is no end of them."""
    found: list[str] = []

    def add(name: bytes) -> bool | None:
        found.append(name.decode())
        return True if len(found) > _MOST_MEMBERS else None

    group.id.links.iterate(add)
    if len(found) > _MOST_MEMBERS:
        raise ContentError(f"{group.name} has more than {_MOST_MEMBERS:,} members")
    return found


def array_in(group: h5py.Group, path: str, kinds: str = _NUMBERS, *, packed: bool = False) -> h5py.Dataset:
    """Return an array of which everything is stored in the file, and can be read without harm.

    Parameters
    ----------
    group : h5py.Group
        Where its path begins.
    path : str
        Names with slashes between them.
    kinds : str, default "biuf"
        The kinds of types that it may have, as in ``dtype.kind``; ``S`` is text of a fixed length.
    packed : bool, default False
        Whether it may be packed: it is then read by `bdfa_np.system.hdf5_storage.read_rows`.

    Raises
    ------
    ContentError
        If anything is wrong with it.
    """
    found = dataset_in(group, path)
    check_type(found.id.get_type(), f"{path} are", kinds)
    check_shape(found.id.get_space(), path)
    check_stored(found, path, file_size(found), packed=packed)
    return found


def dataset_in(group: h5py.Group, path: str) -> h5py.Dataset:
    """Return an array that is in this file itself, whatever it holds and claims; raises as `array_in` does."""
    found = member(group, path)
    if not isinstance(found, h5py.Dataset):
        what = "a group, not an array" if isinstance(found, h5py.Group) else "a type, not an array"
        raise ContentError(f"{path} is {what}", "store the array itself")
    properties = found.id.get_create_plist()
    # Asked before the shape, which HDF5 would look up in the other files.
    if properties.get_layout() == h5py.h5d.VIRTUAL or properties.get_external_count():
        raise ContentError(f"{path} is kept in other files", "store the array itself")
    return found


def values(group: h5py.Group, path: str, kinds: str = _NUMBERS) -> NDArray[Any]:
    """Read an array that is no larger than the file, for it is not packed; raises as `array_in` does."""
    found: NDArray[Any] = array_in(group, path, kinds)[()]
    return np.asarray(found)


def file_size(item: h5py.HLObject) -> int:
    """Return the size of the file that something is in."""
    return int(item.file.id.get_filesize())


def check_type(kind: h5py.h5t.TypeID, told: str, kinds: str) -> None:
    """Raise `ContentError` unless a type is a usual one of these kinds; ``told`` begins the message."""
    found, dtype = _KINDS.get(kind.get_class(), ""), kind.dtype
    if found == _TEXT:
        is_usual = not kind.is_variable_str()  # a damaged one sends HDF5 into a loop that never ends
    else:
        # Numbers of odd sizes and orders take ways through HDF5 that nobody else takes.
        is_usual = kind.get_class() == h5py.h5t.ENUM or (found != "" and h5py.h5t.py_create(dtype).equal(kind))
    if not is_usual or dtype.kind not in found or dtype.kind not in kinds:
        raise ContentError(f"{told} {dtype}", "store an array of numbers")


def check_shape(space: h5py.h5s.SpaceID, name: str) -> None:
    """Raise `ContentError` if there is nothing where an array shall be."""
    if space.get_simple_extent_type() == h5py.h5s.NULL:
        raise ContentError(f"{name} is empty", "store an array of numbers")


def attribute(holder: h5py.Group | h5py.Dataset, name: str) -> Any:
    """Return an attribute as Python's own type: a number, a truth value, bytes, or a list of them.

    Raises
    ------
    ContentError
        If it is missing, of another type, or larger than 64 KiB.
    """
    if name not in holder.attrs:
        raise ContentError(f"its {name} is missing")
    identity = holder.attrs.get_id(name)
    kind, space = identity.get_type(), identity.get_space()
    check_type(kind, f"its {name} is of the type", _NUMBERS + _TEXT)
    check_shape(space, f"its {name}")
    if math.prod(space.shape) * kind.get_size() > _LARGEST_ATTRIBUTE:
        raise ContentError(f"its {name} is larger than {_LARGEST_ATTRIBUTE:,} bytes")
    value = holder.attrs[name]
    return value.tolist() if hasattr(value, "tolist") else value


def attribute_names(holder: h5py.Group | h5py.Dataset) -> list[str]:
    """Return the names of all attributes; raise `ContentError` if there is no end of them."""
    if h5py.h5a.get_num_attrs(holder.id) > _MOST_MEMBERS:
        raise ContentError(f"{holder.name} has more than {_MOST_MEMBERS:,} attributes")
    return list(holder.attrs)


def text(holder: h5py.Group | h5py.Dataset, name: str) -> str:
    """Return an attribute of text; raises as `attribute` does."""
    value = attribute(holder, name)
    if not isinstance(value, bytes):
        raise ContentError(f"its {name} is no text")
    return value.decode("utf-8", "surrogatepass")


def count(holder: h5py.Group | h5py.Dataset, name: str) -> int:
    """Return an attribute that is a whole number from 0 on; raises as `attribute` does."""
    value = attribute(holder, name)
    if type(value) is not int or not 0 <= value < 2**53:
        raise ContentError(f"its {name} is {value!a:.40}")
    return value


def figure(holder: h5py.Group | h5py.Dataset, name: str) -> float:
    """Return an attribute that is a finite number; raises as `attribute` does."""
    value = attribute(holder, name)
    if type(value) not in (int, float) or not math.isfinite(value):
        raise ContentError(f"its {name} is {value!a:.40}")
    return float(value)

"""The guard of everything that reads files: what then goes wrong is one line, and says whose fault it is."""

import contextlib
import errno
import io
import os
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bdfa_np.errors import UserError
from bdfa_np.system.files import open_file, refusal

DAMAGE = (OSError, LookupError, TypeError, ValueError, ArithmeticError, AttributeError, RuntimeError, SystemError)
"""What h5py and tomllib, and Python at work on what they return, raise for content that is not what it should be.

Other libraries raise errors of classes of their own besides: see `guarded`.
"""

# A place in a file that a damaged header names, and that no file has.
_OF_CONTENT = (errno.EINVAL, errno.EOVERFLOW, errno.ESPIPE)
_LONGEST_TEXT = 2**24
_MOST_PARTS = 64
_QUOTED = re.compile(r""" "(?:\\.|[^"\\])*" | '[^']*' """, re.VERBOSE)


@contextlib.contextmanager
def guarded(place: Path | str, kind: type[UserError], damage: str) -> Iterator[None]:
    """Turn whatever reading a file raises into one line.

    What the system refuses - a permission, a lock, a disk, memory - is said as such. Everything else is damage: of
    files that are not what they should be, decoders raise errors of any kind. Nothing but decoding belongs into the
    context, for a mistake of ours would be told as damage too.

    Parameters
    ----------
    place : pathlib.Path or str
        The file, or what to call it.
    kind : type of UserError
        What is raised.
    damage : str
        What to say of damaged content after the place, and what to do, with ``{}`` for the reason.

    Raises
    ------
    UserError
        Of that kind, or as it was raised.
    """
    with environment(place, kind):
        try:
            yield
        except Exception as error:
            if isinstance(error, UserError | MemoryError) or is_of_environment(error):
                raise
            raise kind(f"{place}: {damage.format(reason_of(error))}") from error


@contextlib.contextmanager
def environment(place: Path | str, kind: type[UserError]) -> Iterator[None]:
    """Turn what the system refuses in reading a file, and that alone, into one line.

    Raises
    ------
    UserError
        Of that kind, where an `OSError` or a `MemoryError` was raised.
    """
    try:
        yield
    except MemoryError as error:
        raise kind(f"{place}: cannot be read: there is not enough memory: close other programs") from error
    except OSError as error:
        if not is_of_environment(error):
            raise
        raise kind(refusal(f"{place}:", error)) from error


def is_of_environment(error: BaseException) -> bool:
    """Return whether it is an `OSError` that the system raised; those of decoders have no number."""
    return isinstance(error, OSError) and error.errno is not None and error.errno not in _OF_CONTENT


def reason_of(error: BaseException) -> str:
    """Return the first line of an error's message, or its name where it has none."""
    text = str(error.args[0] if isinstance(error, KeyError) and error.args else error)  # of which Python shows the repr
    return (text.strip().splitlines() or [type(error).__name__])[0]


@contextlib.contextmanager
def opened(path: Path, kind: type[UserError], place: str = "") -> Iterator[io.BufferedReader]:
    """Open a regular file, and nothing that would have to be waited for.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    kind : type of UserError
        What is raised.
    place : str, optional
        What to call the file in messages; by its path by default.

    Yields
    ------
    io.BufferedReader
        At the file's beginning.

    Raises
    ------
    UserError
        Of that kind, if it is missing, cannot be read or is a folder, a device or a pipe.
    """
    place = place or str(path)
    with guarded(place, kind, "cannot be read: {}: name another one"):  # a path with a zero byte: ValueError
        try:
            file = _Bounded(open_file(path))
        except IsADirectoryError as error:
            raise kind(f"{place}: is a folder or a device, not a file: put the file in its place") from error
    with file, environment(place, kind):
        yield file


class _Bounded(io.BufferedReader):
    """A file of which no more is read at once than it has: decoders ask for what a header claims, and memory for it."""

    def __init__(self, raw: io.FileIO) -> None:
        super().__init__(raw)
        self._size = os.fstat(raw.fileno()).st_size

    def read(self, size: int | None = -1, /) -> bytes:
        """Return the next bytes, at most as many as the file had when it was opened."""
        return super().read(size if size is None or size < 0 else min(size, self._size))


def read_toml(path: Path, kind: type[UserError], place: str) -> dict[str, Any]:
    """Return what a TOML file holds.

    Parameters
    ----------
    path : pathlib.Path
        The file, of 16 MiB at most.
    kind : type of UserError
        What is raised.
    place : str
        What to call the file in messages.

    Raises
    ------
    UserError
        Of that kind, if it is missing, cannot be read, or is no TOML file.
    """
    with guarded(place, kind, "is not a TOML file: {}"), opened(path, kind, place) as file:
        content = file.read(_LONGEST_TEXT + 1)
        if len(content) > _LONGEST_TEXT:
            raise ValueError(f"it has more than {_LONGEST_TEXT:,} bytes")
        return parsed_toml(content.decode())


def parsed_toml(text: str) -> dict[str, Any]:
    """Return what a text in TOML holds.

    Raises
    ------
    ValueError, RecursionError
        If it is none, or nests without end.
    """
    for number, line in enumerate(text.splitlines(), start=1):
        # The time that Python's reader takes grows with the square of a key's parts.
        if line.count(".") > _MOST_PARTS and _QUOTED.sub("", line).partition("=")[0].count(".") > _MOST_PARTS:
            raise ValueError(f"a key of more than {_MOST_PARTS} parts (at line {number})")
    return tomllib.loads(text)

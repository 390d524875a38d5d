"""What the file system refuses while prepared data are stored, told once and in one line."""

import contextlib
import errno
import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from bdfa_np.errors import DataError
from bdfa_np.system.files import refusal


@contextlib.contextmanager
def access_needed(path: Path, what: str = "cannot be used") -> Iterator[None]:
    """Turn what the file system refuses into one line; that a disk is full or a file missing stays an `OSError`."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.ENOENT):
            raise
        raise refused(path, error, what) from error


def refused(path: Path, error: OSError, what: str = "cannot be read") -> DataError:
    """Return what is to be said of a file of the cache that the system refuses."""
    return DataError(f"{refusal(path, error, what)}, or name another folder with --cache-dir")


class Sink(io.RawIOBase):
    """What HDF5 writes through: the first error is kept, and HDF5 is told that all went well.

    HDF5 would otherwise fail again whenever it tidies up, also in places where nobody can catch that.

    Parameters
    ----------
    raw : unbuffered binary file
        Open for reading and writing.
    path : pathlib.Path
        What an error shall name.
    """

    def __init__(self, raw: io.FileIO, path: Path) -> None:
        super().__init__()
        self._raw = raw
        self._path = path
        self._error: OSError | None = None

    def check(self) -> None:
        """Raise the first error there was."""
        if self._error is not None:
            # A new one, as in `bdfa_np.system.hdf5.Source`.
            raise OSError(self._error.errno, self._error.strerror, str(self._path))

    def sync(self) -> None:
        """Wait until everything is on the disk."""
        self._try(lambda: os.fsync(self._raw.fileno()))
        self.check()

    def _try(self, action: Callable[[], Any]) -> None:
        if self._error is None:
            try:
                action()
            except OSError as error:
                self._error = error.with_traceback(None)

    def write(self, content: Any) -> int:
        """Write all of the content: HDF5 does not ask how much of it was."""

        def write_all() -> None:
            left = memoryview(content).cast("B")
            while left:
                left = left[self._raw.write(left) :]

        self._try(write_all)
        return len(content)

    def readinto(self, out: Any) -> int:
        """Read as `io.FileIO` does."""
        self._try(lambda: self._raw.readinto(out))
        return len(out)

    def truncate(self, size: int | None = None) -> int:
        """Set the file's length."""
        self._try(lambda: self._raw.truncate(size))
        return self._raw.tell() if size is None else size

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place in the file."""
        return self._raw.seek(offset, whence)

    def tell(self) -> int:
        """Return the place in the file."""
        return self._raw.tell()

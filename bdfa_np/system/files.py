"""Files that are either the old ones or the new ones, never something between; and what a system refuses of them."""

import contextlib
import errno
import io
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from bdfa_np.system.memory import beyond_memory

TEMPORARY_SUFFIX = ".partial"

_CURES = {
    errno.ENOENT: "name one that is there",
    errno.EACCES: "check its permissions",
    errno.EPERM: "check its permissions",
    errno.EISDIR: "move it away",
    errno.ENOTDIR: "name a folder where one is meant",
    errno.ELOOP: "its links lead in a circle: mend them",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.EMFILE: "let more files be open at once (ulimit -n)",
    errno.ENFILE: "close other programs",
    errno.ENOMEM: "close other programs, or take a machine with more memory",
    errno.EIO: "the disk, or the way to it, fails: save what can be saved",
    errno.ESTALE: "its file system went away and came back: try again",
    errno.ENOLCK: "this file system has no locks: use a folder on another one",
    errno.ENOSYS: "this file system has no locks: use a folder on another one",
    errno.EROFS: "this file system is read-only: use a folder on another one",
    errno.ENOSPC: "make room",
    errno.EDQUOT: "make room",
    errno.EFBIG: "it is larger than the system allows (ulimit -f)",
}


def refusal(path: Path | str, error: OSError, what: str = "cannot be read") -> str:
    """Say that the system, and not a file's content, is in the way: which file, why, and what to do.

    Parameters
    ----------
    path : Path or str
        The file, or what to call it.
    error : OSError
        What the system said.
    what : str, default "cannot be read"
        What is not possible.
    """
    reason = error.strerror or str(error) or type(error).__name__
    cure = _CURES.get(error.errno or 0, "try again, or use another disk")
    return f"{path} {what}: {reason}: {cure}"


def open_file(path: Path) -> io.FileIO:
    """Open a regular file for reading, unbuffered; nothing else is waited for.

    Raises
    ------
    OSError
        Where the system refuses it, and for a folder, pipe or device.
    """
    # Asked before opening, since that alone can set a device in motion, and after, since it may be another by now.
    if stat.S_ISREG(os.stat(path).st_mode):
        file = open(path, "rb", buffering=0, opener=_without_waiting)  # noqa: SIM115
        if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            return file
        file.close()
    raise IsADirectoryError(errno.EISDIR, "it is a folder or a device, not a file", str(path))


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def read_start(path: Path, count: int) -> tuple[bytes, int]:
    """Return the first bytes of a regular file, and its size; raises as `open_file` does."""
    with io.BufferedReader(open_file(path)) as file:
        return file.read(count), os.fstat(file.fileno()).st_size


def read_file(path: Path) -> bytes:
    """Read a regular file whole, if there is the memory for it.

    Raises
    ------
    OSError
        As from `open_file`; and with ``ENOMEM`` where it is larger than the memory.
    """
    with io.BufferedReader(open_file(path)) as file:
        size = os.fstat(file.fileno()).st_size
        problem = beyond_memory(size)
        if problem is not None:
            raise OSError(errno.ENOMEM, f"its {size:,} bytes {problem}", str(path))
        return file.read(size)


@contextlib.contextmanager
def replace_file(path: Path, *, mode: int | None = None) -> Iterator[BinaryIO]:
    """Open a temporary file beside ``path`` for writing; put it in the place of ``path`` once it is complete.

    An exception inside the context, or on the way to the disk, leaves ``path`` as it was and removes the
    temporary file. A process that is killed can leave one behind; see `remove_temporary_files`. With ``mode``, who may
    read and write it is set before there is anything in it.

    Yields
    ------
    binary file
    """
    temporary = temporary_path(path)
    try:
        with open_temporary(temporary) as file:
            if mode is not None:
                os.chmod(temporary, mode)
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        if isinstance(error, OSError):
            error.filename = str(path)  # a write to a full disk does not say where it went
        raise


def open_temporary(temporary: Path, *, buffering: int = -1) -> Any:
    """Open a temporary file, new and empty, for writing and reading; ``buffering`` as `open` has it.

    What a killed process left in its place is removed; a link there is removed too, and never written through.
    """
    temporary.unlink(missing_ok=True)
    return open(temporary, "x+b", buffering)


def replace_text(path: Path, text: str, *, mode: int | None = None) -> None:
    """Write a text file in UTF-8, replacing the one at ``path`` in one step."""
    with replace_file(path, mode=mode) as file:
        file.write(encoded(text))


def remove_temporary_files(paths: Iterable[Path]) -> None:
    """Remove what a killed process left of `replace_file` for these paths, to which nobody else writes now."""
    for path in paths:
        temporary_path(path).unlink(missing_ok=True)


def temporary_path(path: Path) -> Path:
    """Return where a file is written before it is complete: beside its place, hidden."""
    return path.with_name(f".{path.name}{TEMPORARY_SUFFIX}")


def append_to(path: Path, content: bytes, *, to_disk: bool = False) -> None:
    """Write at the end of a file, made if need be; a link in its place is not followed.

    A process that is killed meanwhile can leave the beginning of it.

    Parameters
    ----------
    path : Path
        The file.
    content : bytes
        What to write.
    to_disk : bool, default False
        Whether to wait until it is on the disk.
    """
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    try:
        with open(os.open(path, flags, 0o666), "ab") as file:
            file.write(content)
            file.flush()
            if to_disk:
                os.fsync(file.fileno())
    except OSError as error:
        error.filename = str(path)
        raise


def encoded(text: str) -> bytes:
    """Return text in UTF-8.

    A path on the command line need not be UTF-8; Python then holds characters that UTF-8 has no bytes for.
    """
    return text.encode(errors="backslashreplace")


def is_plain(path: Path) -> bool:
    """Return whether there is an ordinary file, and neither a link nor anything that is waited for, such as a FIFO."""
    try:
        return stat.S_ISREG(os.lstat(path).st_mode)
    except FileNotFoundError:
        return False

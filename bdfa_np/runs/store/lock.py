"""One process alone writes to a run folder."""

import contextlib
import errno
from collections.abc import Iterator
from pathlib import Path

import filelock

from bdfa_np.errors import InUseError, RunError
from bdfa_np.system.files import refusal

LOCK = ".lock"


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Keep other processes out of a run folder meanwhile.

    Raises
    ------
    InUseError
        If another process is in it.
    RunError
        If the file system has no locks.
    OSError
        If the folder cannot be written to.
    """
    try:
        lock = filelock.FileLock(folder / LOCK, blocking=False).acquire()
    except filelock.Timeout:
        raise InUseError(f"another process is training in {folder}: wait for it, or name another folder") from None
    except OSError as error:
        if error.errno == errno.ENOLCK:
            raise RunError(refusal(folder, error, "cannot be kept to one process")) from error
        raise
    with lock:
        yield


def is_held(folder: Path) -> bool:
    """Return whether another process is in a run folder; False where that cannot be found out."""
    return bool(held(folder))


def held(folder: Path) -> bool | None:
    """Return whether another process is in a run folder; None where that cannot be found out, as in others' folders."""
    if not (folder / LOCK).exists():
        return False
    lock = filelock.FileLock(folder / LOCK, blocking=False)
    try:
        lock.acquire()
    except filelock.Timeout:
        return True
    except OSError:
        return None
    lock.release()
    return False

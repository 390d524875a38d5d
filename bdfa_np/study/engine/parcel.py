"""A run folder as bytes: how a run comes from one machine to another, whole or not at all."""

from pathlib import Path
from typing import TypeAlias

from bdfa_np.runs.folder import CHECKPOINT, RunFolder
from bdfa_np.system.files import is_plain

Parcel: TypeAlias = dict[str, bytes]
"""The contents of a run folder's files by their names."""


def packed(path: Path) -> Parcel:
    """Return a run folder to which nobody writes meanwhile; an empty one where there is no run."""
    folder = RunFolder(path)
    if folder.is_vacant:
        return {}
    folder.finish()
    return {name: folder.file(name).read_bytes() for name in folder.files if is_plain(folder.file(name))}


def unpack(parcel: Parcel, path: Path) -> None:
    """Put a run into a folder, in the place of the one that is there.

    Raises
    ------
    RunError
        If another process is in the folder, or it cannot be written to; what was there then stays.
    """
    if parcel:
        RunFolder(path).put(parcel)


def saved_at(path: Path) -> tuple[int, int] | None:
    """Return what tells one checkpoint of a run folder from the next; None where there is none."""
    try:
        status = (path / CHECKPOINT).stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns

"""The figures of a run's epochs as a file that grows by one record an epoch.

Eight numbers an epoch, as `COLUMNS` names them, each of 64 bits, little-endian. A checkpoint holds the SHA-256 of the
records up to its epoch: what follows them is of an epoch that was not saved, and counts as nothing.
"""

import hashlib
import io
import os
import struct
from collections.abc import Iterable
from dataclasses import astuple, fields
from pathlib import Path

from bdfa_np.errors import ContentError
from bdfa_np.system.files import append_to, is_plain, open_file, replace_file
from bdfa_np.system.sealed import problems_told
from bdfa_np.system.text import counted
from bdfa_np.trainer import EpochRecord

COLUMNS = tuple(item.name for item in fields(EpochRecord))
RECORD = struct.Struct(f"<{len(COLUMNS)}d")


class EpochWriter:
    """Writes the records of a run; what an epoch costs does not grow with those before it.

    Parameters
    ----------
    records : iterable of EpochRecord, default ()
        The epochs so far.
    """

    def __init__(self, records: Iterable[EpochRecord] = ()) -> None:
        self._before = packed(records)
        self._hash = hashlib.sha256(self._before)

    @property
    def sha256(self) -> str:
        """The SHA-256 of all records so far."""
        return self._hash.hexdigest()

    def begin(self, path: Path) -> None:
        """See that the file holds the epochs so far and nothing else."""
        if not is_plain(path) or path.read_bytes() != self._before:
            with replace_file(path) as file:
                file.write(self._before)
        self._before = b""

    def append(self, path: Path, record: EpochRecord) -> None:
        """Add an epoch; it is on the disk when this returns."""
        content = packed([record])
        append_to(path, content, to_disk=True)
        self._hash.update(content)


def packed(records: Iterable[EpochRecord]) -> bytes:
    """Return records as a file holds them."""
    return b"".join(RECORD.pack(*astuple(record)) for record in records)


def unpacked(content: bytes) -> list[EpochRecord]:
    """Return the records that a file holds."""
    rows = RECORD.iter_unpack(content)
    return [EpochRecord(**{**dict(zip(COLUMNS, row, strict=True)), "epoch": int(row[0])}) for row in rows]


def read_epochs(path: Path, epochs: int, sha256: str) -> list[EpochRecord]:
    """Read the first records of a file.

    Parameters
    ----------
    path : Path
        The file.
    epochs : int
        How many.
    sha256 : str
        What a checkpoint says of them.

    Raises
    ------
    RunError
        If they are not there, or not those.
    """
    cure = "restore it from a copy, or let --resume make it anew from metrics.csv"
    with problems_told(path, missing=cure, damaged=cure):
        size = epochs * RECORD.size
        with io.BufferedReader(open_file(path)) as file:
            if os.fstat(file.fileno()).st_size < size:
                raise ContentError(f"it is too short for {counted(epochs, 'epoch')}")
            content = file.read(size)
        if hashlib.sha256(content).hexdigest() != sha256:
            raise ContentError("it is not what was written: its SHA-256 is another")
        return unpacked(content)

"""Unpacking tar archives that may be damaged or hostile: only known files, of known size and content."""

import gzip
import hashlib
import io
import tarfile
import tempfile
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import IO

from bdfa_np.data.readers.reading import ADVICE, BYTES_PER_READ, check_sha256, open_data_file
from bdfa_np.data.sources.registry import Archive, ArchivedFile
from bdfa_np.errors import DataError

# What the names of folders begin with that a killed process may leave; the next one to fetch files removes them.
TEMPORARY_PREFIX = ".fetching-"


def unpack(archive: Archive, path: Path, names: Collection[str], folder: Path) -> None:
    """Take files from a gzipped tar archive.

    A file appears in the folder under its name once it is there as a whole and its checksum is right.

    Parameters
    ----------
    archive : Archive
        What is known of the archive.
    path : pathlib.Path
        Where it is.
    names : collection of str
        The names of those of ``archive.files`` that are wanted.
    folder : pathlib.Path
        Where they go; created if it is not there.

    Raises
    ------
    DataError
        If the archive is unreadable, altered, damaged, or lacks a file, or the folder cannot be written.
    """
    wanted = {f"{archive.folder}/{file.name}": file for file in archive.files if file.name in names}
    largest = sum(file.size for file in archive.files) + archive.beside
    with open_data_file(path) as packed:
        check_sha256(path, hashlib.file_digest(packed, "sha256").hexdigest(), archive.sha256)
        packed.seek(0)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=folder, prefix=TEMPORARY_PREFIX) as temporary:
                for file, content in _members(path, _Limited(packed, largest), wanted):
                    _copy(path, content, file, Path(temporary) / file.name)
                    (Path(temporary) / file.name).replace(folder / file.name)
        except (tarfile.TarError, EOFError, gzip.BadGzipFile, RecursionError) as error:
            # Before OSError, of which BadGzipFile is a kind. tarfile recurses into chains of extended headers.
            raise DataError(f"{path}: damaged ({error}): {ADVICE}") from error
        except OSError as error:
            raise DataError(f"{path}: cannot be unpacked into {folder}: {error.strerror or error}") from error
    if wanted:
        raise DataError(f"{path}: does not hold {', '.join(wanted)}: {ADVICE}")


class _Limited(io.RawIOBase):
    """Gzip data, which may not unpack to more than some number of bytes: tarfile trusts the sizes in headers."""

    def __init__(self, packed: io.BufferedReader, largest: int) -> None:
        self._stream = gzip.GzipFile(fileobj=packed, mode="rb")
        self._left = largest

    def read(self, size: int = -1) -> bytes:
        chunk = self._stream.read(size)
        self._left -= len(chunk)
        if self._left < 0:
            raise tarfile.ReadError("it unpacks to more than it should")
        return chunk


def _members(path: Path, stream: _Limited, wanted: dict[str, ArchivedFile]) -> Iterator[tuple[ArchivedFile, IO[bytes]]]:
    """Yield the wanted files and their content, and take each of them from ``wanted``."""
    # A stream is read once from front to back: no member can point back at another.
    with tarfile.open(fileobj=stream, mode="r|") as members:
        for member in members:
            file = wanted.pop(member.name, None)
            if file is None:
                continue
            content = members.extractfile(member) if member.isreg() and member.size == file.size else None
            if content is None:
                raise DataError(f"{path}: its {member.name} is not a plain file of {file.size} bytes: {ADVICE}")
            yield file, content
            if not wanted:
                return


def _copy(path: Path, content: IO[bytes], file: ArchivedFile, target: Path) -> None:
    digest = hashlib.sha256()
    with target.open("xb") as out:
        while chunk := content.read(BYTES_PER_READ):
            digest.update(chunk)
            out.write(chunk)
    if file.sha256_content is not None:
        check_sha256(path / file.name, digest.hexdigest(), file.sha256_content)

"""Unpacking the tar and zip archives that data sets are published in."""

import hashlib
import tarfile
import tempfile
import zipfile
from collections.abc import Collection, Generator
from contextlib import closing
from pathlib import Path
from typing import IO

from bdfa_np.data.readers.reading import BYTES_PER_READ, check_sha256, check_size, open_data_file
from bdfa_np.data.sources.kinds import Archive
from bdfa_np.errors import DataError
from bdfa_np.system.reading import is_of_environment

# What the names of folders begin with that a killed process may leave; the next one to fetch files removes them.
TEMPORARY_PREFIX = ".fetching-"


def unpack(archive: Archive, path: Path, names: Collection[str], folder: Path) -> None:
    """Take files from an archive.

    A file appears in the folder under its name once it is there as a whole. Its reader checks its content.

    Parameters
    ----------
    archive : Archive
        What is known of the archive.
    path : pathlib.Path
        Where it is. No byte of it is interpreted before its checksum is that of the published one.
    names : collection of str
        The names, in the archive, of those of ``archive.files`` that are wanted.
    folder : pathlib.Path
        Where they go; created if it is not there.

    Raises
    ------
    DataError
        If the archive is unreadable or altered, or the folder cannot be written.
    """
    wanted = {f"{archive.folder}/{name}": name for name in names}
    sizes = {file.published_name: file.size for file in archive.files}
    check_size(path, archive.size)
    with open_data_file(path) as packed:
        check_sha256(path, hashlib.file_digest(packed, "sha256").hexdigest(), archive.sha256)
        packed.seek(0)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with (
                tempfile.TemporaryDirectory(dir=folder, prefix=TEMPORARY_PREFIX) as temporary,
                closing(_members(archive, packed, wanted)) as members,
            ):
                for member, content in members:
                    name = wanted.pop(member)
                    with (Path(temporary) / name).open("xb") as out:
                        _copy(content, out, sizes[name])
                    (Path(temporary) / name).replace(folder / name)
        except OSError as error:
            if not is_of_environment(error):
                raise
            raise DataError(f"{path}: cannot be unpacked into {folder}: {error.strerror}") from error


def _copy(content: IO[bytes], out: IO[bytes], size: int) -> None:
    """Copy a member, and no more of it than the byte that shows it to be too long; its reader says how long it is."""
    left = size + 1
    while left and (chunk := content.read(min(left, BYTES_PER_READ))):
        out.write(chunk)
        left -= len(chunk)


def _members(
    archive: Archive, packed: IO[bytes], wanted: Collection[str]
) -> Generator[tuple[str, IO[bytes]], None, None]:
    """Yield the names and contents of the files in an archive that are wanted, until nothing is wanted any more."""
    if archive.name.endswith(".zip"):
        with zipfile.ZipFile(packed) as files:
            for info in files.infolist():
                if info.filename in wanted:
                    with files.open(info) as content:
                        yield info.filename, content
        return
    with tarfile.open(fileobj=packed, mode="r:gz") as members:
        while wanted and (member := members.next()):
            stream = members.extractfile(member) if member.name in wanted else None
            if stream is not None:
                yield member.name, stream

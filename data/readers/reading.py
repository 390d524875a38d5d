"""Reading files that may be missing, damaged or hostile: every failure is one line. Loads no NumPy."""

import gzip
import hashlib
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bdfa_np.errors import DataError
from bdfa_np.system.reading import guarded, opened

Stream = io.BufferedReader | gzip.GzipFile

BYTES_PER_READ = 2**20
_GZIP_MAGIC = b"\x1f\x8b"
ADVICE = "delete it, so that it is fetched again, or put a good copy in its place"


@contextmanager
def open_data_file(path: Path) -> Iterator[io.BufferedReader]:
    """Open a file of a data set; what then fails in reading it becomes one line.

    Parameters
    ----------
    path : pathlib.Path
        The file.

    Yields
    ------
    io.BufferedReader
        At the file's beginning.

    Raises
    ------
    DataError
        If it is missing, unreadable or not a regular file, or what is read from it turns out to be damaged.
    """
    with opened(path, DataError) as file, guarded(path, DataError, f"its content is damaged ({{}}): {ADVICE}"):
        yield file


def read_up_to(stream: Stream, size: int) -> tuple[bytearray, bool]:
    """Return the next bytes of a stream, and whether its gzip data broke off there.

    Parameters
    ----------
    stream : io.BufferedReader or gzip.GzipFile
        Where to read. Memory is taken as content comes in.
    size : int
        How many bytes are wanted.

    Returns
    -------
    content : bytearray
        That many bytes, or all before the end.
    broke_off : bool
        Whether the gzip data end too early.
    """
    content = bytearray()
    # read1, since read would lose what it already has when the gzip data break off.
    try:
        while len(content) < size and (chunk := stream.read1(min(BYTES_PER_READ, size - len(content)))):
            content += chunk
    except EOFError:
        return content, True
    return content, False


def read_exactly(path: Path, size: int, what: str) -> bytearray:
    """Read a whole file whose size is known.

    Parameters
    ----------
    path : pathlib.Path
        The file. A larger one is read no further.
    size : int
        How many bytes it must have.
    what : str
        What these are, for the message.

    Returns
    -------
    bytearray
        Its content.

    Raises
    ------
    DataError
        If it is missing, unreadable, truncated or too long.
    """
    with open_data_file(path) as file:
        content, _ = read_up_to(file, size + 1)
    if len(content) < size:
        raise DataError(f"{path}: truncated: has {len(content)} of the {size} bytes of {what}: {ADVICE}")
    if len(content) > size:
        raise DataError(f"{path}: too long: {what} are {size} bytes and more follow: {ADVICE}")
    return content


def check_size(path: Path, size: int | None) -> None:
    """Refuse a file that is not as large as the published one, before any of it is read.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    size : int or None
        The published one's size in bytes; None where it is not known, and nothing is refused.

    Raises
    ------
    DataError
        If it has another size, is missing or unreadable, or no regular file.
    """
    with open_data_file(path) as file:
        found = os.fstat(file.fileno()).st_size
    if size is not None and found != size:
        raise DataError(f"{path}: altered: it has {found:,} bytes, and the published file has {size:,}: {ADVICE}")


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file's content as it lies there, in lower-case hexadecimal.

    Parameters
    ----------
    path : pathlib.Path
        The file.

    Raises
    ------
    DataError
        If it is missing, unreadable or not a regular file.
    """
    with open_data_file(path) as file:
        return stream_sha256(file)


def stream_sha256(file: io.BufferedReader) -> str:
    """Return the SHA-256 of an open file's whole content, in lower-case hexadecimal.

    Parameters
    ----------
    file : io.BufferedReader
        The file; afterwards it is at its end.
    """
    file.seek(0)
    return hashlib.file_digest(file, "sha256").hexdigest()


def content_sha256(path: Path, size: int | None = None) -> str:
    """Return the SHA-256 of what a file holds, decompressed where it is gzipped, in lower-case hexadecimal.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    size : int, optional
        How many bytes its content must have, where that is known: no more are decompressed.

    Raises
    ------
    DataError
        If it is missing, unreadable, damaged or not a regular file, or its content is larger.
    """
    digest, done = hashlib.sha256(), 0
    with open_data_file(path) as file, decompressed(file) as stream:
        broke_off = False
        while not broke_off:
            content, broke_off = read_up_to(stream, BYTES_PER_READ)
            digest.update(content)
            done += len(content)
            if size is not None and done > size:
                raise DataError(f"{path}: too long: its content is {size:,} bytes and more follow: {ADVICE}")
            if not content:
                return digest.hexdigest()
    raise DataError(f"{path}: truncated: the end of its gzip data, with their checksum, is missing: {ADVICE}")


def is_gzipped(path: Path) -> bool:
    """Return whether a file's first bytes, not its name, say that it is gzipped.

    Raises
    ------
    DataError
        If it is missing, unreadable or not a regular file.
    """
    with open_data_file(path) as file:
        return file.read(len(_GZIP_MAGIC)) == _GZIP_MAGIC


@contextmanager
def decompressed(file: io.BufferedReader) -> Iterator[Stream]:
    """Read an open file from its beginning, decompressed if its first bytes say that it is gzipped.

    Parameters
    ----------
    file : io.BufferedReader
        The file.

    Yields
    ------
    io.BufferedReader or gzip.GzipFile
        At the content's beginning.
    """
    packed = file.read(len(_GZIP_MAGIC)) == _GZIP_MAGIC
    file.seek(0)
    if not packed:
        yield file
        return
    with (
        guarded(Path(file.name), DataError, f"its gzip data are damaged ({{}}): {ADVICE}"),
        gzip.GzipFile(fileobj=file, mode="rb") as stream,
    ):
        yield stream


def check_sha256(path: Path, sha256: str, expected: str) -> None:
    """Refuse content that is not the published one.

    Parameters
    ----------
    path : pathlib.Path
        Where it was read, for the message.
    sha256, expected : str
        Its SHA-256 and the published one's, in lower-case hexadecimal.

    Raises
    ------
    DataError
        If they differ.
    """
    if sha256 != expected:
        raise DataError(f"{path}: altered: the SHA-256 of its content is {sha256} instead of {expected}: {ADVICE}")

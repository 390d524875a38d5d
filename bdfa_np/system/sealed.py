"""The files of a run: sealed with a digest where they are HDF5, and what is wrong with one told in one line."""

import contextlib
import hashlib
import io
from collections.abc import Iterator
from pathlib import Path

from bdfa_np.errors import ContentError, RunError
from bdfa_np.system.files import read_file, read_start, refusal, replace_file
from bdfa_np.system.hdf5 import unmarked
from bdfa_np.system.reading import DAMAGE, reason_of

SEAL = 512
"""The least user block that HDF5 has: bytes before its own, which it leaves to others."""

_HDF5 = b"\x89HDF\r\n\x1a\n"
_LONGEST_TEXT = 2**24


@contextlib.contextmanager
def problems_told(path: Path, *, missing: str, damaged: str) -> Iterator[None]:
    """Raise `RunError` in place of whatever keeps a file of a run from being read.

    Parameters
    ----------
    path : Path
        The file.
    missing, damaged : str
        What to do where it is not there, and where its content is not what it should be. What to do where the system
        refuses it, `bdfa_np.system.files.refusal` knows.
    """
    try:
        yield
    except FileNotFoundError:
        raise RunError(f"{path} is missing: {missing}") from None
    except ContentError as error:
        raise RunError(f"{path} is damaged ({error.reason}): {damaged}") from error
    except DAMAGE as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise RunError(refusal(path, error)) from error
        raise RunError(f"{path} is damaged ({reason_of(error)}): {damaged}") from error


def write_sealed(path: Path, memory: io.BytesIO) -> None:
    """Write HDF5 content with a user block of `SEAL` bytes, in which its SHA-256 is put; see `replace_file`."""
    with memory.getbuffer() as content:
        content[:SEAL] = _seal(content)
        with replace_file(path) as out:
            out.write(content)


def read_sealed(path: Path) -> bytes:
    """Read a file of `write_sealed` whole, or one of HDF5 alone, as they were before there were seals.

    Raises
    ------
    ContentError
        If it is not what was written.
    OSError
        As from `bdfa_np.system.files.read_file`.
    """
    start, size = read_start(path, SEAL)
    if start.startswith(_HDF5):
        return read_file(path)
    if not start.startswith(_seal_of_size(size)):  # seen before 100 GB are read
        raise ContentError("it does not begin as what was written, or has another size")
    content = unmarked(read_file(path), SEAL)
    if content[:SEAL] != _seal(memoryview(content)):
        raise ContentError("it is not what was written: its SHA-256 is another")
    return content


def _seal(content: memoryview) -> bytes:
    digest = hashlib.sha256(content[SEAL:]).hexdigest()
    return (_seal_of_size(len(content)) + f"{digest}\n".encode()).ljust(SEAL, b"\0")


def _seal_of_size(size: int) -> bytes:
    return f"bdfa-np: from byte {SEAL} to {size} HDF5, of SHA-256\n".encode()


def read_text(path: Path) -> str:
    """Read a text file in UTF-8, of 16 MiB at most; raises as `read_sealed` does."""
    _, size = read_start(path, 0)
    if size > _LONGEST_TEXT:
        raise ContentError(f"it has {size:,} bytes")
    return read_file(path).decode()

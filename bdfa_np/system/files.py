"""Files that are either the old ones or the new ones, never something between."""

import contextlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

TEMPORARY_SUFFIX = ".partial"


@contextlib.contextmanager
def replace_file(path: Path) -> Iterator[BinaryIO]:
    """Open a temporary file beside ``path`` for writing; put it in the place of ``path`` once it is complete.

    An exception inside the context, or on the way to the disk, leaves ``path`` as it was and removes the
    temporary file. A process that is killed can leave one behind; see `remove_temporary_files`.

    Yields
    ------
    binary file
    """
    temporary = temporary_path(path)
    try:
        with open(temporary, "wb") as file:
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


def replace_text(path: Path, text: str) -> None:
    """Write a text file in UTF-8, replacing the one at ``path`` in one step."""
    with replace_file(path) as file:
        # A path on the command line need not be UTF-8; Python then holds characters that UTF-8 has no bytes for.
        file.write(text.encode(errors="backslashreplace"))


def remove_temporary_files(paths: Iterable[Path]) -> None:
    """Remove what a killed process left of `replace_file` for these paths, to which nobody else writes now."""
    for path in paths:
        temporary_path(path).unlink(missing_ok=True)


def temporary_path(path: Path) -> Path:
    """Return where a file is written before it is complete: beside its place, hidden."""
    return path.with_name(f".{path.name}{TEMPORARY_SUFFIX}")

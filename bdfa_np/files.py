"""Files that are either the old ones or the new ones, never something between."""

import contextlib
import os
from collections.abc import Iterator
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
    temporary = path.with_name(f".{path.name}{TEMPORARY_SUFFIX}")
    try:
        with open(temporary, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def replace_text(path: Path, text: str) -> None:
    """Write a text file in UTF-8, replacing the one at ``path`` in one step."""
    with replace_file(path) as file:
        file.write(text.encode())


def remove_temporary_files(folder: Path) -> None:
    """Remove what a killed process left of `replace_file` in a folder that nobody else writes to now."""
    for path in folder.glob(f".*{TEMPORARY_SUFFIX}"):
        path.unlink()

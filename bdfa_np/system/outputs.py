"""Writing to a file that a user names, as a shell's ``>`` finds its place, but whole or not at all."""

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from bdfa_np.system.files import replace_file


@contextlib.contextmanager
def open_output(path: Path) -> Iterator[BinaryIO]:
    """Open a file for writing: the one that a link leads to; a device or a pipe itself, ``/dev/null`` for example.

    A file is replaced as `bdfa_np.system.files.replace_file` does.

    Yields
    ------
    binary file
    """
    if _is_stream(path):
        with open(path, "wb") as stream:
            yield stream
        return
    with replace_file(Path(os.path.realpath(path))) as file:
        yield file


def write_output(path: Path, text: str) -> None:
    """Write a text in UTF-8, as `open_output` has it."""
    with open_output(path) as file:
        file.write(text.encode(errors="backslashreplace"))


def _is_stream(path: Path) -> bool:
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))

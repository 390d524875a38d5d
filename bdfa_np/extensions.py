"""What comes from outside of the package: rules and nets in a user's own files, or in other distributions."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from bdfa_np.errors import ExtensionError, UserError

# `bdfa --help` imports this, and what these import takes as long as all the rest.
if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

BROKEN = (Exception, SystemExit)
"""What somebody's code may end with that is its own mistake; an interrupt is not."""


def digest(path: Path) -> str:
    """Return the SHA-256 of a file, by which a run knows its net or its rule again."""
    import hashlib

    return hashlib.sha256(path.read_bytes()).hexdigest()


def file_of(thing: Any) -> Path:
    """Return the file in which a class or a function from outside is defined."""
    import inspect

    return Path(inspect.getfile(thing))


def run_file(path: Path, flag: str) -> ModuleType:
    """Run a user's file and return its module.

    Parameters
    ----------
    path : Path
        A Python file.
    flag : str
        The option that names it, for messages.

    Raises
    ------
    ExtensionError
        If the file cannot be run; with its own line number where there is one.
    """
    module = ModuleType(f"bdfa_extension_{path.stem}")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module  # dataclasses look their module up there
    try:
        # Not through importlib: it would put a cache beside the file, and take a file that was changed within
        # the cache's clock tick for the old one.
        exec(compile(path.read_bytes(), str(path), "exec"), vars(module))  # noqa: S102 - the user's own file
    except BROKEN as error:
        raise ExtensionError(describe(error, path, flag)) from error
    return module


def describe(error: BaseException, path: Path, flag: str, function: Any = None) -> str:
    """Say in one line what went wrong in somebody's file, and in which of its lines.

    That is the last line of the file that was reached; where none was, since a function takes other arguments, say,
    the line where the function begins.
    """
    import traceback

    if isinstance(error, SyntaxError) and error.filename == str(path):
        return f"{place(path, flag, error.lineno)}: SyntaxError: {error.msg}"
    frames = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    line = frames[-1] if frames else first_line(function, path)
    return f"{place(path, flag, line)}: {type(error).__name__}{f': {error}' if str(error) else ''}"


@contextmanager
def blamed(files: Mapping[str, Path | None]) -> Iterator[None]:
    """Say in one line what goes wrong in somebody's code while it is called from ours.

    Parameters
    ----------
    files : mapping of str to Path or None
        The files that somebody wrote, by the options that name them.

    Raises
    ------
    ExtensionError
        In place of an exception that passed through a line of one of the files; others go on as they are.
    """
    import traceback

    try:
        yield
    except (UserError, OSError, MemoryError):
        raise
    except Exception as error:
        passed = {frame.filename for frame in traceback.extract_tb(error.__traceback__)}
        for flag, path in files.items():
            if path is not None and str(path) in passed:
                raise ExtensionError(describe(error, path, flag)) from error
        raise


def place(path: Path, flag: str, line: int | None) -> str:
    """Return how a message about somebody's file begins."""
    return f"{flag} {path}{f', line {line}' if line else ''}"


def first_line(function: Any, path: Path) -> int | None:
    """Return the line of a file where a function begins, if it is one that stands there."""
    code = getattr(function, "__code__", None)
    return code.co_firstlineno if code is not None and code.co_filename == str(path) else None


def installed(group: str, name: str) -> EntryPoint | None:
    """Return what an installed distribution offers by a name in a group of entry points."""
    from importlib.metadata import entry_points

    return next(iter(entry_points(group=group, name=name)), None)


def offered(group: str) -> list[str]:
    """Return the names that installed distributions offer in a group of entry points."""
    from importlib.metadata import entry_points

    return sorted({entry.name for entry in entry_points(group=group)})


def distribution(group: str, name: str) -> dict[str, str]:
    """Return the name and version of the distribution that offers something; empty where none does."""
    entry = installed(group, name)
    return {entry.dist.name: entry.dist.version} if entry is not None and entry.dist is not None else {}


def load_installed(entry: EntryPoint, flag: str) -> Any:
    """Import what an entry point names.

    Raises
    ------
    ExtensionError
        If that fails.
    """
    try:
        return entry.load()
    except BROKEN as error:
        raise ExtensionError(
            f"{flag} {entry.name}: {entry.value} cannot be imported ({type(error).__name__}: {error})"
        ) from error

"""What comes from outside of the package: rules and nets in a user's own files, or in other distributions."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from bdfa_np.errors import ExtensionError, UntrustedError, UserError
from bdfa_np.system.files import open_file
from bdfa_np.system.streams import ReaderGone

# `bdfa --help` imports this, and what these import takes as long as all the rest.
if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

NOT_MISTAKES = (KeyboardInterrupt, GeneratorExit, ReaderGone)
"""What ends somebody's code and is no mistake in it; all else is, an exit too."""
LARGEST_FILE = 2**24
"""Bytes: of a longer file it may be said that nobody wrote it."""
LONGEST_MESSAGE = 400
"""Characters that are shown of what somebody's exception says."""


@dataclass(frozen=True)
class Code:
    """Somebody's file, read once: the bytes that were looked at are the bytes that are run.

    Attributes
    ----------
    path : Path
        Where it was read.
    content : bytes
        All of it.
    """

    path: Path
    content: bytes

    def __repr__(self) -> str:
        """Return where it was read, and its length."""
        return f"Code: {self.path}, {len(self.content):,} bytes"

    @property
    def sha256(self) -> str:
        """By which a run, and the list of files that may be run unasked, know it again."""
        import hashlib

        return hashlib.sha256(self.content).hexdigest()


_held: ContextVar[Mapping[str, Code] | None] = ContextVar("held", default=None)
_run_as: dict[str, str] = {}
"""Of every file from outside that was run, the option that named it: its lines are known in a traceback by it."""


@contextmanager
def held(files: Mapping[str, Code]) -> Iterator[None]:
    """Let these be run meanwhile, as they were read, and no other.

    Parameters
    ----------
    files : mapping of str to Code
        By the whole paths by which they are asked for. A file may have changed since, or be gone.
    """
    token = _held.set(files)
    try:
        yield
    finally:
        _held.reset(token)


def files_held() -> Mapping[str, Code]:
    """Return the files that may be run at present; none where nobody has named any."""
    return _held.get() or {}


def is_there(path: Path) -> bool:
    """Return whether there is such a file, or one is held in its place."""
    return whole(path) in files_held() or path.is_file()


def whole(path: Path) -> str:
    """Return the path by which a file from outside is known."""
    return str(path.resolve())


def read_code(path: Path) -> Code:
    """Return a file that is to be run: where files are held one of these, else as it lies there.

    Raises
    ------
    UntrustedError
        If others are held, so that nobody has looked whether this one may be run.
    ExtensionError
        If it is longer than anybody writes.
    """
    files = _held.get()
    if files is None:
        return read_file(path)
    if whole(path) not in files:
        raise UntrustedError(f"{path} was not there when it was looked at: start the command anew")
    return files[whole(path)]


def read_file(path: Path) -> Code:
    """Return a file as it lies there.

    Raises
    ------
    ExtensionError
        If it is longer than anybody writes.
    """
    with BufferedReader(open_file(path)) as file:
        content = file.read(LARGEST_FILE + 1)
    if len(content) > LARGEST_FILE:
        raise ExtensionError(f"{path} is longer than {LARGEST_FILE >> 20} MB: name a Python file that somebody wrote")
    return Code(path, content)


def digest(path: Path) -> str:
    """Return the SHA-256 of a file, by which a run knows its net or its rule again; nothing is run."""
    return (files_held().get(whole(path)) or read_file(path)).sha256


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
    code = read_code(path)
    module = ModuleType(f"bdfa_extension_{path.stem}")
    module.__file__ = str(code.path)
    sys.modules[module.__name__] = module  # dataclasses look their module up there
    _run_as[str(code.path)] = flag
    try:
        # Not through importlib: it would put a cache beside the file, and take a file that was changed within
        # the cache's clock tick for the old one.
        exec(compile(code.content, str(code.path), "exec"), vars(module))  # noqa: S102 - the user's own file
    except NOT_MISTAKES:
        raise
    except BaseException as error:
        raise ExtensionError(describe(error, code.path, flag)) from error
    return module


def describe(error: BaseException, path: Path, flag: str, function: Any = None) -> str:
    """Say in one line what went wrong in somebody's file, and in which of its lines.

    That is the last line of the file that was reached; where none was, since a function takes other arguments, say,
    the line where the function begins.
    """
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return f"{place(path, flag, error.lineno)}: SyntaxError: {shown(str(error.msg))}"
    lines = [line for file, line in _passed(error) if file == str(path)]
    line = lines[-1] if lines else first_line(function, path)
    return f"{place(path, flag, line)}: {said(error)}"


def said(error: BaseException) -> str:
    """Return the kind of an exception and what it says, in one line that can be shown."""
    try:
        text = str(error)
    except NOT_MISTAKES:
        raise
    except BaseException as other:
        text = f"what it says cannot be shown ({type(other).__name__})"
    return shown(f"{type(error).__name__}{f': {text}' if text else ''}")


def shown(text: str) -> str:
    """Return somebody's text in one line of printable characters, its end left out where it is long."""
    line = " ".join(text[: 2 * LONGEST_MESSAGE].split())
    line = "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in line)
    return line if len(line) <= LONGEST_MESSAGE else f"{line[:LONGEST_MESSAGE]} …"


@contextmanager
def blamed() -> Iterator[None]:
    """Say in one line what goes wrong in somebody's code while it is called from ours.

    Raises
    ------
    ExtensionError
        In place of whatever passed through a line of a net's or a rule's file, an exit too. Other exceptions go on as
        they are, and so do errors of ours that a user can mend, unless they were raised in such a file itself.
    """
    try:
        yield
    except (*NOT_MISTAKES, ExtensionError):
        raise
    except BaseException as error:
        found = told(error)
        if found is None:
            raise
        raise ExtensionError(found) from error


def is_theirs(error: BaseException) -> bool:
    """Return whether an exception passed through a line of somebody's file."""
    return any(file in _run_as for file, _ in _passed(error))


def told(error: BaseException) -> str | None:
    """Say what went wrong in somebody's code; None where it was not there."""
    passed = _passed(error)
    theirs = [(file, line) for file, line in passed if file in _run_as]
    # What we raise, and memory that we find too small, is theirs only where it began in their own lines.
    if theirs and not (isinstance(error, (UserError, MemoryError)) and passed[-1] != theirs[-1]):
        file, line = theirs[-1]
        return f"{place(Path(file), _run_as[file], line)}: {said(error)}"
    # Of a StopIteration a generator of ours makes another error, which has not been where the first was.
    if isinstance(error, RuntimeError) and isinstance(error.__cause__, (StopIteration, StopAsyncIteration)):
        return told(error.__cause__)
    return None


def _passed(error: BaseException) -> list[tuple[str, int]]:
    """Return the files and lines that an exception passed, the one that raised it last."""
    found, trace = [], error.__traceback__
    while trace is not None:
        found.append((trace.tb_frame.f_code.co_filename, trace.tb_lineno))
        trace = trace.tb_next
    return found


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
        thing = entry.load()
    except NOT_MISTAKES:
        raise
    except BaseException as error:
        raise ExtensionError(f"{flag} {entry.name}: {entry.value} cannot be imported ({said(error)})") from error
    if callable(thing):
        with suppress(TypeError, OSError):  # made by C, say: it has no lines
            _run_as[str(file_of(thing))] = flag
    return thing

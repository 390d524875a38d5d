"""Nets from a user's own file."""

import hashlib
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from bdfa_np.errors import ConfigError

Builder = Callable[..., Any]

BROKEN = (Exception, SystemExit)
"""What a user's file may end with that is its own mistake; an interrupt is not."""


def find_file(name: str, models_folder: str) -> Path:
    """Return the file that ``--network`` names: a path to a ``.py`` file, or a name under the models folder.

    Raises
    ------
    ConfigError
        If there is no such file.
    """
    path = Path(name) if name.endswith(".py") else Path(models_folder) / f"{name}.py"
    if not path.is_file():
        raise ConfigError(f"--network {name}: there is no built-in net of this name, and no file {path}")
    return path


def digest(path: Path) -> str:
    """Return the SHA-256 of a file, by which a run knows its net again."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def load_builder(path: Path) -> Builder:
    """Run a user's file and return its ``build`` function.

    Parameters
    ----------
    path : Path
        A Python file with ``build(config, input_shape, num_classes, rng, backend)``, which returns a `Sequential`.

    Raises
    ------
    ConfigError
        If the file cannot be run, or has no such function; with its own line number where there is one.
    """
    module = ModuleType(f"bdfa_network_{path.stem}")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module  # dataclasses look their module up there
    try:
        # Not through importlib: it would put a cache beside the file, and take a file that was changed within
        # the cache's clock tick for the old one.
        exec(compile(path.read_bytes(), str(path), "exec"), vars(module))  # noqa: S102 - the user's own file
    except BROKEN as error:
        raise ConfigError(describe(error, path)) from error
    build = getattr(module, "build", None)
    if not callable(build):
        raise ConfigError(f"--network {path} has no function build(config, input_shape, num_classes, rng, backend)")
    return build  # type: ignore[no-any-return]


def describe(error: BaseException, path: Path, build: Builder | None = None) -> str:
    """Say in one line what went wrong in a user's file, and in which of its lines.

    That is the last line of the file that was reached; where none was, since ``build`` takes other arguments, say,
    the line where ``build`` begins.
    """
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return f"{place(path, error.lineno)}: SyntaxError: {error.msg}"
    frames = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    line = frames[-1] if frames else first_line(build, path)
    return f"{place(path, line)}: {type(error).__name__}{f': {error}' if str(error) else ''}"


def place(path: Path, line: int | None) -> str:
    """Return how a message about a user's file begins."""
    return f"--network {path}{f', line {line}' if line else ''}"


def first_line(build: Builder | None, path: Path) -> int | None:
    """Return the line of a user's file where ``build`` begins, if it is a function that stands there."""
    code = getattr(build, "__code__", None)
    return code.co_firstlineno if code is not None and code.co_filename == str(path) else None

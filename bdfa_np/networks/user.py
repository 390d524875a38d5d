"""Nets from a user's own file."""

import hashlib
import importlib.util
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bdfa_np.errors import ConfigError

Builder = Callable[..., Any]


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
    spec = importlib.util.spec_from_file_location(f"bdfa_network_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise ConfigError(f"--network {path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise ConfigError(describe(error, path)) from error
    build = getattr(module, "build", None)
    if not callable(build):
        raise ConfigError(f"--network {path} has no function build(config, input_shape, num_classes, rng, backend)")
    return build  # type: ignore[no-any-return]


def describe(error: BaseException, path: Path) -> str:
    """Say in one line what went wrong in a user's file, and in which of its lines."""
    if isinstance(error, SyntaxError) and error.filename == str(path):
        line, what = error.lineno, f"SyntaxError: {error.msg}"
    else:
        frames = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
        line, what = (frames[-1] if frames else None), f"{type(error).__name__}: {error}"
    return f"--network {path}{f', line {line}' if line else ''}: {what}"

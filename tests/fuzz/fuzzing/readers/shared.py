"""What several readers' fuzzing needs."""

import contextlib
import hashlib
import io
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from bdfa_np.cli.group import bdfa
from bdfa_np.cli.outcome import run
from bdfa_np.data import Dataset
from bdfa_np.errors import UserError


def pixels(*shape: int) -> np.ndarray:
    """Return bytes, the same for the same shape."""
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def digest(values: Iterable[object]) -> str:
    """Return what tells arrays, and whatever else is among the values, from any others."""
    found = hashlib.sha256()
    for value in values:
        if isinstance(value, np.ndarray):
            found.update(f"{value.dtype} {value.shape}".encode() + value.tobytes())
        else:
            found.update(repr(value).encode())
    return found.hexdigest()


def digest_of(dataset: Dataset) -> str:
    """Return what tells a data set's samples, labels and classes from any others."""
    parts = (dataset.train_images, dataset.train_labels, dataset.test_images, dataset.test_labels)
    return digest([*parts, dataset.class_names])


def command(*arguments: object) -> str:
    """Run a command in this process and return what it printed.

    Raises
    ------
    UserError
        If it ended as it does after an error that a user can mend; its line is the message.
    """
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run(bdfa, [str(argument) for argument in arguments])
    if code == 2:
        raise UserError(err.getvalue().rstrip("\n"))
    assert code == 0, f"exit code {code}: {err.getvalue()[-300:]}"
    return out.getvalue()


def write(path: Path, content: bytes) -> Path:
    """Put an input in its place and return that."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path

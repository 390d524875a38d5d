"""A run folder as a test wants it: held by a process or not, with so many epochs done."""

import contextlib
import shutil
from pathlib import Path

import numpy as np
import pytest

from bdfa_np.cli.group import bdfa as group
from bdfa_np.cli.outcome import run
from bdfa_np.diagnostics.diagnostics import Diagnostics
from bdfa_np.runs.store.lock import alone

EPOCHS = 3
NET = "--dataset mnist-5k --num-hidden 5 --num-layers 2 --train-limit 100 --test-limit 50 --threads 1 --gradient dfa"


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Give the folder of a run of three epochs."""
    folder = tmp_path_factory.mktemp("runs") / "dfa"
    assert run(group, ["train", *NET.split(), "--epochs", str(EPOCHS), "--save", str(folder)]) == 0
    return folder


class Run:
    """A run folder that a test writes step by step, as the process that trains would."""

    def __init__(self, finished: Path, path: Path) -> None:
        self.path = path
        self.finished = finished
        self._held = contextlib.ExitStack()

    def begin(self) -> None:
        """Let a process be at work, which has nothing but a hidden folder yet."""
        (self.path / ".new").mkdir(parents=True)
        self._held.enter_context(alone(self.path))

    def do(self, epochs: int, extra: str = "") -> None:
        """Let so many epochs be done; ``extra`` is what metrics.csv ends with."""
        with contextlib.suppress(FileNotFoundError):
            (self.path / ".new").rmdir()
        for name in ("config.toml", "checkpoint.h5", "history.bin", "preprocessing.h5"):
            shutil.copy2(self.finished / name, self.path)
        lines = (self.finished / "metrics.csv").read_text().splitlines(keepends=True)
        (self.path / "metrics.csv").write_text("".join(lines[: epochs + 1]) + extra)

    def finish(self) -> None:
        """Let the run come to its end."""
        self.do(EPOCHS)
        shutil.copy2(self.finished / "result.toml", self.path)
        self.end()

    def end(self) -> None:
        """Let nobody be at work any longer."""
        self._held.close()


@pytest.fixture
def a_run(finished, tmp_path, monkeypatch):
    """Give a run that has not begun; it is at ``runs/a`` of the current folder."""
    monkeypatch.chdir(tmp_path)
    made = Run(finished, Path("runs/a"))
    yield made
    made.end()


@pytest.fixture
def measured():
    """Give a function that makes up angles."""
    return _measured


def _measured(layers: int = 3, times: int = 4) -> Diagnostics:
    """Return angles, of which that of the first layer at the second time means nothing."""
    epochs = np.arange(times, dtype=np.float64)
    values = np.stack([80.0 - 10 * epochs - number for number in range(layers)], axis=1)
    meaningful = np.ones_like(values)
    meaningful[1, 0] = 0
    names = tuple(f"linear{number}" for number in range(1, layers + 1))
    return Diagnostics(names, epochs, 2 * np.arange(times), {"signal_angle": values, "meaningful": meaningful})

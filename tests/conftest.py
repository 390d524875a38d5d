"""Fixtures that several test files share."""

import itertools
import math
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest

from bdfa_np.backend.base import Array, Backend
from bdfa_np.backend.cpu.backend import NumpyBackend
from bdfa_np.cli.group import bdfa as group
from bdfa_np.cli.outcome import run
from bdfa_np.runs.checkpoint import read_checkpoint
from bdfa_np.system.threads import limited_threads

_NUMBERS = itertools.count()

TINY = ["--dataset", "mnist-5k", "--num-hidden", "20", "--train-limit", "300", "--test-limit", "100", "--threads", "1"]


def pytest_configure(config: pytest.Config) -> None:
    """Hear Ctrl-C also where the tests were started in the background of a shell, which has its jobs ignore it.

    A child inherits what is ignored, and the tests press Ctrl-C on children.

    Side by side, files are handed out in the order of their names: those with few tests have the longest ones, and one
    of them at the very end would be waited for alone.
    """
    if hasattr(config.option, "loadscopereorder"):
        config.option.loadscopereorder = False
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> Iterator[None]:
    """Let BLAS use one thread where a test names no number: workers side by side would wait for each other's."""
    import scipy.linalg  # noqa: F401 - it has a BLAS of its own, and only what is loaded by now is limited

    with limited_threads(1):
        yield


@pytest.fixture(autouse=True)
def _caches_of_its_own(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep what a test prepares out of the user's folders."""
    monkeypatch.setenv("BDFA_CACHE_DIR", str(tmp_path_factory.getbasetemp() / f"prepared{next(_NUMBERS)}"))


@pytest.fixture(autouse=True)
def _threads_that_are_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a run that is given no number of threads have one: what a trial chooses hangs on who else computes."""
    monkeypatch.setattr("bdfa_np.runs.threads.choosing.FEWEST_STEPS", math.inf)


@pytest.fixture(autouse=True, scope="session")
def _no_list_of_the_users(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the files that fixtures of whole modules name out of the user's list of trusted ones."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BDFA_CONFIG_DIR", str(tmp_path_factory.getbasetemp() / "config"))
        yield


@pytest.fixture(autouse=True)
def _list_of_its_own(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give each test a list of trusted files of its own."""
    monkeypatch.setenv("BDFA_CONFIG_DIR", str(tmp_path_factory.getbasetemp() / f"config{next(_NUMBERS)}"))


@pytest.fixture
def backend() -> Backend:
    """Give the backend in float64, the precision in which formulas are checked."""
    return NumpyBackend("float64")


class _InAnotherOrder(NumpyBackend):
    """NumPy that sums from the other end, as another machine may."""

    def matmul(self, a: Array, b: Array, out: Array, accumulate: bool = False) -> Array:
        product = np.zeros(out.shape, self.dtype)
        for k in reversed(range(a.shape[1])):
            product += np.multiply.outer(a[:, k], b[k])
        out[...] = out + product if accumulate else product
        return out

    def column_sum(self, a: Array, out: Array, accumulate: bool = False) -> Array:
        return super().column_sum(np.ascontiguousarray(a[::-1]), out, accumulate)

    def convolve(self, x: Array, W: Array, out: Array, stride: int, padding: int) -> Array:
        turned = (np.ascontiguousarray(array) for array in (x[..., ::-1], W[:, :, ::-1]))
        return super().convolve(*turned, out, stride, padding)

    def convolve_weight_gradient(
        self, x: Array, grad_y: Array, out: Array, stride: int, padding: int, accumulate: bool = False
    ) -> Array:
        turned = (np.ascontiguousarray(array[::-1]) for array in (x, grad_y))
        return super().convolve_weight_gradient(*turned, out, stride, padding, accumulate)


@pytest.fixture(params=["float64", "float32"])
def in_another_order(request: pytest.FixtureRequest) -> Backend:
    """Give a backend that is right and rounds otherwise, in either precision."""
    return _InAnotherOrder(request.param)


@dataclass(frozen=True)
class Outcome:
    """How a command ended and what it printed."""

    code: int
    out: str
    err: str


class CommandLine:
    """Calls ``bdfa``: in this process, which is quick, or as a child, where the process itself matters."""

    script = Path(sys.executable).with_name("bdfa")

    def __init__(self, capsys: pytest.CaptureFixture[str], folder: Path) -> None:
        self._capsys = capsys
        self._folder = folder

    def __call__(self, *arguments: object) -> Outcome:
        """Call in this process."""
        self._capsys.readouterr()
        code = run(group, [str(argument) for argument in arguments])
        out, err = self._capsys.readouterr()
        return Outcome(code, out, err)

    @staticmethod
    def understood(*arguments: str) -> None:
        """Parse a call as it would be carried out; raise what is said of one that is wrong."""
        context, command, words = click.Context(group, info_name="bdfa", **group.context_settings), group, [*arguments]
        while isinstance(command, click.Group) and words:
            name, command, words = command.resolve_command(context, words)
            context = click.Context(command, info_name=name, parent=context)
        with command.make_context(context.info_name, words, parent=context.parent) as made:
            assert made.args == []

    def train(self, folder: Path, *options: object) -> Outcome:
        """Train a tiny net, which must succeed."""
        outcome = self("train", *TINY, "--save", folder, *options)
        assert (outcome.code, outcome.err) == (0, "")
        return outcome

    def resume(self, folder: Path, *options: object) -> Outcome:
        """Go on with a run, which must succeed."""
        outcome = self("train", "--save", folder, "--resume", *options)
        assert (outcome.code, outcome.err) == (0, "")
        return outcome

    def refused(self, *arguments: object) -> str:
        """Make a call that must fail as every error a user can cause does; return its one line."""
        outcome = self(*arguments)
        lines = outcome.err.splitlines()
        assert outcome.code == 2, outcome
        assert len(lines) == 1, lines
        assert lines[0].startswith("bdfa")
        assert "error: " in lines[0]
        return lines[0]

    def start(self, *arguments: object, **settings: Any) -> subprocess.Popen[str]:
        """Start a child, its output piped unless ``settings`` say otherwise."""
        command = [str(self.script), *map(str, arguments)]
        environment = os.environ | {"PYTHONWARNINGS": "error"} | settings.pop("env", {})
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | settings
        return subprocess.Popen(command, text=True, cwd=self._folder, env=environment, **streams)

    @staticmethod
    def read_until(process: subprocess.Popen[str], start: str) -> None:
        """Read a child's output up to the first line with this beginning."""
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith(start):
                return
        raise AssertionError(f"the child ended before it printed {start!r}")

    def child(self, *arguments: object, **settings: Any) -> Outcome:
        """Call in a child and wait for its end."""
        with self.start(*arguments, **settings) as process:
            out, err = process.communicate(timeout=60)
        return Outcome(process.returncode, out or "", err or "")

    def on_a_terminal(self, *arguments: object, **environment: str) -> tuple[int, str]:
        """Call in a child with a pseudo-terminal for its output; return the exit code and what was sent there."""
        pty = pytest.importorskip("pty", reason="pseudo-terminals are POSIX's")
        ours, theirs = pty.openpty()
        environment = {"TERM": "xterm-256color", "COLUMNS": "100", **environment}
        with self.start(*arguments, stdout=theirs, stderr=theirs, env=environment) as process:
            os.close(theirs)
            sent = b""
            while True:
                try:
                    block = os.read(ours, 65536)
                except OSError:  # how Linux says that the other side is gone
                    break
                if not block:
                    break
                sent += block
        os.close(ours)
        return process.returncode, sent.decode()


@pytest.fixture
def bdfa(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    """Give the command line, called from an empty folder."""
    monkeypatch.chdir(tmp_path)
    for name in ("BDFA_DATA_DIR", "FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    return CommandLine(capsys, tmp_path)


def _result(folder: Path) -> dict[str, Any]:
    """Return all that a run has come to, as far as a repetition must give the same bits: all but the times."""
    checkpoint = read_checkpoint(folder / "checkpoint.h5")
    groups = ("weights", "feedback", "layers", "optimizer", "rule")
    return {
        "arrays": {(g, name): array.tobytes() for g in groups for name, array in getattr(checkpoint, g).items()},
        "counts": (checkpoint.learning_rate, checkpoint.steps, checkpoint.training_passes, checkpoint.rule_counters),
        "progress": asdict(checkpoint.progress),
        "history": [asdict(record) | {"seconds": 0} for record in checkpoint.history],
        "metrics": [line.rsplit(",", 1)[0] for line in (folder / "metrics.csv").read_text().splitlines()],
        "files": {name: (folder / name).read_bytes() for name in ("confusion.csv", "ErrorRate.log")},
    }


@pytest.fixture
def result() -> Any:
    """Give the function that returns all of a run that must come out the same again."""
    return _result


@pytest.fixture
def tiny() -> list[str]:
    """Give the options of a net that trains in no time."""
    return list(TINY)

"""In a child: whole epochs as ``bdfa train`` runs them, beside the same number of steps on batches that lie ready.

An epoch is timed from the moment its first batch is asked for until its last step is done: batches are gathered and
normalised, the loss is added up, the display is told. Testing and saving, which come after it, are not in it.
"""

import contextlib
import os
import pty
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from bdfa_np import Config, build_model
from bdfa_np.batches import BatchSource
from bdfa_np.cli.display import Display
from bdfa_np.model import Model
from bdfa_np.runs.data import RunData, load_run_data
from bdfa_np.runs.folder import RunFolder
from bdfa_np.runs.session import Session
from bdfa_np.trainer import EpochRecord

SMALL_TEST = 1000


class TimedSource:
    """A source of batches that notes the seconds from the first batch asked for to the end of the epoch."""

    def __init__(self, source: BatchSource) -> None:
        self.source = source
        self.seconds = 0.0

    def __len__(self) -> int:
        """Return the number of batches."""
        return len(self.source)

    def epoch(self, number: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield the batches of an epoch."""
        start = perf_counter()
        yield from self.source.epoch(number)
        self.seconds = perf_counter() - start


class TimedDisplay(Display):
    """A display that adds up the seconds that are spent in it."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds = 0.0

    @contextlib.contextmanager
    def _timed(self) -> Iterator[None]:
        start = perf_counter()
        yield
        self.seconds += perf_counter() - start

    def epoch_begins(self, number: int, epochs: int, steps: int) -> None:
        """Show the bar."""
        with self._timed():
            super().epoch_begins(number, epochs, steps)

    def step(self, number: int) -> None:
        """Move the bar."""
        with self._timed():
            super().step(number)

    def epoch_ends(self, record: EpochRecord) -> None:
        """Take the bar away."""
        with self._timed():
            super().epoch_ends(record)

    def line(self, text: str) -> None:
        """Print a line."""
        with self._timed():
            super().line(text)


@contextlib.contextmanager
def terminal() -> Iterator[None]:
    """Make standard output a terminal, whose other end is read and forgotten."""
    master, slave = pty.openpty()

    def forget() -> None:
        with contextlib.suppress(OSError):  # the end, when the terminal is closed
            while os.read(master, 4096):
                pass

    reader = threading.Thread(target=forget, daemon=True)
    reader.start()
    with os.fdopen(slave, "w") as stream, contextlib.redirect_stdout(stream):
        yield
    reader.join()
    os.close(master)


def load(images: int) -> RunData:
    """Return MNIST, or the digits that come with the package, as a run of ``bdfa train`` has them."""
    return load_run_data(configuration(images))


def configuration(images: int) -> Config:
    """Return the options of the run."""
    folder = os.environ.get("BDFA_DATA_DIR")
    dataset = "mnist" if folder and (Path(folder) / "mnist").is_dir() else "mnist-5k"
    limits = {} if dataset == "mnist-5k" else {"train_limit": images, "test_limit": SMALL_TEST}
    return Config(dataset=dataset, gradient="dfa", backend="numpy", epochs=1, **limits).resolve()


class Run:
    """A model and its data; two sessions train it in turn, one of them on a terminal."""

    def __init__(self, images: int) -> None:
        self.data = load(images)
        config = configuration(images)
        self.model = build_model(config, self.data.split.input_shape, len(self.data.split.class_names))
        self._runs = Path(tempfile.mkdtemp(prefix="runs"))  # for the parent to remove, which ends this process
        self.plain = self._session("plain")
        with terminal():
            self.shown = self._session("shown")
        batches = self.plain.trainer.train.epoch(1)
        self.ready = [(x.copy(), labels.copy()) for x, labels in batches]

    def _session(self, name: str) -> Session:
        folder = RunFolder(self._runs / name)
        folder.path.mkdir()
        session = Session(folder, self.model, self.data, TimedDisplay())
        session.trainer.train = TimedSource(session.trainer.train)
        return session

    def epoch(self, session: Session) -> float:
        """Train an epoch, test and save; return the seconds of training."""
        done = session.trainer.progress.epoch
        session.model = replace(self.model, config=replace(self.model.config, epochs=done + 1))
        session.run()
        assert isinstance(session.trainer.train, TimedSource)
        return session.trainer.train.seconds

    def epoch_on_a_terminal(self) -> dict[str, float]:
        """Train an epoch with a progress bar; also return the seconds spent on what is shown."""
        display = self.shown.listener
        assert isinstance(display, TimedDisplay)
        display.seconds = 0.0
        with terminal():
            seconds = self.epoch(self.shown)
        return {"epoch on a terminal": seconds, "display": display.seconds}

    def steps(self) -> float:
        """Train on the batches that lie ready, and return the seconds."""
        trainer = self.plain.trainer
        start = perf_counter()
        with self.model.backend.non_finite_allowed():
            for x, labels in self.ready:
                trainer.step(x, labels)
        return perf_counter() - start


def first_epochs(model: Model, data: RunData) -> dict[str, float]:
    """Train a new model, whose weights are zero, for three epochs, and return the seconds of each."""
    source = TimedSource(data.train_batches(model.config.batch_size, model.streams))
    trainer = model.trainer(source, data.test_batches(model.config.batch_size))
    names = ("first epoch", "second epoch", "third epoch")
    return {name: source.seconds for name, _ in zip(names, trainer.run(3), strict=True)}


_runs: dict[int, Run] = {}


def answer(request: dict[str, Any]) -> dict[str, float]:
    """Do what is asked for, and return its seconds."""
    images = request["images"]
    run = _runs.get(images) or _runs.setdefault(images, Run(images))
    if request["do"] == "steps":
        return {"steps": run.steps()}
    if request["do"] == "epoch":
        return {"epoch": run.epoch(run.plain)}
    if request["do"] == "epoch on a terminal":
        return run.epoch_on_a_terminal()
    model = build_model(run.model.config, run.data.split.input_shape, len(run.data.split.class_names))
    return first_epochs(model, run.data)

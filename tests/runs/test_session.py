"""Runs without a terminal: what the command, Python and benchmarks share."""

from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from bdfa_np import Config, load_run
from bdfa_np.errors import ConfigError, RunError
from bdfa_np.runs.evaluation import evaluate_run
from bdfa_np.runs.events import Listener
from bdfa_np.runs.starting import resume_run, start_run
from bdfa_np.trainer import Trainer

TINY = {"dataset": "mnist-5k", "num_hidden": 10, "train_limit": 200, "test_limit": 50, "threads": 1, "backend": "numpy"}


class Notebook(Listener):
    """Notes all that it hears."""

    def __init__(self):
        self.heard = []

    def line(self, text):
        self.heard.append(("line", text))

    def epoch_begins(self, number, epochs, steps):
        self.heard.append(("begins", number, epochs, steps))

    def step(self, number):
        self.heard.append(("step", number))

    def epoch_ends(self, record):
        self.heard.append(("ends", record.epoch, record.test_error))

    def ends(self):
        self.heard.append(("over",))


def test_a_run_from_python_gives_its_model_and_history_and_prints_nothing(tmp_path, capfd):
    session = start_run(Config(**TINY, epochs=2, lr=1e-3), tmp_path / "run")
    assert capfd.readouterr() == ("", "")
    assert [record.epoch for record in session.history] == [1, 2]
    loaded = load_run(tmp_path / "run")
    assert (loaded.network.weights.values == session.model.network.weights.values).all()


def test_it_is_the_same_run_as_the_commands(tmp_path, bdfa, result):
    start_run(Config(**TINY, epochs=2, gradient="dfa"), tmp_path / "python")
    options = [f"--{name.replace('_', '-')}={value}" for name, value in TINY.items()]
    assert bdfa("train", *options, "--epochs", 2, "--gradient", "dfa", "--save", "command").code == 0
    assert result(tmp_path / "python") == result(Path("command"))


def test_whoever_listens_hears_of_every_epoch_step_and_line_in_order(tmp_path):
    listener = Notebook()
    session = start_run(Config(**TINY, epochs=2), tmp_path / "run", listener=listener)
    kinds = [event[0] for event in listener.heard]
    first = kinds.index("begins")
    assert listener.heard[first] == ("begins", 1, 2, 4)
    assert listener.heard[first + 1 : first + 5] == [("step", number) for number in range(1, 5)]
    assert listener.heard[first + 5] == ("ends", 1, session.history[0].test_error)
    assert listener.heard[first + 6][1].startswith("epoch 1/2: ")
    assert kinds.count("begins") == 2
    end = len(kinds) - kinds[::-1].index("over")
    assert set(kinds[end:]) == {"line"}
    assert listener.heard[end][1].startswith("done: ")
    lines = [event[1] for event in listener.heard if event[0] == "line"]
    assert (tmp_path / "run" / "Log.txt").read_text().splitlines()[-len(lines) :] == lines


@pytest.mark.parametrize("threads", [1, 2])
def test_threads_are_honoured_and_given_back(tmp_path, monkeypatch, threads):
    def blas():
        return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}

    before, used = blas(), set()
    step = Trainer.step
    monkeypatch.setattr(Trainer, "step", lambda *arguments: (used.update(blas()), step(*arguments))[1])
    start_run(Config(**TINY | {"threads": threads}, epochs=1), tmp_path / "run")
    resume_run(tmp_path / "run", {"epochs": 2})
    assert used == {threads}
    assert blas() == before


def test_a_run_goes_on_from_python_to_the_same_bits(tmp_path, result):
    start_run(Config(**TINY, epochs=3, optimization="adam"), tmp_path / "whole")
    start_run(Config(**TINY, epochs=1, optimization="adam"), tmp_path / "parts")
    session = resume_run(tmp_path / "parts", {"epochs": 3})
    assert len(session.history) == 3
    assert result(tmp_path / "parts") == result(tmp_path / "whole")
    with pytest.raises(ConfigError, match=r"--lr 0\.5 differs from the run's 0\.0001"):
        resume_run(tmp_path / "parts", {"lr": 0.5})


def test_a_run_that_is_there_is_not_replaced(tmp_path):
    start_run(Config(**TINY, epochs=1), tmp_path / "run")
    with pytest.raises(RunError, match="holds a run already"):
        start_run(Config(**TINY, epochs=1), tmp_path / "run")
    start_run(Config(**TINY, epochs=1, seed=4), tmp_path / "run", force=True)


def test_what_a_run_has_trained_is_tested_from_python(tmp_path):
    start_run(Config(**TINY, epochs=1, validate=True), tmp_path / "run")
    tested = evaluate_run(tmp_path / "run")
    assert (tested.epoch, tested.confusion.total) == (1, 1000)
    assert evaluate_run(tmp_path / "run", "validation").confusion.total == 800
    model = load_run(tmp_path / "run")
    assert np.isfinite(tested.loss)
    assert model.config.validate

"""The bar over an epoch's steps: what it shows, and where it must not be."""

import re

import pytest

from bdfa_np import Config
from bdfa_np.metrics import Tally
from bdfa_np.runs.events import Listener
from bdfa_np.runs.starting import resume_run, start_run

ESCAPE = "\x1b"
TINY = {"dataset": "mnist-5k", "num_hidden": 10, "train_limit": 200, "test_limit": 50, "threads": 1, "backend": "numpy"}


def plain(sent):
    """Return what was sent to a terminal without its escapes."""
    return re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", sent)


@pytest.fixture
def training(tiny):
    return ["train", *tiny, "--epochs", "2", "--save", "run", "--backend", "numpy"]


def test_it_shows_the_loss_and_the_error_so_far_and_starts_no_epoch_after_the_last(bdfa, training):
    code, sent = bdfa.on_a_terminal(*training)
    assert code == 0
    assert re.search(r"5/5 loss \d+\.\d{4} error \d+\.\d\d%", plain(sent))
    assert "epoch 2/2" in sent
    assert "epoch 3/2" not in sent


def test_it_fits_80_columns(bdfa, training):
    code, sent = bdfa.on_a_terminal(*training, COLUMNS="80")
    assert code == 0
    shown = re.split(r"[\r\n]+", plain(sent))
    bars = [line for line in shown if "━" in line]
    assert bars
    assert max(map(len, bars)) <= 80
    assert all("…" not in line for line in bars)


@pytest.mark.parametrize("name", ["FORCE_COLOR", "TTY_COMPATIBLE"])
def test_it_does_not_animate_into_a_file(bdfa, training, name):
    outcome = bdfa.child(*training, env={name: "1"})
    assert outcome.code == 0
    assert ESCAPE not in outcome.out + outcome.err
    assert "━" not in outcome.out


def test_it_does_not_animate_in_a_notebooks_cell_though_that_has_a_terminal(bdfa, training):
    code, sent = bdfa.on_a_terminal(*training, JPY_PARENT_PID="1")
    assert code == 0
    assert ESCAPE not in sent
    assert "━" not in sent
    assert "done: test error" in sent


class Asking(Listener):
    def __init__(self):
        self.figures = []
        self.begun = []

    def training_begins(self, so_far):
        self.so_far = so_far

    def epoch_begins(self, number, epochs, steps):
        self.begun.append(number)
        self.steps = steps

    def step(self, number):
        self.asked = self.so_far() if number == self.steps else None

    def epoch_ends(self, record):
        self.figures.append((self.asked, (record.train_loss, record.train_error)))


def test_after_the_last_step_so_far_is_what_the_epoch_comes_to(tmp_path):
    listener = Asking()
    start_run(Config(**TINY, epochs=2), tmp_path / "run", listener=listener)
    assert [asked for asked, _ in listener.figures] == [figures for _, figures in listener.figures]


def test_an_epoch_begins_for_each_that_ends_whatever_ends_the_run(tmp_path):
    patient = {"epochs": 9, "patience": 1, "validate": True, "lr": 1e-9}
    for name, options in {"all": {"epochs": 2}, "patience": patient}.items():
        listener = Asking()
        session = start_run(Config(**TINY, **options, gradient="bp"), tmp_path / name, listener=listener)
        assert listener.begun == [record.epoch for record in session.history] == [1, 2]
    listener = Asking()
    resume_run(tmp_path / "all", {}, listener=listener)
    assert listener.begun == []


def test_nothing_is_read_of_the_figures_of_an_epoch_unless_somebody_asks(tmp_path, monkeypatch):
    reads = []
    read = Tally.confusion
    monkeypatch.setattr(Tally, "confusion", lambda self: (reads.append(1), read(self))[1])
    start_run(Config(**TINY, epochs=1), tmp_path / "run")
    quiet = len(reads)
    start_run(Config(**TINY, epochs=1), tmp_path / "other", listener=Asking())
    assert len(reads) == 2 * quiet + 2  # for the loss and for the error, at the last step

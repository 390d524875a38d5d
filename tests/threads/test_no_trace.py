"""The trial before a run leaves no trace: the run has the bits of one that was told its number of threads."""

import importlib
import random
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from bdfa_np import Config
from bdfa_np.backend.cpu.threads import threads
from bdfa_np.runs.data import load_run_data
from bdfa_np.runs.threads import choosing, trial
from bdfa_np.trainer import Trainer

SMALL = ["--dataset", "mnist-5k", "--train-limit", 60, "--test-limit", 20, "--batch-size", 8, "--lr", "1e-3"]
SMALL += ["--backend", "numpy"]
NET = """import random, warnings
import numpy as np
from bdfa_np import Flatten, Layer, Linear, Sequential, Tanh

class Noise(Layer):
    kind = "noise"
    def forward(self, x, train=True):
        print("forward", random.random())
        warnings.warn("noise is drawn from a generator that all share", stacklevel=1)
        return x + np.random.normal(size=x.shape).astype(x.dtype) * np.float32(random.random())
    def backward(self, grad_y, need_grad_in=True):
        return grad_y

def build(config, input_shape, num_classes, rng, backend):
    return Sequential([Flatten(), Linear(5), Noise(), Tanh(), Linear(num_classes)], input_shape, backend=backend,
                      rng=rng)
"""


@pytest.fixture
def trials(monkeypatch):
    """Let every run of a few steps be tried on two cores, and the faster number be as told; give what was timed."""
    monkeypatch.setattr("bdfa_np.runs.threads.cores.usable_cores", lambda: 2)
    monkeypatch.setattr(choosing, "SHORTEST", 0)
    monkeypatch.setattr(choosing, "FEWEST_STEPS", 4)
    monkeypatch.setattr(choosing, "BLOCK", 1e-6)
    whole = choosing.compare

    def compare(timer, cores, first, seconds):
        timed.append(whole(timer, cores, first, seconds))
        return (2.0, 1.0) if timed.faster == 2 else (1.0, 2.0)

    class Timed(list):
        faster = 2

    timed = Timed()
    monkeypatch.setattr(choosing, "compare", compare)
    return timed


@pytest.mark.parametrize(
    ("faster", "options"),
    [
        (1, "--gradient bdfa --num-hidden 20 --dropout 1 --batchnorm 1 --augment"),
        (2, "--gradient bp --num-hidden 5 --optimization nag --momentum 0.9 --max-in-norm 0.5 --eps 0.05"),
        pytest.param(2, "--network conv --gradient dfa --dropout 1 --batch-size 5", marks=pytest.mark.slow),
    ],
)
def test_a_run_has_the_bits_of_one_that_was_told_the_number(bdfa, trials, result, options, faster):
    trials.faster = faster
    given = ["train", *SMALL, "--epochs", 2, *options.split(), "--save"]
    assert bdfa(*given, "auto").code == 0
    assert len(trials) == 1
    assert bdfa(*given, "told", "--threads", faster).code == 0
    assert len(trials) == 1
    assert result(Path("auto")) == result(Path("told"))


def test_so_many_threads_train_in_the_trial_as_are_timed_and_in_the_run_as_are_chosen(bdfa, monkeypatch, trials):
    used = []

    def step(self, x, labels, whole=Trainer.step):
        used.append(threads())
        whole(self, x, labels)

    monkeypatch.setattr(Trainer, "step", step)
    assert bdfa("train", *SMALL, "--num-hidden", 5, "--epochs", 2, "--save", "run").code == 0
    in_trial, in_run = used[:-16], used[-16:]
    assert in_trial[:4] == [1, 1, 2, 2]
    assert set(in_run) == {2}


def test_what_a_users_net_draws_prints_and_warns_of_is_as_if_there_had_been_no_trial(bdfa, trials, result):
    Path("net.py").write_text(NET, encoding="utf-8")
    given = [*SMALL, "--network", "net.py", "--gradient", "bp", "--epochs", 1, "--save"]
    printed = []
    importlib.import_module("rich.style")  # which draws from the shared generator when it is first imported
    for folder, told in ("auto", []), ("told", ["--threads", 2]):
        random.seed(1)
        np.random.seed(1)
        with pytest.warns(UserWarning, match="a generator that all share") as warned:
            outcome = bdfa("train", *given, folder, *told)
        assert outcome.code == 0
        printed.append([line for line in outcome.out.splitlines() if line.startswith("forward")])
        assert len(warned) == len(printed[-1]) == 11
    assert len(trials) == 1
    assert printed[0] == printed[1]
    assert result(Path("auto")) == result(Path("told"))


@pytest.mark.parametrize("broken", ["forward", "backward"])
def test_a_users_net_that_raises_in_the_trial_is_blamed_and_nothing_is_left(bdfa, trials, broken):
    lines = NET.splitlines()
    at = next(number for number, line in enumerate(lines) if f"def {broken}" in line)
    lines.insert(at + 1, "        1 / 0")
    Path("net.py").write_text("\n".join(lines), encoding="utf-8")
    line = bdfa.refused("train", "--dataset", "mnist-5k", "--network", "net.py", "--gradient", "bp", "--save", "run")
    assert f"net.py, line {at + 2}: ZeroDivisionError" in line
    assert not Path("run").exists()


def test_batches_go_round_as_often_as_is_timed_and_smaller_ones_are_left_out(monkeypatch):
    seen = []

    def step(self, x, labels, whole=Trainer.step):
        seen.append(len(x))
        whole(self, x, labels)

    monkeypatch.setattr(Trainer, "step", step)
    config = Config(dataset="mnist-5k", train_limit=21, batch_size=8, num_hidden=5, backend="numpy").resolve()
    data = choosing.settle(config.replace(threads=1), partial(load_run_data, config), pytest.fail)[1]
    with trial.trial(config, data) as timer:
        assert timer(1, 7) > 0
    assert seen == [8] * 7

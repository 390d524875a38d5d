"""The trial before a run leaves no trace: the run has the bits of one that was told its number of threads."""

import random
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from bdfa_np import Config
from bdfa_np.runs.starting import start_run
from bdfa_np.runs.threads import choosing, trial
from bdfa_np.trainer import Trainer

SMALL = {"dataset": "mnist-5k", "train_limit": 160, "test_limit": 50, "batch_size": 8, "lr": 1e-3, "backend": "numpy"}
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
    timed = []
    whole = choosing.compare

    def compare(timer, cores, first, seconds):
        timed.append(whole(timer, cores, first, seconds))
        return (2.0, 1.0) if timed.faster == 2 else (1.0, 2.0)

    class Timed(list):
        faster = 2

    timed = Timed()
    monkeypatch.setattr(choosing, "compare", compare)
    return timed


OPTIONS = {
    "dropout and running statistics": {"gradient": "bdfa", "num_hidden": 20, "dropout": 1, "batchnorm": 1},
    "augmented conv": {
        "gradient": "dfa",
        "network": "conv",
        "augment": True,
        "dropout": 1,
        "train_limit": 16,
        "batch_size": 4,
    },
    "momentum, max-norm, a last batch that is smaller": {
        "gradient": "bp",
        "num_hidden": 10,
        "optimization": "nag",
        "momentum": 0.9,
        "max_in_norm": 0.5,
        "train_limit": 60,
        "eps": 0.05,
    },
}


@pytest.mark.parametrize("faster", [1, 2])
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_a_run_has_the_bits_of_one_that_was_told_the_number(tmp_path, trials, result, options, faster):
    trials.faster = faster
    epochs = {"epochs": 2}
    start_run(Config(**SMALL | epochs | options), tmp_path / "auto")
    assert len(trials) == 1
    start_run(Config(**SMALL | epochs | options, threads=faster), tmp_path / "told")
    assert len(trials) == 1
    assert result(tmp_path / "auto") == result(tmp_path / "told")


def test_so_many_threads_train_in_the_trial_as_are_timed_and_in_the_run_as_are_chosen(tmp_path, monkeypatch, trials):
    used = []

    def step(self, x, labels, whole=Trainer.step):
        used.append(max(pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"))
        whole(self, x, labels)

    monkeypatch.setattr(Trainer, "step", step)
    start_run(Config(**SMALL, num_hidden=5, epochs=2), tmp_path / "run")
    in_trial, in_run = used[:-40], used[-40:]
    assert in_trial[:3] == [1, 1, 2]
    assert set(in_run) == {2}


def test_what_a_users_net_draws_prints_and_warns_of_is_as_if_there_had_been_no_trial(
    bdfa, tmp_path, monkeypatch, trials, result
):
    Path("net.py").write_text(NET, encoding="utf-8")
    given = ["--dataset", "mnist-5k", "--network", "net.py", "--gradient", "bp", "--backend", "numpy", "--epochs", 1]
    given += ["--train-limit", 160, "--test-limit", 40, "--batch-size", 4, "--lr", "1e-3", "--save"]
    printed = []
    for folder, threads in ("auto", []), ("told", ["--threads", 2]):
        random.seed(1)
        np.random.seed(1)
        with pytest.warns(UserWarning, match="a generator that all share") as warned:
            outcome = bdfa("train", *given, folder, *threads)
        assert outcome.code == 0
        printed.append([line for line in outcome.out.splitlines() if line.startswith("forward")])
        assert len(warned) == len(printed[-1]) == 50
    assert len(trials) == 1
    assert printed[0] == printed[1]
    assert result(Path("auto")) == result(Path("told"))


@pytest.mark.parametrize("broken", ["forward", "backward"])
def test_a_users_net_that_raises_in_the_trial_is_blamed_and_nothing_is_left(bdfa, trials, broken):
    text = NET.replace("        print(", "        print(").replace("return grad_y", "return grad_y")
    lines = text.splitlines()
    at = next(number for number, line in enumerate(lines) if f"def {broken}" in line)
    lines.insert(at + 1, "        1 / 0")
    Path("net.py").write_text("\n".join(lines), encoding="utf-8")
    line = bdfa.refused("train", "--dataset", "mnist-5k", "--network", "net.py", "--gradient", "bp", "--save", "run")
    assert f"net.py, line {at + 2}: ZeroDivisionError" in line
    assert not Path("run").exists()


def test_batches_go_round_as_often_as_is_timed_and_smaller_ones_are_left_out(tmp_path, monkeypatch):
    seen = []

    def step(self, x, labels, whole=Trainer.step):
        seen.append(len(x))
        whole(self, x, labels)

    monkeypatch.setattr(Trainer, "step", step)
    config = Config(**SMALL | {"train_limit": 21}, num_hidden=5).resolve()
    data = choosing.settle(config.replace(threads=1), _loader(config), pytest.fail)[1]
    with trial.trial(config, data) as timer:
        assert timer(1, 7) > 0
    assert seen == [8] * 7


def _loader(config):
    from functools import partial

    from bdfa_np.runs.data import load_run_data

    return partial(load_run_data, config, None)

"""``--threads auto`` in runs: what is said, kept and gone on with."""

import tomllib
from pathlib import Path

import numpy as np
import pytest

import bdfa_np
from bdfa_np.backend.cpu.threads import threads as blas_threads
from bdfa_np.data.preprocess.zca import ZCA
from bdfa_np.errors import ConfigError
from bdfa_np.runs.threads import choosing
from bdfa_np.runs.threads.choosing import Choice

RUN = ["--dataset", "mnist-5k", "--train-limit", 60, "--test-limit", 20, "--num-hidden", 5, "--lr", "1e-3"]
RUN += ["--batch-size", 12, "--backend", "numpy"]
LINES = {1: "1 thread: 2.5 ms a step now, 88 ms with 2", 2: "2 threads: 1.6 ms a step now, 2.5 ms with 1"}


@pytest.fixture
def chosen(monkeypatch):
    """Let a number be chosen without a trial, on two cores; give the calls: cores and steps to go."""
    monkeypatch.setattr("bdfa_np.runs.threads.cores.usable_cores", lambda: 2)
    calls = []

    class Calls(list):
        threads = 2

    calls = Calls()

    def choose(_opened, cores, steps):
        calls.append((cores, steps))
        return Choice(calls.threads, LINES[calls.threads])

    monkeypatch.setattr(choosing, "choose", choose)
    return calls


def kept(run):
    return tomllib.loads((Path(run) / "config.toml").read_text(encoding="utf-8"))["options"]["threads"]


@pytest.mark.parametrize("given", [[], ["--threads", "auto"], ["-threads", "AUTO"], ["--config", "auto.toml"]])
@pytest.mark.parametrize("threads", [1, 2])
def test_banner_log_and_config_give_the_number(bdfa, chosen, given, threads):
    Path("auto.toml").write_text('threads = "auto"\n', encoding="utf-8")
    chosen.threads = threads
    out = bdfa("train", *RUN, *given, "--epochs", 1, "--save", "run").out
    lines = out.splitlines()
    at = lines.index(LINES[threads])
    assert lines[at - 1].endswith(f", numpy float32, {threads} thread{'s' if threads > 1 else ''}")
    assert LINES[threads] in Path("run/Log.txt").read_text(encoding="utf-8")
    assert kept("run") == threads
    assert chosen == [(2, 5)]


def test_a_number_that_is_given_is_not_tried(bdfa, chosen):
    bdfa("train", *RUN, "--threads", 1, "--epochs", 1, "--save", "run")
    bdfa("train", "--config", "run/config.toml", "--save", "again")
    assert (chosen, kept("run"), kept("again")) == ([], 1, 1)


def test_a_resumed_run_keeps_the_number_and_auto_times_anew(bdfa, chosen):
    bdfa("train", *RUN, "--epochs", 1, "--save", "run")
    chosen.clear()
    chosen.threads = 1
    assert LINES[1] not in bdfa.resume("run", "--epochs", 2).out
    assert (chosen, kept("run")) == ([], 2)
    out = bdfa.resume("run", "--epochs", 6, "--threads", "auto").out
    assert f"resumed after epoch 2\n{LINES[1]}\n" in out
    assert (chosen, kept("run")) == ([(2, 4 * 5)], 1)


def test_on_one_core_nothing_is_tried_or_said(bdfa, monkeypatch):
    monkeypatch.setattr("bdfa_np.runs.threads.cores.usable_cores", lambda: 1)
    monkeypatch.setattr(choosing, "trial", lambda *_: pytest.fail("was tried"))
    out = bdfa("train", *RUN, "--epochs", 7, "--save", "run").out
    assert ", numpy float32, 1 thread\nrun folder: run\n" in out
    assert kept("run") == 1


def test_where_cuda_computes_nothing_is_tried(chosen, monkeypatch):
    class Cuda:
        name = "cupy"

    monkeypatch.setattr(choosing, "configured_backend", lambda _: Cuda)
    config = bdfa_np.Config(dataset="mnist-5k", backend="cupy").resolve()
    config, _, lines = choosing.settle(config, lambda **_: None, pytest.fail)
    assert (config.threads, lines, chosen) == (2, [], [])


def test_without_a_bound_of_epochs_the_trial_has_all_the_time(chosen):
    from bdfa_np.runs.data import load_run_data

    config = bdfa_np.Config(dataset="mnist-5k", train_limit=100, backend="numpy", epochs=-1).resolve()
    choosing.settle(config, lambda note: load_run_data(config, note=note), pytest.fail)
    assert chosen == [(2, float("inf"))]


@pytest.mark.parametrize("value", ["'two'", "1.5", "0", "true"])
def test_what_is_neither_a_number_nor_auto_is_refused(bdfa, value):
    Path("wrong.toml").write_text(f"threads = {value}\n", encoding="utf-8")
    bdfa.refused("train", *RUN, "--config", "wrong.toml", "--save", "run")
    with pytest.raises(ConfigError, match="threads"):
        bdfa_np.Config(threads=tomllib.loads(f"x = {value}")["x"]).resolve()
    assert "threads" in bdfa("train", *RUN, "--threads", value.strip("'"), "--save", "run").err


def test_a_dry_run_shows_auto(bdfa):
    (row,) = [line for line in bdfa("train", "--dry-run").out.splitlines() if "--threads" in line]
    assert [cell.strip() for cell in row.strip("│").split("│")] == ["--threads", "auto", "default"]


def test_a_trained_net_is_used_with_as_many_threads_as_trained_it(bdfa, chosen, monkeypatch):
    from bdfa_np.network import Sequential

    chosen.threads = 1
    bdfa("train", *RUN, "--epochs", 1, "--save", "run")
    used = set()

    def forward(self, x, train=True, whole=Sequential.forward):
        used.add(blas_threads())
        return whole(self, x, train)

    monkeypatch.setattr(Sequential, "forward", forward)
    for command in ["evaluate", "run"], ["predict", "run", "--dataset", "mnist-5k"]:
        assert bdfa(*command).code == 0
        assert used == {1}
        used.clear()
        assert bdfa(*command, "--threads", 2).code == 0
        assert used == {2}
        used.clear()
        outcome = bdfa(*command, "--threads", 9)
        assert outcome.err == "note: --threads 9 is more than the cores here: computing with 2 threads\n"
        used.clear()


@pytest.mark.parametrize("threads", [1, 2])
def test_images_in_memory_are_whitened_with_the_number_that_is_chosen(chosen, tmp_path, monkeypatch, threads):
    chosen.threads = threads
    used = []

    def fit(*arguments, whole=ZCA.fit):
        used.append(blas_threads())
        return whole(*arguments)

    monkeypatch.setattr(ZCA, "fit", fit)
    images = np.random.default_rng(0).integers(0, 256, (150, 12, 12, 1), np.uint8)
    data = (images[:100], np.arange(100) % 3, images[100:], np.arange(50) % 3)
    options = {"whiten": True, "num_hidden": 5, "epochs": 1, "backend": "numpy"}
    auto = bdfa_np.train(dataset=data, save=tmp_path / "auto", **options)
    assert used == ([2] if threads == 2 else [2, 1])
    told = bdfa_np.train(dataset=data, threads=threads, **options)
    name = "linear1.W"
    assert np.array_equal(auto.model.network.weights[name], told.model.network.weights[name])
    bdfa_np.train(dataset=data, save=tmp_path / "auto", resume=True, epochs=2)
    assert used[-2:] == [threads, threads]
    assert "differs from the run's" not in (tmp_path / "auto" / "Log.txt").read_text(encoding="utf-8")

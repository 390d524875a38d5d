"""A search whose trials are trained: it chooses what a loop by hand does, and a killed one goes on to the same bits."""

import os
import re
import signal
import subprocess
import sys

import pytest

from bdfa_np import train
from bdfa_np.errors import RunError
from bdfa_np.runs.data import RunData
from bdfa_np.study.description import load_study
from bdfa_np.study.folder import StudyFolder
from bdfa_np.study.frame import rows
from bdfa_np.study.laboratory import run_study
from bdfa_np.study.search.record import read_choice
from bdfa_np.study.table import tabulate

STUDY = """
seeds = 1
[base]
dataset = "mnist-5k"
train_limit = 200
num_hidden = 10
num_layers = 1
epochs = 1
[[cells]]
name = "bp"
gradient = "bp"
[search]
trials = 3
[search.space]
lr = { low = 1e-7, high = 1e-1, log = true }
"""
KILLED = """
import os, signal, sys
from pathlib import Path
from bdfa_np.study.description import load_study
from bdfa_np.study.events import Watcher
from bdfa_np.study.laboratory import run_study

class Killed(Watcher):
    def progress(self, progress):
        if progress.folder.endswith("trial-1") and progress.epoch == 1:
            os.kill(os.getpid(), signal.SIGKILL)

run_study(load_study(sys.argv[1]), Path(sys.argv[2]), watcher=Killed(), machine={"backend": "numpy"})
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("searched")
    (folder / "s.toml").write_text(STUDY)
    with pytest.MonkeyPatch.context() as patched:
        tested = []
        real = RunData.with_real_test_set
        patched.setattr(RunData, "with_real_test_set", lambda data: (tested.append(data), real(data))[1])
        outcomes = run_study(load_study(folder / "s.toml"), folder / "s", machine={"backend": "numpy"})
    assert tested == []
    assert [outcome.state for outcome in outcomes] == ["finished"]
    return folder


def test_the_search_chooses_what_a_loop_by_hand_chooses(trained):
    choice = read_choice(trained / "s" / "search" / "bp" / "chosen.toml")
    errors = []
    for trial in choice.trials:
        result = train(
            dataset="mnist-5k",
            train_limit=200,
            num_hidden=10,
            num_layers=1,
            epochs=1,
            gradient="bp",
            validate=True,
            lr=trial.options["lr"],
            seed=0,
            threads=1,
            backend="numpy",
        )
        errors.append(result.history[-1].test_error)
    assert errors == [trial.error for trial in choice.trials]
    assert choice.best.number == errors.index(min(errors))


def test_the_seeds_run_with_what_was_chosen_on_all_training_images(trained):
    best = read_choice(trained / "s" / "search" / "bp" / "chosen.toml").best
    text = (trained / "s" / "bp" / "seed-0" / "config.toml").read_text()
    assert f"lr = {best.options['lr']}\n" in text
    assert "validate = false\n" in text


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has no SIGKILL")
def test_a_search_that_was_killed_goes_on_to_the_same_bits(trained):
    command = [sys.executable, "-c", KILLED, str(trained / "s.toml"), str(trained / "killed")]
    assert subprocess.run(command, check=False, env={**os.environ}).returncode == -signal.SIGKILL
    assert not (trained / "killed" / "search" / "bp" / "chosen.toml").exists()
    run_study(load_study(trained / "s.toml"), trained / "killed", machine={"backend": "numpy"})
    for name in ("search/bp/chosen.toml", "search/bp/search.toml"):
        assert (trained / "killed" / name).read_bytes() == (trained / "s" / name).read_bytes()
    for name in ("search/bp/trial-0", "search/bp/trial-1", "search/bp/trial-2", "bp/seed-0"):
        weights = [StudyFolder(trained / save).path / name / "ErrorRate.log" for save in ("s", "killed")]
        assert weights[0].read_bytes() == weights[1].read_bytes()


def test_runs_of_a_search_with_fewer_trials_are_refused_and_left_out_for_that_reason(trained):
    (trained / "more.toml").write_text(STUDY.replace("trials = 3", "trials = 4"))
    more = load_study(trained / "more.toml")
    said = r"seed-0 was trained before its cell was searched with 4 trials: .* or put \[search\] back as it was"
    with pytest.raises(RunError, match=said):
        run_study(more, trained / "s")
    assert re.search(said, " ".join(tabulate(more, trained / "s").warnings()))
    left_out = []
    assert list(rows(more, trained / "s", left_out=left_out)) == []
    assert re.search(said, " ".join(left_out))

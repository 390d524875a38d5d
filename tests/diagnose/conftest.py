"""A run that is done in no time, held against its controls once for all tests."""

import gc
import shutil
from pathlib import Path

import pytest

from bdfa_np import diagnose, train

DATA = {"dataset": "mnist-5k", "train_limit": 200, "test_limit": 50, "threads": 1}
TINY = {**DATA, "num_hidden": 10, "batch_size": 5, "lr": 5e-3}
DFA = {**TINY, "gradient": "dfa", "epochs": 2}


@pytest.fixture(autouse=True)
def _garbage_stays(monkeypatch):
    """Collect no garbage after every control: of a whole session's tests that takes longer than to train one."""
    monkeypatch.setattr(gc, "collect", lambda *_: 0)


@pytest.fixture(scope="package")
def diagnosed(tmp_path_factory):
    """Train a DFA net, and hold it against all its controls; return its folder and what was found."""
    folder = tmp_path_factory.mktemp("diagnosed") / "run"
    train(**DFA, save=folder, progress=False, track="weights,activity", track_every="20steps")
    return folder, diagnose(folder, progress=False)


@pytest.fixture
def run(diagnosed, tmp_path, monkeypatch):
    """Give a copy of the run with its controls, in the folder that commands are called from."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(diagnosed[0], "run")
    return Path("run")


@pytest.fixture
def bare(run):
    """Give a copy of the run without controls."""
    shutil.rmtree(run / "controls")
    (run / "diagnosis.json").unlink()
    return run

"""A run that is to be replaced stays, bit for bit, until the new one has its first epoch whole."""

import errno
import os
import shutil
from pathlib import Path

import pytest

from bdfa_np import Config, load_run, train
from bdfa_np.cli.display import Display
from bdfa_np.runs.starting import start_run
from bdfa_np.trainer import Trainer

SMALL = [
    "--dataset",
    "mnist-5k",
    "--num-hidden",
    "4",
    "--train-limit",
    "60",
    "--test-limit",
    "20",
    "--threads",
    "1",
    "--backend",
    "numpy",
]
STAYS = "the run that was in run stays as it was"


@pytest.fixture(scope="module")
def old(tmp_path_factory):
    """Give a run of two epochs, with the files that not every run has and some that are none of a run's."""
    folder = tmp_path_factory.mktemp("old") / "run"
    given = {"num_hidden": 4, "train_limit": 60, "test_limit": 20, "threads": 1, "backend": "numpy", "seed": 9}
    start_run(Config(dataset="mnist-5k", **given, validate=True, keep_best=True, epochs=2), folder)
    (folder / "net.onnx").write_text("exported")
    return folder


@pytest.fixture
def run(old, bdfa):
    """Give a copy of it as ``run`` in the folder from which commands are called."""
    return Path(shutil.copytree(old, "run"))


def everything(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != ".lock"}


def full_disk(monkeypatch, write):
    """Let the disk be full at a file's way to it, the so many-th."""
    fsync, done = os.fsync, []

    def fail(descriptor):
        done.append(descriptor)
        if len(done) == write:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", fail)


def ctrl_c(*_):
    raise KeyboardInterrupt


@pytest.mark.parametrize("write", range(1, 10))
def test_a_full_disk_at_any_write_before_the_first_epoch_is_whole(bdfa, run, monkeypatch, write):
    before = everything(run)
    with monkeypatch.context() as patch:
        full_disk(patch, write)
        line = bdfa.refused("train", *SMALL, "--epochs", 1, "--save", run, "--force")
    assert STAYS in line
    assert "No space left on device" in line
    assert ".new" not in line
    assert everything(run) == before
    assert bdfa("evaluate", run).code == 0


def test_a_loss_that_is_no_number(bdfa, run):
    before = everything(run)
    assert STAYS in bdfa.refused("train", *SMALL, "--lr", "1e38", "--save", run, "--force")
    assert everything(run) == before
    assert bdfa.resume(run, "--epochs", 3)


def test_ctrl_c_in_the_first_epoch(bdfa, run, monkeypatch):
    before = everything(run)
    with monkeypatch.context() as patch:
        patch.setattr(Display, "step", ctrl_c)
        outcome = bdfa("train", *SMALL, "--epochs", 3, "--save", run, "--force")
    assert (outcome.code, outcome.err) == (130, f"interrupted: {STAYS}\n")
    assert everything(run) == before


def test_ctrl_c_in_the_first_epoch_from_python_gives_no_other_runs_net(run, monkeypatch):
    before = everything(run)
    monkeypatch.setattr(Trainer, "step", ctrl_c)
    with pytest.raises(KeyboardInterrupt, match="stays as it was"):
        train(dataset="mnist-5k", num_hidden=4, train_limit=60, threads=1, save=run, force=True, progress=False)
    assert everything(run) == before


def test_ctrl_c_in_a_later_epoch_leaves_the_new_run(bdfa, run, monkeypatch, result):
    with monkeypatch.context() as patch:
        begins = Display.epoch_begins
        patch.setattr(
            Display,
            "epoch_begins",
            lambda self, number, *rest: ctrl_c() if number == 2 else begins(self, number, *rest),
        )
        outcome = bdfa("train", *SMALL, "--epochs", 3, "--save", run, "--force")
    assert outcome.err == ("interrupted: run holds 1 whole epoch; go on with: bdfa train --save run --resume\n")
    assert not (run / "best.h5").exists()
    bdfa.resume(run)
    bdfa("train", *SMALL, "--epochs", 3, "--save", "whole")
    assert result(run) == result(Path("whole"))


@pytest.mark.parametrize("where", ["forward", "backward"])
def test_a_net_that_raises(bdfa, run, monkeypatch, where):
    before = everything(run)

    def fail(*_, **__):
        raise RuntimeError("not today")

    monkeypatch.setattr(f"bdfa_np.layers.linear.Linear.{where}", fail)
    with pytest.raises(RuntimeError, match="not today") as caught:
        bdfa("train", *SMALL, "--save", run, "--force")
    assert caught.value.__notes__ == [STAYS]
    assert everything(run) == before


def test_a_new_run_takes_the_folder_whole_and_leaves_what_is_not_a_runs(bdfa, run, result):
    bdfa("train", *SMALL, "--epochs", 2, "--save", "whole")
    outcome = bdfa("train", *SMALL, "--epochs", 2, "--save", run, "--force")
    assert (outcome.code, outcome.err) == (0, "")
    assert result(run) == result(Path("whole"))
    assert {path.name for path in run.iterdir()} == {path.name for path in Path("whole").iterdir()} | {"net.onnx"}
    assert (run / "net.onnx").read_text() == "exported"
    assert "run folder: run\n" in (run / "Log.txt").read_text()
    assert load_run(run).config.seed == 0


def test_nothing_of_the_hidden_folder_is_ever_named(bdfa, run):
    outcome = bdfa("train", *SMALL, "--epochs", 1, "--save", run, "--force")
    texts = [outcome.out, *(path.read_text() for path in run.iterdir() if path.suffix in (".txt", ".toml", ".csv"))]
    assert not any(name in text for text in texts for name in (".new", ".taking"))


def test_a_folder_in_the_place_of_a_file_is_told_before_anything_is_trained(bdfa, run):
    (run / "best.h5").unlink()
    (run / "best.h5").mkdir()
    line = bdfa.refused("train", *SMALL, "--save", run, "--force")
    assert "run/best.h5 is a folder: remove it" in line


@pytest.mark.parametrize(
    "options", [["--lr", "1e400"], ["-O", "x=1"], ["--train-limit", "9999999"], ["--load", "nowhere"]]
)
def test_a_refused_option_leaves_no_folder(bdfa, options):
    bdfa.refused("train", *SMALL, *options, "--save", "a/b/run")
    assert not Path("a").exists()


def test_a_full_disk_leaves_no_folder_that_was_not_there(bdfa, monkeypatch):
    Path("a").mkdir()
    with monkeypatch.context() as patch:
        full_disk(patch, 2)
        assert "no run was begun in a/b/run" in bdfa.refused("train", *SMALL, "--save", "a/b/run")
    assert list(Path("a").iterdir()) == []

"""A new run that was stopped while it took its folder has the whole of it as soon as anybody opens the folder."""

import errno
import os
import shutil
from pathlib import Path

import pytest

from bdfa_np import Config, load_run
from bdfa_np.errors import RunError
from bdfa_np.runs.folder import CHECKPOINT, FILES, RunFolder
from bdfa_np.runs.listing import list_runs
from bdfa_np.runs.starting import start_run
from bdfa_np.runs.store import taking
from bdfa_np.runs.store.lock import alone

SMALL = {"dataset": "mnist-5k", "num_hidden": 4, "train_limit": 60, "test_limit": 20, "threads": 1, "backend": "numpy"}
OPTIONS = [f"--{name.replace('_', '-')}={value}" for name, value in SMALL.items()]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Give the folders of an old run with a best net and of a new one without."""
    folder = tmp_path_factory.mktemp("runs")
    start_run(Config(**SMALL, epochs=2, seed=1, validate=True, keep_best=True), folder / "old")
    start_run(Config(**SMALL, epochs=1, seed=2), folder / "new")
    return folder / "old", folder / "new"


def everything(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != ".lock"}


def stopped(runs, steps, monkeypatch):
    """Return a folder of the old run that the new one has begun to take, stopped after so many files."""
    old, new = runs
    run = Path(shutil.copytree(old, "run"))
    (run / "notes.txt").write_text("mine")
    shutil.copytree(new, run / ".new")
    (run / ".new" / ".lock").unlink()
    done = []

    def step(function):
        def call(*given, **named):
            if len(done) == steps:
                raise InterruptedError
            done.append(given)
            return function(*given, **named)

        return call

    with monkeypatch.context() as patch:
        patch.setattr(taking.os, "replace", step(os.replace))
        patch.setattr(Path, "unlink", step(Path.unlink))
        try:
            taking.take(run, FILES, CHECKPOINT)
        except InterruptedError:
            assert (run / ".taking").is_dir()
        else:
            return None
    return run


@pytest.mark.parametrize("steps", range(20))
def test_wherever_it_was_stopped_the_new_run_is_whole_afterwards(bdfa, runs, monkeypatch, steps):
    run = stopped(runs, steps, monkeypatch)
    if run is None:
        assert steps > len(everything(runs[1]))
        return
    RunFolder(run).finish()
    assert everything(run) == everything(runs[1]) | {"notes.txt": b"mine"}


OPENERS = {
    "evaluate": lambda bdfa: bdfa("evaluate", "run").code == 0,
    "predict": lambda bdfa: bdfa("predict", "run", "--dataset", "mnist-5k").code == 0,
    "export": lambda bdfa: bdfa("export", "run", "--to", "npz", "-o", "net.npz").code == 0,
    "runs": lambda bdfa: "finished" in bdfa("runs", "run").out,
    "resume": lambda bdfa: "nothing to do" in bdfa("train", "--save", "run", "--resume").out,
    "train": lambda bdfa: "holds a run already" in bdfa.refused("train", *OPTIONS, "--save", "run"),
    "load": lambda bdfa: bdfa("train", *OPTIONS, "--epochs", 1, "--load", "run", "--save", "other").code == 0,
    "load_run": lambda _: load_run("run").config.seed == 2,
}


@pytest.mark.parametrize(("opener", "steps"), [*((opener, 4) for opener in OPENERS), ("evaluate", 0)])
def test_whoever_opens_the_folder_finds_the_new_run(bdfa, runs, monkeypatch, opener, steps):
    run = stopped(runs, steps, monkeypatch)
    assert OPENERS[opener](bdfa)
    if opener == "train":
        assert RunFolder(run).read_document()[0].seed == 2
    assert not (run / ".taking").exists()
    assert not (run / "best.h5").exists()
    assert (run / "checkpoint.h5").read_bytes() == (runs[1] / "checkpoint.h5").read_bytes()


def test_where_the_folder_can_only_be_read_that_is_said_in_one_line(bdfa, runs, monkeypatch):
    run = stopped(runs, 3, monkeypatch)

    def refuse(*_, **__):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(run / ".lock"))

    with monkeypatch.context() as patch:
        patch.setattr("filelock.FileLock.acquire", refuse)
        line = bdfa.refused("evaluate", run)
        assert "a new run was stopped while it took run: run cannot be written, to end that: Permission denied" in line
        (listed,) = list_runs(Path())
    assert (listed.name, listed.state) == ("run", "damaged")
    assert "a new run was stopped while it took run" in listed.problem
    assert (run / ".taking").is_dir()


def test_a_reader_waits_for_the_process_that_is_just_taking_the_folder(bdfa, runs, monkeypatch):
    run = stopped(runs, 3, monkeypatch)

    def sleep(_):
        shutil.rmtree(run / ".taking")  # as the other process comes to its end

    with alone(run), monkeypatch.context() as patch:
        patch.setattr("bdfa_np.runs.store.place.time.sleep", sleep)
        RunFolder(run).finish()


@pytest.mark.parametrize("what", ["link", "file"])
def test_what_only_has_the_name_of_the_hidden_folder_is_not_followed(bdfa, runs, what):
    run = Path(shutil.copytree(runs[0], "run"))
    other = Path(shutil.copytree(runs[1], "other"))
    before = everything(run), everything(other)
    if what == "link":
        (run / ".taking").symlink_to(other.resolve(), target_is_directory=True)
    else:
        (run / ".taking").write_text("mine")
    for call in (
        ["evaluate", run],
        ["train", "--save", run, "--resume"],
        ["train", *OPTIONS, "--save", run, "--force"],
    ):
        assert "run/.taking is not the folder that bdfa makes" in bdfa.refused(*call)
    (run / ".taking").unlink()
    assert (everything(run), everything(other)) == before


def test_a_link_in_the_place_of_what_was_put_together_is_removed_and_not_followed(bdfa, runs):
    run, other = Path("run"), Path(shutil.copytree(runs[1], "other"))
    run.mkdir()
    (run / ".new").symlink_to(other.resolve(), target_is_directory=True)
    before = everything(other)
    assert bdfa("train", *OPTIONS, "--epochs", 1, "--save", run).code == 0
    assert everything(other) == before
    assert not (run / ".new").is_symlink()


def test_what_was_put_together_by_half_is_no_run_and_goes_with_the_next_start(bdfa, runs, result):
    run = Path("runs", "a")
    run.mkdir(parents=True)
    shutil.copytree(runs[1], run / ".new")
    (run / ".new" / "config.toml").write_text("half")
    assert RunFolder(run).is_vacant
    assert "there is no run in runs/a: config.toml is missing" in bdfa.refused("evaluate", run)
    assert "there are no runs in runs" in bdfa.refused("runs")
    assert bdfa("train", *OPTIONS, "--epochs", 1, "--seed", 2, "--save", run).code == 0
    assert result(run) == result(runs[1])
    assert not (run / ".new").exists()


@pytest.mark.parametrize("held", [False, True])
@pytest.mark.parametrize("option", [[], ["--force"], ["--resume"]])
def test_who_comes_second_is_told_that_another_trains_and_never_of_force(bdfa, runs, held, option):
    run = Path(shutil.copytree(runs[0], "run")) if held else Path("run")
    run.mkdir(exist_ok=True)
    before = everything(run)
    given = [] if held and option == ["--resume"] else OPTIONS
    with alone(run):
        line = bdfa.refused("train", *given, "--save", run, *option)
    assert "another process is training in run: wait for it, or name another folder" in line
    assert "--force" not in line
    assert everything(run) == before


def test_a_file_system_without_locks_is_named_as_such(bdfa, runs, monkeypatch):
    run = Path(shutil.copytree(runs[0], "run"))

    def refuse(*_):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    fcntl = pytest.importorskip("fcntl", reason="locks of this kind are POSIX's")
    monkeypatch.setattr(fcntl, "flock", refuse)
    for option in ("--force", "--resume"):
        given = OPTIONS if option == "--force" else []
        line = bdfa.refused("train", *given, "--save", run, option)
        assert "run cannot be kept to one process: No locks available: this file system has no locks" in line
    assert bdfa("evaluate", run).code == 0


def test_a_taken_folder_keeps_its_lock_for_the_whole_run(bdfa, runs):
    folder = RunFolder(Path("run"))

    def second():
        with RunFolder(Path("run")).new(force=True):
            raise AssertionError("two runs in one folder")

    with folder.new(force=False), pytest.raises(RunError, match="another process is training"):
        second()

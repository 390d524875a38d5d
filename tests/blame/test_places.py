"""Wherever it may go wrong: from the file's first line to what a checkpoint is put together of."""

from pathlib import Path

import pytest

from bdfa_np import Config, build_model, load_run, train
from bdfa_np.errors import ExtensionError

TRAIN = ["net: import", "net: build", "net: forward", "net: forward in use", "net: backward", "net: feedback"]
TRAIN += ["net: project_feedback", "net: state"]
TRAIN += ["rule: __init__", "rule: visit", "rule: train_feedback", "rule: before_training", "rule: after_step"]
TRAIN += ["rule: buffers", "rule: check"]
USE = ["net: import", "net: build", "net: forward in use", "net: feedback", "rule: __init__", "rule: load_state"]


def where(theirs, place):
    file, flag = ("net.py", "--network") if place.startswith("net") else ("rule.py", "--gradient")
    return f"{flag} {theirs.folder / file}, line {theirs.line_of(file, '1 / 0')}: ZeroDivisionError: division by zero"


@pytest.mark.parametrize("place", TRAIN)
def test_a_new_run_ends_in_one_line(bdfa, theirs, monkeypatch, place):
    monkeypatch.setenv("FAULT_IN", place)
    assert where(theirs, place) in bdfa.refused("train", *theirs.options, "--save", "new")


@pytest.mark.parametrize("place", ["net: build", "net: forward", "rule: buffers"])
def test_once_the_fault_is_over_the_same_command_begins_it_or_goes_on(bdfa, theirs, monkeypatch, place):
    monkeypatch.setenv("FAULT_IN", place)
    bdfa.refused("train", *theirs.options, "--save", "new")
    monkeypatch.delenv("FAULT_IN")
    assert bdfa("train", *theirs.options, "--save", "new", "--resume").code == 0


@pytest.mark.parametrize("place", USE)
@pytest.mark.parametrize(
    "command", ["evaluate run", "predict run --dataset mnist-5k", "train --save run --resume --epochs 2"]
)
def test_every_command_on_a_run_ends_in_one_line(bdfa, theirs, run, monkeypatch, command, place):
    monkeypatch.setenv("FAULT_IN", place)
    assert where(theirs, place) in bdfa.refused(*command.split(), "--trust")


@pytest.mark.parametrize("command", ["evaluate run", "train --save run --resume --epochs 2"])
def test_what_a_rule_refuses_of_its_state_is_no_damage_of_the_checkpoint(bdfa, theirs, run, monkeypatch, command):
    monkeypatch.setenv("FAULT_IN", "rule: load_state")
    monkeypatch.setenv("FAULT", "lines")
    line = bdfa.refused(*command.split(), "--trust")
    assert f"error: --gradient {theirs.folder / 'rule.py'}, line " in line
    assert "ValueError: one two three" in line


def test_what_a_rule_refuses_of_a_net_is_said_with_its_line(bdfa, theirs, monkeypatch):
    monkeypatch.setenv("FAULT_IN", "rule: __init__")
    monkeypatch.setenv("FAULT", "lines")
    line = bdfa.refused("train", *theirs.options, "--dry-run")
    assert "rule.py cannot train --network " in line
    assert f"rule.py, line {theirs.line_of('rule.py', 'one')}: ValueError: one two three" in line


@pytest.mark.parametrize("place", ["net: import", "net: build", "rule: __init__", "rule: load_state"])
def test_an_export_ends_in_one_line(bdfa, theirs, run, monkeypatch, place):
    monkeypatch.setenv("FAULT_IN", place)
    assert where(theirs, place) in bdfa.refused(*["export", "run", "--to", "npz", "--trust"])


@pytest.mark.parametrize("place", ["net: import", "net: build", "net: feedback", "rule: __init__", "rule: check"])
def test_showing_and_loading_weights_end_in_one_line(bdfa, theirs, run, monkeypatch, place):
    monkeypatch.setenv("FAULT_IN", place)
    assert where(theirs, place) in bdfa.refused("train", *theirs.options, "--dry-run")
    assert where(theirs, place) in bdfa.refused("train", *theirs.options, "--load", "run", "--save", "new")


@pytest.mark.parametrize("place", ["net: build", "rule: __init__", "rule: check"])
def test_python_is_told_the_same(theirs, run, monkeypatch, place):
    monkeypatch.setenv("FAULT_IN", place)
    files = {"network": str(theirs.folder / "net.py"), "gradient": str(theirs.folder / "rule.py")}
    scale = {"rule_options": {"scale": 2.0}, "threads": 1}
    calls = {
        "build_model": lambda: build_model(Config(**files, **scale), (28, 28, 1), 10),
        "train": lambda: train(dataset="mnist-5k", train_limit=60, progress=False, **files, **scale),
        "load_run": lambda: load_run(run, trust=True),
    }
    for name, call in calls.items():
        if name == "load_run" and place == "rule: check":
            continue  # nothing is given: what the run has was checked when it began
        with pytest.raises(ExtensionError) as caught:
            call()
        assert where(theirs, place) in str(caught.value)
        assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_an_old_run_stays_where_the_new_one_fails_in_its_first_epoch(bdfa, theirs, run, monkeypatch):
    before = {path.name: path.read_bytes() for path in run.iterdir() if path.name != ".lock"}
    for place in ("net: forward", "rule: after_step", "net: forward in use", "rule: buffers"):
        monkeypatch.setenv("FAULT_IN", place)
        line = bdfa.refused("train", *theirs.options, "--save", "run", "--force")
        assert where(theirs, place) in line
        assert line.endswith("; the run that was in run stays as it was")
    assert {path.name: path.read_bytes() for path in run.iterdir() if path.name != ".lock"} == before


def test_what_is_not_theirs_is_not_put_down_to_them(bdfa, theirs, monkeypatch):
    def broken(*_):
        raise ZeroDivisionError("ours")

    monkeypatch.setattr("bdfa_np.runs.starting.heading", broken)
    with pytest.raises(ZeroDivisionError, match="ours"):
        bdfa("train", *theirs.options, "--save", "new")
    assert not Path("new").exists()

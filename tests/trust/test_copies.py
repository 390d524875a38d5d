"""A run's own copies of the files that its net and its rule come from."""

import re
import shutil
from pathlib import Path

import pytest

from bdfa_np import load_run, train
from bdfa_np.errors import RunError
from bdfa_np.trust.names import COPIES


@pytest.fixture
def known(theirs, monkeypatch):
    """Give the run, whose files the user has allowed."""
    monkeypatch.chdir(theirs.run.parent)
    load_run("run", trust=True)
    return theirs


CHANGES = {"changed since": lambda path: path.write_text("raise SystemExit"), "gone": Path.unlink}


def test_a_run_keeps_the_files_as_they_were(theirs):
    assert (theirs.run / "network_copy.py").read_bytes() == theirs.net.read_bytes()
    assert (theirs.run / "rule_copy.py").read_bytes() == theirs.rule.read_bytes()


@pytest.mark.parametrize("state", CHANGES)
@pytest.mark.parametrize("command", ["evaluate run", "export run --to npz", "train --save run --resume --epochs 2"])
def test_where_a_file_has_changed_the_copy_is_run_and_that_is_said(bdfa, known, state, command):
    for path in (known.net, known.rule):
        CHANGES[state](path)
    outcome = bdfa(*command.split())
    assert outcome.code == 0
    notes = (outcome.out if command.startswith("train") else outcome.err).splitlines()
    has = "has changed since" if state == "changed since" else "is gone"
    assert f"note: {known.net} {has}: the run's copy of it is used, run/network_copy.py" in notes
    assert f"note: {known.rule} {has}: the run's copy of it is used, run/rule_copy.py" in notes
    assert str(known.net) in known.config.read_text()


def test_from_python_it_is_a_warning(known):
    known.net.unlink()
    with pytest.warns(UserWarning, match=r"net\.py is gone: the run's copy of it is used, run/network_copy\.py"):
        load_run("run")


def test_what_the_copy_trains_are_the_same_bits(bdfa, known, result):
    shutil.copytree("run", "other")
    bdfa.resume(Path("run"), "--epochs", 2)
    for path in (known.net, known.rule):
        path.unlink()
    bdfa.resume(Path("other"), "--epochs", 2)
    assert result(Path("run")) == result(Path("other"))
    for name in COPIES:
        assert Path("run", name).read_bytes() == Path("other", name).read_bytes()


@pytest.mark.parametrize("name", COPIES)
def test_a_copy_that_is_not_what_it_was_is_not_run(bdfa, known, name):
    path = known.net if name.startswith("network") else known.rule
    path.write_text(path.read_text() + "# changed\n")
    copy = Path("run", name)
    copy.write_text(copy.read_text() + "# changed too\n")
    known.marks()
    assert "has changed since run was started: restore the file as it was" in bdfa.refused("evaluate", "run")
    assert known.marks() == set()
    with pytest.raises(RunError, match="has changed since"):
        train(save="run", resume=True, progress=False)


def test_a_mistake_is_told_by_the_file_that_was_run(bdfa, known):
    known.net.unlink()
    known.net.mkdir()
    try:
        code = Path("run/rule_copy.py")
        known.rule.unlink()
        assert bdfa("evaluate", "run").code == 0
        assert code.exists()
    finally:
        known.net.rmdir()


def test_a_new_run_of_the_packages_own_net_has_none_and_takes_those_of_the_old_one_away(bdfa, known, small):
    assert bdfa("train", *small, "--save", "run", "--force").code == 0
    assert not {path.name for path in Path("run").iterdir()} & {*COPIES}


def test_a_run_may_be_replaced_by_one_that_is_trained_by_its_own_copy(bdfa, known, small):
    before = Path("run/network_copy.py").read_bytes()
    assert bdfa("train", *small, "--network", "run/network_copy.py", "--save", "run", "--force").code == 0
    assert Path("run/network_copy.py").read_bytes() == before
    assert re.search(r'network = ".*/run/network_copy.py"', known.config.read_text())
    assert bdfa("evaluate", "run").code == 0

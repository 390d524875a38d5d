"""Every command that comes by a file of a net or a rule, and every way in which it comes by it."""

import os
import shutil
from hashlib import sha256
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete

from bdfa_np import diagnose, load_run, train
from bdfa_np.cli.group import bdfa as group
from bdfa_np.errors import UntrustedError
from bdfa_np.runs.checkpoint import read_checkpoint, write_checkpoint
from bdfa_np.trust import listed

COMMANDS = {
    "evaluate": "evaluate run",
    "predict": "predict run --dataset mnist-5k",
    "diagnose": "diagnose run --controls shallow",
    "export": "export run --to npz --force",
    "plot": "plot run --what features -o features.png",
    "resume": "train --save run --resume --epochs 2",
    "resume as configured": "train --save run --resume --epochs 2 --config run/config.toml",
    "config": "train --config run/config.toml --save new --force",
    "config, to be resumed": "train --config run/config.toml --save new2 --resume",
    "config, shown": "train --config run/config.toml --dry-run",
    "config, its rule replaced": "train --config run/config.toml --gradient dfa --save new --force",
}
CALLS = {
    "diagnose": lambda case, **trust: diagnose(case.run, controls="none", progress=False, **trust),
    "load_run": lambda case, **trust: load_run(case.run, **trust),
    "train": lambda case, **trust: train(save=case.run, resume=True, epochs=2, progress=False, **trust),
}


def everything(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != ".lock"}


def said_of(path):
    return f"{path} (SHA-256 {sha256(path.read_bytes()).hexdigest()})"


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_a_command_runs_nobodys_file_before_it_is_allowed_and_unasked_from_then_on(bdfa, theirs, command):
    before = everything(theirs.run)
    line = bdfa.refused(*command.split())
    assert said_of(theirs.net) in line
    assert said_of(theirs.rule) in line
    assert "which you have not named yourself: read it first, then allow it with --trust" in line
    assert theirs.marks() == set()
    assert everything(theirs.run) == before
    assert not Path("new").exists()
    assert bdfa(*command.split(), "--trust").code == 0
    assert theirs.marks() >= {"rule"}
    assert bdfa("evaluate", "run").code == 0


def test_a_report_runs_nobodys_file_and_says_in_their_place_how_to_allow_it(bdfa, theirs):
    assert bdfa("report", "run", "-o", "run.html").code == 0
    assert theirs.marks() == set()
    assert "read it first, then allow it with --trust" in Path("run.html").read_text("utf-8")
    assert bdfa("report", "run", "-o", "run.html", "--trust").code == 0
    assert theirs.marks() >= {"rule"}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_call_runs_nobodys_file_before_it_is_allowed_and_unasked_from_then_on(theirs, call):
    before = everything(theirs.run)
    with pytest.raises(UntrustedError) as caught:
        call(theirs)
    assert said_of(theirs.net) in str(caught.value)
    assert "(in Python trust=True)" in str(caught.value)
    assert theirs.marks() == set()
    assert everything(theirs.run) == before
    call(theirs, trust=True)
    assert theirs.marks() == {"net", "rule"}
    call(theirs)


@pytest.mark.parametrize(
    "arguments", ["runs .", "runs run --json", "help train", "train --dataset mnist-5k --dry-run --load run"]
)
def test_what_only_looks_runs_nothing(bdfa, theirs, arguments):
    shutil.copytree("run", "other")
    config = Path("other/config.toml")
    config.write_text(config.read_text().replace("scale = 1.0", "scale = 2.0"))
    bdfa(*arguments.split())
    assert theirs.marks() == set()


@pytest.mark.usefixtures("bdfa")
@pytest.mark.parametrize("words", ["train --config run/config.toml", "evaluate run", "train --save run --resume"])
def test_completion_runs_nothing(theirs, words):
    assert ShellComplete(group, {}, "bdfa", "_BDFA_COMPLETE").get_completions(words.split(), "--t")
    assert theirs.marks() == set()


def test_of_two_files_the_one_that_is_known_is_not_asked_for(bdfa, theirs, small):
    assert bdfa("train", *small, "--network", theirs.net).code == 0
    line = bdfa.refused("evaluate", "run")
    assert str(theirs.net) not in line
    assert said_of(theirs.rule) in line


def test_who_names_the_files_in_the_same_command_is_not_asked(bdfa, theirs):
    named = ["--network", theirs.net, "--gradient", theirs.rule]
    assert bdfa("train", "--config", "run/config.toml", *named, "--dry-run").code == 0
    assert bdfa("train", "--save", "run", "--resume", "--epochs", 2, *named).code == 0


def test_who_names_the_files_in_the_same_call_is_not_asked(theirs):
    train(save=theirs.run, resume=True, epochs=2, progress=False, network=theirs.net, gradient=theirs.rule)


@pytest.mark.usefixtures("bdfa")
def test_what_one_has_trained_with_is_evaluated_predicted_resumed_and_loaded_unasked(bdfa, theirs, small):
    shutil.rmtree("run")
    named = ["--network", theirs.net, "--gradient", theirs.rule]
    assert bdfa("train", *small, *named, "--save", "run").code == 0
    for name in ("evaluate", "predict", "export", "resume", "config, shown"):
        assert bdfa(*COMMANDS[name].split()).err.count("error") == 0
    load_run("run")


def test_naming_another_file_or_another_content_allows_nothing(bdfa, theirs, tmp_path, small):
    shutil.copy(theirs.rule, tmp_path / "copy.py")
    assert bdfa("train", *small, "--gradient", "copy.py").code == 0
    theirs.marks()
    assert said_of(theirs.rule) in bdfa.refused("evaluate", "run")
    theirs.rule.write_text(theirs.rule.read_text() + "# changed\n")
    assert bdfa("train", *small, "--gradient", theirs.rule).code == 0
    assert f"{Path('run/rule_copy.py')}, its copy of {theirs.rule}, (SHA-256" in bdfa.refused("evaluate", "run")


def test_who_names_a_file_that_has_changed_since_names_no_copy_of_what_it_was(bdfa, theirs):
    theirs.rule.write_text(theirs.rule.read_text() + "# changed\n")
    named = ["--network", theirs.net, "--gradient", theirs.rule]
    line = bdfa.refused("train", "--save", "run", "--resume", "--epochs", 2, *named)
    assert f"run would run run/rule_copy.py, its copy of {theirs.rule}, (SHA-256" in line
    assert theirs.marks() == set()


def test_a_name_on_the_command_line_does_not_name_what_lies_in_a_files_models_folder(bdfa, theirs):
    Path("options.toml").write_text(f'dataset = "mnist-5k"\nmodels_folder = "{theirs.net.parent}"\n')
    line = bdfa.refused("train", "--config", "options.toml", "--network", "net", "--dry-run")
    assert said_of(theirs.net) in line
    assert bdfa("train", "--models-folder", theirs.net.parent, "--network", "net", "--dry-run").code == 0


def test_a_copy_that_config_toml_was_made_to_fit_is_not_run(bdfa, theirs, small):
    """Whose own file is known: its path in another's run, with another content as the copy, says nothing."""
    assert bdfa("train", *small, "--network", theirs.net, "--gradient", theirs.rule).code == 0
    theirs.marks()
    own, evil = theirs.rule.read_bytes(), theirs.rule.read_bytes() + b"# evil\n"
    Path("run/rule_copy.py").write_bytes(evil)
    config = theirs.config.read_text()
    theirs.config.write_text(config.replace(sha256(own).hexdigest(), sha256(evil).hexdigest()))
    assert "rule_sha256" in bdfa.refused("evaluate", "run")  # the checkpoint knows better
    checkpoint = read_checkpoint(theirs.run / "checkpoint.h5")
    checkpoint.record = ""
    write_checkpoint(theirs.run / "checkpoint.h5", checkpoint)
    line = bdfa.refused("evaluate", "run")
    assert f"would run run/rule_copy.py, its copy of {theirs.rule}, (SHA-256 {sha256(evil).hexdigest()})" in line
    assert theirs.marks() == set()


@pytest.mark.parametrize("name", ["evaluate", "resume", "config", "config, shown"])
def test_what_is_run_is_what_was_looked_at_though_the_file_changes_in_between(bdfa, theirs, monkeypatch, name):
    """Whoever may write to the file waits until its sum was taken."""
    evil = theirs.net.with_name("evil.mark")

    def exchanged(path, code):
        with open(path, "a") as file:
            file.write(f"\nPath({str(evil)!r}).touch()\n")
        return True

    monkeypatch.setattr(listed, "is_listed", exchanged)
    assert bdfa(*COMMANDS[name].split()).code == 0
    assert theirs.marks() == {"net", "rule"}


def test_a_file_that_was_not_there_when_it_was_looked_for_is_not_run_once_it_is(bdfa, theirs, monkeypatch):
    Path("run/network_copy.py").unlink()
    content = theirs.net.read_bytes()
    theirs.net.unlink()
    monkeypatch.setattr(listed, "is_listed", lambda *_: bool(theirs.net.write_bytes(content)) or True)
    assert "there is no built-in net of this name, and no file" in bdfa.refused("evaluate", "run")
    theirs.net.unlink(missing_ok=True)
    line = bdfa.refused("train", "--config", "run/config.toml", "--dry-run")
    assert f"{theirs.net} was not there when it was looked at: start the command anew" in line
    assert theirs.marks() <= {"rule"}


@pytest.mark.parametrize("kind", ["pipe", "folder", "endless"])
def test_what_is_no_file_is_not_waited_for(bdfa, theirs, tmp_path, kind):
    path = tmp_path / "odd.py"
    {
        "pipe": lambda: os.mkfifo(path),
        "folder": path.mkdir,
        "endless": lambda: os.truncate(os.open(path, os.O_CREAT | os.O_WRONLY), 2**40),
    }[kind]()
    (tmp_path / "options.toml").write_text(f'dataset = "mnist-5k"\nnetwork = "{path}"\n')
    wanted = "odd.py is longer than 16 MB" if kind == "endless" else "no file "
    assert wanted in bdfa.refused("train", "--config", "options.toml", "--dry-run")

"""What ``bdfa``'s feedback learns from unless told otherwise, and what was begun when that was something else."""

import csv
import inspect
import io
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import bdfa_np
from bdfa_np import BDFA, load_run
from bdfa_np.runs.checkpoint import read_checkpoint, write_checkpoint

COMMON = {"dataset": "mnist-5k", "train_limit": 100, "test_limit": 50, "num_hidden": 5, "num_layers": 1, "threads": 1}
STUDY = """
[base]
dataset = "mnist-5k"
train_limit = 100
test_limit = 50
num_layers = 1
num_hidden = 5
epochs = 1
[grid.rule]
dfa = { gradient = "dfa" }
bdfa = { gradient = "bdfa", feedback_target = "torch", feedback_alpha = 0.5 }
"""
NAMED = 'feedback_target = "torch"'


def feedback(**options):
    return bdfa_np.train(**COMMON, **options, epochs=1, feedback_lr=0.1).model.rule.feedback.values


def run_of_before(folder):
    """Train, and make the run one that was written when no file named the target, which was ``torch``."""
    bdfa_np.train(**COMMON, feedback_target="torch", feedback_lr=0.1, epochs=1, save=folder)
    config, checkpoint = Path(folder, "config.toml"), Path(folder, "checkpoint.h5")
    write_checkpoint(checkpoint, replace(read_checkpoint(checkpoint), record=""))
    text = config.read_text()
    assert NAMED in text
    config.write_text(re.sub("^feedback_(target|alpha) = .*\n", "", text, flags=re.MULTILINE))


def study_of_before(bdfa):
    """Run a study, and make its folder one that was written when no file named the target; its file neither."""
    Path("sweep.toml").write_text(STUDY)
    assert bdfa("study", "run", "sweep.toml", "--backend", "numpy").code == 0
    for path in ("sweep.toml", "studies/sweep/study.toml"):
        text = Path(path).read_text()
        assert NAMED in text
        Path(path).write_text(re.sub(f"{NAMED},? ?\n?", "", text))


def test_a_run_that_names_no_target_is_bit_for_bit_one_that_names_centred():
    usual, centred, torch = feedback(), feedback(feedback_target="centred"), feedback(feedback_target="torch")
    np.testing.assert_array_equal(usual, centred, strict=True)
    assert (usual != torch).any()


def test_the_class_has_the_default_of_the_option():
    assert inspect.signature(BDFA).parameters["target"].default == "centred"
    assert bdfa_np.Config(gradient="bdfa").resolve().feedback_target == "centred"


def test_a_run_whose_file_names_no_target_is_of_before_and_goes_on_with_torch(bdfa, result):
    bdfa_np.train(**COMMON, feedback_target="torch", feedback_lr=0.1, epochs=2, save="whole")
    run_of_before("run")
    assert load_run("run").rule.target == "torch"
    assert bdfa("evaluate", "run", "--threads", 1).code == 0
    refused = bdfa.refused("train", "--save", "run", "--resume", "--feedback-target", "centred")
    assert "--feedback-target centred differs from the run's torch" in refused
    assert "resumed after epoch 1" in bdfa.resume("run", "--epochs", 2).out
    assert NAMED in Path("run/config.toml").read_text()
    assert result(Path("run")) == result(Path("whole"))


def test_a_run_of_another_rule_gets_no_target(bdfa):
    bdfa_np.train(**COMMON, gradient="dfa", epochs=1, save="run")
    bdfa.resume("run", "--epochs", 2)
    assert "feedback_target" not in Path("run/config.toml").read_text()


def test_a_studys_folder_of_before_means_what_it_meant_and_its_file_has_to_say_so(bdfa):
    study_of_before(bdfa)
    table = bdfa("study", "table", "studies/sweep", "--csv")
    assert table.code == 0
    assert {row["rule"]: row["n"] for row in csv.DictReader(io.StringIO(table.out))} == {"dfa": "1", "bdfa": "1"}
    assert "trained with other settings" not in table.out + table.err
    refused = bdfa.refused("study", "run", "sweep.toml")
    assert "--feedback-alpha has no part in --feedback-target centred, only in mixed, torch" in refused
    Path("sweep.toml").write_text(STUDY.replace(f"{NAMED}, feedback_alpha = 0.5", "feedback_lr = 5e-5"))
    refused = bdfa.refused("study", "run", "sweep.toml")
    assert "trained with other settings (feedback_target torch, now centred" in refused
    Path("sweep.toml").write_text(STUDY)
    assert bdfa("study", "run", "sweep.toml", "--backend", "numpy").code == 0
    assert NAMED in Path("studies/sweep/study.toml").read_text()


@pytest.mark.parametrize("named", ["", pytest.param(', feedback_target = "label"', marks=pytest.mark.slow)])
def test_a_studys_copy_names_the_target_that_its_file_does_not(bdfa, named):
    Path("sweep.toml").write_text(STUDY.replace(f", {NAMED}, feedback_alpha = 0.5", named))
    assert bdfa("study", "run", "sweep.toml", "--backend", "numpy").code == 0
    copy = Path("studies/sweep/study.toml").read_text()
    assert copy.count("feedback_target = ") == 1
    target = "label" if named else "centred"
    assert f'feedback_target = "{target}"' in copy
    assert f'feedback_target = "{target}"' in Path("studies/sweep/bdfa/seed-0/config.toml").read_text()
    table = bdfa("study", "table", "studies/sweep", "--csv").out
    assert table == bdfa("study", "table", "sweep.toml", "--csv").out

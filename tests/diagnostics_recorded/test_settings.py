"""Tracking is no setting of a run: it goes wherever options go, and makes no difference to which runs are the same."""

from pathlib import Path

import pytest

from bdfa_np import Config
from bdfa_np.errors import ConfigError, StudyError
from bdfa_np.options.tracking import interval
from bdfa_np.runs.folder import RunFolder
from bdfa_np.runs.listing.summaries import settings_that_differ
from bdfa_np.study.front import Study
from bdfa_np.system.reading import parsed_toml

STUDY = """
seeds = 1
[base]
dataset = "mnist-5k"
train_limit = 40
test_limit = 20
num_hidden = 3
epochs = 1
{}
[grid]
gradient = ["dfa"]
"""


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("all", "all"),
        (True, "all"),
        ("weights, alignment", "alignment,weights"),
        (["weights", "alignment"], "alignment,weights"),
        (("rank",), "rank"),
        ("ALL,weights", "all"),
        ("none", None),
        (False, None),
    ],
)
def test_groups_are_kept_in_one_order(given, kept):
    assert Config(track=given).resolve().track == kept


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (5, "5"),
        ("5", "5"),
        ("2epochs", "2"),
        ("1 epoch", "1"),
        ("100 steps", "100steps"),
        ("1step", "1steps"),
    ],
)
def test_an_interval_is_epochs_or_steps(given, kept):
    assert Config(track="all", track_every=given).resolve().track_every == kept
    assert str(interval(given)) == kept


def test_the_help_has_them_under_a_heading_of_their_own(bdfa):
    found = bdfa("train", "--help").out
    assert "\nDiagnostics:\n  --track [TEXT]" in found
    assert all(len(line) <= 80 for line in found.splitlines())


def test_a_file_and_the_command_line_give_them(bdfa, tiny):
    Path("own.toml").write_text('[options]\ntrack = ["weights"]\ntrack_every = 1\n')
    assert bdfa("train", *tiny, "--config", "own.toml", "--epochs", 1, "--save", "run").code == 0
    document = parsed_toml(Path("run/config.toml").read_text())
    assert (document["options"]["track"], document["options"]["track_every"]) == ("weights", "1")
    told = bdfa.refused("train", *tiny, "--track", "angles", "--save", "other")
    assert "--track must be all, or some of alignment, weights, feedback, activity, rank, probe" in told
    assert not Path("other").exists()


@pytest.mark.parametrize(
    ("given", "guess"), [("angles", "alignment"), ("alignement", "alignment"), (["rank", "weight"], "weights")]
)
def test_what_may_be_meant_is_asked(given, guess):
    with pytest.raises(ConfigError, match=rf"or none \(did you mean '{guess}'\?\), not "):
        Config(track=given).resolve()
    with pytest.raises(ConfigError, match=r"commas between, or none, not \[\]"):
        Config(track=[]).resolve()


def test_without_a_value_all_is_measured(bdfa, tiny):
    shown = bdfa("train", *tiny, "--track", "--dry-run").out.split()
    assert shown[shown.index("--track") + 2] == "all"


def test_runs_that_differ_in_nothing_else_have_no_setting_that_differs():
    configs = [Config(), Config(track="all", track_every="2"), Config(tensorboard=True)]
    assert list(settings_that_differ(configs)) == [{}, {}, {}]


def test_a_study_measures_its_runs_and_trains_none_again_for_it(bdfa):
    file = Path("one.toml")
    file.write_text(STUDY.format(""))
    Study.load(file).run(progress=False)
    run = RunFolder(Path("studies/one/dfa/seed-0"))
    if run.is_vacant:
        (path,) = Path("studies/one").rglob("checkpoint.h5")
        run = RunFolder(path.parent)
    before = run.file("checkpoint.h5").stat().st_mtime_ns
    file.write_text(STUDY.format('track = "weights"'))
    Study.load(file).run(progress=False)
    assert run.file("checkpoint.h5").stat().st_mtime_ns == before
    file.write_text(STUDY.format('track = "weights"').replace("epochs = 1", "epochs = 2"))
    Study.load(file).run(progress=False)
    assert run.read_diagnostics().epochs.tolist() == [1, 2]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (STUDY.format("tensorboard = true"), "tensorboard is for single runs, and no part of what is studied"),
        (STUDY.format("").replace("[grid]", '[grid]\ntrack = ["all", "weights"]'), "come to the same options"),
        (STUDY.format('track = "angles"'), "--track must be all, or some of alignment"),
    ],
)
def test_what_a_study_cannot_have_is_told(bdfa, text, told):
    Path("one.toml").write_text(text)
    with pytest.raises((StudyError, ConfigError), match=told):
        Study.load("one.toml")

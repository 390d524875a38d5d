"""Run folders and prepared files of an earlier version are read: `written_before`, which its README explains."""

import csv
import re
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

from bdfa_np import load_run

WRITTEN = Path(__file__).with_name("written_before")
RUNS = ("bdfa", "bfa", "bp-ce")
GROUPS = ("weights", "feedback", "layers", "optimizer")
LOSSES = {  # as `bdfa evaluate` printed them when the runs were written
    ("bdfa", "test"): 0.5186,
    ("bdfa", "validation"): 0.5181,
    ("bfa", "test"): 0.3327,
    ("bp-ce", "test"): 2.0371,
}
PREPARED = {"tiny-2642b7f0e6854cbc.h5": "--whiten", "tiny-25026e9a67ac236f.h5": "--normalization channel"}
ROUNDING = 1e-3
"""By how much, relatively, a loss may differ on another machine, whose sums round otherwise."""


@pytest.fixture
def copied(tmp_path):
    """Give the function that copies a run folder, since the kept ones must stay as they are."""
    return lambda name: Path(shutil.copytree(WRITTEN / "runs" / name, tmp_path / name))


@pytest.fixture
def caches(tmp_path, monkeypatch):
    """Put a copy of the prepared files in the cache's place, and their data set where commands are called from."""
    shutil.copy(WRITTEN / "tiny.npz", tmp_path)
    monkeypatch.setenv("BDFA_CACHE_DIR", str(tmp_path / "caches"))
    return Path(shutil.copytree(WRITTEN / "caches", tmp_path / "caches"))


def rows(run):
    with (run / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def losses(run):
    return [float(row[name]) for row in rows(run) for name in row if name.endswith("_loss")]


def stored(run):
    """Return a checkpoint's arrays by group and name, without this project's own reader."""
    with h5py.File(run / "checkpoint.h5") as file:
        return {group: {name: item[()] for name, item in file[group].items()} for group in GROUPS}


def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def train_tiny(bdfa, options, save):
    """Train enough for the losses to tell other images."""
    call = "--dataset tiny.npz --num-hidden 5 --gradient bp --criterion ce --optimization sgd --lr 0.1 --batch-size 5"
    return bdfa("train", *call.split(), "--epochs", 2, "--threads", 1, *options.split(), "--save", save)


def test_the_kept_runs_have_something_in_every_group():
    held = {name: {group for group, arrays in stored(WRITTEN / "runs" / name).items() if arrays} for name in RUNS}
    assert held == {"bdfa": set(GROUPS), "bfa": set(GROUPS) - {"layers"}, "bp-ce": {"weights"}}


@pytest.mark.parametrize(("name", "split"), LOSSES)
def test_a_run_written_before_is_evaluated_to_the_loss_that_it_had_then(bdfa, copied, name, split):
    run = copied(name)
    outcome = bdfa("evaluate", run, "--split", split, "--threads", 1)
    assert (outcome.code, outcome.err) == (0, "")
    assert f"{name} after 2 epochs, on " in outcome.out
    loss = float(re.search(r"^error [\d.]+% +loss ([\d.]+)$", outcome.out, re.MULTILINE)[1])
    assert loss == pytest.approx(LOSSES[name, split], rel=ROUNDING)
    assert content(run) == content(WRITTEN / "runs" / name)


@pytest.mark.parametrize("name", RUNS)
def test_a_run_written_before_goes_on_and_keeps_its_first_epochs(bdfa, copied, name):
    run = copied(name)
    outcome = bdfa.resume(run, "--epochs", 4)
    assert "resumed after epoch 2" in outcome.out
    before, after = ((folder / "metrics.csv").read_text().splitlines() for folder in (WRITTEN / "runs" / name, run))
    if name == "bdfa":  # it was trained with --validate, which its header did not say
        before[0] = before[0].replace("test_", "validation_")
    assert after[:3] == before
    assert [row["epoch"] for row in rows(run)] == ["1", "2", "3", "4"]


@pytest.mark.parametrize("name", RUNS)
def test_a_run_written_before_goes_on_as_one_that_was_never_stopped(bdfa, copied, name):
    run, whole = copied(name), Path("whole")
    bdfa.resume(run, "--epochs", 4)
    outcome = bdfa("train", "--config", run / "config.toml", "--epochs", 4, "--save", whole)
    assert (outcome.code, outcome.err) == (0, "")
    assert losses(run) == pytest.approx(losses(whole), rel=ROUNDING)


@pytest.mark.parametrize("name", RUNS)
def test_a_run_written_before_is_loaded_with_every_array_of_its_checkpoint(copied, name):
    run = copied(name)
    model, wanted = load_run(run), stored(run)
    for group in ("weights", "feedback", "layers"):
        for full_name, array in wanted[group].items():
            layer, attribute = full_name.rsplit(".", 1)
            used = model.rule.B[layer] if group == "feedback" else getattr(model.network[layer], attribute)
            np.testing.assert_array_equal(used, array, full_name, strict=True)
    found = model.state()
    for group in GROUPS:
        assert found[group].keys() == wanted[group].keys()
        for full_name, array in wanted[group].items():
            np.testing.assert_array_equal(found[group][full_name], array, full_name, strict=True)


@pytest.mark.parametrize("old", PREPARED)
def test_a_file_prepared_before_is_used_or_made_anew_and_the_run_says_which(bdfa, caches, old):
    outcome = train_tiny(bdfa, PREPARED[old], "run")
    assert outcome.code == 0
    assert re.fullmatch(r"(note: [^\n]+\n)?", outcome.err)
    (line,) = (line for line in outcome.out.splitlines() if str(caches) in line)
    how, used = re.fullmatch(r"(cache hit: read|prepared and stored) .+, (\S+)", line).groups()
    is_old = Path(used).read_bytes() == (WRITTEN / "caches" / old).read_bytes()
    assert is_old == (how == "cache hit: read")


@pytest.mark.usefixtures("caches")
@pytest.mark.parametrize("options", PREPARED.values(), ids=PREPARED)
def test_with_a_file_prepared_before_a_run_comes_to_the_same_as_without(bdfa, tmp_path, monkeypatch, options):
    assert train_tiny(bdfa, options, "with").code == 0
    monkeypatch.setenv("BDFA_CACHE_DIR", str(tmp_path / "empty"))
    outcome = train_tiny(bdfa, options, "without")
    assert (outcome.code, outcome.err) == (0, "")
    assert "\nprepared and stored " in outcome.out
    assert losses(Path("with")) == pytest.approx(losses(Path("without")), rel=ROUNDING)


@pytest.mark.parametrize("whose", [["tiny.npz"], ["--yes"]])
def test_files_prepared_before_are_listed_and_cleared(bdfa, caches, whose):
    listed = bdfa("data", "list")
    assert (listed.code, listed.err) == (0, "")
    cleared = bdfa("data", "clear", *whose)
    assert (cleared.code, cleared.err) == (0, "")
    for name, options in PREPARED.items():
        assert re.search(rf"{re.escape(name)}  .*{options}", listed.out)
        assert name in cleared.out
    assert f"removed {len(PREPARED)} prepared files" in cleared.out
    assert content(caches) == {}

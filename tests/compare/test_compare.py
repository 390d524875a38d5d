"""``bdfa compare``: in what runs differ, and what they have come to, side by side."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from bdfa_np.options.catalogue import OPTIONS
from bdfa_np.options.config import Config
from bdfa_np.runs.checkpoint import read_history
from bdfa_np.runs.starting import start_run

BEFORE = Path(__file__).parents[1] / "runs" / "written_before" / "runs"
TINY = {"dataset": "mnist-5k", "num_hidden": 10, "train_limit": 200, "test_limit": 100, "epochs": 2, "threads": 1}


def trained(folder, **options):
    start_run(Config.from_mapping({**TINY, **options}), Path(folder))


@pytest.fixture(scope="module")
def trained_runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("compared")
    trained(folder / "bp", gradient="bp")
    trained(folder / "bdfa", gradient="bdfa", lr=1e-3, epochs=3)
    trained(folder / "held-out", gradient="bp", validate=True)
    return folder


@pytest.fixture
def runs(trained_runs, bdfa):
    """Put a fresh copy of the runs into the folder that commands are called from."""
    shutil.copytree(trained_runs, "runs")


def cells(out):
    """Return the title, the names of the runs, and the rows of a table with a column a run by their first words."""
    title, head, *lines = out.splitlines()
    starts = [0, *(head.index(f" {name} ") + 1 for name in head.split()[:-1]), head.rindex(" ") + 1]
    places = [slice(a, b) for a, b in zip(starts, [*starts[1:], None], strict=True)]
    rows = [[line[place].strip() for place in places] for line in lines if not line.startswith(("note", "  "))]
    return title, head.split(), {row[0]: row[1:] for row in rows}


def last_of(name):
    return read_history(Path("runs", name, "checkpoint.h5"))[1][-1]


def replaced(file, old, new):
    text = Path(file).read_text()
    assert old in text
    Path(file).write_text(text.replace(old, new, 1))


def test_only_settings_that_differ_are_shown_and_the_figures_of_each_run(bdfa, runs):
    outcome = bdfa("compare", "runs/bp", "runs/bdfa")
    assert (outcome.code, outcome.err) == (0, "")
    title, head, rows = cells(outcome.out)
    assert title == "2 runs in runs, error on test images"
    assert head == ["bp", "bdfa"]
    assert list(rows)[: list(rows).index("")] == ["gradient", "lr"]  # not what follows from the rule, such as init
    assert (rows["gradient"], rows["lr"]) == (["bp", "bdfa"], ["0.0001", "0.001"])
    assert rows["epochs"] == ["2/2", "3/3"]
    assert rows["last error"] == [f"{last_of(name).test_error:.2%}" for name in ("bp", "bdfa")]
    assert rows["training error"] == [f"{last_of(name).train_error:.2%}" for name in ("bp", "bdfa")]
    assert (rows["threads"], rows["backend"]) == (["1", "1"], ["numpy", "numpy"])
    assert "test error" not in rows  # neither has another
    assert "note" not in outcome.out


def test_errors_on_other_images_are_said_not_to_be_comparable(bdfa, runs):
    out = bdfa("compare", "runs/bp", "runs/held-out").out
    title, _, rows = cells(out)
    assert title == "2 runs in runs"
    said = "on test images in bp and on validation images in held-out: they cannot be compared"
    assert said in " ".join(out.split())
    assert rows["test error"][0] == "-"
    assert rows["test error"][1].endswith("%")


def test_errors_on_fewer_images_and_seconds_with_other_threads_are_flagged(bdfa, runs):
    trained("runs/fewer", gradient="bp", test_limit=50)
    assert "not on the same number of images" in bdfa("compare", "runs/bp", "runs/fewer").out
    replaced("runs/fewer/config.toml", "\nthreads = 1\n", "\nthreads = 2\n")
    said = "not trained with the same threads, backend or machine"
    assert said in " ".join(bdfa("compare", "runs/bp", "runs/fewer").out.split())
    assert said not in " ".join(bdfa("compare", "runs/bp", "runs/bdfa").out.split())


def test_runs_of_different_data_are_flagged(bdfa, runs):
    draws = np.random.default_rng(0)
    arrays = {f"x_{part}": draws.integers(0, 255, (200, 28, 28), np.uint8) for part in ("train", "test")}
    np.savez("own.npz", y_train=np.arange(200) % 10, y_test=np.arange(200) % 10, **arrays)
    trained("runs/own", dataset="./own.npz")
    said = "note: the runs are of different data: their errors cannot be compared"
    assert said in bdfa("compare", "runs/bp", "runs/own").out
    assert "different data" not in bdfa("compare", "runs/bp", "runs/bdfa").out


def test_versions_that_differ_are_shown_and_others_not(bdfa, runs):
    text = Path("runs/bdfa/config.toml").read_text()
    line = next(line for line in text.splitlines() if line.startswith("scipy = "))
    replaced("runs/bdfa/config.toml", line, 'scipy = "0.1"')
    rows = cells(bdfa("compare", "runs/bp", "runs/bdfa").out)[2]
    assert rows["scipy"] == [line.split('"')[1], "0.1"]
    assert not {"numpy", "python", "machine"} & set(rows)


def test_all_shows_every_option(bdfa, runs):
    rows = cells(bdfa("compare", "runs/bp", "runs/bdfa", "--all").out)[2]
    kept = {
        line.split(" = ")[0]
        for name in ("bp", "bdfa")
        for line in Path(f"runs/{name}/config.toml").read_text().splitlines()
    }
    assert len(set(OPTIONS) & kept) > 30
    assert set(OPTIONS) & kept - {"rule_options"} <= set(rows)
    assert (rows["feedback_target"], rows["epochs"]) == (["-", "centred"], ["2/2", "3/3"])


def test_where_columns_do_not_fit_each_run_has_a_row(bdfa, runs, monkeypatch):
    names = [f"a-rather-long-name-{number}" for number in range(4)]
    for name in names:
        shutil.copytree("runs/bdfa", f"runs/{name}")
    called = ["compare", "runs/bp", *(f"runs/{name}" for name in names)]
    monkeypatch.setenv("COLUMNS", "80")
    lines = bdfa(*called).out.splitlines()
    assert lines[1].split() == ["run", "settings", "epochs", "last", "lowest", "s/epoch", "s"]
    assert [line.split()[0] for line in lines if line[0] != " "][2:] == ["bp", *names]
    assert max(map(len, lines)) <= 80
    monkeypatch.setenv("COLUMNS", "160")
    assert bdfa(*called).out.splitlines()[1].split() == ["bp", *names]


def test_json_has_every_digit(bdfa, runs):
    found = json.loads(bdfa("compare", "runs/bp", "runs/held-out", "--json").out)
    first, second = found["runs"]
    last = last_of("bp")
    assert (first["run"], first["path"]) == ("bp", "runs/bp")
    assert (first["last_error"], first["train_error"]) == (last.test_error, last.train_error)
    assert first["seconds"] == pytest.approx(first["seconds_an_epoch"] * 2)
    assert (first["final_test_error"], second["tested_on"]) == (None, "validation")
    assert 0 < second["final_test_error"] <= 1
    assert first["settings"] == {"validate": False}
    assert len(found["notes"]) == 1


def test_runs_of_earlier_versions_are_compared_too(bdfa):
    shutil.copytree(BEFORE, "runs")
    outcome = bdfa("compare", *sorted(f"runs/{path.name}" for path in BEFORE.iterdir()))
    assert (outcome.code, outcome.err) == (0, "")
    assert cells(outcome.out)[2]["optimization"] == ["adam", "nag", "sgd"]


def test_an_unfinished_run_is_compared_by_the_epochs_it_has_done(bdfa, runs):
    replaced("runs/bdfa/config.toml", "\nepochs = 3\n", "\nepochs = 9\n")
    rows = cells(bdfa("compare", "runs/bp", "runs/bdfa").out)[2]
    assert (rows["state"], rows["epochs"]) == (["finished", "can go on"], ["2/2", "3/9"])


@pytest.mark.parametrize(
    ("named", "said"),
    [
        (["runs/bp"], "one run is nothing to compare: name two or more"),
        (["runs/bp", "runs/bp"], "runs/bp is named twice: name runs that differ"),
        (["runs/bp", "./runs/../runs/bp/"], "is named twice, as runs/bp: name runs that differ"),
        (["runs/bp", "runs"], "runs is no run, there are 3 runs in it: name them, as bdfa runs lists them"),
        (["runs/bp", "runs/empty"], "there is no run in runs/empty: config.toml is missing"),
        (["runs/bp", "runs/nowhere"], "there is no run in runs/nowhere: config.toml is missing"),
        ([], "Missing argument"),
    ],
)
def test_what_cannot_be_compared_is_refused_in_one_line(bdfa, runs, named, said):
    Path("runs/empty").mkdir()
    assert said in bdfa.refused("compare", *named)


@pytest.mark.parametrize("file", ["config.toml", "checkpoint.h5", "history.bin"])
def test_a_damaged_run_is_named(bdfa, runs, file):
    Path("runs/bdfa", file).write_bytes(b"\x89[[")
    assert f"runs/bdfa/{file} is damaged" in bdfa.refused("compare", "runs/bp", "runs/bdfa")


def test_an_edited_run_is_named(bdfa, runs):
    replaced("runs/bdfa/config.toml", "\nlr = 0.001\n", "\nlr = 0.01\n")
    assert "runs/bdfa/config.toml has been edited: lr = 0.01" in bdfa.refused("compare", "runs/bp", "runs/bdfa")

"""What raw tables have of a study: what its runs' own files say, whatever state they are in."""

import csv
import tomllib
from dataclasses import replace
from math import isnan
from pathlib import Path

import h5py
import pytest

from bdfa_np.report.markdown.cells import cells_of
from bdfa_np.report.markdown.gathering import EVERY, WHOLE, gathered
from bdfa_np.study.description import load_study
from bdfa_np.study.laboratory import run_study

HOSTILE = '=1+1, "é" | {{ 7 }}'


@pytest.fixture(scope="module")
def folder(swept):
    return swept / "studies" / "sweep"


@pytest.fixture(scope="module")
def study(folder):
    return load_study(str(folder / "study.toml"))


@pytest.fixture(scope="module")
def found(study, folder):
    return gathered(study, folder)


def metrics(run):
    with (run / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def folder_of(study_folder, cell, seed):
    place = next(path for path in study_folder.iterdir() if path.name.startswith("_1_1") or path.name.startswith("=1"))
    return (study_folder / cell if cell != HOSTILE else place) / f"seed-{seed}"


def rows_of(table, cell):
    return [row for row in table if row["cell"] == cell]


def test_each_cell_has_a_row_with_its_labels_options_and_what_was_published(found):
    assert [row["cell"] for row in found.cells] == ["bp", HOSTILE, "frozen", "broken", "late"]
    assert {row["axis.rule"] for row in found.cells} == {row["cell"] for row in found.cells}
    first, second = found.cells[:2]
    assert (first["published"], first["published_sd"], first["note"]) == ("30.25", "0.5", "of one seed")
    assert (second["published"], second["published_sd"], second["note"]) == ("", "", "")
    assert (first["seeds"], first["measure"], first["figure"], first["study"]) == ("2", "error", "last", "sweep")
    assert (first["option.lr"], first["option.num_hidden"], first["option.validate"]) == ("0.01", "10", "")
    assert (second["option.validate"], second["option.track"]) == ("50", "")


def test_each_run_has_the_figures_of_its_own_files(found, folder):
    for cell, part in {"bp": "test", HOSTILE: "validation"}.items():
        assert [row["seed"] for row in rows_of(found.runs, cell)] == ["3", "5"]
        for row in rows_of(found.runs, cell):
            run = folder_of(folder, cell, row["seed"])
            lines = metrics(run)
            errors = [100 * float(line[f"{part}_error"]) for line in lines]
            assert (row["state"], row["tested_on"], row["why"]) == ("finished", part, "")
            assert (row["epochs"], row["planned_epochs"]) == ("2", "2")
            assert float(row["last"]) == pytest.approx(errors[-1], abs=1e-9)
            assert float(row["best"]) == pytest.approx(min(errors), abs=1e-9)
            assert int(row["best_epoch"]) == 1 + errors.index(min(errors))
            assert float(row["train"]) == pytest.approx(100 * float(lines[-1]["train_error"]), abs=1e-9)
            seconds = [float(line["seconds"]) for line in lines]
            assert float(row["seconds"]) == pytest.approx(sum(seconds))
            assert float(row["seconds_per_epoch"]) == pytest.approx(sum(seconds) / 2)
            final = (
                tomllib.loads((run / "result.toml").read_text())["test"]["error"]
                if part == "validation"
                else errors[-1] / 100
            )
            assert float(row["test"]) == pytest.approx(100 * final, abs=1e-9)
            assert row["numpy"] == tomllib.loads((run / "config.toml").read_text())["versions"]["numpy"]


def test_each_epoch_has_a_row_of_the_errors_in_the_runs_own_file(found, folder):
    rows = rows_of(found.epochs, HOSTILE)
    assert [(row["seed"], row["epoch"]) for row in rows] == [("3", "1"), ("3", "2"), ("5", "1"), ("5", "2")]
    lines = [line for seed in (3, 5) for line in metrics(folder_of(folder, HOSTILE, seed))]
    for row, line in zip(rows, lines, strict=True):
        assert float(row["tested"]) == pytest.approx(100 * float(line["validation_error"]), abs=1e-9)
        assert float(row["train"]) == pytest.approx(100 * float(line["train_error"]), abs=1e-9)


def test_each_layer_has_what_was_measured_to_six_digits(found, folder):
    assert {row["cell"] for row in found.layers} == {"bp"}
    rows = [row for row in found.layers if row["seed"] == "5"]
    with h5py.File(folder / "bp" / "seed-5" / "diagnostics.h5") as file:
        names = [name.decode() for name in file["layers"]]
        assert [row["layer"] for row in rows] == names * len(file["epochs"])
        for number, row in enumerate(rows):
            time, place = divmod(number, len(names))
            assert float(row["epoch"]) == file["epochs"][time]
            for quantity, values in file["values"].items():
                value = values[time, place]
                if isnan(value):
                    assert row[quantity] == ""
                else:
                    assert float(row[quantity]) == pytest.approx(value, rel=5e-6)


def test_runs_that_are_not_finished_have_no_figures_and_say_why(found):
    broken, late = rows_of(found.runs, "broken"), rows_of(found.runs, "late")
    assert [row["state"] for row in broken] == ["failed"] * 2
    assert all("--test-limit 100 is not possible" in row["why"] for row in broken)
    assert [(row["state"], row["why"], row["epochs"], row["numpy"]) for row in late] == [("missing", "", "0", "")] * 2
    one, other = rows_of(found.runs, "frozen")
    assert (one["state"], other["state"], other["epochs"]) == ("finished", "unfinished", "2")
    for row in (*broken, *late, other):
        assert (row["last"], row["best"], row["test"]) == ("", "", "")
    assert len(rows_of(found.epochs, "frozen")) == 4
    frozen = next(cell for cell in cells_of(found) if cell.name == "frozen")
    assert (frozen.last.n, frozen.after(2).n, frozen.is_whole) == (1, 2, False)


def test_a_study_of_accuracy_has_accuracies(study, folder, found):
    rows = gathered(replace(study, measure="accuracy"), folder, cells=["bp"]).runs
    for name in ("last", "best", "test", "train"):
        for row, of_error in zip(rows, rows_of(found.runs, "bp"), strict=True):
            assert float(row[name]) == pytest.approx(100 - float(of_error[name]), abs=1e-9)


def test_shortened_runs_are_those_of_the_epochs_that_are_named(study, folder):
    one, other = gathered(study, folder, cells=["bp"], epochs=1).runs
    assert (one["state"], one["epochs"], one["planned_epochs"]) == ("finished", "1", "2")
    line = metrics(folder / "bp" / "seed-3_epochs-1")[0]
    assert float(one["last"]) == pytest.approx(100 * float(line["test_error"]), abs=1e-9)
    assert other["state"] == "missing"


def test_a_long_run_has_its_first_epochs_then_every_tenth_and_its_last(study, folder, monkeypatch):
    from bdfa_np.report.markdown import gathering

    whole = gathering.find

    def lengthened(one):
        history = [replace(one.history[0], epoch=epoch) for epoch in range(1, WHOLE + 4)] if one.history else []
        return replace(one, history=history)

    def long(*arguments, **options):
        study, each = whole(*arguments, **options)
        return study, map(lengthened, each)

    monkeypatch.setattr(gathering, "find", long)
    tables = gathered(study, folder, cells=["bp"])
    epochs = [int(row["epoch"]) for row in tables.epochs if row["seed"] == "3"]
    assert epochs == [*range(1, EVERY + 1), 20, 30, 40, 50, 60, 63]
    tables.write(folder.parent / "long")
    assert type(tables).read(folder.parent / "long") == tables


def test_options_that_a_search_has_chosen_are_among_a_cells_options(tmp_path):
    text = """
seeds = 1
[base]
dataset = "mnist-5k"
train_limit = 200
num_layers = 1
num_hidden = 10
epochs = 1
[grid]
gradient = ["bp"]
[search]
method = "grid"
[search.space]
lr = [1e-2, 1e-4]
"""
    (tmp_path / "searched.toml").write_text(text)
    study = load_study(str(tmp_path / "searched.toml"))
    run_study(study, tmp_path / "searched")
    found = gathered(study, tmp_path / "searched")
    kept = next(Path(tmp_path, "searched").glob("gradient=bp/seed-0/config.toml"))
    assert found.cells[0]["option.lr"] == str(tomllib.loads((kept).read_text())["options"]["lr"])
    assert float(found.cells[0]["option.lr"]) in (1e-2, 1e-4)
    assert cells_of(found)[0].options["lr"] == found.cells[0]["option.lr"]

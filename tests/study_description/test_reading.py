"""What a study's file means: its cells, what was published for them, its seeds; and that it comes back as it was."""

import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bdfa_np.errors import UntrustedError
from bdfa_np.study.cell import Cell
from bdfa_np.study.description import Study, common_options, load_study, published_names, template, write_study

GRID = """
title = "Two rules"
source = "a paper, table 1"
notes = ["it does not name the optimizer"]
seeds = [1, 7]
report = ["test", "last"]
measure = "accuracy"

[base]
dataset = "mnist-5k"
epochs = 3
batch-size = 32

[grid]
lr = [1e-3, 2]
[grid.rule]
bp = { gradient = "bp" }
"bdfa label" = { gradient = "bdfa", feedback_target = "label", batch_size = 16 }

[published."lr=0.001"]
bp = 98.05
"bdfa label" = { mean = 96.8, sd = 0.1, note = "read from a figure" }
"""


@pytest.fixture
def written(tmp_path, monkeypatch):
    """Give a function that writes a study's file, in whose folder this is."""
    monkeypatch.chdir(tmp_path)

    def write(text, name="sweep.toml"):
        Path(name).write_text(text, encoding="utf-8")
        return name

    return write


def test_a_grid_is_every_combination_in_the_order_of_its_axes_with_what_was_published(written):
    study = load_study(written(GRID))
    base = {"dataset": "mnist-5k", "epochs": 3, "batch_size": 32}
    label = {"gradient": "bdfa", "feedback_target": "label", "batch_size": 16}
    assert study == Study(
        name="sweep",
        axes=("lr", "rule"),
        cells=(
            Cell(("lr=0.001", "bp"), {**base, "lr": 0.001, "gradient": "bp"}, 98.05),
            Cell(("lr=0.001", "bdfa label"), {**base, "lr": 0.001, **label}, 96.8, 0.1, "read from a figure"),
            Cell(("lr=2", "bp"), {**base, "lr": 2, "gradient": "bp"}),
            Cell(("lr=2", "bdfa label"), {**base, "lr": 2, **label}),
        ),
        seeds=(1, 7),
        title="Two rules",
        source="a paper, table 1",
        notes=("it does not name the optimizer",),
        report=("test", "last"),
        measure="accuracy",
    )
    assert study.cells[1].name == "lr=0.001/bdfa label"


def test_a_list_of_cells_has_names_whose_slashes_part_labels(written):
    study = load_study(
        written(
            """
            axes = ["net", "rule"]
            [base]
            dataset = "mnist-5k"
            [[cells]]
            name = "wide/bp"
            num_hidden = 800
            gradient = "bp"
            published = 1.5
            note = "of one run"
            [[cells]]
            labels = ["a/b", "dfa"]
            gradient = "dfa"
            published = { mean = 2, sd = 0.5 }
            """
        )
    )
    assert study.axes == ("net", "rule")
    assert [cell.labels for cell in study.cells] == [("wide", "bp"), ("a/b", "dfa")]
    assert [(cell.published, cell.published_sd, cell.note) for cell in study.cells] == [
        (1.5, None, "of one run"),
        (2.0, 0.5, ""),
    ]
    assert study.cells[0].options == {"dataset": "mnist-5k", "num_hidden": 800, "gradient": "bp"}
    assert study.seeds == (0,)


def test_switches_and_texts_in_a_list_of_values_are_labels_as_toml_has_them(written):
    text = '[base]\ndataset = "mnist-5k"\n[grid]\nconst_batch_size = [true, false]\nnonlin = ["relu", "tanh"]\n'
    labels = [cell.labels for cell in load_study(written(text)).cells]
    assert labels[0] == ("const_batch_size=true", "nonlin=relu")
    assert labels[-1] == ("const_batch_size=false", "nonlin=tanh")


def test_a_study_that_is_written_and_read_again_is_the_same_its_name_included(written):
    study = load_study(written(GRID))
    write_study(study, "copy.toml")
    assert load_study("copy.toml") == study
    assert [type(cell.options["lr"]) for cell in load_study("copy.toml").cells] == [float, float, int, int]


NAMES = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs")), min_size=1, max_size=12).filter(
    lambda text: text.strip() and text.isprintable()
)
RATES = st.floats(1e-30, 1e30) | st.integers(1, 2**64)


@settings(max_examples=6, deadline=None)
@given(
    labels=st.lists(st.tuples(NAMES, NAMES), min_size=1, max_size=5, unique_by="/".join),
    rates=st.lists(RATES, min_size=5, max_size=5, unique=True),
    figures=st.lists(st.none() | st.floats(0, 100), min_size=5, max_size=5),
    seeds=st.lists(st.integers(0, 2**100), min_size=1, max_size=4, unique=True),
    note=NAMES,
)
def test_whatever_a_study_holds_comes_back_from_its_file(tmp_path_factory, labels, rates, figures, seeds, note):
    cells = tuple(
        Cell(pair, {"lr": rate, "const_batch_size": True}, figure, note=" ".join(note.split()))
        for pair, rate, figure in zip(labels, rates, figures, strict=False)
    )
    study = Study("any name", ("one", "another"), cells, tuple(seeds), notes=(" ".join(note.split()),))
    path = tmp_path_factory.getbasetemp() / "written.toml"
    write_study(study, path)
    assert load_study(path) == study


def test_what_all_cells_have_in_common_tells_one_from_true():
    cells = (Cell(("a",), {"validate": 1, "lr": 0.1}), Cell(("b",), {"validate": True, "lr": 0.1}))
    assert common_options(Study("s", ("cell",), cells, (0,))) == {"lr": 0.1}


@pytest.mark.parametrize("name", published_names())
def test_a_published_study_can_be_trained_and_comes_back_from_a_copy(name, tmp_path):
    study = load_study(name)
    assert study.name == name
    write_study(study, tmp_path / "study.toml")
    assert load_study(tmp_path / "study.toml") == study


def test_the_commented_file_is_a_study_of_few_short_runs(written):
    text = template("my study.toml")
    study = load_study(written(text))
    assert "bdfa study run 'my study.toml'" in text
    assert (len(study.cells), study.seeds) == (4, (0, 1, 2))
    assert {cell.options["epochs"] for cell in study.cells} == {5}


def test_what_the_commented_file_has_as_remarks_can_be_put_in_place(written):
    lines = template("f").splitlines()
    cells = [
        line.removeprefix("# ")
        for line in lines
        if line.startswith(("# [[cells]]", "# name", "# num", "# published ="))
    ]
    published = [line.removeprefix("# ") for line in lines if line.startswith(("# [published]", '# "lr='))]
    without_grid = "\n".join(lines).partition("[grid]")[0] + "\n".join(cells)
    assert load_study(written(without_grid)).cells[0].published == 1.5
    assert load_study(written("\n".join([*lines, *published]))).cells[1].published_sd == 0.2


def test_paths_are_read_from_the_current_folder_and_kept_whole(written, tmp_path, monkeypatch):
    (tmp_path / "below").mkdir()
    written('[base]\ndataset = "./digits.npz"\n[grid]\nlr = [1, 2]\n', "below/own.toml")
    study = load_study("below/own.toml")
    assert study.cells[0].options["dataset"] == str(tmp_path / "digits.npz")
    write_study(study, "below/copy.toml")
    monkeypatch.chdir(tmp_path / "below")
    assert load_study("copy.toml").cells == study.cells


RULE = "from bdfa_np import BP\n\nclass Mine(BP):\n    summary = 'mine'\n"


def test_a_rule_of_ones_own_is_run_once_it_is_trusted_and_has_its_whole_path(written, tmp_path):
    (tmp_path / "mine.py").write_text(f"open('it was run', 'w').close()\n{RULE}")
    file = written('[base]\ndataset = "mnist-5k"\ngradient = "mine.py"\n[grid]\nlr = [1.0, 2.0]\n')
    with pytest.raises(UntrustedError, match=r"^sweep.toml would run .*mine.py \(SHA-256 \w{64}\).*--trust"):
        load_study(file)
    assert not Path("it was run").exists()
    assert load_study(file, trust=True).cells[0].options["gradient"] == str(tmp_path / "mine.py")
    assert load_study(file) == load_study(file, trust=True)  # it is known from then on
    (tmp_path / "mine.py").write_text(RULE + "# altered\n")
    with pytest.raises(UntrustedError):
        load_study(file)


def test_an_option_that_follows_is_kept_as_it_was_given(written):
    text = '[base]\ndataset = "mnist-5k"\ngradient = "bfa"\nfeedback_output = "auto"\n[grid]\nlr = [1, 2]\n'
    assert load_study(written(text)).cells[0].options["feedback_output"] == "auto"


def test_numbers_and_order_are_those_that_toml_has(written):
    study = load_study(written(GRID))
    document = tomllib.loads(GRID)
    assert [cell.options["lr"] for cell in study.cells[::2]] == document["grid"]["lr"]
    assert replace(study, name="other") != study

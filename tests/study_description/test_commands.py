"""``bdfa study new``, ``list`` and ``show``, as they are called."""

import shlex
from pathlib import Path

import click
import pytest

from bdfa_np.cli.commands.train import train
from bdfa_np.cli.options import given_options
from bdfa_np.options.config import Config
from bdfa_np.options.spelled import words
from bdfa_np.study.description import load_study, published_names, template
from bdfa_np.study.plan import plan


def typed(line):
    """Return what ``bdfa train`` makes of a line that is typed."""
    return Config(**given_options(train.make_context("train", shlex.split(line)[2:]))).resolve()


def test_the_commented_file_is_written_and_nothing_is_replaced_unasked(bdfa):
    assert bdfa("study", "new", "sweep.toml").out == "sweep.toml: change it, then bdfa study run sweep.toml\n"
    assert Path("sweep.toml").read_text() == template("sweep.toml")
    Path("sweep.toml").write_text("mine")
    assert bdfa.refused("study", "new", "sweep.toml").endswith(
        "sweep.toml is there: name another file, or replace it with --force"
    )
    assert Path("sweep.toml").read_text() == "mine"
    assert bdfa("study", "new", "sweep.toml", "--force").code == 0
    assert Path("sweep.toml").read_text() == template("sweep.toml")


def test_a_link_to_nothing_is_not_written_through_unasked(bdfa):
    Path("sweep.toml").symlink_to("elsewhere.toml")
    bdfa.refused("study", "new", "sweep.toml")
    assert not Path("elsewhere.toml").exists()


def test_a_hyphen_is_standard_output(bdfa):
    assert bdfa("study", "new", "-").out == template("FILE")
    assert list(Path().iterdir()) == []


def test_a_file_of_another_ending_or_in_no_folder_is_refused(bdfa):
    assert "name it sweep.toml" in bdfa.refused("study", "new", "sweep")
    assert "there is no folder" in bdfa.refused("study", "new", "none/sweep.toml")


def test_a_file_called_as_a_published_study_is_noted(bdfa):
    assert "note: luo-mnist is a published study too" in bdfa("study", "new", "luo-mnist.toml").out


def test_the_list_has_published_studies_and_those_of_the_folder_with_their_counts(bdfa):
    bdfa("study", "new", "sweep.toml")
    Path("other.toml").write_text("[tool]\nname = 1\n")
    Path("wrong.toml").write_text("[grid]\nlr = []\n")
    Path("damaged.toml").write_text("[grid")
    outcome = bdfa("study", "list", "--no-time")
    rows = {
        line.split()[0]: line.split()[1:] for line in outcome.out.splitlines() if not line.startswith((" ", "note:"))
    }
    assert outcome.code == 0
    assert set(published_names()) <= set(rows)
    assert rows["luo-mnist"] == ["30", "5", "300"]
    assert rows["sweep.toml"] == ["4", "3", "5"]
    assert "note: wrong.toml: [grid]: lr must be a list of values" in outcome.out
    assert "other.toml" not in outcome.out
    assert "damaged" not in outcome.out
    assert max(map(len, outcome.out.splitlines())) <= 80


def test_times_are_told_of_each_study_and_where_they_cannot_be_that_is_noted(bdfa, monkeypatch):
    monkeypatch.setattr("bdfa_np.study.description.published_names", list)
    monkeypatch.setattr("bdfa_np.cli.commands.study.list.usable_cores", lambda: 2)
    monkeypatch.setattr("bdfa_np.study.estimate._measured", lambda *_: (0.5, 0.0))
    bdfa("study", "new", "sweep.toml")
    Path("own.toml").write_text(Path("sweep.toml").read_text().replace('"mnist-5k"', '"./own.npz"'))
    lines = bdfa("study", "list").out.splitlines()
    # 12 runs of 5 epochs of 4,000 / 64 steps of half a second.
    assert lines[0].endswith("one by one  2 workers")
    assert next(line for line in lines if line.startswith("sweep")).split()[4:] == [
        *("31", "min"),
        *("16", "min"),
    ]
    assert next(line for line in lines if line.startswith("own")).split()[4:] == ["?", "?"]
    assert any(line.startswith("note: how long own.toml takes cannot be told:") for line in lines)


@pytest.mark.parametrize("name", published_names())
def test_a_published_study_is_shown_within_the_width_with_its_notes_and_figures(bdfa, name, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    study = load_study(name)
    outcome = bdfa("study", "show", name)
    assert outcome.code == 0
    assert max(map(len, outcome.out.splitlines())) <= 80
    shown = " ".join(outcome.out.split())
    assert all(note in shown for note in study.notes)
    assert study.source in shown
    assert all(f"{cell.published:g}" in shown for cell in study.cells if cell.published is not None)


def test_the_line_that_is_shown_trains_the_first_cell_as_the_study_does(bdfa):
    for name in published_names():
        line = bdfa("study", "show", name).out.partition(" is:\n")[2].replace("\\\n", " ")
        run = plan(load_study(name))[0]
        assert typed(line) == Config.from_mapping(run.options).resolve()


@pytest.mark.parametrize("name", published_names())
def test_every_cell_as_it_is_typed_is_the_cell(name):
    for run in plan(load_study(name), seeds=1):
        line = shlex.join(["bdfa", "train", *(word for option in words(run.options) for word in option)])
        assert typed(line) == Config.from_mapping(run.options).resolve()


def test_settings_are_those_of_all_cells_and_of_each_label_where_labels_say_it_all(bdfa):
    out = bdfa("study", "show", "luo-mnist").out
    assert "\n  1x400  --num-layers 1 --num-hidden 400\n" in out
    assert "\n  bdfa  --gradient bdfa --feedback-target label --feedback-lr 5e-05\n" in out
    assert "2.90" in out  # as the paper prints it


def test_settings_that_labels_do_not_say_are_those_of_each_cell(bdfa):
    out = bdfa("study", "show", "frenkel-mnist").out
    assert "and of each cell:\n" in out
    assert "1.72 ± 0.08" in out


def test_a_file_is_printed_as_it_is_its_remarks_too(bdfa):
    bdfa("study", "new", "sweep.toml")
    assert bdfa("study", "show", "sweep.toml", "--toml").out == template("sweep.toml")
    copied = bdfa("study", "show", "luo-mnist", "--toml").out
    Path("mine.toml").write_text(copied, encoding="utf-8")
    assert load_study("mine.toml").cells == load_study("luo-mnist").cells


@pytest.mark.parametrize("arguments", [["show", "luo-minst"], ["show", "luo-minst", "--toml"], ["show", "."]])
def test_what_is_no_study_is_refused_in_one_line(bdfa, arguments):
    bdfa.refused("study", *arguments)


def test_the_help_of_each_names_what_it_takes(bdfa):
    for name in ("new", "list", "show"):
        assert bdfa("study", name, "--help").code == 0
    assert isinstance(train, click.Command)


def test_a_switch_that_is_off_is_not_typed_and_one_with_a_value_has_it():
    options = {"whiten": False, "const_batch_size": True, "validate": 500, "visualize": False}
    assert words(options) == [["--const-batch-size"], ["--validate", "500"], ["--visualize", "0"]]
    assert words({"rule_options": {"strength": 2.0, "on": True}}) == [["-O", "strength=2.0"], ["-O", "on=1"]]

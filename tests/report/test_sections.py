"""The parts of a report: commands that repeat a run, what is said where there is nothing to show, and what users get
wrong.
"""

import json
import shlex
import shutil
from dataclasses import replace

import numpy as np
import pytest

from bdfa_np.cli.commands.train import train as train_command
from bdfa_np.cli.options import given_options
from bdfa_np.diagnostics.diagnostics import Diagnostics
from bdfa_np.figures.style import STYLES
from bdfa_np.options.catalogue import OPTIONS
from bdfa_np.options.config import Config
from bdfa_np.report import writing
from bdfa_np.report.blocks import Code, Paragraph
from bdfa_np.report.charts import Looks, whole_epochs
from bdfa_np.report.colours import DARK, LIGHT, contrast, look, shades
from bdfa_np.report.learning import thinned, told_epochs
from bdfa_np.report.material import gathered, heading
from bdfa_np.report.measured import MOST_PANELS, angles, tracked
from bdfa_np.report.pictures import drawn
from bdfa_np.report.results import results
from bdfa_np.report.sections import page_of
from bdfa_np.report.seen import worst
from bdfa_np.report.settings import OF_THE_MACHINE, command
from bdfa_np.trainer import EpochRecord


@pytest.fixture(scope="module")
def material(swept):
    return gathered([swept / "studies" / "sweep"], cells=[], epochs=None, trust=False)


def parsed(text):
    """Return the options that a command comes to, resolved."""
    program, name, *words = shlex.split(text)
    assert (program, name) == ("bdfa", "train")
    with train_command.make_context("train", words) as context:
        return Config.from_mapping(given_options(context)).resolve()


@pytest.mark.parametrize(
    "options",
    [
        {"gradient": "dfa", "dataset": "mnist-5k", "lr": 0.003},
        {"gradient": "bdfa", "feedback_target": "label", "num_layers": 3, "validate": True, "seed": 7},
        {"gradient": "bfa", "criterion": "bce", "dataset": "./it's $mine.npz", "test_fraction": 0.25},
        {"network": "conv", "dataset": "cifar10", "dropout": 1, "whiten": True, "batchnorm": 1, "bias": False},
        {
            "schedule": "cosine",
            "optimization": "sgd",
            "momentum": 0.9,
            "epochs": 12,
            "validate": 500,
            "keep_best": True,
        },
    ],
)
def test_the_command_repeats_a_run(options):
    config = Config.from_mapping(options).resolve()
    again = parsed(command(config))
    differing = {name for name in OPTIONS if getattr(again, name) != getattr(config, name)}
    assert differing <= OF_THE_MACHINE
    assert "--bias 1" not in command(config)


def test_where_the_data_are_gone_a_sentence_says_so_and_the_rest_is_made(material, swept, tmp_path):
    shutil.move(swept / "letters.npz", tmp_path / "letters.npz")
    try:
        (said,) = worst(material).blocks
    finally:
        shutil.move(tmp_path / "letters.npz", swept / "letters.npz")
    assert isinstance(said, Paragraph)
    assert "letters.npz" in said.text
    assert said.text.startswith("bp, ")
    assert results(material).blocks


def test_runs_that_are_not_finished_are_marked(material, monkeypatch):
    subject = material.subjects[0]
    stopped = replace(subject.runs[0], finished=False, history=subject.runs[0].history[:1])
    subjects = [replace(subject, runs=(stopped, *subject.runs[1:])), *material.subjects[1:]]
    found = replace(material, subjects=subjects)
    (warning,) = (block.text for block in results(found).blocks if getattr(block, "kind", "") == "warning")
    assert "stopped after 1 of 2 epochs" in warning
    assert "not finished" in found.shown[0].short_legend
    assert "3 runs of 4 finished" in " ".join(heading(found)[2])
    monkeypatch.setattr(type(stopped.folder), "read_failure", lambda _: "the loss is nan: try a smaller --lr")
    said = [block.text for block in results(found).blocks if getattr(block, "kind", "") == "warning"]
    assert any("failed after 1 of 2 epochs" in one for one in said)
    assert f"{stopped.name} failed: the loss is nan: try a smaller --lr." in said


def test_runs_alone_stand_beside_one_another(material, rows_of):
    alone = replace(material, study=None, table=None)
    kind, title, lead = heading(alone)
    assert (kind, title) == ("4 runs", 'bp and fa </script>"&$x$ on letters.npz')
    assert "validation images" in lead[0]
    by_subject, by_run = results(alone).blocks[:2]
    errors = [100 * run.history[-1].test_error for run in alone.subjects[0].runs]
    assert by_subject.rows[0][2].value == pytest.approx(np.mean(errors))
    assert by_subject.rows[0][2].text == f"{np.mean(errors):.2f} ± {np.std(errors, ddof=1):.2f}"
    assert [row[1].text for row in by_run.rows] == ["3", "5", "3", "5"]


def test_of_a_run_that_was_not_tracked_the_command_is_told_that_measures_it(material):
    runs = [replace(run, measured=Diagnostics((), np.array([]), np.array([]), {})) for run in material.runs[:2]]
    found = replace(material, subjects=[replace(material.subjects[0], runs=tuple(runs))])
    section, data = angles(found, Looks(["bp"], ["M0,0Z"], [[]]), tracked(found))
    assert data == {}
    (code,) = (block for block in section.blocks if isinstance(block, Code))
    assert code.text.count("--track") == 1
    assert parsed(code.text).track == "alignment,feedback"


def test_what_is_below_the_floor_is_left_out_and_of_a_deep_net_some_layers_are_shown_at_first(material):
    layers = tuple(f"conv{number}" for number in range(20))
    values = {"signal_angle": np.full((2, 20), 45.0), "meaningful": np.ones((2, 20))}
    values["meaningful"][:, 3] = 0
    deep = Diagnostics(layers, np.array([0.0, 1.0]), np.array([0, 9]), values)
    runs = (replace(material.runs[0], measured=deep),)
    found = replace(material, subjects=[replace(material.subjects[0], runs=runs)])
    section, data = angles(found, Looks(["bp"], ["M0,0Z"], [[]]), tracked(found))
    chart = next(block for block in section.blocks if block.name == "chart")
    assert 2 <= sum(shown for _, _, shown in chart.panels) <= MOST_PANELS + 1
    assert chart.panels[-1] == (19, "conv19", True)
    assert {row[4] for row in data["angles"].values if row[3] == 3} == {None}
    assert {row[4] for row in data["angles"].values if row[3] != 3} == {45.0}
    assert len(data["angles-last"].values) == 20


def test_of_many_epochs_some_are_drawn_the_best_and_the_last_among_them():
    history = [EpochRecord(n, 0.1, 1, 0.5, 0.5, 1, abs(n - 777) / 1000, 1) for n in range(1, 1001)]
    kept = [record.epoch for record in thinned(history, 10)]
    assert {1, 777, 1000} <= set(kept)
    assert len(kept) == 102
    assert told_epochs(5) == [1, 2, 3, 4, 5]
    assert told_epochs(300)[0] == 1
    assert told_epochs(300)[-1] == 300
    assert len(told_epochs(300)) <= 14


def test_lines_and_cells_stand_out_from_either_paper():
    looks = [look(style.colour, style.marker, style.dash) for style in STYLES]
    assert min(contrast(one.light, LIGHT) for one in looks) >= 3
    assert min(contrast(one.dark, DARK) for one in looks) >= 4.5
    assert len({(one.light, one.shape, one.dash) for one in looks}) == len(STYLES)
    for dark in (False, True):
        assert min(contrast(back, front) for back, front in shades(dark=dark)) >= 4.5
    assert contrast("#ffffff", "#000000") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.slow
def test_the_same_picture_gives_the_same_bytes(material):
    assert drawn("curves", material.shown, "a", "b") == drawn("curves", material.shown, "a", "b")


def test_what_cannot_be_reported_is_refused_in_a_line_and_nothing_is_written(bdfa, swept, monkeypatch):
    monkeypatch.chdir(swept)
    run = next(swept.glob("studies/sweep/bp/seed-3"))
    for words, said in (
        (["nowhere"], "there is no folder nowhere"),
        (["studies/sweep/bp"], "there are 2 runs in it"),
        ([run, "sweep"], "one study, or of runs"),
        ([run, run], "is named twice"),
        ([run, "--cells", "x"], "no study is named"),
        (["sweep", "--cells", "x"], "no cell of study sweep fits 'x'"),
        (["sweep", "--epochs", "1"], "has a whole epoch yet"),
        ([], "RUN...|STUDY"),
    ):
        assert said in bdfa.refused("report", *words, "-o", "none.html")
    assert "--output" in bdfa.refused("report", run)
    assert "no/none.html" in bdfa.refused("report", run, "-o", "no/none.html")
    assert not (swept / "none.html").exists()


def test_without_the_extra_the_command_is_told_that_installs_it(bdfa, monkeypatch):
    found = writing.find_spec
    monkeypatch.setattr(writing, "find_spec", lambda name: None if name == "vl_convert" else found(name))
    said = bdfa.refused("report", "run", "-o", "none.html")
    assert "a report needs vl-convert-python: install what is missing with pip install" in said
    assert "[report]" in said


def test_all_angles_have_one_axis_with_a_tick_at_90_and_errors_begin_at_0(section):
    def scales(key):
        charts = [json.loads(found.text) for found in section(key).all("script", type="application/json")]
        layers = [layer.get("encoding", {}) for chart in charts for layer in chart["layer"]]
        return [encoding["y"] for encoding in layers if "y" in encoding]

    [(start, end)] = {tuple(one["scale"]["domain"]) for one in scales("angles")}
    assert start == 0
    assert 100 <= end <= 180  # one of the nets has angles above 90 degrees
    assert all(one["axis"]["values"][:4] == [0, 30, 60, 90] for one in scales("angles"))
    assert scales("curves")
    assert all(one["scale"] == {"type": "linear", "zero": True} for one in scales("curves"))


@pytest.mark.parametrize(
    ("first", "last", "ticks"),
    [
        (1, 1, [1]),
        (1, 2, [1, 2]),
        (0, 0.5, [0]),
        (0, 8, [0, 1, 2, 3, 4, 5, 6, 7, 8]),
        (1, 30, [1, 5, 10, 15, 20, 25, 30]),
        (0, 300, [0, 50, 100, 150, 200, 250, 300]),
    ],
)
def test_ticks_of_epochs_are_whole_numbers(first, last, ticks):
    assert whole_epochs(first, last) == ticks


def test_what_is_being_done_is_heard_in_its_order(swept, monkeypatch):
    monkeypatch.chdir(swept)
    heard = []

    def stage(title):
        heard.append(title)
        if title == "drawing curves":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        page_of(["sweep"], cells=(), epochs=None, trust=False, stage=stage)
    assert heard == ["reading runs", "drawing curves"]

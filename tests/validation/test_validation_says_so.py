"""Under ``--validate`` everything that a run says and writes says validation, and its end tells the test error too."""

import csv
import re
import tomllib
from pathlib import Path

import numpy as np
import pytest

from bdfa_np import Config, load_run
from bdfa_np.data import load_dataset, split
from bdfa_np.data.preprocess.pipeline import specification
from bdfa_np.data.recipe import Recipe
from bdfa_np.data.splits import validation_size
from bdfa_np.errors import ConfigError, DataError, TrainingError
from bdfa_np.runs.curves import draw_curves
from bdfa_np.runs.starting import start_run
from bdfa_np.trainer import EpochRecord

TINY = ["--dataset", "mnist-5k", "--num-hidden", "20", "--train-limit", "300", "--threads", "1", "--backend", "numpy"]
TEST = re.compile(r"\btest(ed|ing)?\b", re.IGNORECASE)


def rows(run):
    with (run / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def validated(bdfa):
    outcome = bdfa("train", *TINY, "--epochs", 2, "--validate", "--save", "run")
    assert (outcome.code, outcome.err) == (0, "")
    return outcome.out.splitlines()


def test_every_line_says_validation_and_test_stands_only_before_the_test_error_of_the_net_kept(validated):
    (last,) = (line for line in validated if TEST.search(line))
    assert last.startswith("test error ")
    assert "validation" in validated[0]
    (heading,) = (line for line in validated if "training " in line and "images" not in line and "mean:" not in line)
    assert heading.split() == ["training", "validation"]
    assert any(line.startswith("done: validation error ") for line in validated)


def test_the_columns_of_metrics_say_validation_and_error_rate_log_stays_torchs(validated):
    header = Path("run/metrics.csv").read_text().splitlines()[0]
    assert header == "epoch,lr,train_loss,train_error,train_error_mean,validation_loss,validation_error,seconds"
    assert Path("run/ErrorRate.log").read_text().startswith("Training Error\tTest Error\t\n")


def test_the_test_error_at_the_end_is_that_of_the_last_net_on_all_test_images(bdfa, validated):
    (line,) = (line for line in validated if line.startswith("test error "))
    assert line.endswith(" of the last net, after 2 epochs, on 1,000 test images")
    model, data = load_run("run"), load_dataset("mnist-5k")
    wrong = (
        model.network.predict(model.preprocessing.apply(data.test_images)).argmax(axis=1) != data.test_labels
    ).mean()
    assert line.split()[2] == f"{wrong:.2%}"
    assert f"error {wrong:.2%} " in bdfa("evaluate", "run", "--backend", "numpy").out


def test_without_validation_nothing_says_so_and_no_second_test_is_made(bdfa):
    out = bdfa("train", *TINY, "--epochs", 1, "--save", "run").out
    assert "validation" not in out
    assert out.count("test error") == 1


def test_a_python_run_has_the_final_test_in_its_session(tmp_path):
    options = {"dataset": "mnist-5k", "num_hidden": 10, "train_limit": 200, "threads": 1, "backend": "numpy"}
    session = start_run(Config(**options, epochs=1, validate=True), tmp_path / "run")
    assert (session.final_test.epoch, session.final_test.images) == (1, 1000)
    assert start_run(Config(**options, epochs=1), tmp_path / "other").final_test is None


def test_the_legend_of_the_curves_says_validation(tmp_path, monkeypatch):
    figure = pytest.importorskip("matplotlib.figure", reason="curves are drawn with matplotlib, the extra plot")
    drawn = []
    save = figure.Figure.savefig
    monkeypatch.setattr(figure.Figure, "savefig", lambda self, *a, **k: (drawn.append(self), save(self, *a, **k))[1])
    history = [EpochRecord(number, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7) for number in (1, 2)]
    draw_curves(tmp_path / "curves.png", history, "a run", "validation")
    (legend,) = (axes.get_legend() for axes in drawn[0].axes)
    assert [text.get_text() for text in legend.get_texts()] == ["training", "validation"]


def test_a_loss_that_is_no_number_is_told_of_the_part_that_was_tested_on(tmp_path, monkeypatch):
    monkeypatch.setattr("bdfa_np.trainer.evaluate", lambda *_: (float("inf"), None))
    options = {"dataset": "mnist-5k", "num_hidden": 10, "train_limit": 200, "threads": 1, "backend": "numpy"}
    with pytest.raises(TrainingError, match="the validation loss is inf after epoch 1"):
        start_run(Config(**options, validate=True), tmp_path / "run")


@pytest.mark.parametrize(
    ("asked", "count", "held_out"),
    [(True, 60_000, 10_000), (True, 4000, 800), (500, 4000, 500), (1, 10, 1), (0.1, 4000, 400), (0.29, 100, 29)],
)
def test_a_number_or_a_fraction_is_held_out_from_the_end(asked, count, held_out):
    assert validation_size(count, asked) == held_out


def test_the_last_images_are_held_out_and_the_others_trained_on():
    data = load_dataset("mnist-5k")
    parts = split(data, validate=0.25)
    assert len(parts.test_labels) == 1000
    assert np.shares_memory(parts.test_images, data.train_images[3000:])
    assert parts.description == "mnist-5k: 3000 training images and 1000 validation images"
    assert len(split(data, validate=1).test_labels) == 1


@pytest.mark.parametrize("asked", [4000, 5000, 1e-5, 0.99999])
def test_what_leaves_no_images_on_one_side_is_refused(asked):
    with pytest.raises(DataError, match=r"--validate .* choose from 1 to 3999"):
        split(load_dataset("mnist-5k"), validate=asked)


@pytest.mark.parametrize("asked", [0, -3, 1.0, 1.5, -0.5, float("nan"), 0.0])
def test_what_is_neither_a_number_of_images_nor_a_fraction_is_refused_everywhere(bdfa, asked):
    wanted = "--validate must be a whole number of images, or a fraction between 0 and 1, not "
    if not asked < 0:  # which looks like another option
        assert wanted in bdfa.refused("train", "--validate", asked)
    with pytest.raises(ConfigError, match=wanted):
        Recipe("mnist", validate=asked)
    with pytest.raises(ConfigError, match=wanted):
        Config(validate=asked).resolve()


def test_it_is_kept_in_the_runs_options_and_a_file_may_say_it(bdfa):
    bdfa("train", *TINY, "--epochs", 1, "--validate", 1000, "--save", "run")
    assert tomllib.loads(Path("run/config.toml").read_text())["options"]["validate"] == 1000
    Path("options.toml").write_text("validate = 0.5\n")
    out = bdfa("train", *TINY, "--config", "options.toml", "--epochs", 1, "--save", "half").out
    assert out.startswith("mnist-5k: 300 of 2000 training images and 2000 validation images\n")


def test_prepared_files_of_the_bare_flag_are_found_as_before_and_other_numbers_are_others():
    of = {value: specification(Recipe("mnist", validate=value), "mnist", {}) for value in (False, True, 5000, 0.5)}
    assert [of[value]["preprocessing"]["validate"] for value in (False, True, 5000, 0.5)] == [False, True, 5000, 0.5]
    assert of[True] == {
        "dataset": "mnist",
        "preprocessing": {"format": "rgb", "validate": True, "normalization": "scale"},
        "checksums": {},
        "versions": of[True]["versions"],
    }


@pytest.mark.parametrize("mixed", [True, False])
def test_images_held_out_of_a_part_of_the_classes_get_a_note(bdfa, mixed):
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(5), 20)
    labels = rng.permutation(labels) if mixed else labels
    x = rng.integers(0, 256, (100, 6), dtype=np.uint8)
    np.savez("own.npz", train_images=x, train_labels=labels, test_images=x[::5], test_labels=labels[::5])
    options = ["--dataset", "own.npz", "--num-hidden", 5, "--epochs", 1, "--backend", "numpy", "--threads", 1]
    out = bdfa("train", *options, "--validate", "--save", "run").out
    assert "done: validation error" in out
    assert ("note: the validation images are of 1 of 5 classes" in out) is not mixed
    assert "classes, since" not in bdfa("train", *options, "--save", "other").out

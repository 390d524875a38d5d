"""Data of one's own from the command line: tables, what has no test part, columns of different scales."""

import hashlib
import tomllib
from dataclasses import replace

import numpy as np
import pytest

from bdfa_np.runs.checkpoint import read_checkpoint, write_checkpoint

TRAIN = ["train", "--epochs", "15", "--lr", "1e-2", "--num-hidden", "20", "--threads", "1"]


@pytest.fixture
def flowers(tmp_path):
    """Give a table of three kinds of flowers, sorted by kind, which two of its columns tell apart."""
    generator = np.random.default_rng(0)
    lines = ["length,width,weight,kind"]
    for number in range(90):
        kind = number // 30
        length, width = generator.normal([3.0 * kind, 1.0 - kind], 0.3)
        lines.append(f"{length:.4f},{width:.4f},{1000 + generator.normal(0, 300):.1f},{('iris', 'lily', 'rose')[kind]}")
    (tmp_path / "flowers.csv").write_text("\n".join(lines))
    return tmp_path / "flowers.csv"


def test_a_table_is_trained_on_by_its_columns_resumed_and_evaluated(bdfa, flowers, tmp_path):
    own = "--dataset", flowers, "--label", "kind", "--test-fraction", 0.2, "--normalization", "column"
    outcome = bdfa(*TRAIN, *own, "--save", tmp_path / "run")
    assert outcome.code == 0
    assert "flowers: 72 training vectors and 18 test vectors\n" in outcome.out
    assert "3 columns, 3 classes, normalization column" in outcome.out
    assert "kB of numbers" in outcome.out
    assert "test error 0.00%" in outcome.out
    assert "image" not in outcome.out.replace("test images", "")
    config = tomllib.loads((tmp_path / "run" / "config.toml").read_text())
    flat = {**config, **config.get("options", {})}
    assert (flat["test_fraction"], flat["label"]) == (0.2, "kind")
    assert bdfa("train", "--save", tmp_path / "run", "--resume", "--epochs", 16).code == 0
    outcome = bdfa("evaluate", tmp_path / "run")
    assert "on 18 test vectors of" in outcome.out
    assert "error 0.00%" in outcome.out
    predicted = bdfa("predict", tmp_path / "run", "--dataset", flowers)
    assert predicted.code == 0
    assert len([line for line in predicted.out.splitlines() if line.startswith("test ")]) == 18


def test_columns_of_different_scales_are_noted_until_they_are_normalised_each(bdfa, flowers):
    note = "note: the columns of flowers differ widely in scale (deviations by a factor of "
    for options, noted in (([], True), (["--normalization", "simple"], True), (["--normalization", "column"], False)):
        err = bdfa("data", "prepare", flowers, "--test-fraction", 0.2, *options).err
        assert (note in err) == noted
        assert ("try --normalization column" in err) == noted


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ("--dataset {}", "has no test part: add --test-fraction 0.2"),
        ("--dataset {} --test-fraction 1", "--test-fraction must be greater than 0 and less than 1, not 1.0"),
        ("--dataset {} --test-fraction 0", "--test-fraction must be greater than 0 and less than 1, not 0.0"),
        ("--dataset {} --test-fraction 0.2 --label colour", "choose one of length, width, weight, kind"),
        ("--dataset mnist-5k --test-fraction 0.2", "--test-fraction has no part in --dataset mnist-5k"),
        ("--dataset mnist-5k --label kind", "--label has no part in --dataset mnist-5k, which is no table (.csv)"),
        (
            "--dataset mnist-5k --normalization column",
            "--normalization column needs vectors, and mnist-5k",
        ),
    ],
)
def test_what_does_not_go_with_the_data_is_one_line(bdfa, flowers, options, told):
    assert told in bdfa.refused("train", *options.format(flowers).split())


def test_info_shows_a_table_with_and_without_a_test_part(bdfa, flowers):
    out = bdfa("data", "info", flowers).out
    assert "flowers: 90 samples of 3 columns float32, 3 classes\n" in out
    assert "it has no test part: bdfa train needs --test-fraction, such as 0.2" in out
    assert "of the vectors: " in out
    assert out.splitlines()[-3:] == ["iris        30", "lily        30", "rose        30"]
    out = bdfa("data", "info", flowers, "--test-fraction", 0.2, "--label", "kind").out
    assert "flowers: 72 training and 18 test samples of 3 columns" in out
    assert out.splitlines()[-1].split() == ["rose", "24", "6"]


def test_help_names_tables(bdfa):
    assert ".csv" in bdfa("train", "--help").out


def test_a_run_from_when_labels_from_1_had_a_class_0_too_goes_on_with_it(bdfa, tmp_path):
    x, y = np.random.default_rng(0).normal(size=(60, 4)), np.arange(60) % 3
    path, run = tmp_path / "own.npz", tmp_path / "run"
    whole = {"x_train": x[:40], "x_test": x[40:]}
    np.savez(path, **whole, y_train=np.append(y[1:40], 3) % 4, y_test=y[40:])  # of four classes, as it was then
    assert bdfa(*TRAIN[:-2], "--threads", 1, "--dataset", path, "--save", run).code == 0
    np.savez(path, **whole, y_train=y[:40] + 1, y_test=y[40:] + 1)
    document = (run / "config.toml").read_text()
    data = tomllib.loads(document)["data"]
    assert data["class_names"] == ["0", "1", "2", "3"]
    checkpoint = run / "checkpoint.h5"
    write_checkpoint(checkpoint, replace(read_checkpoint(checkpoint), record=""))  # which there was not then
    old, new = data["checksums"]["own.npz"], hashlib.sha256(path.read_bytes()).hexdigest()
    (run / "config.toml").write_text(document.replace(old, new))
    assert bdfa("train", "--save", run, "--resume", "--epochs", 16).code == 0
    out = bdfa("evaluate", run).out
    assert "on 20 test vectors of" in out
    rows = {line.split()[0]: sum(map(int, line.split()[1:5])) for line in out.splitlines()[-4:]}
    assert rows == {"0": 0, "1": 6, "2": 7, "3": 7}  # of the places 40 to 59, modulo 3


@pytest.mark.oracle
def test_wine_is_learnt_below_5_percent_error(bdfa, tmp_path):
    datasets = pytest.importorskip("sklearn.datasets")
    wine = datasets.load_wine()
    rows = np.c_[wine.data, wine.target]
    names = ",".join([*wine.feature_names, "class"])
    np.savetxt(tmp_path / "wine.csv", rows, delimiter=",", header=names, comments="", fmt="%.6g")
    own = "--dataset", tmp_path / "wine.csv", "--test-fraction", 0.2, "--normalization", "column"
    outcome = bdfa("train", *own, "--epochs", 20, "--save", tmp_path / "run")
    assert outcome.code == 0
    error = float(outcome.out.rpartition("done: test error ")[2].partition("%")[0])
    assert error < 5


def test_one_column_is_said_in_the_singular(bdfa, tmp_path):
    (tmp_path / "one.csv").write_text("length,kind\n" + "".join(f"{n % 7},{'ab'[n % 2]}\n" for n in range(20)))
    assert "of 1 column " in bdfa("data", "info", tmp_path / "one.csv").out
    run = bdfa(*TRAIN, "--dataset", tmp_path / "one.csv", "--test-fraction", 0.2, "--save", tmp_path / "run")
    assert "\n1 column, 2 classes, " in run.out

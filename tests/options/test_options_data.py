"""What the options about data sets do to the numbers of a run, where another run is not enough to tell."""

import hashlib
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import scipy.io

from bdfa_np.data import load_dataset
from bdfa_np.data.sources.registry import ENTRIES
from bdfa_np.runs.checkpoint import read_checkpoint
from bdfa_np.runs.folder import RunFolder

TRAIN = "train --train-limit 300 --test-limit 100 --threads 1 --epochs 1 --lr 1e-3 --num-hidden 20 --save"
COLOURS = np.random.default_rng(0).integers(0, 256, (60, 6, 6, 3), dtype=np.uint8)


@pytest.fixture
def run(bdfa, tmp_path):
    """Give the function that trains with options and returns the run's weights and the description of its data."""

    def train(*options):
        folder = tmp_path / f"run{len(list(tmp_path.iterdir()))}"
        outcome = bdfa(*TRAIN.split(), folder, *(part for text in options for part in str(text).split()))
        assert (outcome.code, outcome.err) == (0, "")
        weights = read_checkpoint(folder / "checkpoint.h5").weights
        data = RunFolder(folder).read_document()[1]["data"]
        return np.concatenate([array.ravel() for array in weights.values()]), data

    return train


def idx(values):
    """Return an array as the content of an IDX file."""
    return struct.pack(f">{1 + values.ndim}I", 0x800 | values.ndim, *values.shape) + values.astype(np.uint8).tobytes()


@pytest.fixture
def digits(tmp_path, monkeypatch):
    """Give the function that writes the bundled digits, or their negatives, in place of MNIST's files."""

    def write(name, *, negative=False):
        data, folder, entry = load_dataset("mnist-5k"), tmp_path / name, ENTRIES["mnist"]
        folder.mkdir()
        images = [255 - x if negative else x for x in (data.train_images[..., 0], data.test_images[..., 0])]
        files = []
        arrays = images[0], data.train_labels, images[1], data.test_labels
        for file, array in zip(entry.publications[0].files, arrays, strict=True):
            (folder / file.name).write_bytes(idx(array))
            files.append(replace(file, sha256_content=hashlib.sha256(idx(array)).hexdigest()))
        source = replace(entry.publications[0], files=tuple(files))
        monkeypatch.setitem(ENTRIES, "mnist", replace(entry, publications=(source,)))
        return folder

    return write


@pytest.fixture
def colours(tmp_path):
    """Give a data set of the user's own in colour."""
    path, labels = tmp_path / "colours.npz", np.arange(60) % 3
    np.savez(path, train_images=COLOURS, train_labels=labels, test_images=COLOURS[:30], test_labels=labels[:30])
    return path


@pytest.mark.parametrize("spelling", ["--dataset mnist", "-dataset MNIST"])
def test_of_dataset__the_digits_of_the_named_set_are_trained_on(run, digits, monkeypatch, spelling):
    monkeypatch.setenv("BDFA_DATA_DIR", str(digits("negatives", negative=True)))
    weights, data = run(spelling)
    assert data["parts"].startswith("mnist: 300 of 4000 ")
    assert not np.array_equal(weights, run("--dataset mnist-5k")[0])


@pytest.mark.parametrize("spelling", ["--datapath", "-datapath"])
def test_of_datapath__the_data_come_from_the_named_folder_and_decide_the_numbers(run, digits, spelling):
    bundled, _ = run("--dataset mnist-5k")
    negatives, _ = run("--dataset mnist", spelling, digits("negatives", negative=True))
    assert not np.array_equal(negatives, bundled)
    same, _ = run("--dataset mnist", spelling, digits("same"))
    assert np.array_equal(same, bundled)


@pytest.mark.parametrize("spelling", ["--cache-dir", "-preProcDir"])
def test_of_cache_dir__what_is_prepared_goes_there_and_serves_the_next_run(run, digits, tmp_path, spelling):
    folder = digits("digits")
    first, _ = run("--dataset mnist --datapath", folder, spelling, tmp_path / "prepared")
    (prepared,) = (tmp_path / "prepared").glob("*.h5")
    for path in folder.iterdir():
        path.unlink()
    again, _ = run("--dataset mnist --datapath", folder, spelling, tmp_path / "prepared")
    assert np.array_equal(first, again)
    assert list((tmp_path / "prepared").glob("*.h5")) == [prepared]


@pytest.mark.parametrize("spelling", ["--format", "-format"])
def test_of_format__yuv_is_a_change_of_colours_before_anything_else(run, colours, tmp_path, spelling):
    options = "--dataset", colours, "--train-limit 60 --test-limit 30 --normalization channel"
    yuv, _ = run(*options, spelling, "yuv")
    assert not np.array_equal(yuv, run(*options)[0])
    by_hand = COLOURS @ np.array(
        [[0.299, -0.14713, 0.615], [0.587, -0.28886, -0.51499], [0.114, 0.436, -0.10001]]
    )  # the columns are Y, U and V
    labels = np.arange(60) % 3
    path = tmp_path / "by_hand.npz"
    np.savez(path, train_images=by_hand, train_labels=labels, test_images=by_hand[:30], test_labels=labels[:30])
    np.testing.assert_allclose(run("--dataset", path, *options[2:])[0], yuv, atol=1e-4)


def test_of_no_extra__the_extra_images_of_a_set_that_has_some_are_left_out(bdfa, run, svhn):
    everything, data = run("--dataset svhn --train-limit 20 --test-limit 10 --datapath", svhn)
    assert data["parts"].startswith("svhn: 20 of 50 ")
    less, data = run("--dataset svhn --train-limit 20 --test-limit 10 --no-extra --datapath", svhn)
    assert data["parts"].startswith("svhn: 20 of 30 ")
    assert not np.array_equal(everything, less)
    assert "--no-extra has no part in --dataset mnist-5k" in bdfa.refused(
        "train", "--dataset", "mnist-5k", "--no-extra"
    )


@pytest.fixture
def table(tmp_path):
    """Write a table of 700 rows in which either of two columns may be the labels."""
    numbers = np.random.default_rng(2).normal(size=(700, 2))
    rows = [f"{x:.6f},{y:.6f},{int(x > 0)},{int(y > 0)}" for x, y in numbers]
    path = tmp_path / "table.csv"
    path.write_text("\n".join(["x,y,right,up", *rows]))
    return path


def test_of_label__another_column_holds_the_classes(run, table):
    last, _ = run("--dataset", table, "--test-fraction 0.3")
    np.testing.assert_array_equal(run("--dataset", table, "--test-fraction 0.3 --label up")[0], last)
    assert not np.array_equal(run("--dataset", table, "--test-fraction 0.3 --label right")[0], last)


def test_of_test_fraction__so_much_of_the_rows_is_tested_on(run, table):
    for fraction, tested in {0.2: "100 of 140 test", 0.5: "100 of 350 test"}.items():
        assert tested in run("--dataset", table, "--test-fraction", fraction)[1]["parts"]


@pytest.fixture
def svhn(tmp_path, monkeypatch):
    """Give a folder with small files in place of SVHN's."""

    folder, entry, generator = tmp_path / "svhn", ENTRIES["svhn"], np.random.default_rng(1)
    folder.mkdir()
    files = []
    for file in entry.publications[0].files:
        count = {"train_32x32.mat": 30, "extra_32x32.mat": 20, "test_32x32.mat": 10}[file.name]
        images = generator.integers(0, 256, (32, 32, 3, count), dtype=np.uint8)
        scipy.io.savemat(folder / file.name, {"X": images, "y": (np.arange(count) % 10 + 1).astype(np.uint8)[:, None]})
        content = Path(folder / file.name).read_bytes()
        sha256 = hashlib.sha256(content).hexdigest()
        size = {"size_content": len(content), "size_archive": len(content)}
        files.append(replace(file, sha256_content=sha256, sha256_archive=sha256, **size))
    source = replace(entry.publications[0], files=tuple(files))
    monkeypatch.setitem(ENTRIES, "svhn", replace(entry, publications=(source,)))
    return folder

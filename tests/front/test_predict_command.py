"""`bdfa predict` on pictures, folders, arrays and data sets, beside what the net itself says of the same values."""

import csv
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from bdfa_np import Config, load_dataset, load_run
from bdfa_np.data import Dataset
from bdfa_np.runs.checkpoint import read_checkpoint, write_checkpoint
from bdfa_np.runs.starting import start_run
from bdfa_np.runs.train import train
from bdfa_np.system.threads import limited_threads

DIGITS = load_dataset("mnist-5k")
OPTIONS = {"num_hidden": 20, "lr": 1e-3, "epochs": 2, "threads": 1, "backend": "numpy", "train_limit": 500}
CHOSEN = (3, 120, 777)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "digits"
    start_run(Config(dataset="mnist-5k", **OPTIONS), folder)
    return folder


@pytest.fixture
def pictures(tmp_path):
    """Give a folder with three digits, one of them in a folder of its own."""
    place = tmp_path / "pictures"
    (place / "more").mkdir(parents=True)
    for number, index in enumerate(CHOSEN):
        Image.fromarray(DIGITS.test_images[index, ..., 0]).save(
            place / ("more" if number == 2 else "") / f"{index}.png"
        )
    return place


def said(bdfa, *arguments):
    outcome = bdfa("predict", *arguments, "--json")
    assert outcome.code == 0, outcome.err
    return json.loads(outcome.out)


def test_pictures_and_folders_are_what_the_net_says_of_their_pixels(bdfa, folder, pictures):
    expected = load_run(folder).predict(DIGITS.test_images[list(CHOSEN)])
    named = said(bdfa, folder, pictures / "3.png", pictures / "120.png", pictures / "more" / "777.png")
    assert [entry["class"] for entry in named] == expected.names
    assert [entry["score"] for entry in named] == [likely[0][1] for likely in expected.top(1)]
    assert [entry["sample"] for entry in said(bdfa, folder, pictures)] == [
        str(pictures / name) for name in ("120.png", "3.png", "more/777.png")
    ]


def test_the_terminal_has_a_row_a_sample_within_80_columns(bdfa, folder, pictures, monkeypatch):
    monkeypatch.chdir(pictures)
    outcome = bdfa("predict", folder, "3.png", "--top", 3)
    expected = load_run(folder).predict(DIGITS.test_images[3:4]).top(3)[0]
    heading, row = outcome.out.splitlines()
    assert heading.split() == ["sample", "class", "score", "then"]
    then = ", ".join(f"{name} {value:.3f}" for name, value in expected[1:])
    assert row.endswith(f"{expected[0][0]:<5}  {expected[0][1]:.3f}  {then}")
    assert max(map(len, bdfa("predict", folder, "--dataset", "mnist-5k", "--top", 10).out.splitlines())) <= 80


def test_under_ce_they_are_probabilities(bdfa, tmp_path, pictures):
    train(dataset="mnist-5k", criterion="ce", save=tmp_path / "run", **OPTIONS)
    entries = said(bdfa, tmp_path / "run", pictures, "--top", 10)
    for entry in entries:
        assert sum(pair["probability"] for pair in entry["top"]) == pytest.approx(1, abs=1e-5)
    assert "probability" in bdfa("predict", tmp_path / "run", pictures).out.splitlines()[0]


def test_a_picture_of_another_size_is_scaled_and_it_says_so(bdfa, folder, tmp_path):
    image = Image.fromarray(DIGITS.test_images[3, ..., 0])
    image.resize((140, 112)).convert("RGB").save(tmp_path / "large.jpg")
    outcome = bdfa("predict", folder, tmp_path / "large.jpg")
    assert outcome.code == 0
    assert "note: 1 of 1 picture scaled to 28 x 28" in outcome.err


def test_dark_ink_on_white_paper_is_noted_and_inverted(bdfa, folder, tmp_path):
    Image.fromarray(255 - DIGITS.test_images[3, ..., 0]).save(tmp_path / "ink.png")
    outcome = bdfa("predict", folder, tmp_path / "ink.png")
    assert "ink.png: lighter than every training image" in outcome.err
    assert "try --invert" in outcome.err
    outcome = bdfa("predict", folder, tmp_path / "ink.png", "--invert")
    assert outcome.err == ""
    (entry,) = said(bdfa, folder, tmp_path / "ink.png", "--invert")
    assert entry["class"] == load_run(folder).predict(DIGITS.test_images[3:4]).names[0]


def test_ink_on_a_transparent_ground_is_ink_on_white_and_noted_once_for_all_pictures(bdfa, folder, tmp_path):
    ink = DIGITS.test_images[3, ..., 0]
    for name in ("1.png", "2.png"):
        Image.fromarray(np.stack([np.zeros_like(ink), ink], axis=-1)).save(tmp_path / name)
    Image.fromarray(255 - ink).save(tmp_path / "white.png")
    outcome = bdfa("predict", folder, tmp_path / "1.png", tmp_path / "2.png", "--invert")
    assert outcome.err == f"note: 2 images with transparent pixels, put on white: {tmp_path / '1.png'}, ...\n"
    entries = said(bdfa, folder, tmp_path / "1.png", tmp_path / "white.png", "--invert")
    assert entries[0]["class"] == entries[1]["class"]
    assert entries[0]["score"] == entries[1]["score"]


def test_a_black_picture_is_noted_without_advice_that_would_not_help(bdfa, folder, tmp_path):
    Image.new("L", (28, 28)).save(tmp_path / "black.bmp")
    outcome = bdfa("predict", folder, tmp_path / "black.bmp")
    assert "darker than every training image" in outcome.err
    assert "--invert" not in outcome.err


def test_arrays_of_a_file_are_predicted_with_their_labels(bdfa, folder, tmp_path):
    np.savez(tmp_path / "x.npz", x=DIGITS.test_images[:9, ..., 0], y=DIGITS.test_labels[:9])
    entries = said(bdfa, folder, tmp_path / "x.npz")
    assert [entry["true"] for entry in entries] == [str(label) for label in DIGITS.test_labels[:9]]
    np.savez(tmp_path / "alone.npz", DIGITS.test_images[:9])
    without = said(bdfa, folder, tmp_path / "alone.npz")
    assert [entry["class"] for entry in without] == [entry["class"] for entry in entries]
    assert "true" not in without[0]


def test_a_data_set_is_predicted_to_the_error_of_the_run(bdfa, folder):
    from bdfa_np.runs.folder import RunFolder

    outcome = bdfa("predict", folder, "--dataset", "mnist-5k")
    error = RunFolder(folder).read_checkpoint().history[-1].test_error
    assert outcome.out.splitlines()[-1] == f"error {error:.2%} of 1,000 samples"
    assert outcome.out.splitlines()[-2].startswith("and 950 more")
    assert "of 4,000 samples" in bdfa("predict", folder, "--dataset", "mnist-5k", "--split", "train").out


def test_the_worst_come_first_in_a_file_and_in_a_picture(bdfa, folder, tmp_path):
    outcome = bdfa(
        *("predict", folder, "--dataset", "mnist-5k", "--worst", "--top", 2),
        *("--csv", tmp_path / "worst.csv", "--png", tmp_path / "worst.png"),
    )
    assert outcome.code == 0
    with (tmp_path / "worst.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["sample", "class", "score", "true", "true_score", "class_2", "score_2"]
    with limited_threads(1):  # as many as trained it, with which the command computes: the bits are to be the same
        scores = load_run(folder).predict(DIGITS.test_images).scores
    of_true = scores[np.arange(1000), DIGITS.test_labels]
    assert [float(row["true_score"]) for row in rows] == sorted(of_true.tolist())
    assert rows[0]["sample"] == f"test {of_true.argmin()}"
    picture = np.asarray(Image.open(tmp_path / "worst.png"))
    first = picture[4 : 4 + 56 : 2, 4 : 4 + 56 : 2, 0]
    np.testing.assert_array_equal(first, DIGITS.test_images[of_true.argmin(), ..., 0])


def test_the_best_net_is_used_where_it_is_asked_for(bdfa, tmp_path, pictures):
    run = tmp_path / "run"
    train(dataset="mnist-5k", validate=True, keep_best=True, save=run, **OPTIONS | {"lr": 0.02, "epochs": 4})
    best = load_run(run, best=True).predict(DIGITS.test_images[3:4]).scores[0].max()
    assert said(bdfa, run, pictures / "3.png", "--best")[0]["score"] == float(best)


def test_a_table_is_predicted_and_pictures_are_not(bdfa, tmp_path, pictures):
    x = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)
    y = np.array(["low", "high"])[(x[:, 0] > 0).astype(int)]
    train(
        dataset=Dataset.from_arrays(x, y, test_fraction=0.2), save=tmp_path / "run", **OPTIONS | {"train_limit": None}
    )
    np.savez(tmp_path / "x.npz", x=x[:3])
    assert {entry["class"] for entry in said(bdfa, tmp_path / "run", tmp_path / "x.npz")} <= {"low", "high"}
    outcome = bdfa("predict", tmp_path / "run", pictures)
    assert outcome.code == 2
    assert "the net takes rows of 4 columns, and no pictures" in outcome.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "name files to predict, or a --dataset, and not both"),
        (["x.npz", "--dataset", "mnist-5k"], "and not both"),
        (["nosuch.png"], "nosuch.png: there is no such file or folder"),
        (["nosuch.npz"], "nosuch.npz: cannot be read: No such file or directory: name one that is there"),
        (["words.txt"], "words.txt: is no picture (.png, .jpg"),
        (["empty"], "empty: holds no picture"),
        (["broken.png"], "broken.png"),
        (["row.npz"], "row.npz: not a readable .npz file"),
        (["broken.npz"], "broken.npz: not a readable .npz file"),
        (["objects.npz"], "objects.npz: x holds Python objects, which are not read: store numpy.stack(x)"),
        (["two.npz"], "two.npz: holds a, b: name the array of samples x"),
        (["scaled.npz"], "values from 0 to 1 cannot be raw values"),
        (["shape.npz"], "samples of the shape (2, 28, 27, 1) do not fit"),
        (["labels.npz"], "holds 2 samples but 1 label:"),
        (["x.npz", "--invert"], "--invert is for pictures"),
        (["--dataset", "mnist-5k", "--invert"], "--invert is for pictures"),
        (["x.npz", "--worst"], "--worst needs the samples' classes"),
        (["x.npz", "--best"], "keep-best"),
        (["x.npz", "--top", "0"], "0 is not in the range"),
    ],
)
def test_what_cannot_be_predicted_is_refused_in_one_line(bdfa, folder, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    images = DIGITS.test_images
    np.savez("x.npz", x=images[:2])
    np.savez("two.npz", a=images[:2], b=images[:2])
    np.savez("scaled.npz", x=images[:2] / 255)
    np.savez("shape.npz", x=images[:2, :, :27])
    np.savez("labels.npz", x=images[:2], y=[1])
    np.savez("objects.npz", x=np.array([{}, None], object))
    with open("row.npz", "wb") as file:
        np.save(file, images[:2])
    for name in ("words.txt", "broken.png", "broken.npz"):
        (tmp_path / name).write_bytes(b"PK\x03\x04 nothing")
    (tmp_path / "empty").mkdir()
    outcome = bdfa("predict", folder, *arguments)
    assert outcome.code == 2
    assert message in outcome.err
    assert outcome.err.count("\n") == 1


def test_a_run_without_its_preprocessing_says_how_to_add_it(bdfa, folder, tmp_path, pictures):
    run = tmp_path / "run"
    shutil.copytree(folder, run)
    (run / "preprocessing.h5").unlink()
    write_checkpoint(run / "checkpoint.h5", replace(read_checkpoint(run / "checkpoint.h5"), preprocessing=""))
    outcome = bdfa("predict", run, pictures)
    assert outcome.code == 2
    command = outcome.err.strip().rpartition("added by bdfa ")[2].split()
    assert bdfa(*command).code == 0
    assert said(bdfa, run, pictures) == said(bdfa, folder, pictures)

"""Whitening: ε has one unit, test values that leave the training range are told, and old runs keep their own."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from bdfa_np import train
from bdfa_np.data import Dataset, Recipe, load_dataset
from bdfa_np.data.preprocess import pipeline, zca
from bdfa_np.data.preprocess.pipeline import in_memory
from bdfa_np.errors import DataError

DIGITS = load_dataset("mnist-5k")
SMALL = [
    "--dataset", "mnist-5k", "--resize", "8", "--num-hidden", "3", "--threads", "1", "--train-limit", "300",
    "--test-limit", "50", "--lr", "1e-3", "--backend", "numpy",
]  # fmt: skip
OPTIONS = {"num_hidden": 3, "epochs": 1, "threads": 1, "backend": "numpy", "progress": False}


def digits(scale: float, offset: float, kind: type) -> Dataset:
    """Return small digits in some unit."""
    small = DIGITS.resized(8)
    small.train_images[0, 0, :2, 0] = 0, 255
    x, test_x = (
        scale * part.astype(np.float64) + offset for part in (small.train_images[:300], small.test_images[:90])
    )
    return Dataset(
        "own",
        x.astype(kind),
        DIGITS.train_labels[:300],
        test_x.astype(kind),
        DIGITS.test_labels[:90],
        DIGITS.class_names,
    )


@pytest.mark.parametrize("epsilon", [1e-5, 10.0])
@pytest.mark.parametrize(("scale", "offset"), [(1, 0), (1 / 255, 0), (2 / 255, -1)])
def test_epsilon_is_of_values_on_a_scale_255_wide_whatever_images_are_stored_as(epsilon, scale, offset):
    recipe = Recipe("own.npz", whiten=True, zca_epsilon=epsilon)
    whole, other = (in_memory(recipe, data) for data in (digits(1, 0, np.uint8), digits(scale, offset, np.float32)))
    assert (whole.zca().epsilon, other.zca().epsilon) == (epsilon, pytest.approx(epsilon * scale**2))
    for part in ("train", "test"):
        expected, found = whole.parts[part][0], other.parts[part][0]
        assert np.abs(found - expected).max() < 2e-3 * np.abs(expected).max()


@pytest.fixture(params=[np.uint8, np.float32], ids=["bytes", "floats"])
def hardly_varying(request):
    """Give digits of which one place is 1 in a single training image, 0 in all others, and 255 in testing."""
    data = digits(1, 0, request.param)
    data.train_images[:, 3, 0] = 0
    data.train_images[0, 3, 0] = 1
    data.test_images[:, 3, 0] = 255
    return data


def test_whitened_test_values_far_outside_the_training_range_are_told(hardly_varying):
    (note,) = train(dataset=hardly_varying, whiten=True, **OPTIONS).notes
    assert re.match(r"whitening makes test values of up to \d+,\d{3}, where those in training reach \d\d: ", note)
    assert note.endswith(": a larger --zca-epsilon amplifies less what hardly varies in training")
    assert train(dataset=hardly_varying, whiten=True, zca_epsilon=1e3, **OPTIONS).notes == ()


@pytest.mark.parametrize("whole", [False, True], ids=["in memory", "in a file"])
def test_a_place_that_hardly_varies_in_training_is_told_under_normalization_image(tmp_path, hardly_varying, whole):
    data = hardly_varying
    if whole:
        arrays = {"x_train": data.train_images, "y_train": data.train_labels}
        np.savez(tmp_path / "own.npz", **arrays, x_test=data.test_images, y_test=data.test_labels)
        data = tmp_path / "own.npz"
    (note,) = train(dataset=data, normalization="image", **OPTIONS).notes
    assert note.startswith("normalization image makes test values of up to 4,4")


@pytest.mark.parametrize("options", [{"normalization": "image"}, {"normalization": "channel"}, {"whiten": True}])
def test_images_of_one_value_are_refused(options):
    x = np.full((20, 4, 4, 1), 3, np.uint8)
    with pytest.raises(DataError, match="all 20 training images are the same"):
        train(dataset=(x, np.arange(20) % 2, x, np.arange(20) % 2), **options, **OPTIONS)


@pytest.fixture
def old(bdfa, monkeypatch):
    """Give a whitened run as the version before left it: null directions divided by the root of ε."""

    def fit(images, epsilon=1e-5, progress=None):
        mean, covariance = zca._moments_of_bytes(images, progress)
        variances, V = np.linalg.eigh(covariance)
        variances = np.maximum(variances, 0) + epsilon
        return zca.ZCA(mean, (V * variances**-0.5) @ V.T, (V * variances**0.5) @ V.T, epsilon)

    with monkeypatch.context() as patch:
        patch.setattr(pipeline.ZCA, "fit", fit)
        patch.setattr(zca, "VERSION", 1)
        assert bdfa("train", *SMALL, "--whiten", "--epochs", 1, "--save", "old").code == 0
        tested = error_line(bdfa("evaluate", "old"))
        shutil.copytree("old", "whole")
        assert bdfa("train", "--save", "whole", "--resume", "--epochs", 2).code == 0
    return tested


def error_line(outcome):
    assert outcome.code == 0
    (line,) = (line for line in outcome.out.splitlines() if line.startswith("error "))
    return line


def test_a_run_begun_by_another_version_goes_on_with_its_own_whitening_to_the_bit(bdfa, old, result):
    told = "whitened with the matrices that old keeps: those fitted here and now differ by "
    outcome = bdfa("evaluate", "old")
    assert error_line(outcome) == old
    assert told in outcome.err
    outcome = bdfa("train", "--save", "old", "--resume", "--epochs", 2)
    assert outcome.code == 0
    assert told in outcome.err
    assert "fitted anew" not in outcome.out
    assert f"note: {told}" in Path("old", "Log.txt").read_text()
    assert result(Path("old")) == result(Path("whole"))


def test_a_whitened_run_that_keeps_no_whitening_says_that_it_is_fitted_anew(bdfa):
    assert bdfa("train", *SMALL, "--whiten", "--epochs", 1, "--save", "run").code == 0
    Path("run", "preprocessing.h5").unlink()
    outcome = bdfa("train", "--save", "run", "--resume", "--epochs", 2)
    assert outcome.code == 0
    assert "note: run keeps no whitening: it was fitted anew" in outcome.err


def test_the_help_says_what_epsilon_is_of(bdfa):
    said = " ".join(bdfa("train", "--help").out.split())
    assert "values on a scale 255 wide, be they bytes or floats" in said

"""Prepared data are finite, or are not made: nothing that is ∞ or no number is stored and taken for good later."""

import contextlib
from pathlib import Path

import numpy as np
import pytest

from bdfa_np import train
from bdfa_np.errors import DataError

OPTIONS = {"num_hidden": 2, "epochs": 1, "threads": 1, "batch_size": 4}


LINE = "--normalization image makes values that are not finite in float32, from images with values from"


def dataset(path, *, scale=1.0, hardly_varies=False):
    """Write images with values from 0 to a scale; a pixel may be almost the same in training, and another in a test."""
    draw = np.random.default_rng(0)
    train_images = draw.random((16, 3, 3, 1)) * scale
    test_images = train_images[:8].copy()
    if hardly_varies:
        train_images[:, 1, 1] *= 3e-40
    labels = np.arange(16) % 4
    np.savez(path, x_train=train_images, y_train=labels, x_test=test_images, y_test=labels[:8])
    return path


def test_a_value_that_becomes_infinite_is_refused_and_nothing_is_stored(bdfa, tmp_path):
    path = dataset(tmp_path / "own.npz", scale=255, hardly_varies=True)
    call = ["train", "--dataset", path, "--num-hidden", 2, "--epochs", 1, "--save", "run", "--cache-dir", "prepared"]
    for _ in range(2):  # the second time too: there is no file that is taken for good
        assert LINE in bdfa.refused(*call, "--normalization", "image")
        assert not list(Path("prepared").glob("*.h5"))
    assert not Path("run").exists()


def in_memory(path):
    """Return the arrays of a file as `train` takes them."""
    with np.load(path) as arrays:
        return tuple(arrays[name] for name in ("x_train", "y_train", "x_test", "y_test"))


def test_from_memory_too(tmp_path):
    parts = in_memory(dataset(tmp_path / "own.npz", scale=255, hardly_varies=True))
    with pytest.raises(DataError, match=LINE):
        train(dataset=parts, **OPTIONS, normalization="image")


@pytest.mark.parametrize(("scale", "epsilon"), [(1e-18, 2e-38), (1e18, 1e-20), (1.0, 3e38)])
def test_whitening_is_finite_or_refused_whatever_the_values_and_epsilon(tmp_path, scale, epsilon):
    parts = in_memory(dataset(tmp_path / "own.npz", scale=scale))
    result = None
    with contextlib.suppress(DataError):
        result = train(dataset=parts, **OPTIONS, whiten=True, zca_epsilon=epsilon)
    if result is not None:
        assert np.isfinite(result.model.preprocessing.apply(parts[2])).all()
        assert np.isfinite(result.history[-1].train_loss)

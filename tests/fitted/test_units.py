"""Test samples in another unit than the training samples, which the statistics were fitted to, are told or refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from bdfa_np import train
from bdfa_np.data import Dataset
from bdfa_np.errors import DataError

OPTIONS = {"num_hidden": 3, "epochs": 1, "threads": 1, "backend": "numpy", "progress": False}
Y, TEST_Y = np.arange(60) % 3, np.arange(30) % 3
UNIT = "bring both to one unit"


def draws(count: int, shape: tuple[int, ...], seed: int) -> np.ndarray:
    return np.random.default_rng(seed).random((count, *shape)).astype(np.float32)


def npz(folder: Path, x: Any, test_x: Any) -> Any:
    np.savez(folder / "own.npz", x_train=x, y_train=Y, x_test=test_x, y_test=TEST_Y)
    return folder / "own.npz"


def h5(folder: Path, x: Any, test_x: Any) -> Any:
    with h5py.File(folder / "own.h5", "w") as file:
        file.update({"x_train": x, "y_train": Y, "x_test": test_x, "y_test": TEST_Y})
    return folder / "own.h5"


def arrays(_: Path, x: Any, test_x: Any) -> Any:
    return x, Y, test_x, TEST_Y


def made_by_hand(_: Path, x: Any, test_x: Any) -> Any:
    return Dataset("own", x, Y, test_x, TEST_Y, ("a", "b", "c"))


WAYS = [npz, h5, arrays, made_by_hand]


@pytest.fixture
def notes(tmp_path: Path) -> Callable[..., Any]:
    """Give a function that trains on what one way brings in, and returns what was said."""
    return lambda way, x, test_x, **more: train(dataset=way(tmp_path, x, test_x), **OPTIONS, **more).notes


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("shape", [(4, 4, 1), (5,)])
@pytest.mark.parametrize(("unit", "test_unit"), [(1, 255), (255, 1), (1, 65535)])
def test_another_unit_is_refused_with_both_ranges(notes, way, shape, unit, test_unit):
    x, test_x = unit * draws(60, shape, 0), test_unit * draws(30, shape, 1)
    with pytest.raises(DataError, match=UNIT) as caught:
        notes(way, x, test_x)
    said = str(caught.value)
    assert "\n" not in said
    if len(shape) == 3:
        ranges = f"from {test_x.min():g} to {test_x.max():g} where the training images run from {x.min():g} to"
        assert said.startswith(f"the test images run {ranges} {x.max():g}: ")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("shape", [(4, 4, 1), (5,)])
def test_of_one_unit_nothing_is_said_whatever_it_is(notes, way, shape):
    assert notes(way, 1e-3 * draws(60, shape, 0), 1e-3 * draws(30, shape, 1)) == ()


@pytest.mark.parametrize("way", WAYS)
def test_bytes_that_hold_0_and_1_beside_0_to_255_are_refused(notes, way):
    x = (255 * draws(60, (4, 4, 1), 0)).astype(np.uint8)
    with pytest.raises(DataError, match="run from 0 to 1 where the training images run from 0 to 25"):
        notes(way, x, (draws(30, (4, 4, 1), 1) > 0.5).astype(np.uint8))


@pytest.mark.parametrize("way", WAYS)
def test_bytes_beside_floating_point_numbers_are_refused(notes, way):
    x = (255 * draws(60, (4, 4, 1), 0)).astype(np.uint8)
    with pytest.raises(DataError, match=r"uint8.* but .*float32.*on one scale"):
        notes(way, x, draws(30, (4, 4, 1), 1))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("factor", [1000, 1e-3])
def test_a_column_in_another_unit_is_told_with_both_ranges(notes, way, factor):
    x, test_x = draws(60, (5,), 0), draws(30, (5,), 1)
    test_x[:, 2] *= factor
    there, here = ([f"{end:g}" for end in (part[:, 2].min(), part[:, 2].max())] for part in (test_x, x))
    (note,) = notes(way, x, test_x)
    told = f"column 3 {' to '.join(there)}, in training {' to '.join(here)}"
    assert note == f"1 column of 5 holds test values far from those in training: {told}"


def test_an_outlier_is_told_and_not_refused(notes):
    x, test_x = draws(60, (4, 4, 1), 0), draws(30, (4, 4, 1), 1)
    test_x[3, 1, 2] = 7
    (note,) = notes(arrays, x, test_x)
    assert note.startswith("the test images hold values far from those of the training images: ")
    assert " to 7, in training " in note


def test_what_is_held_out_of_training_is_told_and_not_refused(notes):
    x = draws(60, (4, 4, 1), 0)
    x[-10:] *= 100
    (note,) = notes(arrays, x, draws(30, (4, 4, 1), 1), validate=10)
    assert note.startswith("the validation images hold values far from those of the training images: ")


def test_it_is_told_again_when_the_prepared_file_is_found(bdfa):
    x, test_x = draws(60, (5,), 0), draws(30, (5,), 1)
    test_x[:, 2] *= 1000
    npz(Path(), x, test_x)
    first, second = (bdfa("data", "prepare", "./own.npz") for _ in range(2))
    assert first.err == second.err
    assert "1 column of 5 holds test values far" in second.err
    assert "cache hit" in second.out


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("value", [0, 0.5])
def test_training_samples_that_are_all_the_same_are_refused(notes, way, value):
    x = np.full((60, 4, 4, 1), value, np.float32)
    x[:, 0] = 0.25
    with pytest.raises(DataError, match="all 60 training images are the same once they are read"):
        notes(way, x, draws(30, (4, 4, 1), 1), normalization="image")


@pytest.mark.parametrize("way", WAYS)
def test_images_that_are_the_same_as_one_of_another_class_are_told(notes, way):
    x = draws(60, (4, 4, 1), 0)
    x[[7, 11]] = x[3]  # classes 1, 2 and 0
    (note,) = notes(way, x, draws(30, (4, 4, 1), 1))
    assert note.startswith("2 training images once read the same as others of another class: ")

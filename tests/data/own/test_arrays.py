"""Data sets of arrays: which values they come to hold, how they are divided, and what tells them apart."""

import hashlib
from typing import Any

import numpy as np
import pytest

from bdfa_np.data import Dataset
from bdfa_np.errors import DataError

NUMBERS = np.random.default_rng(0)
IMAGES = NUMBERS.integers(0, 256, (12, 5, 6, 3), np.uint8)
VECTORS = NUMBERS.standard_normal((12, 4))
LABELS = np.arange(12) % 3


def made(x: Any = VECTORS, y: Any = LABELS, **options: Any) -> Dataset:
    return Dataset.from_arrays(x, y, **{"test_fraction": 0.25, **options})


def refusal(*arrays: Any, **options: Any) -> str:
    with pytest.raises(DataError) as caught:
        Dataset.from_arrays(*arrays, **options)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("arrays: ")
    return str(caught.value).removeprefix("arrays: ")


def test_two_parts_stay_as_they_are():
    data = Dataset.from_arrays(IMAGES[:8], LABELS[:8], IMAGES[8:], LABELS[8:], class_names=["a", "b", "c"], name="mine")
    assert (data.name, data.class_names, data.notes) == ("mine", ("a", "b", "c"), ())
    np.testing.assert_array_equal(data.train_images, IMAGES[:8], strict=True)
    np.testing.assert_array_equal(data.test_images, IMAGES[8:], strict=True)
    np.testing.assert_array_equal(data.train_labels, LABELS[:8], strict=True)
    np.testing.assert_array_equal(data.test_labels, LABELS[8:], strict=True)


def test_a_fraction_is_tested_on_with_every_class_in_its_proportion_and_nothing_lost():
    x = np.arange(1000.0)[:, None] * [1, 2]
    y = np.repeat(["many", "some", "few"], [600, 300, 100])
    data = made(x, y, test_fraction=0.1)
    assert data.class_names == ("few", "many", "some")
    assert np.bincount(data.test_labels).tolist() == [10, 60, 30]
    assert np.bincount(data.train_labels).tolist() == [90, 540, 270]
    rows = np.concatenate([data.train_images, data.test_images])
    np.testing.assert_array_equal(rows[rows[:, 0].argsort()], x.astype(np.float32), strict=True)
    classes = np.array(data.class_names)[np.concatenate([data.train_labels, data.test_labels])]
    assert (classes == y[rows[:, 0].astype(int)]).all()


def test_the_last_of_those_to_train_on_are_of_every_class_though_the_rows_are_sorted():
    data = made(np.zeros((1000, 2)), np.repeat([0, 1, 2], [600, 300, 100]), test_fraction=0.1)
    assert np.bincount(data.train_labels[-180:]).min() > 5


def test_the_seed_decides_which_are_tested_on():
    first, same, other = (made(seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.test_images, same.test_images)
    np.testing.assert_array_equal(first.train_images, same.train_images)
    assert not np.array_equal(first.test_images, other.test_images)
    assert first.checksums == other.checksums


@pytest.mark.parametrize("fraction", [0.01, 0.3, 0.5, 0.9, 0.999])
def test_every_class_keeps_one_to_train_on(fraction):
    y = np.array([0] * 50 + [1] * 3 + [2])
    data = made(np.zeros((54, 2)), y, test_fraction=fraction)
    assert np.bincount(data.train_labels, minlength=3).min() >= 1
    assert len(data.train_labels) + len(data.test_labels) == 54
    assert round(fraction * 54) - 3 <= len(data.test_labels) <= round(fraction * 54)


@pytest.mark.parametrize("fraction", [0, 1, -0.2, 1.5, float("nan")])
def test_a_fraction_outside_0_and_1_is_refused(fraction):
    assert "must lie between 0 and 1" in refusal(VECTORS, LABELS, test_fraction=fraction)


def test_a_fraction_that_leaves_nothing_to_test_on_is_refused():
    assert "leaves none of 12 samples to test on" in refusal(VECTORS, LABELS, test_fraction=0.01)
    assert "leaves none of 3 samples" in refusal(VECTORS[:3], ["a", "b", "c"], test_fraction=0.5)


def test_there_must_be_something_to_test_on_in_one_way():
    assert "has no test part: add --test-fraction 0.2 (in Python, test_fraction=0.2)" in refusal(VECTORS, LABELS)
    both = VECTORS, LABELS, VECTORS, LABELS
    assert "has a test part of its own: leave out --test-fraction" in refusal(*both, test_fraction=0.2)
    assert "x_test and y_test belong together" in refusal(VECTORS, LABELS, VECTORS)
    assert "x_test and y_test belong together" in refusal(VECTORS, LABELS, None, LABELS, test_fraction=0.2)


@pytest.mark.parametrize("kind", ["int8", ">i2", "int64", "uint64", "bool", "float64", "float16"])
def test_numbers_of_any_type_become_bytes_in_images_of_integers_and_float32_elsewhere(kind):
    small = (IMAGES // 2 if kind != "bool" else IMAGES > 100).astype(kind)
    images, vectors = made(small), made(small.reshape(12, -1))
    assert vectors.train_images.dtype == np.float32
    assert images.train_images.dtype == (np.float32 if kind.startswith("float") else np.uint8)
    total = small.astype(float).sum()
    assert vectors.train_images.sum() + vectors.test_images.sum() == total
    wanted = 255 * total if kind == "bool" else total
    assert images.train_images.sum(dtype=float) + images.test_images.sum(dtype=float) == wanted


def test_bytes_stay_bytes_and_vectors_of_large_integers_are_taken():
    assert made(IMAGES.reshape(12, -1)).train_images.dtype == np.uint8
    assert made(np.full((12, 2), 1_000_000)).train_images.max() == 1e6


def test_images_without_channels_are_given_one():
    assert made(IMAGES[..., 0]).input_shape == (5, 6, 1)


def test_lists_words_and_one_hot_rows_are_taken():
    data = made(VECTORS.tolist(), [("cat", "dog", "emu")[k] for k in LABELS])
    assert data.class_names == ("cat", "dog", "emu")
    np.testing.assert_array_equal(made(VECTORS, np.eye(3)[LABELS]).train_labels, data.train_labels)


def test_labels_from_1_are_taken_by_their_numbers_and_it_is_noted():
    data = made(y=LABELS + 1)
    assert data.class_names == ("1", "2", "3")
    assert data.notes == (
        "arrays: the labels run from 1 to 3, not from 0: each of the 3 numbers is a class of that name",
    )


@pytest.mark.parametrize("shape", [(3, 32, 48), (1, 28, 28), (4, 8, 5), (2, 100, 7)])
def test_images_of_any_size_with_the_channels_first_are_refused_and_the_advice_works(shape):
    images = np.zeros((12, *shape), np.uint8)
    assert "the channels before the rows" in refusal(images, LABELS, test_fraction=0.2)
    assert "numpy.moveaxis(images, 1, -1)" in refusal(images, LABELS, test_fraction=0.2)
    assert made(np.moveaxis(images, 1, -1)).input_shape == (*shape[1:], shape[0])


@pytest.mark.parametrize("shape", [(3, 48, 3), (1, 100, 1), (4, 4, 512), (5, 5, 64), (3, 2, 48)])
def test_small_images_and_many_channels_are_not_mistaken_for_channels_first(shape):
    assert made(np.zeros((12, *shape), np.uint8)).input_shape == shape


@pytest.mark.parametrize(
    ("x", "told"),
    [
        (np.zeros(12), "x_train have the shape (12,)"),
        (np.zeros((12, 0)), "x_train have the shape (12, 0)"),
        ([[1.0], [1.0, 2.0]], "x_train are rows of different lengths"),
        (np.array([["a", "b"]] * 12), "x_train are <U1: they must be numbers"),
        (np.array([[1, "b"]] * 12, object), "x_train are object: they must be numbers"),
        (np.full((12, 2), np.nan), "x_train hold nan at (0, 0)"),
        (np.full((12, 2), 1e39), "x_train are float64 with values beyond float32"),
        (np.full((12, 5, 5), 256), "x_train are int64 with values from 256 to 256: bring them to 0..255"),
        (np.zeros((11, 2)), "11 samples in x_train but 12 labels in y_train"),
    ],
)
def test_what_cannot_be_samples_is_refused_by_the_arguments_name(x, told):
    assert told in refusal(x, LABELS, test_fraction=0.25)


def test_parts_that_do_not_fit_each_other_are_refused():
    assert "a sample of x_train is (4,) but one of x_test is (3,)" in refusal(VECTORS, LABELS, VECTORS[:, 1:], LABELS)
    vectors = IMAGES.reshape(12, -1)
    assert "x_train comes to uint8 but x_test to float32" in refusal(vectors, LABELS, vectors / 255, LABELS)
    assert "12 samples in x_test but 11 labels in y_test" in refusal(VECTORS, LABELS, VECTORS, LABELS[1:])


def test_the_same_values_have_the_same_checksums_whatever_they_came_in():
    words = np.array(["a", "b", "c"])[LABELS]
    first = made(VECTORS.astype(np.float32), words).checksums
    assert list(first) == ["x_train", "y_train"]
    again = made(np.asfortranarray(VECTORS.astype(np.float32).astype(np.float64)), words.astype(object)).checksums
    assert again == first
    for x, y in ((-VECTORS, words), (VECTORS.reshape(12, 4)[::-1], words), (VECTORS, words[::-1]), (VECTORS, LABELS)):
        assert made(x, y).checksums != first
    data = Dataset.from_arrays(VECTORS, LABELS, VECTORS, LABELS)
    assert list(data.checksums) == ["x_train", "x_test", "y_train", "y_test"]


def test_a_checksum_is_of_type_shape_and_bytes():
    x = np.array([[1, 2], [3, 4]], np.uint8)
    truth = hashlib.sha256(b"('uint8', (2, 2), ())\1\2\3\4").hexdigest()
    assert Dataset.from_arrays(x, [0, 1], x, [0, 1]).checksums["x_train"] == truth

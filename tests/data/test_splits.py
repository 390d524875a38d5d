"""Which images are trained and tested on."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bdfa_np.data import Dataset, load_dataset, split
from bdfa_np.data.splits import validation_size
from bdfa_np.data.stratified import stratified
from bdfa_np.errors import DataError


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load_dataset("mnist-5k")


def numbered(train: int, test: int, classes: int = 3) -> Dataset:
    """A data set whose one pixel tells which image it is."""
    return Dataset(
        "numbered",
        np.arange(train, dtype=np.float64).reshape(-1, 1, 1, 1),
        np.arange(train) % classes,
        -np.arange(1.0, test + 1).reshape(-1, 1, 1, 1),
        np.arange(test) % classes,
        tuple("abcdefghij"[:classes]),
    )


def test_without_options_the_parts_are_the_data_sets_own(digits):
    parts = split(digits)
    assert parts.train_images is digits.train_images
    assert parts.test_labels is digits.test_labels
    assert parts.class_names == digits.class_names
    assert parts.description == "mnist-5k: 4000 training images and 1000 test images"


@pytest.mark.parametrize(
    ("count", "held_out"), [(60_000, 10_000), (50_000, 10_000), (49_999, 9_999), (4_000, 800), (5, 1), (4, 0)]
)
def test_the_validation_part_is_ten_thousand_or_a_fifth(count, held_out):
    assert validation_size(count) == held_out


@pytest.mark.parametrize(("count", "held_out"), [(60_000, 10_000), (50_000, 10_000), (4_000, 800)])
def test_validation_tests_on_the_end_of_the_training_set_without_a_copy(count, held_out):
    dataset = numbered(count, 7)
    parts = split(dataset, validate=True)
    assert parts.train_images.ravel().tolist() == list(range(count - held_out))
    assert parts.test_images.ravel().tolist() == list(range(count - held_out, count))
    np.testing.assert_array_equal(parts.test_labels, dataset.train_labels[-held_out:])
    assert np.shares_memory(parts.train_images, dataset.train_images)
    assert np.shares_memory(parts.test_images, dataset.train_images)
    assert f"{held_out} validation images" in parts.description


def test_a_training_set_too_small_to_validate_is_refused():
    with pytest.raises(DataError, match="4 training images are too few"):
        split(numbered(4, 4), validate=True)


def test_limits_keep_the_proportions_and_the_order(digits):
    parts = split(digits, train_limit=1000, test_limit=55, seed=3)
    assert np.bincount(parts.train_labels).tolist() == [100] * 10
    assert sorted(np.bincount(parts.test_labels).tolist()) == [5] * 5 + [6] * 5
    dataset = numbered(600, 300)
    kept = split(dataset, train_limit=50).train_images.ravel()
    assert (np.diff(kept) > 0).all()


def test_a_limit_keeps_images_with_their_own_labels():
    dataset = numbered(600, 300)
    parts = split(dataset, validate=True, train_limit=100, test_limit=20)
    for images, labels in ((parts.train_images, parts.train_labels), (parts.test_images, parts.test_labels)):
        np.testing.assert_array_equal(images.ravel() % 3, labels)
    assert parts.train_images.max() < 480 <= parts.test_images.min()
    assert parts.description == "numbered: 100 of 480 training images and 20 of 120 validation images"


def test_what_a_limit_keeps_depends_on_the_seed_alone(digits):
    once, again = (split(digits, train_limit=500, seed=1) for _ in range(2))
    other = split(digits, train_limit=500, seed=2)
    np.testing.assert_array_equal(once.train_images, again.train_images)
    assert not np.array_equal(once.train_images, other.train_images)
    # One part's limit does not move the other part.
    both = split(digits, train_limit=500, test_limit=100, seed=1)
    np.testing.assert_array_equal(once.train_images, both.train_images)


def test_a_limit_of_everything_keeps_the_view(digits):
    assert split(digits, train_limit=4000).train_images is digits.train_images


@pytest.mark.parametrize(
    "limits", [{f"{p}_limit": n} for p, n in (("train", 0), ("train", 4001), ("test", -1), ("test", 1001))]
)
def test_an_impossible_limit_is_refused(digits, limits):
    option = next(iter(limits)).replace("_", "-")
    with pytest.raises(DataError, match=f"--{option} .* is not possible: choose from 1 to the"):
        split(digits, **limits)


@given(st.lists(st.integers(0, 30), min_size=1, max_size=10).filter(any), st.data())
def test_every_class_gets_its_share_to_within_one(counts, data):
    labels = np.repeat(np.arange(len(counts)), counts)
    np.random.default_rng(0).shuffle(labels)
    limit = data.draw(st.integers(1, len(labels)))
    kept = stratified(labels, limit, np.random.default_rng(1))
    assert len(set(kept.tolist())) == limit
    assert (np.diff(kept) > 0).all()
    shares = np.bincount(labels[kept], minlength=len(counts))
    assert (np.abs(shares - limit * np.array(counts) / len(labels)) < 1).all()


def test_places_left_over_go_to_the_largest_remainders():
    labels = np.repeat([0, 1, 2], [50, 30, 20])
    # 7 of 100: quotas 3.5, 2.1 and 1.4.
    kept = stratified(labels, 7, np.random.default_rng(0))
    assert np.bincount(labels[kept]).tolist() == [4, 2, 1]

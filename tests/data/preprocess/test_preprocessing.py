"""Raw samples prepared one batch at a time, beside the same samples prepared as a data set; and what is refused."""

import numpy as np
import pytest

from bdfa_np.data import Preprocessing, Recipe, prepare
from bdfa_np.data.dataset import Dataset
from bdfa_np.data.preprocess.normalization import Normalization
from bdfa_np.data.preprocess.pipeline import in_memory
from bdfa_np.data.preprocess.raw_values import RawValues
from bdfa_np.errors import DataError

DRAWN = np.random.default_rng(5)
COLOURED = DRAWN.integers(0, 256, (60, 6, 5, 3), np.uint8)
LABELS = np.arange(60) % 4
RECIPES = [
    *({"normalization": kind} for kind in ("scale", "simple", "channel", "image")),
    {"whiten": True},
    {"format": "yuv"},
    {"format": "yuv", "whiten": True, "zca_epsilon": 0.1},
]


def written(tmp_path, images):
    """Write images as a data set of one's own, the last ten of them as its test set."""
    path = tmp_path / "own.npz"
    np.savez(
        path,
        train_images=images[:50],
        train_labels=LABELS[:50],
        test_images=images[50:],
        test_labels=LABELS[50:],
    )
    return path


@pytest.mark.parametrize("again", [False, True], ids=["prepared now", "read from the cache"])
@pytest.mark.parametrize("options", RECIPES, ids=str)
@pytest.mark.parametrize("kind", ["bytes", "floats"])
def test_raw_samples_come_out_as_the_data_set_was_prepared(tmp_path, options, kind, again):
    images = COLOURED if kind == "bytes" else (COLOURED / 100 - 1).astype(np.float32)
    recipe = Recipe(str(written(tmp_path, images)), **options)
    prepared = prepare(recipe, cache_dir=tmp_path / "cache")
    if again:
        prepared = prepare(recipe, cache_dir=tmp_path / "cache")
        assert prepared.hit
    expected = prepared.parts["test"][0]
    if prepared.normalization is not None:
        expected = prepared.normalization.apply(expected, np.empty(expected.shape, np.float32))
    found = prepared.preprocessing.apply(images[50:])
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("options", RECIPES, ids=str)
@pytest.mark.parametrize("kind", ["bytes", "floats"])
def test_a_data_set_prepared_in_memory_is_that_of_the_file(tmp_path, options, kind):
    images = COLOURED if kind == "bytes" else (COLOURED / 100 - 1).astype(np.float32)
    recipe = Recipe(str(written(tmp_path, images)), **options)
    stored = prepare(recipe, cache_dir=tmp_path / "cache")
    dataset = Dataset("own", images[:50], LABELS[:50], images[50:], LABELS[50:], stored.class_names)
    here = in_memory(recipe, dataset)
    for part in ("train", "test"):
        np.testing.assert_array_equal(here.parts[part][0], stored.parts[part][0])
    samples = images[50:]
    np.testing.assert_array_equal(here.preprocessing.apply(samples), stored.preprocessing.apply(samples))


def test_images_are_scaled_where_the_training_images_were(tmp_path):
    recipe = Recipe(str(written(tmp_path, COLOURED)), resize=4)
    preprocessing = prepare(recipe, cache_dir=tmp_path / "cache").preprocessing
    assert preprocessing.shape == (4, 4, 3)
    assert preprocessing.apply(COLOURED).shape == (60, 4, 4, 3)


BYTES = Preprocessing(
    (2, 2, 1),
    ("a", "b"),
    RawValues.of(np.array([0, 51, 102, 153, 204, 255, 0, 0], np.uint8).reshape(2, 2, 2, 1)),
    Normalization("scale", np.array(0.0), np.array(255.0)),
)
FLOATS = Preprocessing(
    (2, 2, 1),
    ("a", "b"),
    RawValues.of(np.array([0.0, 0.5, 1.0, 0.25]).reshape(1, 2, 2, 1)),
    Normalization("scale", np.array(0.0), np.array(1.0)),
)


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float32, np.float64])
def test_whole_numbers_of_any_type_are_bytes(dtype):
    values = np.array([0, 51, 102, 255]).reshape(1, 2, 2, 1).astype(dtype)
    np.testing.assert_array_equal(BYTES.apply(values).ravel(), np.float32([0, 0.2, 0.4, 1]))


def test_a_grey_image_may_lack_its_last_axis():
    assert BYTES.apply(np.zeros((3, 2, 2), np.uint8)).shape == (3, 2, 2, 1)


@pytest.mark.parametrize(
    ("preprocessing", "values", "message"),
    [
        (
            BYTES,
            np.full((1, 2, 2, 1), 0.5),
            "values from 0.5 to 0.5 cannot be raw values, which were from 0 to 255 in",
        ),
        (BYTES, np.array([0, 0.2, 0.9, 1]).reshape(1, 2, 2, 1), "or say prepared=True if they are normalised already"),
        (BYTES, np.array([-1, 0, 0.3, 1]).reshape(1, 2, 2, 1), "values from -1 to 1 cannot be raw values"),
        (BYTES, np.full((1, 2, 2, 1), 256), "values from 256 to 256 cannot be raw values"),
        (FLOATS, np.array([0, 10, 99, 255], np.uint8).reshape(1, 2, 2, 1), "values from 0 to 255 cannot be raw values"),
        (FLOATS, np.full((1, 2, 2, 1), np.nan), "not finite"),
        (BYTES, np.full((1, 2, 2, 1), "a"), "no numbers"),
        (
            BYTES,
            np.zeros((1, 2, 3, 1), np.uint8),
            "samples of the shape (1, 2, 3, 1) do not fit: an array of N",
        ),
        (BYTES, np.zeros((2, 2, 1), np.uint8), "(of a single sample, give x[None])"),
        (BYTES, np.zeros((0, 2, 2, 1), np.uint8), "do not fit"),
        (BYTES, np.zeros((1, 2, 2, 3), np.uint8), "do not fit"),
    ],
)
def test_what_cannot_be_raw_values_is_refused(preprocessing, values, message):
    with pytest.raises(DataError) as caught:
        preprocessing.apply(values)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("preprocessing", "value"), [(BYTES, np.uint8(0)), (BYTES, 0.0), (BYTES, np.uint8(1)), (FLOATS, 0.0), (FLOATS, 1.3)]
)
def test_a_dark_image_is_no_implausible_one(preprocessing, value):
    preprocessing.apply(np.full((1, 2, 2, 1), value))


def test_vectors_are_refused_when_most_entries_lie_far_from_the_training_values():
    columns = [DRAWN.normal(13, 0.8, 40), DRAWN.normal(100, 14, 40), DRAWN.exponential(1, 40), np.full(40, 7.0)]
    table = np.column_stack(columns)
    raw = RawValues.of(table)
    raw.check(table)
    for row in table:
        raw.check(row[None])
    raw.check(table[:1] * [1, 1, 40, 3])  # one entry far out may well be meant, and one that never varied none
    normalised = (table[:, :3] - table[:, :3].mean(axis=0)) / table[:, :3].std(axis=0)
    with pytest.raises(DataError, match=r"vectors \d\d% of whose entries lie more than two .* say prepared=True"):
        raw.check(np.column_stack([normalised, np.zeros(40)]))


def test_what_is_darker_or_lighter_than_all_training_images_is_said():
    images = np.full((2, 2, 2, 1), 30, np.uint8)
    images[1] = 60
    raw = RawValues.of(images)
    assert raw.unusual(images[0]) is raw.unusual(images[1]) is None
    assert raw.unusual(255 - images[0]) == "lighter than every training image"
    assert raw.unusual(np.zeros((2, 2, 1), np.uint8)) == "darker than every training image"

"""Normalization by statistics of the training images."""

import math
import tracemalloc
from fractions import Fraction

import numpy as np
import pytest

from bdfa_np.data.preprocess.normalization import NORMALIZATIONS, Normalization
from bdfa_np.errors import ConfigError, DataError

# Two images of one row, two columns and two channels. Channel 0 holds 1, 3, 5, 7 and channel 1 the tenfold.
SMALL = np.array([[[[1, 10], [3, 30]]], [[[5, 50], [7, 70]]]], np.uint8)
AXES = {"simple": (0, 1, 2, 3), "channel": (0, 1, 2), "image": (0,)}
OF_IMAGES = [kind for kind in NORMALIZATIONS if kind != "column"]
TYPES = [np.uint8, np.float16, np.float32, np.float64]


def pictures(count: int = 300, dtype: type = np.uint8) -> np.ndarray:
    """Bytes, or numbers on an uneven grid, whose pixel positions and channels differ in mean and spread."""
    generator = np.random.default_rng(count)
    level, spread = generator.uniform(80, 160, (5, 4, 3)), generator.uniform(5, 30, (5, 4, 3))
    values = (level + spread * generator.normal(size=(count, 5, 4, 3))).clip(0, 255)
    return (values if np.issubdtype(dtype, np.floating) else values.round()).astype(dtype)


def applied(normalization: Normalization, images: np.ndarray, dtype: type = np.float32) -> np.ndarray:
    return normalization.apply(images, np.empty(images.shape, dtype))


def refusal(error: type[Exception], kind: str, images: np.ndarray) -> str:
    with pytest.raises(error) as caught:
        Normalization.fit(kind, images)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize(
    ("kind", "offset", "divisor"),
    [
        ("scale", 1, 69),
        ("simple", 22, math.sqrt((1 + 9 + 25 + 49) * 101 / 8 - 22**2)),
        ("channel", [4, 40], [math.sqrt(5), 10 * math.sqrt(5)]),
        ("image", [[[3, 30], [5, 50]]], [[[2, 20], [2, 20]]]),
    ],
)
def test_the_statistics_are_those_worked_by_hand(kind, offset, divisor, dtype):
    found = Normalization.fit(kind, SMALL.astype(dtype))
    assert found.kind == kind
    for part, expected in ((found.offset, offset), (found.divisor, divisor)):
        assert isinstance(part, np.ndarray)
        assert part.dtype == np.float64
        assert part.shape == np.shape(expected)
        np.testing.assert_allclose(part, expected, rtol=1e-15)


def test_the_images_are_those_worked_by_hand():
    found = applied(Normalization.fit("image", SMALL), SMALL)
    np.testing.assert_array_equal(found, [[[[-1, -1], [-1, -1]]], [[[1, 1], [1, 1]]]])


@pytest.mark.parametrize("kind", AXES)
@pytest.mark.parametrize("dtype", TYPES)
def test_the_training_images_get_mean_0_and_standard_deviation_1(kind, dtype):
    images = pictures(dtype=dtype)
    found = applied(Normalization.fit(kind, images), images, np.float64)
    np.testing.assert_allclose(found.mean(axis=AXES[kind]), 0, atol=1e-13)
    np.testing.assert_allclose(found.std(axis=AXES[kind]), 1, rtol=1e-13)


@pytest.mark.parametrize("kind", AXES)
@pytest.mark.parametrize("dtype", TYPES)
def test_the_result_in_float32_is_that_of_the_formula_in_float64(kind, dtype):
    images = pictures(dtype=dtype)
    exact = images.astype(np.float64)
    expected = (exact - exact.mean(axis=AXES[kind])) / exact.std(axis=AXES[kind])
    found = applied(Normalization.fit(kind, images), images)
    assert found.dtype == np.float32
    assert np.abs(found - expected).max() < 1e-6 * np.abs(expected).max()


@pytest.mark.parametrize("kind", AXES)
def test_the_statistics_of_bytes_are_the_exact_ones_rounded(kind):
    images = pictures(1000)
    found = Normalization.fit(kind, images)
    columns = np.moveaxis(images, 3, 0).reshape(3, -1) if kind == "channel" else images.reshape(1000, -1).T
    groups = [columns.ravel()] if kind == "simple" else list(columns)
    for offset, divisor, group in zip(found.offset.ravel(), found.divisor.ravel(), groups, strict=True):
        values = [int(value) for value in group]
        mean = Fraction(sum(values), len(values))
        variance = Fraction(sum(value * value for value in values), len(values)) - mean**2
        assert offset == float(mean)
        assert divisor == math.sqrt(variance)


def test_the_statistics_of_bytes_stay_exact_where_float64_would_round():
    images = np.random.default_rng(0).integers(150, 256, (6000, 10, 10, 3), np.uint8)
    images[0, 0, 0, 0] = 149
    count, values = images.size, images.astype(np.int64)
    total, squares = int(values.sum()), int((values * values).sum())
    assert count * squares > 2**53
    found = Normalization.fit("simple", images)
    assert found.offset == total / count
    assert found.divisor == math.sqrt(Fraction(count * squares - total**2, count**2))


@pytest.mark.parametrize("dtype", TYPES)
def test_each_column_of_vectors_gets_mean_0_and_deviation_1_and_a_constant_one_stays_at_0(dtype):
    vectors = np.array([[1, 10, 7], [3, 30, 7], [5, 50, 7], [7, 70, 7]], dtype)
    column = Normalization.fit("column", vectors)
    # Worked by hand: means 4 and 40, variances (9 + 1 + 1 + 9) / 4 and a hundred times that.
    assert column.offset.tolist() == [4, 40, 7]
    np.testing.assert_allclose(column.divisor, [5**0.5, 500**0.5, 1], rtol=1e-15)
    found = applied(column, vectors, np.float64)
    np.testing.assert_allclose(found[:, 0], np.array([-3, -1, 1, 3]) / 5**0.5, rtol=1e-15)
    np.testing.assert_allclose(found[:, 1], found[:, 0], rtol=1e-15)
    assert not found[:, 2].any()
    np.testing.assert_array_equal(applied(Normalization.fit("image", vectors), vectors, np.float64), found)


def test_images_have_no_columns():
    line = refusal(ConfigError, "column", pictures())
    assert line == "--normalization column needs vectors, and these are images: choose image or channel"


@pytest.mark.parametrize("kind", ["scale", "simple", "image"])
def test_vectors_are_normalised_like_images(kind):
    images = pictures()
    flat = images.reshape(len(images), -1)
    found = applied(Normalization.fit(kind, flat), flat)
    expected = applied(Normalization.fit(kind, images), images)
    np.testing.assert_array_equal(found, expected.reshape(flat.shape))
    assert Normalization.fit(kind, flat).offset.shape == ((60,) if kind == "image" else ())


def test_vectors_have_no_channels():
    assert "vectors of 60 numbers" in refusal(ConfigError, "channel", pictures().reshape(-1, 60))


def test_an_unknown_kind_is_refused_with_those_there_are():
    assert ", ".join(NORMALIZATIONS) in refusal(ConfigError, "pixel", SMALL)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("kind", ["scale", "simple"])
def test_a_training_set_of_one_value_is_refused(kind, dtype):
    assert "at least two values" in refusal(
        DataError, kind, np.full((4, 3, 3, 1), 0.1 if dtype != np.uint8 else 7, dtype)
    )


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("count", [3, 7, 131])
def test_a_pixel_position_that_never_changes_is_divided_by_1(dtype, count):
    images = pictures(count, dtype)
    images[:, 2, 1, 0] = constant = images.dtype.type(7 if dtype == np.uint8 else 0.1)
    found = Normalization.fit("image", images)
    assert found.offset[2, 1, 0] == constant
    assert found.divisor[2, 1, 0] == 1
    assert (found.divisor == 1).sum() == 1
    assert (applied(found, images)[:, 2, 1, 0] == 0).all()


@pytest.mark.parametrize("dtype", TYPES)
def test_a_channel_that_never_changes_is_divided_by_1(dtype):
    images = pictures(131, dtype)
    images[..., 1] = constant = images.dtype.type(7 if dtype == np.uint8 else 0.1)
    found = Normalization.fit("channel", images)
    assert found.offset[1] == constant
    assert (found.divisor == 1).tolist() == [False, True, False]
    assert (applied(found, images)[..., 1] == 0).all()


@pytest.mark.parametrize("kind", OF_IMAGES)
@pytest.mark.parametrize("dtype", TYPES)
def test_other_images_are_normalised_by_the_training_images_statistics(kind, dtype):
    train, other = pictures(200, dtype), pictures(50, dtype)
    normalization = Normalization.fit(kind, train)
    found = applied(normalization, other, np.float64)
    back = found * normalization.divisor + normalization.offset
    np.testing.assert_allclose(back, other.astype(np.float64), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("kind", OF_IMAGES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_result_has_the_type_that_is_asked_for(kind, dtype):
    images = pictures()
    normalization = Normalization.fit(kind, images)
    out = np.empty(images.shape, dtype)
    assert normalization.apply(images, out) is out
    # A quotient of float64 numbers would have other last bits.
    parts = (
        np.broadcast_to(part, images.shape[1:]).astype(dtype) for part in (normalization.offset, normalization.divisor)
    )
    offset, divisor = parts
    np.testing.assert_array_equal(out, (images.astype(dtype) - offset) / divisor)


@pytest.mark.parametrize("out_type", [np.float32, np.float64])
@pytest.mark.parametrize("dtype", TYPES)
def test_scale_divides_differences_of_rounded_numbers_so_that_the_training_images_fill_0_to_1(dtype, out_type):
    for seed in range(100):
        values = np.random.default_rng(seed).normal(100, 87, (20, 3, 3, 2))
        images = (values.clip(0, 255) if dtype == np.uint8 else values).astype(dtype)
        minimum, maximum = images.min().astype(out_type), images.max().astype(out_type)
        expected = (images.astype(out_type) - minimum) / (maximum - minimum)
        found = applied(Normalization.fit("scale", images), images, out_type)
        assert found.tobytes() == expected.tobytes()
        assert (found.min(), found.max()) == (0, 1)


@pytest.mark.parametrize("low", [-1e-20, -1.0, 0.1, -3e7])
@pytest.mark.parametrize("high", [0.30000001, 16777215.0, 1e30])
def test_scale_makes_the_largest_float32_exactly_1_whatever_the_range(low, high):
    images = np.array([low, high], np.float32).reshape(2, 1, 1, 1)
    assert applied(Normalization.fit("scale", images), images).ravel().tolist() == [0, 1]


@pytest.mark.parametrize("kind", ["channel", "image"])
def test_large_float32_numbers_do_not_overflow(kind):
    images = np.array([-1e30, 3e30], np.float32).reshape(2, 1, 1, 1)
    np.testing.assert_allclose(applied(Normalization.fit(kind, images), images).ravel(), [-1, 1], rtol=1e-6)


def test_a_small_spread_about_a_large_mean_is_kept():
    images = (10000 + np.random.default_rng(0).normal(size=(1000, 1, 1, 1)) / 64).astype(np.float32)
    exact = images.astype(np.float64)
    found = Normalization.fit("image", images)
    np.testing.assert_allclose(found.divisor.item(), exact.std(), rtol=1e-12)


@pytest.mark.parametrize("kind", ["simple", "channel", "image"])
@pytest.mark.parametrize("values", [(0, np.nan), (0, np.inf), (-1e308, 1e308), (0, 1e200), (1e39, 1e39), (0, 1e-42)])
def test_statistics_that_float32_cannot_hold_are_refused(kind, values):
    images = np.array(values, np.float64).reshape(2, 1, 1, 1)
    assert "cannot be normalised" in refusal(DataError, kind, images)


@pytest.mark.parametrize("kind", ["channel", "image"])
def test_a_spread_that_float32_cannot_hold_is_refused(kind):
    assert "cannot be normalised" in refusal(DataError, kind, np.array([-1e39, 1e39]).reshape(2, 1, 1, 1))


@pytest.mark.parametrize("values", [(7, 7), (1e9, 1e9 + 1), (-3e38, 3e38), (0, np.nan), (0, 1e300)])
def test_a_range_that_float32_cannot_hold_is_refused(values):
    images = np.array(values, np.float64).reshape(2, 1, 1, 1)
    assert "cannot be scaled" in refusal(DataError, "scale", images)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("kind", OF_IMAGES)
def test_the_statistics_take_little_memory_beside_the_images(kind, dtype):
    images = np.zeros((8192, 16, 16, 3), dtype)
    images[0] = 1
    tracemalloc.start()
    try:
        Normalization.fit(kind, images)
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("kind", OF_IMAGES)
def test_a_batch_needs_no_memory_but_its_buffer(kind):
    images = pictures(3000)
    normalization = Normalization.fit(kind, images)
    out = np.empty(images.shape, np.float32)
    normalization.apply(images, out)
    tracemalloc.start()
    try:
        normalization.apply(images, out)
        assert tracemalloc.get_traced_memory()[1] < out.nbytes / 4
    finally:
        tracemalloc.stop()

"""RGB images as YUV images."""

import re
import tracemalloc
from fractions import Fraction

import numpy as np
import pytest

from bdfa_np.data.preprocess.yuv import to_yuv
from bdfa_np.errors import DataError


def image(*pixels: tuple[float, float, float], dtype: type = np.uint8) -> np.ndarray:
    """One image of one row."""
    return np.array(pixels, dtype).reshape(1, 1, -1, 3)


@pytest.mark.parametrize(
    ("rgb", "yuv"),
    [
        ((255, 0, 0), (76.245, -37.51815, 156.825)),
        ((0, 255, 0), (149.685, -73.6593, -131.32245)),
        ((0, 0, 255), (29.07, 111.18, -25.50255)),
        ((255, 255, 255), (255, 0.00255, 0)),
        ((0, 0, 0), (0, 0, 0)),
        ((10, 20, 30), (18.15, 5.8315, -7.1501)),
    ],
    ids=["red", "green", "blue", "white", "black", "mixed"],
)
def test_a_pixel_becomes_what_the_formula_gives_by_hand(rgb, yuv):
    found = to_yuv(image(rgb))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found.ravel(), yuv, rtol=1e-7, atol=1e-13)


def test_every_number_is_the_one_of_float32_that_is_nearest_to_the_exact_result():
    images = np.random.default_rng(0).integers(0, 256, (2, 5, 4, 3), np.uint8)
    weights = [["0.299", "0.587", "0.114"], ["-0.14713", "-0.28886", "0.436"], ["0.615", "-0.51499", "-0.10001"]]
    expected = [
        [float(sum(Fraction(w) * int(value) for w, value in zip(row, pixel, strict=True))) for row in weights]
        for pixel in images.reshape(-1, 3)
    ]
    np.testing.assert_array_equal(to_yuv(images).reshape(-1, 3), np.array(expected).astype(np.float32))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floating_point_images_keep_their_range(dtype):
    images = np.random.default_rng(1).random((3, 2, 2, 3)).astype(dtype)
    found = to_yuv(images)
    assert found.dtype == np.float32
    y = images.astype(np.float64) @ [0.299, 0.587, 0.114]
    np.testing.assert_allclose(found[..., 0], y, rtol=1e-6)


def test_more_images_than_a_block_are_turned_one_by_one():
    images = np.random.default_rng(2).integers(0, 256, (600, 2, 3, 3), np.uint8)
    found = to_yuv(images)
    for number in (0, 255, 256, 511, 512, 599):
        np.testing.assert_array_equal(found[number], to_yuv(images[number : number + 1])[0])


def test_the_result_goes_where_it_is_asked_to():
    images = np.random.default_rng(3).integers(0, 256, (3, 2, 2, 3), np.uint8)
    wanted = to_yuv(images)
    out = np.empty((6, 2, 2, 3), np.float32)[::2]
    assert to_yuv(images, out) is out
    np.testing.assert_array_equal(out, wanted)


@pytest.mark.parametrize("shape", [(2, 4, 4, 1), (2, 4, 4, 4), (2, 3, 4), (2, 3), (3,)])
def test_images_without_three_channels_are_refused(shape):
    with pytest.raises(DataError, match=re.escape(f"{shape[1:]}")) as caught:
        to_yuv(np.zeros(shape, np.uint8))
    assert "\n" not in str(caught.value)
    assert "--format yuv" in str(caught.value)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e39])
def test_values_that_would_not_be_finite_are_refused(value):
    with pytest.raises(DataError, match="not finite, or too large"):
        to_yuv(image((value, 0, 0), dtype=np.float64))


def test_memory_beside_the_result_does_not_grow_with_the_images():
    images = np.zeros((8192, 16, 16, 3), np.uint8)
    out = np.empty(images.shape, np.float32)
    tracemalloc.start()
    try:
        to_yuv(images, out)
        assert tracemalloc.get_traced_memory()[1] < out.nbytes / 5
    finally:
        tracemalloc.stop()

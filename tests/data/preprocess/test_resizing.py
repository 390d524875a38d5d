"""Scaling of images, against numbers worked by hand."""

import tracemalloc

import numpy as np
import pytest

from bdfa_np.data.preprocess.resizing import resize_images
from bdfa_np.errors import ConfigError

TYPES = ["uint8", "float16", "float32", "float64"]


def noise(*shape):
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def row_of(values, dtype):
    """Return one image whose rows are all these values."""
    return np.tile(np.array(values, dtype), (len(values), 1))[np.newaxis, :, :, np.newaxis]


@pytest.mark.parametrize("dtype", TYPES)
def test_four_pixels_that_become_one_are_their_mean(dtype):
    images = np.array([[10, 20], [30, 80]], dtype).reshape(1, 2, 2, 1)
    assert resize_images(images, 1).tolist() == [[[[35]]]]


@pytest.mark.parametrize("dtype", TYPES)
def test_shrinking_weighs_by_a_triangle_as_wide_as_the_factor(dtype):
    # To half the size a pixel takes the weights 1 3 3 1, of which those beyond the edge are left out.
    scaled = resize_images(row_of([0, 70, 140, 210], dtype), 2)
    np.testing.assert_allclose(scaled[0, :, :, 0], 2 * [[350 / 7, 1120 / 7]], rtol=1e-6)


@pytest.mark.parametrize("dtype", TYPES)
def test_enlarging_interpolates_between_pixel_centres(dtype):
    assert resize_images(row_of([0, 100], dtype), 4)[0, :, :, 0].tolist() == 4 * [[0, 25, 75, 100]]


@pytest.mark.parametrize("axis", [0, 1])
def test_a_gradient_stays_a_gradient(axis):
    ramp = np.broadcast_to(np.arange(64, dtype=np.float32), (64, 64))
    image = ramp.T if axis == 0 else ramp
    scaled = resize_images(image[np.newaxis, :, :, np.newaxis], 16)[0, :, :, 0]
    expected = np.broadcast_to(4 * np.arange(16) + 1.5, (16, 16))  # the middle of four pixels
    inner = slice(1, -1)
    np.testing.assert_allclose(scaled[inner, inner], (expected.T if axis == 0 else expected)[inner, inner], rtol=1e-6)


def test_a_fine_chequerboard_shrinks_to_grey():
    board = 255 * (np.indices((64, 64)).sum(axis=0) % 2).astype(np.uint8)
    scaled = resize_images(board[np.newaxis, :, :, np.newaxis], 8)
    assert np.all(abs(scaled - 127.5) < 3)


@pytest.mark.parametrize("size", [1, 3, 8, 11])
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_an_image_of_one_value_keeps_it(size, dtype):
    scaled = resize_images(np.full((2, 8, 5, 3), 77, dtype), size)
    assert scaled.shape == (2, size, size, 3)
    assert np.all(scaled == 77)


def test_rows_and_columns_are_not_confused():
    images = np.repeat(np.array([[10], [200]], np.uint8), 4, axis=1)[np.newaxis, :, :, np.newaxis]  # 2 rows, 4 columns
    assert resize_images(images, 2)[0, :, :, 0].tolist() == [[10, 10], [200, 200]]
    assert resize_images(images.transpose(0, 2, 1, 3), 2)[0, :, :, 0].tolist() == [[10, 200], [10, 200]]


@pytest.mark.parametrize("dtype", ["uint8", "float64"])
@pytest.mark.parametrize("shape", [(3, 6, 6, 3), (3, 6, 6, 1), (3, 6, 6)])
def test_what_has_the_size_is_returned_itself(shape, dtype):
    images = noise(*shape).astype(dtype).reshape(3, 6, 6, -1)
    assert resize_images(images, 6) is images


@pytest.mark.parametrize(
    ("given", "expected"), [("uint8", "uint8"), ("float16", "float32"), ("float32", "float32"), ("float64", "float32")]
)
def test_bytes_stay_bytes_and_other_numbers_become_float32(given, expected):
    assert resize_images(noise(2, 4, 4, 3).astype(given), 3).dtype == expected


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("size", [5, 13])
def test_floating_point_images_agree_with_bytes_within_rounding(channels, size):
    images = noise(3, 9, 7, channels)
    scaled = resize_images(images.astype(np.float32), size)
    # Bytes are rounded twice, after the columns and after the rows.
    assert abs(scaled - resize_images(images, size)).max() <= 1


def test_floating_point_values_keep_their_scale_and_sign():
    images = noise(2, 8, 8, 3).astype(np.float64)
    expected = resize_images(images, 5) / 1e6 - 1e-4
    np.testing.assert_allclose(resize_images(images / 1e6 - 1e-4, 5), expected, rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
@pytest.mark.parametrize("channels", [2, 3, 4, 5])
def test_channels_do_not_mix(channels, dtype):
    images = noise(2, 7, 7, channels).astype(dtype)
    scaled = resize_images(images, 4)
    for channel in range(channels):
        np.testing.assert_array_equal(
            scaled[..., channel : channel + 1], resize_images(images[..., channel : channel + 1], 4)
        )


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_images_keep_their_order_and_do_not_mix(dtype):
    images = np.arange(50).reshape(50, 1, 1, 1).repeat(4, 1).repeat(4, 2).astype(dtype)
    assert resize_images(images, 3)[:, 1, 1, 0].tolist() == list(range(50))


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_views_in_another_order_of_axes_give_the_same(dtype):
    planes = noise(2, 3, 8, 8).astype(dtype)
    view = planes.transpose(0, 2, 3, 1)
    np.testing.assert_array_equal(resize_images(view, 5), resize_images(np.ascontiguousarray(view), 5))


def test_numbers_in_another_order_of_bytes_give_the_same():
    images = noise(2, 8, 8, 1).astype(np.float32)
    np.testing.assert_array_equal(resize_images(images.astype(">f4"), 5), resize_images(images, 5))


def test_the_images_that_were_given_are_left_alone():
    images = noise(2, 8, 8, 3)
    before = images.copy()
    scaled = resize_images(images, 4)
    scaled[...] = 0
    np.testing.assert_array_equal(images, before)


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_the_result_alone_takes_memory(dtype):
    images = noise(300, 40, 40, 3).astype(dtype)
    resize_images(images[:1], 32)
    tracemalloc.start()
    scaled = resize_images(images, 32)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < scaled.nbytes * 1.2


def test_vectors_are_refused_with_what_they_are():
    with pytest.raises(ConfigError, match=r"^--resize needs images, and these are vectors of 784 numbers: "):
        resize_images(np.zeros((3, 784), np.float32), 28)


def test_a_result_beyond_the_machines_memory_is_refused_before_any_is_taken():
    with pytest.raises(ConfigError, match=r"^--resize 10000000: 2 images of that size need .* choose a smaller size$"):
        resize_images(noise(2, 4, 4, 3), 10**7)

"""The kernel of crops and mirror images, against pixels worked by hand, SciPy and PyTorch."""

import numpy as np
import pytest
from scipy import ndimage

from bdfa_np.backend.cpu.backend import NumpyBackend

TOLERANCE = {"float32": 2e-5, "float64": 1e-10}
SHAPES = [(8, 8, 3), (32, 32, 3), (12, 20, 2), (21, 9, 1), (5, 5, 4), (4, 4, 1), (2, 6, 3)]

nan = np.nan
FOUR = [
    [nan, nan, nan, nan],
    [9, 18, 0, nan],
    [27, 0, 36, nan],
    [0, 9, 45, nan],
]
# The crop's three columns a, b, c are read at 0, 2/3, 4/3, 2: a, (a + 2b)/3, (2b + c)/3, c. Rows likewise.
FOUR_SCALED = [
    [9, 15, 12, 0],
    [21, 11, 12, 24],
    [18, 8, 15, 39],
    [0, 6, 21, 45],
]
FIVE = [
    [nan, 16, 0, 32, 48],
    [nan, 0, 64, 16, 0],
    [nan, 32, 48, 0, 16],
    [nan, 80, 16, 32, 0],
    [nan, nan, nan, nan, nan],
]
# The crop's four columns a, b, c, d are read at 0, 3/4, 3/2, 9/4, 3: a, (a + 3b)/4, (b + c)/2, (3c + d)/4, d.
FIVE_SCALED = [
    [16, 4, 16, 36, 48],
    [4, 37, 34, 18, 12],
    [16, 46, 32, 8, 8],
    [44, 41, 24, 9, 12],
    [80, 32, 24, 24, 0],
]


def augmented(images, top, left, margin, mirrored, dtype=None):
    dtype = images.dtype.name if dtype is None else dtype
    numbers = [np.atleast_1d(np.asarray(value, np.int64)) for value in (top, left, margin)]
    images = images.astype(dtype)
    out = np.full_like(images, -77)
    returned = NumpyBackend(dtype).crop_and_mirror(images, *numbers, np.atleast_1d(mirrored), out)
    assert returned is out
    return out


def some_batch(shape, count=40, seed=0):
    """Return images of both signs and the four draws of each, with every margin and both ends of every offset."""
    generator = np.random.default_rng(seed)
    margin = np.arange(count) % (min(shape[:2]) // 4 + 1)
    top, left = generator.integers(margin, endpoint=True), generator.integers(margin, endpoint=True)
    top[::3], left[::4] = margin[::3], 0
    return generator.normal(size=(count, *shape)), top, left, margin, generator.integers(2, size=count, dtype=bool)


def by_scipy(images, top, left, margin, mirrored):
    """Interpolate channel by channel of each image, in float64, at positions that are written down as such."""
    expected = np.empty(images.shape)
    _, H, W, C = images.shape
    for n, s in enumerate(margin):
        rows, columns = np.linspace(top[n], top[n] + H - s - 1, H), np.linspace(left[n], left[n] + W - s - 1, W)
        places = np.meshgrid(rows, columns[::-1] if mirrored[n] else columns, indexing="ij")
        for c in range(C):
            expected[n, :, :, c] = ndimage.map_coordinates(images[n, :, :, c], places, order=1, mode="nearest")
    return expected


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize(
    ("image", "scaled", "top", "left"),
    [(FOUR, FOUR_SCALED, 1, 0), (FIVE, FIVE_SCALED, 0, 1)],
    ids=["three of four pixels", "four of five pixels"],
)
def test_a_crop_has_the_pixels_worked_out_by_hand(image, scaled, top, left, mirrored, dtype):
    image, scaled = np.array(image, float), np.array(scaled, float)
    (result,) = augmented(image[None, :, :, None], top, left, 1, mirrored, dtype)
    expected = scaled[:, ::-1] if mirrored else scaled
    np.testing.assert_allclose(result[:, :, 0], expected, rtol=0, atol=TOLERANCE[dtype] * 45)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("shape", SHAPES)
def test_every_image_of_a_batch_agrees_with_scipys_interpolation(shape, dtype):
    batch = some_batch(shape)
    expected = by_scipy(*batch)
    assert np.abs(augmented(*batch, dtype) - expected).max() <= TOLERANCE[dtype] * np.abs(expected).max()


@pytest.mark.oracle
@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("shape", SHAPES)
def test_every_image_of_a_batch_agrees_with_pytorchs_interpolation_with_aligned_corners(shape, dtype):
    torch = pytest.importorskip("torch", reason="PyTorch is in the extra named oracle")
    images, top, left, margin, mirrored = batch = some_batch(shape)
    H, W, _ = shape
    expected = np.empty(images.shape)
    for n, s in enumerate(margin):
        crop = images[n, top[n] : top[n] + H - s, left[n] : left[n] + W - s].transpose(2, 0, 1)
        scaled = torch.nn.functional.interpolate(
            torch.tensor(crop.copy())[None], (H, W), mode="bilinear", align_corners=True
        )
        expected[n] = (scaled.flip(3) if mirrored[n] else scaled)[0].numpy().transpose(1, 2, 0)
    assert np.abs(augmented(*batch, dtype) - expected).max() <= TOLERANCE[dtype] * np.abs(expected).max()


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_without_a_margin_an_image_stays_as_it_is_bit_for_bit(dtype):
    images = some_batch((9, 14, 3))[0].astype(dtype)
    nothing = np.zeros(len(images), np.int64)
    assert augmented(images, nothing, nothing, nothing, nothing > 0).tobytes() == images.tobytes()


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_without_a_margin_a_mirrored_image_is_the_images_columns_from_the_right(dtype):
    images = some_batch((9, 14, 3))[0].astype(dtype)
    nothing = np.zeros(len(images), np.int64)
    assert augmented(images, nothing, nothing, nothing, nothing == 0).tobytes() == images[:, :, ::-1].tobytes()


def test_the_corners_are_those_of_the_crop_bit_for_bit():
    images, top, left, margin, _ = some_batch((32, 24, 3))
    images = images.astype(np.float32)
    out = augmented(images, top, left, margin, np.zeros(len(images), bool))
    n = np.arange(len(images))
    for i, last_row in ((0, 0), (31, 1)):
        for j, last_column in ((0, 0), (23, 1)):
            corner = images[n, top + last_row * (31 - margin), left + last_column * (23 - margin)]
            assert (out[:, i, j] == corner).all()


def test_no_pixel_beyond_the_crop_has_a_part_in_the_result():
    images, top, left, margin, mirrored = batch = some_batch((16, 11, 2))
    untouched = augmented(*batch)
    for n, s in enumerate(margin):
        outside = np.ones((16, 11), bool)
        outside[top[n] : top[n] + 16 - s, left[n] : left[n] + 11 - s] = False
        images[n, outside] = np.nan
    np.testing.assert_array_equal(augmented(images, top, left, margin, mirrored), untouched)


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_no_value_leaves_the_range_of_its_image(dtype):
    images, *draws = some_batch((32, 32, 3), count=200)
    images = (np.abs(images) < 0.3) * np.array(0.1, dtype) + np.array(0.7, dtype)
    out = augmented(images, *draws)
    assert (out.min(axis=(1, 2)) >= images.min(axis=(1, 2))).all()
    assert (out.max(axis=(1, 2)) <= images.max(axis=(1, 2))).all()


def test_channels_stay_together():
    grey, *draws = some_batch((8, 12, 1))
    factors = np.array([1.0, -2.0, 4.0])  # powers of two, which change no rounding
    np.testing.assert_array_equal(augmented(grey * factors, *draws), augmented(grey, *draws) * factors)


@pytest.mark.parametrize("shape", [(1, 7, 2), (7, 1, 2), (1, 1, 3)])
@pytest.mark.parametrize("mirrored", [False, True])
def test_an_image_one_pixel_high_or_wide_is_only_mirrored(shape, mirrored):
    images = np.random.default_rng(0).random((3, *shape), np.float32)
    nothing = np.zeros(3, np.int64)
    result = augmented(images, nothing, nothing, nothing, np.full(3, mirrored))
    np.testing.assert_array_equal(result, images[:, :, ::-1] if mirrored else images)


def test_the_images_are_left_as_they_are():
    images, *draws = some_batch((12, 12, 3))
    before = images.copy()
    images.setflags(write=False)
    NumpyBackend("float64").crop_and_mirror(images, *draws, np.empty_like(images))
    np.testing.assert_array_equal(images, before)


def test_a_batch_of_another_size_and_shape_can_follow_on_the_same_backend():
    backend = NumpyBackend("float64")
    for shape, count in (((12, 12, 3), 20), ((12, 12, 3), 7), ((8, 4, 1), 5), ((16, 12, 3), 30)):
        images, *draws = some_batch(shape, count)
        out = backend.crop_and_mirror(images, *draws, np.empty_like(images))
        np.testing.assert_allclose(out, by_scipy(images, *draws), rtol=0, atol=1e-12)


class Watched(np.ndarray):
    """An array that notes the type of every array that is made from it or from what was made from it."""

    made: list[np.dtype] = []  # noqa: RUF012 (one list for all of them)

    def __array_finalize__(self, source):
        self.made.append(self.dtype)


def test_a_float32_batch_is_augmented_without_a_float64_array(monkeypatch):
    images, *draws = some_batch((32, 32, 3))
    backend = NumpyBackend("float32")
    images = images.astype(np.float32).view(Watched)
    draws = [numbers.view(Watched) for numbers in draws]
    monkeypatch.setattr(Watched, "made", [])
    backend.crop_and_mirror(images, *draws, np.empty(images.shape, np.float32))
    assert {np.dtype(np.float32), np.dtype(np.int64)} <= set(Watched.made)
    assert np.dtype(np.float64) not in Watched.made
    assert {array.dtype for array in backend._scratch.values()} == {np.dtype(np.float32)}

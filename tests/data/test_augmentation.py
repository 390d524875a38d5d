"""Augmentation: what is drawn for a batch, and what becomes of it."""

import numpy as np
import pytest
from scipy import ndimage, stats

from bdfa_np.backend.cpu.backend import NumpyBackend
from bdfa_np.data import Augmentation
from bdfa_np.errors import ConfigError, DataError
from bdfa_np.random_streams import Streams

IMAGES = np.random.default_rng(0).random((10, 32, 32, 3), np.float32)


class Recorder(NumpyBackend):
    """NumPy, and the draws of the last batch."""

    def crop_and_mirror(self, images, top, left, margin, mirrored, out):
        self.draws = (top, left, margin, mirrored)
        return super().crop_and_mirror(images, top, left, margin, mirrored, out)


def make(shape=(32, 32, 3), seed=0, dtype="float32"):
    backend = Recorder(dtype)
    return Augmentation(backend, Streams(seed), shape), backend


def draws_of(shape, batches=1, size=5000, seed=0):
    """Return top, left, margin and mirrored of many images, one channel a pixel is enough."""
    augmentation, backend = make(shape, seed)
    drawn = []
    for step in range(1, batches + 1):
        augmentation(np.zeros((size, *shape), np.float32), 1, step)
        drawn.append(backend.draws)
    return [np.concatenate(numbers) for numbers in zip(*drawn, strict=True)]


@pytest.mark.parametrize(("shape", "largest"), [((32, 32, 1), 8), ((8, 20, 1), 2), ((19, 7, 1), 1), ((3, 9, 1), 0)])
def test_the_margin_is_uniform_from_0_to_a_quarter_of_the_shorter_side(shape, largest):
    _, _, margin, _ = draws_of(shape)
    counts = np.bincount(margin)
    assert len(counts) == largest + 1
    assert stats.chisquare(counts).pvalue > 0.001 or largest == 0


def test_the_offsets_are_uniform_from_0_to_the_margin_and_include_both():
    top, left, margin, _ = draws_of((32, 32, 1))
    for offset in (top, left):
        for s in range(1, 9):
            counts = np.bincount(offset[margin == s])
            assert len(counts) == s + 1
            assert stats.chisquare(counts).pvalue > 0.001
        assert (offset[margin == 0] == 0).all()


def test_the_row_the_column_and_the_mirroring_are_drawn_independently():
    top, left, margin, mirrored = draws_of((32, 32, 1), batches=3)
    largest = margin == 8
    for one, other in ((top, left), (top, mirrored), (left, mirrored)):
        table = np.zeros((9, 9))
        np.add.at(table, (one[largest], other[largest].astype(int)), 1)
        table = table[:, table.any(axis=0)]
        assert stats.chi2_contingency(table).pvalue > 0.001
    table = np.stack([np.bincount(margin[mirrored == side]) for side in (False, True)])
    assert stats.chi2_contingency(table).pvalue > 0.001


def test_half_of_the_images_are_mirrored():
    *_, mirrored = draws_of((32, 32, 1))
    assert stats.binomtest(int(mirrored.sum()), len(mirrored)).pvalue > 0.001


def test_images_of_one_batch_are_drawn_one_by_one():
    augmentation, _ = make()
    out = augmentation(np.repeat(IMAGES[:1], 10, axis=0), 1, 1)
    assert len({image.tobytes() for image in out}) > 5


def test_each_image_becomes_its_own_crop_scaled_up_and_mirrored():
    augmentation, backend = make((12, 20, 2), dtype="float64")
    images = np.random.default_rng(1).normal(size=(64, 12, 20, 2))
    out = augmentation(images, 3, 5)
    for n, (top, left, s, mirrored) in enumerate(zip(*backend.draws, strict=True)):
        crop = images[n, top : top + 12 - s, left : left + 20 - s]
        expected = ndimage.zoom(crop, (12 / (12 - s), 20 / (20 - s), 1), order=1, grid_mode=False)
        np.testing.assert_allclose(out[n, :, ::-1] if mirrored else out[n], expected, rtol=0, atol=1e-12)


def test_the_same_seed_epoch_and_step_give_the_same_bits_whatever_came_before():
    fresh, used = make()[0], make()[0]
    for step in range(1, 5):
        used(IMAGES, 2, step)
    assert used(IMAGES, 3, 2).tobytes() == fresh(IMAGES, 3, 2).tobytes()
    assert used(IMAGES, 3, 2).tobytes() == fresh(IMAGES, 3, 2).tobytes()


@pytest.mark.parametrize(("seed", "epoch", "step"), [(1, 1, 2), (0, 2, 2), (0, 1, 3), (0, 2, 1)])
def test_another_seed_epoch_or_step_draws_anew(seed, epoch, step):
    (one, first), (other, second) = make(), make(seed=seed)
    one(IMAGES, 1, 2)
    other(IMAGES, epoch, step)
    for mine, yours in zip(first.draws, second.draws, strict=True):
        assert (mine != yours).any()


def test_the_draws_do_not_depend_on_what_is_in_the_images_nor_on_their_type():
    (one, first), (other, second) = make(), make(dtype="float64")
    one(IMAGES, 1, 1)
    other(np.zeros(IMAGES.shape), 1, 1)
    for mine, yours in zip(first.draws, second.draws, strict=True):
        np.testing.assert_array_equal(mine, yours)


def test_the_draws_come_from_a_stream_of_their_own():
    augmentation, backend = make()
    augmentation(IMAGES, 4, 7)
    assert (backend.draws[2] == Streams(0).generator("augment", 4, 7).integers(0, 9, 10)).all()


def test_draws_are_of_the_types_that_the_kernel_asks_for():
    augmentation, backend = make()
    augmentation(IMAGES, 1, 1)
    assert [numbers.dtype for numbers in backend.draws] == [np.int64, np.int64, np.int64, bool]
    assert [numbers.shape for numbers in backend.draws] == [(10,)] * 4


def test_a_smaller_last_batch_is_augmented_too():
    augmentation, _ = make()
    augmentation(IMAGES, 1, 1)
    out = augmentation(IMAGES[:3], 1, 2)
    assert out.shape == (3, 32, 32, 3)
    assert out.tobytes() == make()[0](IMAGES[:3], 1, 2).tobytes()


def test_a_batch_is_written_where_the_last_one_was():
    augmentation, _ = make()
    first = augmentation(IMAGES, 1, 1)
    assert np.shares_memory(first, augmentation(IMAGES, 1, 2))
    assert np.shares_memory(first, augmentation(IMAGES[:3], 1, 3))
    assert not np.shares_memory(first, IMAGES)


def test_a_larger_batch_can_follow_a_smaller_one():
    augmentation, _ = make()
    augmentation(IMAGES[:3], 1, 1)
    assert augmentation(IMAGES, 1, 2).tobytes() == make()[0](IMAGES, 1, 2).tobytes()


def test_the_images_are_left_as_they_are():
    images = IMAGES.copy()
    images.setflags(write=False)
    out = make()[0](images, 1, 1)
    assert (images == IMAGES).all()
    assert (out != IMAGES).any()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(32, 32, 3), (1, 9, 1), (9, 1, 2), (1, 1, 1), (3, 3, 1), (28, 12, 1)])
def test_shape_type_and_range_stay_for_images_of_any_size(shape, dtype):
    images = np.random.default_rng(2).normal(size=(50, *shape)).astype(dtype)
    out = make(shape, dtype=dtype)[0](images, 1, 1)
    assert (out.shape, out.dtype) == (images.shape, np.dtype(dtype))
    assert (out.min(axis=(1, 2)) >= images.min(axis=(1, 2))).all()
    assert (out.max(axis=(1, 2)) <= images.max(axis=(1, 2))).all()


@pytest.mark.parametrize("shape", [(20,), (4, 5), ()])
def test_samples_that_are_no_images_are_refused_in_one_line(shape):
    with pytest.raises(ConfigError, match=r"augmentation needs images of shape \(H, W, C\), not samples of") as caught:
        make(shape)
    assert str(shape) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("shape", [(10, 32, 32, 1), (10, 28, 32, 3), (10, 3072), (32, 32, 3)])
def test_images_of_another_shape_are_refused(shape):
    with pytest.raises(DataError, match=r"were given to an augmentation for \(32, 32, 3\)"):
        make()[0](np.zeros(shape, np.float32), 1, 1)

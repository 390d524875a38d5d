"""Mini-batches."""

import tracemalloc

import numpy as np
import pytest

from bdfa_np.data import Batches, Dataset, Normalization, load_dataset
from bdfa_np.errors import ConfigError, DataError
from bdfa_np.random_streams import Streams

UNIT = Normalization("scale", np.array(0.0), np.array(1.0))
BYTES = Normalization("scale", np.array(0.0), np.array(255.0))


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load_dataset("mnist-5k")


def numbered(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Images whose one pixel tells which they are, and labels that tell it too."""
    return np.arange(count, dtype=np.float32).reshape(-1, 1, 1, 1), np.arange(count)


def order_of(batches: Batches, number: int) -> list[int]:
    return [int(value) for images, _ in batches.epoch(number) for value in images.ravel()]


def test_every_sample_comes_exactly_once_an_epoch():
    batches = Batches(*numbered(103), 10, normalization=UNIT, streams=Streams(0))
    assert len(batches) == 11
    assert batches.samples == 103
    assert [len(labels) for _, labels in batches.epoch(0)] == [10] * 10 + [3]
    assert sorted(order_of(batches, 0)) == list(range(103))


def test_images_keep_their_labels(digits):
    batches = Batches(digits.train_images, digits.train_labels, 64, normalization=UNIT, streams=Streams(5))
    where = {image.tobytes(): label for image, label in zip(digits.train_images, digits.train_labels, strict=True)}
    for images, labels in batches.epoch(2):
        for image, label in zip(images, labels, strict=True):
            assert where[image.astype(np.uint8).tobytes()] == label


def test_the_order_depends_on_the_seed_and_the_epoch_alone():
    def batches(seed):
        return Batches(*numbered(50), 8, normalization=UNIT, streams=Streams(seed))

    first = batches(0)
    orders = [order_of(first, number) for number in range(3)]
    assert orders[0] != orders[1] != orders[2]
    # Asked for anew, and out of turn.
    assert order_of(batches(0), 2) == orders[2]
    assert order_of(first, 0) == orders[0]
    assert order_of(batches(1), 0) != orders[0]
    larger = Batches(*numbered(50), 50, normalization=UNIT, streams=Streams(0))
    assert order_of(larger, 1) == orders[1]
    assert orders[0] == Streams(0).generator("order", 0).permutation(50).tolist()


def test_without_streams_the_order_is_that_of_the_images():
    batches = Batches(*numbered(50), 8, normalization=UNIT)
    assert order_of(batches, 0) == list(range(50))
    assert [int(label) for _, labels in batches.epoch(1) for label in labels] == list(range(50))


@pytest.mark.parametrize("kept", [np.uint8, np.float32, np.float64])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("streams", [None, Streams(0)])
def test_batches_are_contiguous_and_of_the_asked_type(kept, dtype, streams):
    images = np.arange(7 * 6, dtype=kept).reshape(7, 2, 3, 1)
    labels = np.zeros(7, np.uint8)
    for x, y in Batches(
        images, labels, 4, normalization=Normalization.fit("scale", images), dtype=dtype, streams=streams
    ).epoch(0):
        assert x.dtype == dtype
        assert x.flags.c_contiguous
        assert x.shape[1:] == (2, 3, 1)
        assert y.dtype == np.int64


def test_images_that_are_not_contiguous_come_out_right():
    channels_first = np.arange(5 * 3 * 2 * 2, dtype=np.uint8).reshape(5, 3, 2, 2)
    images = channels_first.transpose(0, 2, 3, 1)
    streams = Streams(0)
    batches = Batches(images, np.arange(5), 2, normalization=UNIT, streams=streams)
    for x, labels in batches.epoch(0):
        np.testing.assert_array_equal(x, images[labels])


def test_all_batches_share_one_buffer_and_leave_the_images_alone(digits):
    before = digits.train_images[:256].copy()
    batches = Batches(digits.train_images, digits.train_labels, 64, normalization=BYTES, streams=Streams(0))
    addresses = {(x.__array_interface__["data"][0], y.__array_interface__["data"][0]) for x, y in batches.epoch(0)}
    assert len(addresses) == 1
    np.testing.assert_array_equal(digits.train_images[:256], before)


@pytest.mark.parametrize("axes", [(0, 1, 2, 3), (0, 2, 1, 3)], ids=["contiguous", "transposed"])
def test_a_batch_takes_no_memory_of_its_own(digits, axes):
    batches = Batches(
        digits.train_images.transpose(axes), digits.train_labels, 500, normalization=BYTES, streams=Streams(0)
    )
    epoch = batches.epoch(0)
    next(epoch)
    tracemalloc.start()
    for _ in epoch:
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # A batch is 1.5 MB; NumPy's own casting buffers are far smaller.
    assert peak < 150_000


def test_a_batch_larger_than_the_set_is_the_set():
    batches = Batches(*numbered(3), 1_000_000_000, normalization=UNIT)
    assert len(batches) == 1
    assert order_of(batches, 0) == [0, 1, 2]


def test_batches_that_cannot_be_made_are_refused():
    images, labels = numbered(4)
    with pytest.raises(ConfigError, match="batch size must be 1 or more, not 0"):
        Batches(images, labels, 0, normalization=UNIT)
    with pytest.raises(ConfigError, match="must be float32 or float64, not int32"):
        Batches(images, labels, 2, normalization=UNIT, dtype="int32")
    with pytest.raises(DataError, match="4 images and labels of shape"):
        Batches(images, labels[:3], 2, normalization=UNIT)
    with pytest.raises(DataError, match="0 images"):
        Batches(images[:0], labels[:0], 2, normalization=UNIT)


@pytest.mark.parametrize(("count", "full"), [(103, 10), (100, 10), (10, 1), (19, 1)])
def test_a_smaller_last_batch_can_be_dropped(count, full):
    batches = Batches(*numbered(count), 10, normalization=UNIT, streams=Streams(0), drop_last=True)
    assert len(batches) == full
    assert batches.samples == 10 * full
    assert [len(labels) for _, labels in batches.epoch(0)] == [10] * full


def test_dropping_leaves_the_other_batches_as_they_are():
    dropping = Batches(*numbered(103), 10, normalization=UNIT, streams=Streams(0), drop_last=True)
    keeping = Batches(*numbered(103), 10, normalization=UNIT, streams=Streams(0))
    assert order_of(dropping, 4) == order_of(keeping, 4)[:100]
    in_order = Batches(*numbered(103), 10, normalization=UNIT, drop_last=True)
    assert order_of(in_order, 0) == list(range(100))


def test_each_epoch_drops_other_images():
    batches = Batches(*numbered(19), 10, normalization=UNIT, streams=Streams(0), drop_last=True)
    seen = [set(order_of(batches, number)) for number in range(20)]
    assert all(len(images) == 10 for images in seen)
    assert set.union(*seen) == set(range(19))


def test_too_few_images_for_one_batch_are_refused_only_where_the_last_is_dropped():
    with pytest.raises(DataError, match="9 images cannot fill one batch of 10: choose a smaller batch size") as caught:
        Batches(*numbered(9), 10, normalization=UNIT, drop_last=True)
    assert "\n" not in str(caught.value)
    assert len(Batches(*numbered(9), 10, normalization=UNIT)) == 1

"""Batch normalisation of one sample makes 0 of it: that is refused, or told of the last batch of an epoch."""

import numpy as np
import pytest

from bdfa_np import train
from bdfa_np.backend.cpu.backend import NumpyBackend
from bdfa_np.errors import ConfigError
from bdfa_np.layers.batchnorm import BatchNorm, lone_samples
from bdfa_np.random_streams import Streams

OPTIONS = {"num_hidden": 3, "epochs": 1, "threads": 1, "backend": "numpy", "progress": False, "batchnorm": 1}
TOLD = "the last batch of each epoch is one sample"


def bound(shape):
    layer = BatchNorm()
    layer.bind("batchnorm", shape, NumpyBackend("float32"), Streams(0))
    return layer


@pytest.mark.parametrize("shape", [(5,), (1, 1, 5)])
def test_one_sample_comes_out_as_0_whatever_it_is(shape):
    layer = bound(shape)
    layer.beta, layer.gamma = np.zeros(5, np.float32), np.ones(5, np.float32)
    x = np.random.default_rng(0).normal(size=(1, *shape)).astype(np.float32)
    np.testing.assert_array_equal(layer.forward(x), 0)


@pytest.mark.parametrize(
    ("shape", "samples", "batch_size", "drop_last", "outcome"),
    [
        ((5,), 9, 1, False, "refused"),
        ((5,), 1, 8, False, "refused"),
        ((1, 1, 5), 9, 1, False, "refused"),
        ((5,), 9, 8, False, TOLD),
        ((1, 1, 5), 9, 4, False, TOLD),
        ((5,), 9, 8, True, None),
        ((5,), 10, 8, False, None),
        ((5,), 8, 8, False, None),
        ((2, 2, 5), 9, 1, False, None),
        ((2, 1, 5), 9, 8, False, None),
    ],
)
def test_what_is_said_follows_from_the_values_that_a_channel_has_in_a_batch(
    shape, samples, batch_size, drop_last, outcome
):
    if outcome == "refused":
        with pytest.raises(ConfigError, match="makes 0 of every value"):
            lone_samples([bound(shape)], samples, batch_size, drop_last=drop_last)
        return
    said = lone_samples([bound(shape)], samples, batch_size, drop_last=drop_last)
    assert said is None if outcome is None else said.startswith(outcome)


def test_training_refuses_or_tells_it():
    with pytest.raises(ConfigError, match="batch normalisation of --batch-size 1 makes 0 of every value"):
        train(dataset="mnist-5k", train_limit=50, batch_size=1, **OPTIONS)
    (note,) = train(dataset="mnist-5k", train_limit=51, batch_size=25, **OPTIONS).notes
    assert note.startswith(TOLD)
    assert train(dataset="mnist-5k", train_limit=51, batch_size=25, const_batch_size=True, **OPTIONS).notes == ()
    assert train(dataset="mnist-5k", train_limit=50, batch_size=1, **OPTIONS | {"batchnorm": 0}).notes == ()


def test_the_classifier_refuses_and_warns_alike():
    pytest.importorskip("sklearn")
    from bdfa_np.sklearn import FeedbackAlignmentClassifier

    X, y = np.random.default_rng(0).normal(size=(9, 3)), np.arange(9) % 3
    with pytest.raises(ConfigError, match="makes 0 of every value"):
        FeedbackAlignmentClassifier(num_hidden=3, epochs=1, batchnorm=1, batch_size=1).fit(X, y)
    with pytest.warns(UserWarning, match=TOLD):
        FeedbackAlignmentClassifier(num_hidden=3, epochs=1, batchnorm=1, batch_size=8).fit(X, y)

"""Losses: hand-worked values, extreme logits, and labels that are refused."""

import math

import numpy as np
import pytest

from bdfa_np.backend.cpu.backend import NumpyBackend
from bdfa_np.losses import LOSSES, BinaryCrossEntropy, CrossEntropy, MeanSquaredError


def test_bce_of_zero_logits_is_log_two_and_its_error_a_half_towards_the_target(backend):
    result = BinaryCrossEntropy(backend)(np.zeros((2, 4)), np.array([1, 3]))
    assert result.value == pytest.approx(math.log(2), rel=1e-15)
    np.testing.assert_array_equal(result.error, [[0.5, -0.5, 0.5, 0.5], [0.5, 0.5, 0.5, -0.5]])


def test_the_error_of_bce_is_summed_over_the_batch_and_that_of_ce_averaged(backend):
    logits, labels = np.random.default_rng(0).normal(size=(3, 4)), np.array([0, 1, 2])
    doubled, twice = np.concatenate([logits, logits]), np.concatenate([labels, labels])
    bce, ce = BinaryCrossEntropy(backend), CrossEntropy(backend)
    np.testing.assert_array_equal(bce(doubled, twice).error[:3], bce(logits, labels).error)
    np.testing.assert_allclose(ce(doubled, twice).error[:3], ce(logits, labels).error / 2)


def test_ce_of_equal_logits_is_the_log_of_the_number_of_classes(backend):
    result = CrossEntropy(backend)(np.full((2, 5), 3.0), np.array([0, 4]))
    assert result.value == pytest.approx(math.log(5), rel=1e-15)
    np.testing.assert_allclose(result.probabilities, 0.2)
    np.testing.assert_allclose(result.outputs, -math.log(5))


def test_mse_is_the_mean_square_over_all_entries_and_its_error_the_difference_over_the_batch(backend):
    o = np.array([[1.0, -1.0, 0.5], [0.0, 3.0, 1.0]])
    result = MeanSquaredError(backend)(o, np.array([0, 2]))
    assert result.value == (0 + 1 + 0.25 + 0 + 9 + 0) / 6
    np.testing.assert_array_equal(result.error, [[0, -0.5, 0.25], [0, 1.5, 0]])
    np.testing.assert_array_equal(result.outputs, o)
    np.testing.assert_array_equal(result.probabilities, o)


@pytest.mark.parametrize("criterion", ["bce", "ce"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_huge_logits_give_finite_losses_and_errors_of_at_most_one(criterion, dtype):
    loss = LOSSES[criterion](NumpyBackend(dtype))
    logits = np.array([[1e4, -1e4, 0.0], [-1e4, 1e4, 5.0]], dtype)
    result = loss(logits, np.array([1, 1]))
    assert math.isfinite(result.value)
    assert np.isfinite(result.error).all()
    assert np.abs(result.error).max() <= 1
    assert result.value > 1000


def test_small_probabilities_are_kept_to_full_relative_precision():
    result = BinaryCrossEntropy(NumpyBackend())(np.array([[-30.0, 30.0]], np.float32), np.array([1]))
    np.testing.assert_allclose(result.probabilities[0, 0], math.exp(-30), rtol=1e-6)


@pytest.mark.parametrize("criterion", LOSSES)
@pytest.mark.parametrize(
    "labels",
    [
        np.array([0, 3]),
        np.array([-1, 0]),
        np.array([0.0, 1.0]),
        np.array([0]),
        np.array([[0], [1]]),
        np.array([True, False]),
        [0, 1],
    ],
    ids=["too large", "negative", "floats", "too few", "a column", "booleans", "a list"],
)
def test_labels_that_are_not_n_classes_are_refused(backend, criterion, labels):
    with pytest.raises(ValueError, match="labels must"):
        LOSSES[criterion](backend)(np.zeros((2, 3)), labels)


def test_an_empty_batch_is_refused(backend):
    with pytest.raises(ValueError, match="at least one"):
        BinaryCrossEntropy(backend)(np.zeros((0, 3)), np.zeros(0, int))


@pytest.mark.parametrize("criterion", LOSSES)
def test_the_error_is_probabilities_less_targets_times_the_scale(criterion, backend):
    rng = np.random.default_rng(1)
    result = LOSSES[criterion](backend)(rng.normal(size=(7, 4)), rng.integers(0, 4, 7))
    assert result.scale == {"bce": 1, "ce": 1 / 7, "mse": 1 / 7}[criterion]
    np.testing.assert_allclose(result.error, result.scale * (result.probabilities - result.targets), rtol=1e-14)

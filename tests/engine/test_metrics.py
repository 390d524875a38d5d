"""Confusion counts, error rates and angles, against hand-worked numbers."""

import math

import numpy as np
import pytest

from bdfa_np.losses import CrossEntropy
from bdfa_np.metrics import ConfusionMatrix, Tally, alignment_angle


def test_counts_have_true_classes_in_rows_and_predictions_in_columns():
    confusion = ConfusionMatrix(3)
    confusion.add(np.array([0, 0, 2]), np.array([0, 1, 1]))
    confusion.add(np.array([0]), np.array([1]))
    np.testing.assert_array_equal(confusion.counts, [[1, 2, 0], [0, 0, 0], [0, 1, 0]])
    assert confusion.total == 4


def test_error_rates_are_fractions_of_all_and_of_each_class():
    confusion = ConfusionMatrix(3)
    confusion.add(np.array([0, 0, 0, 2]), np.array([0, 1, 0, 2]))
    assert confusion.error_rate == 0.25
    first, absent, last = confusion.class_error_rates()
    assert (first, last) == (1 / 3, 0)
    assert math.isnan(absent)


def test_nothing_counted_has_no_error_rate():
    assert math.isnan(ConfusionMatrix(2).error_rate)


@pytest.mark.parametrize(
    ("a", "b", "degrees"),
    [([1, 0], [0, 2], 90), ([1, 1], [3, 3], 0), ([1, 2], [-1, -2], 180), ([[1.0, 0], [0, 0]], [[1, 1], [0, 0]], 45)],
)
def test_angles_are_those_of_the_drawing(a, b, degrees):
    assert alignment_angle(a, b) == pytest.approx(degrees, abs=1e-5)


def test_no_angle_with_a_zero_signal_or_another_shape():
    with pytest.warns(RuntimeWarning, match="zero everywhere"):
        assert math.isnan(alignment_angle([0, 0], [1, 2]))
    with pytest.raises(ValueError, match="no angle between"):
        alignment_angle([1, 2], [1, 2, 3])


def test_a_tally_adds_up_losses_and_predictions_and_remembers_the_first_loss_that_is_no_number(backend):
    tally, loss = Tally(backend, 2), CrossEntropy(backend)
    good, bad = np.array([[0.0, 0.0], [0.0, np.log(3)]]), np.array([[np.nan, 0.0]])
    tally.add(good, loss(good, np.array([1, 1])))  # -log 1/2 and -log 3/4; of equal logits the first is predicted
    assert tally.loss == pytest.approx((np.log(2) + np.log(4 / 3)) / 2, rel=1e-14)
    assert tally.confusion().counts.tolist() == [[0, 0], [1, 1]]
    assert tally.first_bad is None
    for logits, label in [(bad, 0), (good[:1], 0), (bad, 1)]:
        tally.add(logits, loss(logits, np.array([label])))
    step, value = tally.first_bad
    assert step == 2
    assert math.isnan(value)
    assert tally.confusion().counts.tolist() == [[2, 0], [2, 1]]
    tally.clear()
    assert tally.first_bad is None
    assert tally.confusion().total == 0

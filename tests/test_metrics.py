"""Confusion counts, error rates and angles, against hand-worked numbers."""

import math

import numpy as np
import pytest

from bdfa_np.metrics import ConfusionMatrix, alignment_angle


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
    assert math.isnan(alignment_angle([0, 0], [1, 2]))
    with pytest.raises(ValueError, match="no angle between"):
        alignment_angle([1, 2], [1, 2, 3])

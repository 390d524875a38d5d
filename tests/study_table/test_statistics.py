"""Means, deviations, intervals and tests, beside numbers worked by hand and SciPy's own tests."""

from math import sqrt

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from bdfa_np.study.statistics import holm, summary, welch


def test_mean_and_deviation_are_those_worked_by_hand():
    found = summary([2.0, 4.0, 9.0])
    assert (found.n, found.mean) == (3, 5.0)
    assert found.sd == pytest.approx(sqrt((9 + 1 + 16) / 2))  # n - 1


def test_the_interval_is_students():
    # t(0.975; 2) = 4.302653 stands in every table of Student's distribution.
    low, high = summary([1.0, 2.0, 3.0]).interval()
    assert low == pytest.approx(2 - 4.302653 / sqrt(3), abs=1e-6)
    assert high == pytest.approx(2 + 4.302653 / sqrt(3), abs=1e-6)
    low, high = summary([1.0, 2.0, 3.0]).interval(0.9)  # t(0.95; 2) = 2.919986
    assert high - low == pytest.approx(2 * 2.919986 / sqrt(3), abs=1e-6)


def test_the_interval_covers_the_true_mean_as_often_as_it_says():
    draws = np.random.default_rng(0).normal(3, 2, (2000, 4))
    ends = [summary(row.tolist()).interval() for row in draws]
    assert np.mean([low <= 3 <= high for low, high in ends]) == pytest.approx(0.95, abs=0.015)


@pytest.mark.parametrize("values", [[], [2.5]])
def test_without_two_values_there_is_no_deviation_and_it_is_not_known_what_lies_within_it(values):
    found = summary(values)
    assert (found.n, found.mean) == (len(values), values[0] if values else None)
    assert found.sd is found.interval() is None
    assert found.covers(2.5) is None
    assert welch(found, summary([1.0, 2.0])) is None
    assert welch(summary([1.0, 2.0]), found) is None


def test_identical_values_have_no_spread_at_all_and_are_compared_without_a_warning():
    same = summary([0.1 + 0.2] * 7)  # a mean computed in floats would differ from each of them
    assert (same.mean, same.sd) == (0.1 + 0.2, 0.0)
    assert same.interval() == (same.mean, same.mean)
    assert same.covers(0.3) is True
    assert same.covers(0.31) is False
    assert welch(same, summary([0.5] * 3)) is None
    assert 0 < welch(same, summary([0.5, 0.6, 0.7])) < 0.1


def test_published_means_count_as_within_up_to_two_deviations():
    found = summary([1.0, 2.0, 3.0])  # 2 ± 1
    assert [found.covers(x) for x in (0.0, 4.0, -0.001, 4.001)] == [True, True, False, False]
    assert summary([100 * 0.0195] * 2).covers(1.95) is True


def test_welchs_test_is_scipys_on_the_values_themselves():
    draws = np.random.default_rng(1)
    for sizes in ((2, 2), (3, 5), (10, 4)):
        a, b = draws.normal(0, 1, sizes[0]), draws.normal(1, 3, sizes[1])
        expected = scipy.stats.ttest_ind(a, b, equal_var=False).pvalue
        assert welch(summary(a.tolist()), summary(b.tolist())) == pytest.approx(expected, rel=1e-9)


def test_welchs_test_of_an_example_worked_by_hand():
    # Means 2 and 5, variances 1 and 4, n = 3: t = -3 / sqrt(5/3), ν = (5/3)² / ((1/3)²/2 + (4/3)²/2) = 50/17.
    expected = 2 * scipy.stats.t.sf(3 / sqrt(5 / 3), 50 / 17)
    assert welch(summary([1.0, 2.0, 3.0]), summary([3.0, 5.0, 7.0])) == pytest.approx(expected)


def test_holms_adjustment_is_that_worked_by_hand():
    # Sorted 0.01, 0.02, 0.03, 0.04 times 4, 3, 2, 1: 0.04, 0.06, 0.06, 0.04, and none below the one before it.
    assert holm([0.03, 0.01, 0.04, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert (holm([]), holm([0.3])) == ([], [0.3])


@given(st.lists(st.floats(0, 1), max_size=8))
def test_an_adjusted_value_lies_between_the_value_and_bonferronis(p_values):
    for p, adjusted in zip(p_values, holm(p_values), strict=True):
        assert p <= adjusted <= min(1, len(p_values) * p) + 1e-15

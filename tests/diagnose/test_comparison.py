"""Whether one net beats another on the same images, and how much of a gain is recovered: numbers worked by hand."""

import numpy as np
import pytest
from scipy.stats import binomtest

from bdfa_np.controls.comparison import difference, recovery, sign_test


def right(images, *ranges):
    """Return whether each of so many images is got right: those of some ranges are."""
    found = np.zeros(images, bool)
    for start, stop in ranges:
        found[start:stop] = True
    return found


def test_mcnemars_test_looks_at_the_images_alone_on_which_two_nets_differ():
    # Both right in 3 of 20 images, the first alone in 1, the second alone in 5. Of 6 fair coins, at most 1 shows heads
    # with a chance of (1 + 6) / 64; as uneven the other way with the same.
    found = difference(right(20, (0, 3), (3, 4)), right(20, (0, 3), (4, 9)))
    assert (found.gained, found.lost, found.images) == (1, 5, 20)
    assert found.share == pytest.approx(-0.2)
    assert found.p == pytest.approx(14 / 64, rel=1e-12)


@pytest.mark.parametrize(("gained", "lost"), [(0, 0), (3, 3), (0, 10), (40, 71), (900, 1100)])
def test_the_p_value_is_that_of_an_exact_binomial_test(gained, lost):
    expected = binomtest(gained, gained + lost).pvalue if gained + lost else 1.0
    assert sign_test(gained, lost) == pytest.approx(expected, rel=1e-9)


def test_better_and_worse_are_said_beyond_chance_alone():
    few, many = difference(right(100, (0, 6)), right(100)), difference(right(100, (0, 8)), right(100))
    assert (few.is_better, many.is_better) == (False, True)  # p = 2 / 64 and 2 / 256
    other = difference(right(100), right(100, (0, 8)))
    assert (other.is_better, other.is_worse, many.is_worse) == (False, True, False)


def test_recovery_is_the_share_of_bps_gain_over_frozen():
    bp, frozen = right(1000, (0, 900)), right(1000, (0, 500))
    assert recovery(right(1000, (0, 800)), bp, frozen).value == pytest.approx(0.75)
    assert recovery(bp, bp, frozen).value == pytest.approx(1)
    assert recovery(frozen, bp, frozen).value == pytest.approx(0)
    assert recovery(right(1000, (0, 400)), bp, frozen).value == pytest.approx(-0.25)
    assert recovery(right(1000, (0, 940)), bp, frozen).room == pytest.approx(0.4)


def test_the_interval_of_a_recovery_is_that_of_images_drawn_anew():
    generator = np.random.default_rng(7)
    easy = generator.random(600)
    rule, bp, frozen = (easy + 0.2 * generator.random(600) < level for level in (0.75, 0.85, 0.45))
    found = recovery(rule, bp, frozen)
    drawn = generator.integers(0, 600, (3000, 600))
    means = [one[drawn].mean(axis=1) for one in (rule, bp, frozen)]
    low, high = np.quantile((means[0] - means[2]) / (means[1] - means[2]), [0.025, 0.975])
    width = high - low
    assert found.low == pytest.approx(low, abs=0.1 * width)
    assert found.high == pytest.approx(high, abs=0.1 * width)
    assert found.low < found.value < found.high
    assert recovery(rule, bp, frozen) == found  # the same digits each time


@pytest.mark.parametrize(
    ("bp", "said"),
    [
        ((0, 500), "no room to tell: bp is +0.00 points against frozen, which may be chance (p = 1)"),
        ((0, 505), "no room to tell: bp is +0.50 points against frozen, which may be chance (p = 0.062)"),
        ((0, 300), "no room to tell: bp is 20.00 points worse than frozen"),
    ],
)
def test_where_bp_gains_nothing_over_frozen_no_recovery_is_made_up(bp, said):
    found = recovery(right(1000, (0, 450)), right(1000, bp), right(1000, (0, 500)))
    assert found.value is None
    assert found.reason == said

"""The three verdicts, on hand-made numbers."""

import math

import numpy as np
import pytest

from bdfa_np.controls.comparison import Difference, sign_test
from bdfa_np.controls.verdicts import Scales, Verdict, depth_used, reference_valid, scale_stable

LAYERS = ("linear1", "linear2", "linear3")
ONES = np.ones(3)
TRACKED = np.arange(1.0, 7)


def scales(activity=ONES, weights=ONES, times=None):
    """Return scales of three layers; norms of a layer over time are those of every layer."""
    found = {name: np.outer(norms, ONES) for name, norms in (times or {}).items()}
    return Scales(LAYERS, np.array(activity, float), np.array(weights, float), found, TRACKED if found else np.empty(0))


def against(gained, lost, images=1000):
    return Difference(gained, lost, images, sign_test(gained, lost))


@pytest.mark.parametrize(
    ("activity", "answer", "said"),
    [
        ((0.5, 0.4, 30), "yes", "0.5 in linear1, 0.4 in linear2, and differs at most 1.25-fold"),
        ((0.5, 5.5, 1), "no", "differs at most 11-fold between hidden layers (bound 10)"),
        ((5.5, 0.5, 1), "no", "differs at most 11-fold between hidden layers (bound 10)"),
        ((0.5, 0, 1), "no", "all units of linear2 are silent"),
        ((0.5, math.inf, 1), "no", "‖h‖ of linear2 is not finite"),
    ],
)
def test_activity_is_to_stay_of_one_size_over_the_hidden_layers(activity, answer, said):
    found = scale_stable(scales(activity))
    assert found.answer == answer
    assert said in found.reason


@pytest.mark.parametrize(
    ("norms", "answer", "said"),
    [
        ([1, 2, 3, 4, 5, 6], "yes", "‖W‖ grew at most 2-fold (linear1) from epoch 3 to 6 (bound 2)"),
        ([1, 2, 4, 8, 16, 32], "no", "‖W‖ grew at most 8-fold"),
        ([0, 0, 0, 0, 0, 0], "yes", "‖W‖ grew at most 1-fold"),
        ([0, 0, 0, 0, 0, 1], "no", "‖W‖ grew at most inf-fold"),
        ([1, 2, math.nan, 2, 2, 2], "no", "‖W‖ of linear1, linear2, linear3 is not finite"),
    ],
)
def test_a_norm_is_to_grow_no_faster_than_in_proportion_to_training(norms, answer, said):
    found = scale_stable(scales(times={"‖W‖": norms}))
    assert found.answer == answer
    assert said in found.reason


def test_epochs_have_two_decimals_at_most():
    times = TRACKED / 7 * 10
    found = scale_stable(Scales(LAYERS, ONES, ONES, {"‖W‖": np.ones((6, 3))}, times))
    assert "from epoch 4.29 to 8.57 (bound" in found.reason


@pytest.mark.parametrize(
    ("shares", "answer"), [((0.2, 0.949, 1.0), "yes"), ((0.2, 0.95, 0), "no"), ((math.nan, math.nan, math.nan), "yes")]
)
def test_a_hidden_layer_of_saturated_units_has_no_stable_scale(shares, answer):
    found = scale_stable(Scales(LAYERS, ONES, ONES, saturated=np.array(shares)))
    assert found.answer == answer
    assert ("at least 95.0% of the units of linear2 are saturated (bound 95%)" in found.reason) == (answer == "no")


def test_what_was_not_measured_in_training_is_said_to_be_unknown():
    assert (
        "how norms grew is not known: the run was not tracked up to this net (--track all"
        in scale_stable(scales()).reason
    )
    few = Scales(LAYERS, ONES, ONES, {"‖W‖": np.ones((3, 3))}, TRACKED[:3], tracked=4)
    assert scale_stable(few).reason.endswith(
        "that takes 4 measurements after the first step, and there are 3 (1 before the first step, when weights may "
        "be 0, does not count)"
    )
    one_hidden = Scales(LAYERS[:2], np.ones(2), np.ones(2))
    assert scale_stable(one_hidden).answer == "unknown"
    assert "fewer than two hidden layers" in scale_stable(one_hidden).reason


def test_an_exact_gradient_below_the_floor_makes_the_reference_invalid_and_names_its_layers():
    found = reference_valid(LAYERS, np.array([0.0, 0, 1]), np.array([0, 1e-40, 1e-3]))
    assert (found.answer, found.reason) == (
        "no",
        "the exact gradient is within rounding of 0 in linear1, linear2: an angle to it says nothing there",
    )
    found = reference_valid(LAYERS, ONES, np.array([3e-5, 1, 1e-3]))
    assert found.answer == "yes"
    assert "in all 3 layers; it is smallest in linear1, 3e-05" in found.reason
    assert reference_valid(LAYERS, np.full(3, math.nan), np.full(3, math.nan)).answer == "no"


def test_depth_is_used_where_every_control_is_bettered_beyond_chance():
    controls = {"frozen": against(300, 10), "linear": against(90, 30), "shallow": against(60, 20)}
    found = depth_used(2, controls, {})
    assert found.answer == "yes"
    assert found.reason == (
        "29.00 points better than frozen (p = 1.9e-75); 6.00 points better than linear (p = 3.8e-08); "
        "4.00 points better than shallow (p = 8.6e-06)"
    )


@pytest.mark.parametrize(
    ("shallow", "said"),
    [
        (against(50, 45), "no better than shallow by more than chance (0.50 points better, p = 0.68, not below 0.01)"),
        (against(40, 40), "no better than shallow by more than chance (no difference, p = 1, not below 0.01)"),
        (against(10, 60), "5.00 points worse than shallow (p = 8e-10)"),
    ],
)
def test_one_control_that_does_as_well_is_enough_for_depth_not_to_be_used(shallow, said):
    found = depth_used(2, {"frozen": against(300, 10), "shallow": shallow}, {"linear": "not asked for"})
    assert (found.answer, found.reason) == ("no", said)


def test_a_control_that_is_missing_leaves_depth_open():
    found = depth_used(2, {"frozen": against(300, 10)}, {"linear": "not asked for", "shallow": "it diverged"})
    assert found.answer == "unknown"
    assert found.reason.startswith("there is no linear (not asked for), shallow (it diverged); 29.00 points better")
    wanted = dict.fromkeys(("frozen", "linear"), "not asked for")
    assert depth_used(2, {}, wanted) == Verdict("depth used", "unknown", "it takes controls to tell")
    assert depth_used(0, {}, {}) == Verdict("depth used", "unknown", "the net has no hidden layer")


def test_a_verdict_is_a_line_and_three_words():
    found = [Verdict("scale stable", answer, "since so") for answer in ("yes", "no", "unknown")]
    assert [one.short for one in found] == ["scale stable", "scale not stable", "scale stable?"]
    assert str(found[1]) == "scale stable? no: since so"

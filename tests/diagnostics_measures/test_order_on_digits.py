"""What papers say of angles, on handwritten digits: who comes close to the exact gradient, and how close."""

import numpy as np
import pytest

import bdfa_np
from bdfa_np.backend.cpu.compiling import compiling_nothing

SETTINGS = {
    "dataset": "mnist-5k",
    "num_layers": 2,
    "num_hidden": 50,
    "init": "uniform",
    "nonlin": "tanh",
    "criterion": "ce",
    "optimization": "sgd",
    "lr": 0.5,
    "weight_decay": 0.05,
    "batch_size": 50,
    "train_limit": 1000,
    "test_limit": 100,
    "epochs": 8,
    "threads": 1,
    "track": "alignment,feedback",
    "track_every": "8",
}
"""160 steps at ηλ = 0.025: of kp's difference between B and W, (1 - ηλ)^160 = 1.7 % are left."""


@pytest.fixture(scope="module")
def angles(tmp_path_factory):
    """Give the angles of the hidden layers' signals before and after training, (2, 2), rule by rule."""
    found = {}
    for gradient in ("bp", "fa", "usf", "kp", "dfa"):
        folder = tmp_path_factory.mktemp("runs") / gradient
        with compiling_nothing():
            diagnostics = bdfa_np.train(save=str(folder), gradient=gradient, **SETTINGS).diagnostics
        found[gradient] = diagnostics.values["signal_angle"][[0, -1], :2], diagnostics.values["feedback_angle"][[0, -1]]
    return found


def test_back_propagation_lies_at_no_angle(angles):
    assert (angles["bp"][0] == 0).all()


@pytest.mark.parametrize("gradient", ["fa", "dfa"])
def test_fixed_random_feedback_starts_at_right_angles_and_aligns_in_each_layer(angles, gradient):
    before, after = angles[gradient][0]
    assert (np.abs(before - 90) < 15).all()
    assert (after < 50).all()


def test_signs_of_the_weights_lie_closer_than_feedback_that_knows_nothing_of_them(angles):
    assert (angles["usf"][0] < angles["fa"][0]).all()


def test_under_kolen_and_pollacks_rule_feedback_becomes_the_weights(angles):
    signals, feedback = angles["kp"]
    np.testing.assert_allclose(signals[0], angles["fa"][0][0])  # the same weights, the same B
    assert (signals[1] < angles["usf"][0][1]).all()
    assert (signals[1] < 5).all()
    assert (feedback[1][1:] < 5).all()
    assert (feedback[0][1:] > 80).all()


def test_the_weights_turn_to_fixed_feedback(angles):
    """Feedback alignment: it is W that comes closer to B (Lillicrap et al., 2016)."""
    before, after = angles["fa"][1]
    assert (after[1:] < before[1:] - 20).all()
    before, after = angles["dfa"][1]
    assert (after[:2] < before[:2] - 20).all()

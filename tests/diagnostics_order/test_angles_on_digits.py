"""Angles to the exact gradient on real digits, as the literature has them: what learns its feedback, or takes W's signs
for it, comes nearer than fixed random feedback, from the same initial weights."""

import numpy as np
import pytest

from bdfa_np import train

SETTINGS = {
    "dataset": "mnist-5k",
    "init": "uniform",
    "optimization": "sgd",
    "lr": 5e-3,
    "weight_decay": 1.0,
    "epochs": 8,
    "num_layers": 2,
    "num_hidden": 50,
    "batch_size": 50,
    "threads": 1,
    "track": "alignment",
    "track_every": "8",
}
STEPS = 640


@pytest.fixture(scope="module")
def angles():
    """Return by rule the angles before training and after it, a row each, of the two hidden layers."""
    found = {}
    for rule in ("bp", "fa", "usf", "kp", "dfa"):
        measured = train(gradient=rule, progress=False, **SETTINGS).diagnostics
        assert measured.steps.tolist() == [0, STEPS]
        found[rule] = measured.angles("signal_angle")[:, :-1]
    return found


def test_dfas_angle_falls_well_below_ninety_degrees_in_each_layer(angles):
    before, after = angles["dfa"]
    assert (np.abs(before - 90) < 10).all()
    assert (after < 45).all()


def test_the_angle_of_back_propagation_is_zero(angles):
    np.testing.assert_allclose(angles["bp"], 0, atol=1e-5)


def test_signs_of_w_bring_usf_nearer_than_fa_before_training_and_after(angles):
    assert (angles["usf"] < angles["fa"]).all()


def test_kp_begins_as_fa_and_ends_nearer_once_decay_has_brought_b_and_w_together(angles):
    np.testing.assert_array_equal(angles["kp"][0], angles["fa"][0])
    assert SETTINGS["lr"] * SETTINGS["weight_decay"] * STEPS >= 3  # W - B has fallen to exp(-3) of what it was
    assert (angles["kp"][1] < 0.2 * angles["fa"][1]).all()

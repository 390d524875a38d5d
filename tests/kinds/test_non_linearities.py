"""Leaky ReLU and GELU: values by hand, their settings, their names on the command line, and bfa through them."""

import math

import numpy as np
import pytest

from bdfa_np import BFA, GELU, Config, Flatten, LeakyReLU, Linear, Sequential, Sigmoid, build_model
from bdfa_np.backend.cpu.backend import NumpyBackend
from bdfa_np.losses import BinaryCrossEntropy

BACKEND = NumpyBackend("float64")


def alone(layer):
    return Sequential([layer], (4,), backend=BACKEND)


def test_leaky_relu_is_the_entry_or_its_share_and_at_0_its_slope_is_the_share():
    network = alone(LeakyReLU(0.25))
    assert network.forward(np.array([[2.0, -2, 0, np.inf]])).tolist() == [[2, -0.5, 0, np.inf]]
    assert network.input_gradient(np.full((1, 4), 8.0)).tolist() == [[8, 2, 2, 8]]


def test_gelu_is_the_entry_times_the_share_of_a_normal_distribution_below_it():
    a = [0.0, 1.0, -1.0, 2.5]
    below = [0.5 * math.erfc(-entry / math.sqrt(2)) for entry in a]
    density = [math.exp(-entry * entry / 2) / math.sqrt(2 * math.pi) for entry in a]
    network = alone(GELU())
    np.testing.assert_allclose(network.forward(np.array([a])), [np.multiply(a, below)], rtol=1e-15)
    expected = [b + entry * d for entry, b, d in zip(a, below, density, strict=True)]
    np.testing.assert_allclose(network.input_gradient(np.ones((1, 4))), [expected], rtol=1e-15)


def test_gelu_of_huge_entries_is_0_or_the_entry():
    huge = np.array([[1e30, -1e30, 40, -40]], np.float32)
    network = Sequential([GELU()], (4,))
    with np.errstate(over="ignore"):
        assert network.forward(huge).tolist() == [[np.float32(1e30), 0, 40, 0]]
        assert network.input_gradient(np.ones((1, 4), np.float32)).tolist() == [[1, 0, 1, 0]]


def test_a_leaky_relu_shows_its_slope():
    assert repr(LeakyReLU(0.2)) == "LeakyReLU(slope=0.2)"
    assert repr(alone(LeakyReLU(0.2)).layers[0]) == "LeakyReLU(4, slope=0.2)"


@pytest.mark.parametrize("slope", [-0.1, math.nan, math.inf])
def test_a_slope_that_turns_signs_is_refused(slope):
    with pytest.raises(ValueError, match="LeakyReLU needs a slope of 0 or more"):
        LeakyReLU(slope)


@pytest.mark.parametrize(("nonlin", "kind"), [("leaky_relu", LeakyReLU), ("gelu", GELU)])
def test_a_net_takes_them_by_name_and_may_start_from_zero(nonlin, kind):
    network = build_model(Config(nonlin=nonlin, gradient="dfa", num_layers=2), (4, 4, 1), 3).network
    assert sum(isinstance(layer, kind) for layer in network) == 2
    assert not network.weights.values.any()


@pytest.mark.parametrize("make", [lambda: LeakyReLU(0.3), GELU], ids=["leaky relu", "gelu"])
def test_bfa_generates_through_them_with_their_settings(make):
    """With W = B the phase descends along the exact gradient of the cross-entropy of what is drawn."""
    network = Sequential([Flatten(), Linear(5), make(), Linear(3)], (2, 2, 1), backend=BACKEND, rng=2)
    rule, generator = BFA(network), np.random.default_rng(3)
    for name, B in rule.B.items():
        B[...] = network.weights[f"{name}.W"]
    x, labels = generator.random((6, 2, 2, 1)), np.arange(6) % 3
    rule.train_feedback(BinaryCrossEntropy(BACKEND)(network.forward(x), labels))

    drawing = Sequential([Linear(5), make(), Linear(4), Sigmoid()], (3,), backend=BACKEND)
    for target, name in (("linear2", "linear1"), ("linear1", "linear2")):
        drawing.weights[f"{target}.W"][...] = rule.B[name].T
    drawing["linear1"].b[...] = drawing["linear2"].b[...] = 0
    drawn = drawing.forward(np.eye(3)[labels])
    error = drawn - x.reshape(6, 4)
    through = [layer for layer in drawing if layer.kind != "sigmoid"]
    signal = error
    for layer in reversed(through):
        signal = layer.backward(signal)
    for target, name in (("linear2", "linear1"), ("linear1", "linear2")):
        np.testing.assert_allclose(
            rule.feedback.gradient(f"{name}.B"), drawing.weights.gradient(f"{target}.W").T, rtol=1e-10
        )

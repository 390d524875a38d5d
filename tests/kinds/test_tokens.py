"""Layers on tokens: what a `Linear` makes of each, patches, and what mixes them; under every rule."""

import numpy as np
import pytest

from bdfa_np import ErrorFeedback, Flatten, Linear, Sequential, Tanh
from bdfa_np.backend.cpu.backend import NumpyBackend
from bdfa_np.layers import AvgPool2d, GlobalAvgPool, Patches, Transpose
from bdfa_np.losses import CrossEntropy
from bdfa_np.rules import RULES

BACKEND = NumpyBackend("float64")
RNG = np.random.default_rng(3)


def test_patches_are_cut_from_left_to_right_then_down_and_flatten_row_by_row():
    image = np.arange(4 * 6 * 2.0).reshape(1, 4, 6, 2)
    network = Sequential([Patches(2)], (4, 6, 2), backend=BACKEND)
    expected = [image[0, i : i + 2, j : j + 2].ravel() for i in (0, 2) for j in (0, 2, 4)]
    np.testing.assert_array_equal(network.forward(image)[0], expected)


def test_a_transposed_sample_has_its_entries_across():
    x = RNG.normal(size=(2, 5, 3))
    np.testing.assert_array_equal(Sequential([Transpose()], (5, 3), backend=BACKEND).forward(x), x.swapaxes(1, 2))


def test_each_token_goes_through_the_same_weights():
    network = Sequential([Linear(4)], (5, 3), backend=BACKEND)
    layer, x = network["linear1"], RNG.normal(size=(2, 5, 3))
    assert (layer.W.shape, layer.output_shape, layer.multiply_adds()) == ((3, 4), (5, 4), 60)
    np.testing.assert_allclose(network.forward(x), np.einsum("ntc,ck->ntk", x, layer.W) + layer.b, rtol=1e-13)


def test_a_signal_of_tokens_goes_down_through_a_feedback_matrix_of_any_width():
    network = Sequential([Linear(4)], (5, 3), backend=BACKEND)
    layer, signal, B = network["linear1"], RNG.normal(size=(2, 5, 8)), RNG.normal(size=(3, 8))
    np.testing.assert_allclose(layer.project_feedback(signal, B), np.einsum("ntk,ck->ntc", signal, B), rtol=1e-13)


def test_the_mean_over_places_is_that_of_each_channel():
    x = RNG.normal(size=(2, 3, 4, 5))
    network = Sequential([GlobalAvgPool()], (3, 4, 5), backend=BACKEND)
    np.testing.assert_allclose(network.forward(x), x.mean(axis=(1, 2)), rtol=1e-13)


def small_mixer():
    tokens = [Transpose(), Linear(5), Tanh(), Linear(4), Transpose()]
    layers = [Patches(2), Linear(6), Tanh(), ErrorFeedback(), *tokens, Tanh(), ErrorFeedback()]
    return Sequential([*layers, GlobalAvgPool(), Linear(3)], (4, 4, 2), backend=NumpyBackend("float64"), rng=1)


@pytest.mark.parametrize("rule", [name for name in RULES if name not in ("bfa", "ifa")])
def test_every_rule_gives_each_weight_of_a_net_of_tokens_a_gradient(rule):
    network = small_mixer()
    learner, loss = RULES[rule](network), CrossEntropy(network.backend)
    x, labels = RNG.random((5, 4, 4, 2)), np.arange(5) % 3
    for vector in (network.weights, learner.feedback):  # some rules start from zero
        vector.values[...] = 0.3 * RNG.normal(size=vector.values.shape)
    learner.backward(loss(network.forward(x), labels))
    reached = {name for name in network.weights if np.abs(network.weights.gradient(name)).max() > 0}
    frozen = rule == "frozen"
    assert reached == {name for name in network.weights if not frozen or name.startswith("linear4")}


def test_fa_through_weights_transposed_is_back_propagation_on_tokens():
    gradients = []
    for rule in ("bp", "fa"):
        network = small_mixer()
        learner, loss = RULES[rule](network), CrossEntropy(network.backend)
        for name, B in learner.B.items():
            B[...] = network.weights[f"{name}.W"]
        learner.backward(loss(network.forward(np.full((5, 4, 4, 2), 0.3)), np.arange(5) % 3))
        gradients.append(network.weights.gradients.copy())
    np.testing.assert_allclose(gradients[1], gradients[0], rtol=1e-12, atol=1e-16)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Patches(0), "Patches needs a size of 1 or more, not 0"),
        (lambda: alone(Patches(4), (6, 8, 1)), r"patches1: samples of shape \(6, 8, 1\) are no whole number of 4x4"),
        (lambda: alone(Patches(4), (16,)), r"patches1 takes images \(H, W, C\), not samples of shape \(16,\)"),
        (lambda: alone(Transpose(), (4, 4, 1)), r"transpose1 takes tokens \(T, C\), not samples of shape \(4, 4, 1\)"),
        (lambda: alone(Transpose(), (4,)), "transpose1 takes tokens"),
        (lambda: alone(GlobalAvgPool(), (4,)), "globalavgpool1 takes images"),
        (lambda: AvgPool2d(0), "AvgPool2d needs a size and a stride of 1 or more"),
        (lambda: AvgPool2d(2, 0), "AvgPool2d needs a size and a stride of 1 or more"),
        (lambda: alone(AvgPool2d(3), (2, 9, 1)), r"avgpool1: no 3x3 window fits on samples of shape \(2, 9, 1\)"),
        (lambda: alone(AvgPool2d(3), (20,)), "avgpool1 takes images"),
        (lambda: alone(Linear(3), (4, 4, 1)), r"linear1 takes vectors.*put Flatten\(\) before it"),
        (lambda: alone(Linear(3), ()), "linear1 takes vectors"),
    ],
)
def test_samples_that_do_not_fit_are_refused_with_the_reason(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def alone(layer, shape):
    return Sequential([layer], shape, backend=BACKEND)


def test_tokens_flatten_in_their_order():
    network = Sequential([Patches(2), Flatten()], (4, 4, 1), backend=BACKEND)
    assert network.forward(np.arange(16.0).reshape(1, 4, 4, 1))[0, :8].tolist() == [0, 1, 4, 5, 2, 3, 6, 7]

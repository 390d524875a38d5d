"""What sdfa and drtp send in the error's place."""

from dataclasses import replace

import numpy as np
import pytest

from bdfa_np import DFA, DRTP, SDFA, Conv2d, ErrorFeedback, Flatten, Linear, MaxPool2d, ReLU, Sequential, Tanh
from bdfa_np.losses import LOSSES

RNG = np.random.default_rng(7)
X = RNG.random((6, 8, 8, 2))
LABELS = np.arange(6) % 3
NETS = {
    "mlp": [Flatten, (Linear, 7), Tanh, ErrorFeedback, (Linear, 5), Tanh, ErrorFeedback],
    "conv": [(Conv2d, 4, 3), ReLU, (MaxPool2d, 2, 2), ErrorFeedback, Flatten, (Linear, 6), Tanh, ErrorFeedback],
}


def make_network(backend, net):
    made = [part() if isinstance(part, type) else part[0](*part[1:]) for part in NETS[net]]
    return Sequential([*made, Linear(3)], X.shape[1:], backend=backend, rng=3)


def hidden_gradients(rule, result):
    rule.network.forget_gradients()
    rule.backward(result)
    weights = rule.network.weights
    return np.concatenate([weights.gradient(name).ravel() for name in list(weights)[:-2]])


def result_of(network, criterion):
    return LOSSES[criterion](network.backend)(network.forward(X), LABELS)


def close(actual, expected):
    assert np.abs(expected).max() > 0
    assert np.abs(actual - expected).max() <= 1e-12 * np.abs(expected).max()


@pytest.mark.parametrize("criterion", LOSSES)
@pytest.mark.parametrize("net", NETS)
def test_sdfa_with_errors_of_plus_and_minus_one_is_dfa(backend, net, criterion):
    network = make_network(backend, net)
    result = result_of(network, criterion)
    share = 1 if criterion == "bce" else 1 / len(X)
    ones = replace(result, error=share * RNG.choice([-1.0, 1.0], size=(6, 3)))
    close(hidden_gradients(SDFA(network), ones), hidden_gradients(DFA(network), ones))


@pytest.mark.parametrize("criterion", LOSSES)
@pytest.mark.parametrize("net", NETS)
def test_sdfa_knows_no_more_of_the_error_than_its_signs(backend, net, criterion):
    network = make_network(backend, net)
    rule, result = SDFA(network), result_of(network, criterion)
    once = hidden_gradients(rule, result)
    close(hidden_gradients(rule, replace(result, error=result.error * RNG.uniform(0.1, 9, size=(6, 3)))), once)
    assert (rule.signal(replace(result, error=np.zeros((6, 3)))) == 0).all()


def test_without_saturated_outputs_the_signs_are_those_of_the_label(backend):
    network = make_network(backend, "mlp")
    result = result_of(network, "bce")
    close(SDFA(network).signal(result), 1 - 2 * result.targets)


@pytest.mark.parametrize("criterion", LOSSES)
@pytest.mark.parametrize("net", NETS)
def test_drtp_is_dfa_that_is_handed_the_negative_target(backend, net, criterion):
    network = make_network(backend, net)
    result = result_of(network, criterion)
    share = 1 if criterion == "bce" else 1 / len(X)
    handed = replace(result, error=-share * np.eye(3)[LABELS])
    close(hidden_gradients(DRTP(network), result), hidden_gradients(DFA(network), handed))


@pytest.mark.parametrize("criterion", LOSSES)
def test_the_hidden_layers_of_drtp_do_not_depend_on_the_outputs(backend, criterion):
    network = make_network(backend, "mlp")
    rule = DRTP(network)
    before = hidden_gradients(rule, result_of(network, criterion))
    output = network["linear3"].dW.copy()
    network["linear3"].W *= -3
    network["linear3"].b += 2
    after = hidden_gradients(rule, result_of(network, criterion))
    assert (before == after).all()
    assert np.abs(network["linear3"].dW - output).max() > 1e-3  # which learns from the error itself

"""Worked numbers for the direct rules and the control, from a program that shares nothing with this one."""

from pathlib import Path

import numpy as np
import pytest

from bdfa_np import Conv2d, ErrorFeedback, Flatten, Linear, MaxPool2d, Sequential, Tanh
from bdfa_np.losses import LOSSES
from bdfa_np.rules import RULES

GOLDEN = np.load(Path(__file__).parents[1] / "engine" / "golden" / "rules_step.npz")


def agree(actual, expected, tolerance=1e-12):
    assert actual.shape == expected.shape
    assert np.abs(actual - expected).max() <= tolerance * np.abs(expected).max()


def gone_backward(name, network, x, labels, criterion, start=""):
    """Give a net the golden weights, and a rule of it the golden feedback; return the rule after a backward pass."""
    number = 0
    for layer in network:
        if layer.parameters():
            number += 1
            layer.W[...], layer.b[...] = GOLDEN[f"{start}W{number}"], GOLDEN[f"{start}b{number}"]
    rule = RULES[name](network)
    for site, B in enumerate(rule.B.values(), start=1):
        B[...] = GOLDEN[f"{start}B_direct{site}"]
    result = LOSSES[criterion](network.backend)(network.forward(GOLDEN[x]), GOLDEN[labels])
    rule.backward(result)
    rule.train_feedback(result)
    return rule


def on_mlp(name, backend, criterion):
    layers = [Linear(7), Tanh(), ErrorFeedback(), Linear(5), Tanh(), ErrorFeedback(), Linear(4)]
    return gone_backward(name, Sequential(layers, (12,), backend=backend), "x", "labels", criterion)


@pytest.mark.parametrize("criterion", ["bce", "ce"])
@pytest.mark.parametrize("name", ["sdfa", "drtp", "dkp"])
def test_the_gradients_of_an_mlp_are_the_golden_ones(backend, name, criterion):
    rule = on_mlp(name, backend, criterion)
    agree(rule.result.error, GOLDEN[f"e_{criterion}"])
    for layer, parameter in (full.split(".") for full in rule.network.weights):
        agree(
            rule.network.weights.gradient(f"{layer}.{parameter}"), GOLDEN[f"{name}_{criterion}_d{parameter}{layer[-1]}"]
        )


@pytest.mark.parametrize("criterion", ["bce", "ce"])
@pytest.mark.parametrize("name", ["dfa", "drtp"])
def test_the_gradients_of_a_convolution_are_the_golden_ones(backend, name, criterion):
    layers = [Conv2d(3, 3, padding=1), Tanh(), MaxPool2d(2, 2), ErrorFeedback(), Flatten(), Linear(4)]
    network = Sequential(layers, (6, 6, 2), backend=backend)
    gone_backward(name, network, "conv_x", "conv_labels", criterion, "conv_")
    for number, layer in enumerate((network["conv1"], network["linear1"]), start=1):
        agree(layer.dW, GOLDEN[f"conv_{name}_{criterion}_dW{number}"])
        agree(layer.db, GOLDEN[f"conv_{name}_{criterion}_db{number}"])


@pytest.mark.parametrize("criterion", ["bce", "ce"])
def test_frozen_gives_the_golden_gradients_of_the_output_layer_and_no_others(backend, criterion):
    network = on_mlp("frozen", backend, criterion).network
    agree(network["linear3"].dW, GOLDEN[f"frozen_{criterion}_dW3"])
    agree(network["linear3"].db, GOLDEN[f"frozen_{criterion}_db3"])
    assert not network["linear1"].dW.any()
    assert not network["linear2"].db.any()


@pytest.mark.parametrize("criterion", ["bce", "ce"])
def test_dkp_leaves_the_golden_gradients_of_its_feedback(backend, criterion):
    rule = on_mlp("dkp", backend, criterion)
    for number in (1, 2):
        agree(rule.feedback.gradient(f"feedback{number}.B"), GOLDEN[f"dkp_{criterion}_dB{number}"])

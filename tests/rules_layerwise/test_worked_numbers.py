"""Worked numbers for the layerwise rules, from a program that shares nothing with this one."""

from pathlib import Path

import numpy as np
import pytest

from bdfa_np import (
    SGD,
    Conv2d,
    ErrorFeedback,
    Flatten,
    Linear,
    MaxPool2d,
    Sequential,
    Tanh,
)
from bdfa_np.losses import LOSSES
from bdfa_np.rules import RULES

GOLDEN = np.load(Path(__file__).parents[1] / "engine" / "golden" / "rules_step.npz")
CRITERIA = ["bce", "ce"]
LEARNING_RATE, DECAY = float(GOLDEN["lr"]), float(GOLDEN["weight_decay"])


def agree(actual, expected, tolerance=1e-12):
    assert actual.shape == expected.shape
    assert np.abs(actual - expected).max() <= tolerance * np.abs(expected).max()


def load_weights(network, start=""):
    layers = [layer for layer in reversed(network.tree()) if layer.parameters()]
    numbers = {"": 3, "conv_": 2, "res_": 3}
    for number, layer in zip(range(numbers[start], 0, -1), layers, strict=False):
        layer.W[...] = GOLDEN[f"{start}W{number}"]
        layer.b[...] = GOLDEN[f"{start}b{number}"]


@pytest.fixture
def network(backend):
    layers = [Linear(7), Tanh(), ErrorFeedback(), Linear(5), Tanh(), ErrorFeedback(), Linear(4)]
    network = Sequential(layers, (12,), backend=backend)
    load_weights(network)
    return network


@pytest.fixture
def images(backend):
    """Give the net above a convolution that changes nothing, so that signals go on to the other's input."""
    layers = [Conv2d(3, 3, padding=1), Tanh(), MaxPool2d(2), ErrorFeedback(), Flatten(), Linear(4)]
    network = Sequential([Conv2d(2, 1), *layers], (6, 6, 2), backend=backend)
    network["conv1"].W[...] = np.eye(2)
    network["conv1"].b[...] = 0
    load_weights(network, "conv_")
    return network


def result_of(network, criterion, start=""):
    logits = network.forward(GOLDEN[f"{start}x"])
    agree(logits, GOLDEN[f"{start}logits"])
    return LOSSES[criterion](network.backend)(logits, GOLDEN[f"{start}labels"])


def load_feedback(rule):
    for name in rule.feedback:
        layer, matrix = name.split(".")
        start = {"frsf": "frsf_", "pfa": "pfa_"}.get(rule.name, "")
        rule.feedback[name][...] = GOLDEN[f"{start}{matrix}{layer[-1]}"]
    if rule.name == "pfa":
        for name, M in rule.M.items():
            M[...] = GOLDEN[f"pfa_M{name[-1]}"]


def make_rule(name, network):
    rule = RULES[name](network, **({"expansion": int(GOLDEN["expansion"])} if name == "pfa" else {}))
    load_feedback(rule)
    return rule


@pytest.mark.parametrize("criterion", CRITERIA)
@pytest.mark.parametrize("name", ["bp", "usf", "frsf", "kp", "pfa"])
def test_every_rule_gives_the_parameter_gradients(network, name, criterion):
    rule = make_rule(name, network)
    rule.backward(result_of(network, criterion))
    for full in network.weights:
        layer, parameter = full.split(".")
        agree(network.weights.gradient(full), GOLDEN[f"{name}_{criterion}_d{parameter}{layer[-1]}"])


@pytest.mark.parametrize("criterion", CRITERIA)
def test_the_feedback_of_kp_learns_what_the_weights_learn(network, criterion):
    rule = make_rule("kp", network)
    optimizer = SGD(rule.trained, LEARNING_RATE, weight_decay=DECAY)
    for step in range(3):
        network.forget_gradients()
        result = result_of_any(network, criterion)
        rule.backward(result)
        rule.train_feedback(result)
        if step == 0:
            for number in (2, 3):
                agree(rule.feedback.gradient(f"linear{number}.B"), GOLDEN[f"kp_{criterion}_dB{number}"])
        optimizer.step()
    for vector in rule.trained:
        for full in vector:
            layer, parameter = full.split(".")
            agree(vector[full], GOLDEN[f"kp_{criterion}_step3_{parameter}{layer[-1]}"])


def result_of_any(network, criterion):
    return LOSSES[criterion](network.backend)(network.forward(GOLDEN["x"]), GOLDEN["labels"])


@pytest.mark.parametrize("criterion", CRITERIA)
def test_pfa_sends_the_signals_and_trains_the_matrices(network, criterion):
    rule = make_rule("pfa", network)
    deltas = rule.deltas(result_of(network, criterion))
    for number in (1, 2):
        agree(deltas[f"tanh{number}"], GOLDEN[f"pfa_{criterion}_signal{number}"])
        dR = rule.feedback.gradient(f"linear{number + 1}.R")
        agree(dR, GOLDEN[f"pfa_{criterion}_dR{number + 1}"])


@pytest.mark.parametrize(("decay", "start"), [(0.0, "wm_decay0"), (0.1, "wm_decay01")])
def test_a_step_of_the_mirror_phase_moves_the_feedback(network, decay, start):
    rule = RULES["wm"](network, mirror_lr=float(GOLDEN["mirror_lr"]), mirror_decay=decay)
    load_feedback(rule)
    for number in (2, 3):
        rule.mirror(network[f"linear{number}"], GOLDEN[f"wm_x{number}"])
        agree(rule.B[f"linear{number}"], GOLDEN[f"{start}_B{number}"])


@pytest.mark.parametrize("criterion", CRITERIA)
@pytest.mark.parametrize("name", ["bp", "usf", "pfa"])
def test_signals_pass_a_convolution(images, name, criterion):
    rule = RULES[name](images, **({"expansion": 2} if name == "pfa" else {}))
    layers = images["conv2"], images["linear1"]
    if name == "pfa":
        for number, layer in enumerate(layers, start=1):
            rule.M[layer.name][...] = GOLDEN[f"conv_pfa_M{number}"]
            rule.feedback[f"{layer.name}.R"][...] = GOLDEN[f"conv_pfa_R{number}"]
    result = result_of(images, criterion, "conv_")
    agree(rule.deltas(result)["conv1"], GOLDEN[f"conv_{name}_{criterion}_dx"])
    for number, layer in enumerate(layers, start=1):
        agree(layer.dW, GOLDEN[f"conv_{name}_{criterion}_dW{number}"])
        agree(layer.db, GOLDEN[f"conv_{name}_{criterion}_db{number}"])
        if name == "pfa":
            agree(rule.feedback.gradient(f"{layer.name}.R"), GOLDEN[f"conv_pfa_{criterion}_dR{number}"])

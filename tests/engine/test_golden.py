"""Worked numbers for every rule and feedback target, from a program that shares nothing with this one."""

from pathlib import Path

import numpy as np
import pytest

from bdfa_np import BFA, ErrorFeedback, Linear, Sequential, Tanh
from bdfa_np.losses import LOSSES
from bdfa_np.rules import RULES
from bdfa_np.rules.direct.bdfa import BDFA, TARGETS

GOLDEN = np.load(Path(__file__).parent / "golden" / "mlp_step.npz")


def agree(actual, expected, tolerance=1e-12):
    assert actual.shape == expected.shape
    assert np.abs(actual - expected).max() <= tolerance * np.abs(expected).max()


@pytest.fixture
def network(backend):
    layers = [Linear(7), Tanh(), ErrorFeedback(), Linear(5), Tanh(), ErrorFeedback(), Linear(4)]
    network = Sequential(layers, (12,), backend=backend)
    for name in network.weights:
        layer, parameter = name.split(".")
        network.weights[name][...] = GOLDEN[f"{parameter}{layer[-1]}"]
    return network


def load_feedback(rule):
    for name in rule.feedback:
        layer = name.split(".")[0]
        rule.feedback[name][...] = GOLDEN[f"B_{'fa' if layer.startswith('linear') else 'dfa'}{layer[-1]}"]


def result_of(network, criterion):
    return LOSSES[criterion](network.backend)(network.forward(GOLDEN["x"]), GOLDEN["labels"])


def test_forward_pass_gives_the_golden_logits(network):
    agree(network.forward(GOLDEN["x"]), GOLDEN["logits"])


@pytest.mark.parametrize("criterion", ["bce", "ce"])
def test_losses_report_the_golden_values(network, criterion):
    agree(np.array(result_of(network, criterion).value), GOLDEN[f"{criterion}_loss"])


@pytest.mark.parametrize("criterion", ["bce", "ce"])
@pytest.mark.parametrize("rule", ["bp", "fa", "dfa", "bfa", "bdfa"])
def test_every_rule_gives_the_golden_parameter_gradients(network, rule, criterion):
    learner = RULES[rule](network)
    load_feedback(learner)
    learner.backward(result_of(network, criterion))
    golden = {"bfa": "fa", "bdfa": "dfa"}.get(rule, rule)  # the forward weights learn as under fixed feedback
    for name in network.weights:
        layer, parameter = name.split(".")
        agree(network.weights.gradient(name), GOLDEN[f"{golden}_{criterion}_d{parameter}{layer[-1]}"])


@pytest.mark.parametrize("target", TARGETS)
def test_bdfa_trains_its_feedback_to_the_golden_matrices(network, target):
    rule = BDFA(network, target=target, learning_rate=float(GOLDEN["feedback_lr"]), alpha=float(GOLDEN["alpha"]))
    load_feedback(rule)
    result = result_of(network, "bce")
    rule.backward(result)
    rule.train_feedback(result)
    for number in (1, 2):
        agree(rule.feedback[f"feedback{number}.B"], GOLDEN[f"bdfa_{target}_B{number}"])


@pytest.mark.parametrize("output", ["linear", "sigmoid"])
def test_bfa_draws_the_golden_inputs_and_gives_the_golden_feedback_gradients(network, output):
    rule = BFA(network, output=output)
    load_feedback(rule)
    result = result_of(network, "bce")
    rule.backward(result)
    rule.train_feedback(result)
    for number in (1, 2, 3):
        agree(rule.feedback.gradient(f"linear{number}.B"), GOLDEN[f"bfa_{output}_dB{number}"])
    agree(rule.generate(GOLDEN["labels"]), GOLDEN[f"bfa_{output}_drawn"])

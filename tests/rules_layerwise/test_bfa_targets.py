"""What BFA's feedback phase draws the input from: each target against the whole phase in plain NumPy."""

from pathlib import Path

import numpy as np
import pytest

import bdfa_np
from bdfa_np import BFA, Config, ErrorFeedback, Flatten, Linear, Sequential, Tanh, load_run
from bdfa_np.backend.cpu.backend import NumpyBackend
from bdfa_np.losses import LOSSES
from bdfa_np.options.catalogue import OPTIONS

RNG = np.random.default_rng(17)
N, K = 8, 3
X = RNG.uniform(size=(N, 2, 3, 1))
LABELS = np.arange(N) % K
TARGETS = ["label", "mixed", "centred"]
ALPHA = 0.4

every_target = pytest.mark.parametrize("target", TARGETS)
every_output = pytest.mark.parametrize("output", ["linear", "sigmoid"])


def make_rule(target, output="linear", dtype="float64"):
    layers = [Flatten(), Linear(5), Tanh(), ErrorFeedback(), Linear(4), Tanh(), ErrorFeedback(), Linear(K)]
    network = Sequential(layers, X.shape[1:], backend=NumpyBackend(dtype), rng=3)
    for name in network.weights:  # biases too, so that no two outputs are alike
        network.weights[name][...] = np.random.default_rng(len(name)).normal(size=network.weights[name].shape)
    return BFA(network, output=output, target=target, alpha=ALPHA)


def result_of(rule, criterion="bce"):
    return LOSSES[criterion](rule.backend)(rule.network.forward(X.astype(rule.backend.dtype)), LABELS)


def matrices(rule):
    """Return W and B, from the lowest layer up."""
    names = ("linear1", "linear2", "linear3")
    return [rule.network.weights[f"{name}.W"].copy() for name in names], [rule.B[name].copy() for name in names]


def targets_by_hand(target, rule, criterion):
    """Return Y (N, K) of a forward pass that is written out here."""
    (W1, W2, W3), _ = matrices(rule)
    b1, b2, b3 = (rule.network.weights[f"linear{number}.b"] for number in (1, 2, 3))
    o = np.tanh(np.tanh(X.reshape(N, -1) @ W1 + b1) @ W2 + b2) @ W3 + b3
    powers = np.exp(o - o.max(axis=1, keepdims=True))
    outputs = {"bce": 1 / (1 + np.exp(-o)), "ce": powers / powers.sum(axis=1, keepdims=True), "mse": o}[criterion]
    t = np.zeros((N, K))
    for row, label in enumerate(LABELS):
        t[row, label] = 1
    return {"label": t, "mixed": t + ALPHA * outputs, "centred": t - 1 / K}[target]


def drawn_by_hand(Y, B, output="linear"):
    """Return g_2, g_1 and the drawn input (N, n) of Luo, eq. 23-25."""
    g2 = np.tanh(Y @ B[2].T)
    g1 = np.tanh(g2 @ B[1].T)
    x = g1 @ B[0].T
    return g2, g1, (x if output == "linear" else 1 / (1 + np.exp(-x)))


def close(actual, expected, tolerance=1e-12):
    assert actual.shape == expected.shape
    assert np.abs(actual - expected).max() <= tolerance * np.abs(expected).max()


@every_target
@every_output
@pytest.mark.parametrize("criterion", LOSSES)
def test_the_whole_phase_is_what_plain_numpy_computes(target, output, criterion):
    rule = make_rule(target, output)
    rule.train_feedback(result_of(rule, criterion))
    W, B = matrices(rule)
    Y = targets_by_hand(target, rule, criterion)
    g2, g1, drawn = drawn_by_hand(Y, B, output)
    e0 = drawn - X.reshape(N, -1)  # Luo, eq. 26
    e1 = (e0 @ W[0]) * (1 - g1**2)  # eq. 27
    e2 = (e1 @ W[1]) * (1 - g2**2)  # eq. 28
    for number, expected in enumerate((e0.T @ g1, e1.T @ g2, e2.T @ Y), start=1):  # eq. 29
        close(rule.feedback.gradient(f"linear{number}.B"), expected)


@every_target
def test_with_the_weights_in_the_feedbacks_place_it_is_the_gradient_of_the_squared_error(target):
    rule = make_rule(target)
    for name in rule.B:
        rule.network.weights[f"{name}.W"][...] = rule.B[name]
    result = result_of(rule)
    rule.train_feedback(result)
    Y = targets_by_hand(target, rule, "bce")
    _, B = matrices(rule)

    def loss():
        return 0.5 * ((drawn_by_hand(Y, B)[2] - X.reshape(N, -1)) ** 2).sum()

    for name, matrix in zip(rule.B, B, strict=True):
        numeric = np.empty_like(matrix)
        for place in np.ndindex(*matrix.shape):
            kept = matrix[place]
            matrix[place] = kept + 1e-5
            above = loss()
            matrix[place] = kept - 1e-5
            numeric[place] = (above - loss()) / 2e-5
            matrix[place] = kept
        close(rule.feedback.gradient(f"{name}.B"), numeric, 1e-8)


@every_output
def test_unless_another_target_is_given_the_bits_are_those_of_the_label_itself(output):
    rule = make_rule("label", output, "float32")
    usual = BFA(rule.network, output=output)
    assert (usual.target, usual.alpha) == ("label", 0.25)
    result = result_of(usual)
    usual.train_feedback(result)
    assert usual.stages[-1].g is result.targets
    without_share = BFA(rule.network, output=output, target="mixed", alpha=0.0)
    for other in (rule, without_share):
        other.train_feedback(result)
        np.testing.assert_array_equal(other.feedback.gradients, usual.feedback.gradients, strict=True)
    rule = make_rule("centred", output, "float32")
    rule.train_feedback(result_of(rule))
    assert (rule.feedback.gradients != usual.feedback.gradients).mean() > 0.9


@every_target
def test_the_phase_leaves_what_the_loss_gave_as_it_was(target):
    rule = make_rule(target)
    result = result_of(rule)
    before = [array.copy() for array in (result.targets, result.probabilities, result.outputs, result.error)]
    rule.train_feedback(result)
    for array, kept in zip((result.targets, result.probabilities, result.outputs, result.error), before, strict=True):
        np.testing.assert_array_equal(array, kept)


@every_target
@every_output
def test_a_label_draws_from_the_target_that_was_learnt_from_and_mixed_has_no_outputs_to_mix(target, output):
    rule = make_rule(target, output)
    t = np.eye(K)
    Y = t - 1 / K if target == "centred" else t
    drawn = rule.generate(np.arange(K))
    close(drawn, drawn_by_hand(Y, matrices(rule)[1], output)[2].reshape(K, *X.shape[1:]))


@pytest.mark.parametrize("target", ["torch", "labels", ""])
def test_a_target_that_is_none_of_bfas_is_refused(target):
    with pytest.raises(ValueError, match=f"^unknown feedback target '{target}': choose from label, mixed, centred$"):
        make_rule(target)


# As options of a run


def test_a_run_keeps_its_target_and_goes_on_with_it(bdfa):
    options = {"dataset": "mnist-5k", "train_limit": 200, "test_limit": 50, "num_hidden": 10, "threads": 1, "lr": 1e-3}
    options |= {"gradient": "bfa", "feedback_target": "mixed", "feedback_alpha": 0.5}
    label = ["--feedback-target", "label"]
    whole = bdfa_np.train(**options, epochs=2)
    bdfa_np.train(**options, epochs=1, save="run")
    assert "bfa (target mixed)" in Path("run/Log.txt").read_text(encoding="utf-8")
    refused = bdfa.refused("train", "--save", "run", "--resume", *label)
    assert "--feedback-target label differs from the run's mixed" in refused
    bdfa.resume("run", "--epochs", 2)
    rule = load_run("run").rule
    assert (rule.target, rule.alpha) == ("mixed", 0.5)
    np.testing.assert_array_equal(rule.feedback.values, whole.model.rule.feedback.values, strict=True)


def test_torch_is_refused_on_the_command_line_in_one_line_that_says_what_to_choose(bdfa):
    error = bdfa.refused("train", "--gradient", "bfa", "--feedback-target", "torch", "--save", "run")
    assert "torch has no part in --gradient bfa, only in bdfa: choose from label, mixed, centred" in error
    assert len(error.splitlines()) == 1
    assert not Path("run").exists()


@pytest.mark.parametrize("gradient", ["bdfa", "bfa"])
def test_alpha_has_no_part_in_the_rules_own_defaults_which_do_not_mix(gradient):
    config = Config(gradient=gradient, feedback_alpha=0.5)
    assert config.complaint(OPTIONS["feedback_alpha"]) is not None
    assert config.replace(feedback_target="mixed").complaint(OPTIONS["feedback_alpha"]) is None

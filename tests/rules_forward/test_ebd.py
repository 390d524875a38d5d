"""Error broadcast and decorrelation against worked numbers, its limits, and the quantity that it lessens."""

import numpy as np
import pytest

from bdfa_np import DFA, EBD, Conv2d, ErrorFeedback, Flatten, Linear, MaxPool2d, Sequential, Tanh
from bdfa_np.errors import ConfigError
from bdfa_np.losses import LOSSES
from bdfa_np.options.config import Config

CRITERIA = ("bce", "ce", "mse")


def start(rule, golden):
    for number in (1, 2):
        rule.B[f"feedback{number}"][...] = golden[f"ebd_R{number}"]


@pytest.mark.parametrize("criterion", ["bce", "ce"])
def test_the_golden_gradients_and_correlations(network, golden, step, agree, criterion):
    rule = EBD(network, forgetting=float(golden["ebd_lambda"]))
    start(rule, golden)
    rule.backward(step(network, criterion))
    for name in network.weights:
        layer, parameter = name.split(".")
        agree(network.weights.gradient(name), golden[f"ebd_{criterion}_d{parameter}{layer[-1]}"])
    for number in (1, 2):
        agree(rule.B[f"feedback{number}"], golden[f"ebd_{criterion}_R{number}"])


@pytest.mark.parametrize("criterion", CRITERIA)
def test_the_correlation_is_a_mean_over_samples_of_their_own_errors(network, step, agree, criterion):
    rule = EBD(network, forgetting=0.25)
    before = {name: B.copy() for name, B in rule.B.items()}
    result = step(network, criterion)
    o, t, N = result.outputs, result.targets, 6
    own = {"bce": 1 / (1 + np.exp(-o)) - t, "ce": np.exp(o) - t, "mse": o - t}[criterion]  # ce: o are log-probabilities
    expected = {}
    for site in rule.sites:
        products = [np.outer(own[i], site.h[i]) for i in range(N)]
        expected[site.name] = 0.25 * before[site.name] + 0.75 * np.mean(products, axis=0)
    rule.backward(result)
    for name, B in rule.B.items():
        agree(B, expected[name])


@pytest.mark.parametrize("criterion", CRITERIA)
def test_with_a_forgetting_of_1_it_is_dfa_with_the_feedback_that_it_began_with(network, step, criterion):
    rule, dfa = EBD(network, forgetting=1.0), DFA(network)
    dfa.feedback.values[...] = rule.feedback.values
    found = []
    for one in (dfa, rule):
        network.forget_gradients()
        one.backward(step(network, criterion))
        found.append(network.weights.gradients.copy())
    np.testing.assert_array_equal(*found)
    np.testing.assert_array_equal(dfa.feedback.values, rule.feedback.values)


def test_the_signal_is_the_gradient_of_half_the_squared_correlation_by_the_activity(network, step, agree):
    """The errors held fixed, each entry of h is moved by central differences."""
    forgetting = 0.9
    rule = EBD(network, forgetting=forgetting)
    result = step(network, "bce")
    site, before = rule.sites[0], rule.B["feedback1"].copy()
    h = site.h.copy()

    def half_squared(h):
        R = forgetting * before + (1 - forgetting) * result.error.T @ h / len(h)
        return 0.5 * (R**2).sum()

    numerical = np.empty_like(h)
    for index in np.ndindex(h.shape):
        moved = np.zeros_like(h)
        moved[index] = 1e-5
        numerical[index] = (half_squared(h + moved) - half_squared(h - moved)) / 2e-5
    signal = rule.deltas(result)["feedback1"]
    agree((1 - forgetting) / len(h) * signal, numerical, tolerance=1e-7)


def test_feedback_starts_small_by_the_widths_that_it_joins(network):
    rule = EBD(network)
    for site, n in zip(rule.sites, (7, 5), strict=True):
        largest = np.abs(rule.B[site.name]).max()
        assert 0.5 * 0.01 * (6 / (n + 4)) ** 0.5 < largest <= 0.01 * (6 / (n + 4)) ** 0.5


def test_to_look_at_its_signals_changes_nothing(network, step):
    rule = EBD(network, forgetting=0.5)
    result, before = step(network, "ce"), rule.feedback.values.copy()
    shown = rule.deltas(result)
    np.testing.assert_array_equal(rule.feedback.values, before)
    rule.backward(result)
    assert not np.array_equal(rule.feedback.values, before)
    assert shown["feedback1"].tobytes() == rule.inject(rule.sites[0]).tobytes()  # the new R, as in training


def test_a_convolution_keeps_the_correlation_with_its_whole_map(backend, agree):
    layers = [Conv2d(3, 3, padding=1), Tanh(), MaxPool2d(2, 2), ErrorFeedback(), Flatten(), Linear(4)]
    network = Sequential(layers, (6, 6, 2), backend=backend)
    rule = EBD(network, forgetting=0.0)
    generator = np.random.default_rng(0)
    x, labels = generator.normal(size=(5, 6, 6, 2)), generator.integers(0, 4, 5)
    result = LOSSES["bce"](backend)(network.forward(x), labels)
    rule.backward(result)
    agree(rule.B["feedback1"], result.error.T @ rule.sites[0].h.reshape(5, 27) / 5)


@pytest.mark.parametrize("value", [-0.1, 1.5, float("nan")])
def test_a_forgetting_outside_of_0_to_1_is_refused(network, value):
    with pytest.raises(ConfigError, match=r"^--ebd-lambda must be at least 0 and at most 1, not "):
        Config(gradient="ebd", ebd_lambda=value).resolve()
    with pytest.raises(ValueError, match=r"λ must be within 0\.\.1"):
        EBD(network, forgetting=value)


def test_a_net_without_sites_is_refused(backend):
    with pytest.raises(ValueError, match="ebd needs an ErrorFeedback layer"):
        EBD(Sequential([Linear(3), Tanh(), Linear(2)], (4,), backend=backend))

"""How weights start: bounds, orthogonality, biases, and what is refused."""

import math

import numpy as np
import pytest
from scipy import stats

from bdfa_np import Config, Conv2d, Flatten, Linear, Sequential, Tanh, build_model
from bdfa_np.errors import ConfigError
from bdfa_np.parity.training import trained_nets
from bdfa_np.random_streams import Streams
from bdfa_np.rules import RULES

LAYERS = {  # with fan_in and fan_out of the first layer's W
    "wide linear": (lambda initial: Linear(300, initial=initial), (80,), 80, 300),
    "narrow linear": (lambda initial: Linear(40, initial=initial), (500,), 500, 40),
    "convolution": (lambda initial: Conv2d(32, 3, initial=initial), (5, 5, 8), 72, 288),
    "wide convolution": (lambda initial: Conv2d(96, 5, initial=initial), (7, 7, 3), 75, 2400),
}


def drawn(layer, initial, seed=0, dtype=None):
    make, shape, *_ = LAYERS[layer]
    weights = Sequential([make(initial)], shape, rng=seed, backend=dtype).weights
    (W, b) = (weights[name] for name in weights)
    return W, b


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("initial", ["uniform", "xavier", "kaiming"])
def test_weights_are_uniform_within_the_bound_of_their_source(layer, initial):
    *_, fan_in, fan_out = LAYERS[layer]
    bound = {"uniform": 1 / fan_in, "xavier": 6 / (fan_in + fan_out), "kaiming": 6 / fan_in}[initial] ** 0.5
    W, b = drawn(layer, initial)
    assert 0.99 * bound < np.abs(W).max() <= bound
    assert stats.kstest(W.ravel(), stats.uniform(-bound, 2 * bound).cdf).pvalue > 1e-3
    assert b.any() == (initial == "uniform")
    assert np.abs(b).max() <= bound


@pytest.mark.parametrize("layer", LAYERS)
def test_zero_is_zero(layer):
    assert not any(array.any() for array in drawn(layer, "zero"))


@pytest.mark.parametrize("layer", LAYERS)
def test_orthogonal_weights_have_orthonormal_columns_or_rows_and_no_biases(layer, backend):
    W, b = drawn(layer, "orthogonal", dtype=backend)
    matrix = W.reshape(-1, W.shape[-1])
    small = matrix.T @ matrix if len(matrix) >= matrix.shape[1] else matrix @ matrix.T
    np.testing.assert_allclose(small, np.eye(min(matrix.shape)), atol=1e-13)
    assert not b.any()


def test_orthogonal_weights_are_drawn_from_all_such_matrices_evenly():
    # By QR alone the diagonal of Q would be of one sign.
    entries = np.array(
        [
            Sequential([Linear(2, initial="orthogonal")], (2,), rng=seed).weights["linear1.W"][0, 0]
            for seed in range(400)
        ]
    )
    angles = np.arccos(np.clip(entries, -1, 1))
    assert stats.kstest(angles, stats.uniform(0, math.pi).cdf).pvalue > 1e-3


@pytest.mark.parametrize("initial", ["uniform", "xavier", "kaiming", "orthogonal"])
def test_weights_are_drawn_from_the_weights_stream_by_seed_and_name(initial):
    one, same, other = (drawn("wide linear", initial, seed)[0] for seed in (0, 0, 1))
    assert (one == same).all()
    assert (one != other).all()
    layers = [Flatten(), Linear(4, initial=initial), Tanh(), Linear(4, initial=initial)]
    weights = Sequential(layers, (4,)).weights
    assert (weights["linear1.W"] != weights["linear2.W"]).all()


def test_the_default_is_drawn_as_it_always_was():
    network = build_model(Config(gradient="bp", num_hidden=5), (3,), 2, dtype="float64").network
    expected = Streams(0).generator("weights", "linear1.W").uniform(-1, 1, (3, 5)) * 3**-0.5
    np.testing.assert_array_equal(network.weights["linear1.W"], expected)


@pytest.mark.parametrize(
    ("gradient", "nonlin", "initial"),
    [
        ("bp", "tanh", "uniform"),
        *((rule, "tanh", "zero") for rule in ("fa", "dfa", "bfa", "bdfa")),
        ("dfa", "sigm", "zero"),
        ("dfa", "relu", "uniform"),
    ],
)
def test_what_follows_from_rule_and_non_linearity_is_shown(gradient, nonlin, initial):
    config = Config(gradient=gradient, nonlin=nonlin).resolve()
    assert (config.init, config.initial) == (initial, initial)
    assert Config(gradient=gradient, nonlin=nonlin, init="orthogonal").resolve().initial == "orthogonal"


def starts():
    """Yield each net under each rule with each start; all but one of a pair's as slow ones."""
    for number, rule in enumerate(RULES):
        for net, network in enumerate(trained_nets(rule)):
            for place, initial in enumerate(("uniform", "xavier", "kaiming", "orthogonal")):
                usual = place == (number + net) % 4
                yield pytest.param(rule, initial, network, marks=() if usual else pytest.mark.slow)


@pytest.mark.parametrize(("rule", "initial", "network"), list(starts()))
def test_nets_start_so_under_every_rule(rule, initial, network, monkeypatch):
    monkeypatch.setattr("bdfa_np.networks.conv.CHANNELS", (4, 5, 6))
    monkeypatch.setattr("bdfa_np.networks.conv.UNITS", (11, 10))
    model = build_model(Config(gradient=rule, network=network, init=initial), (15, 16, 2), 4)
    for layer in model.network.tree():
        if layer.kind in ("linear", "conv"):
            assert layer.initial == initial
            assert layer.W.any()
            if layer.bias:
                assert layer.b.any() == (initial == "uniform")


def test_feedback_is_drawn_whatever_the_weights_start_from():
    one, other = (build_model(Config(gradient="fa", init=init), (3,), 2).rule.feedback for init in ("xavier", "zero"))
    assert (one.values == other.values).all()


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (
            {"gradient": "bp", "init": "zero"},
            "--init zero has no part in --gradient bp, whose weights start elsewhere",
        ),
        (
            {"gradient": "dfa", "nonlin": "relu", "init": "zero"},
            "--init zero has no part in --nonlin relu, whose slope",
        ),
        ({"init": "ones"}, "--init ones: choose from uniform, zero, xavier, kaiming, orthogonal"),
    ],
    ids=str,
)
def test_what_would_never_learn_is_refused_in_one_line(options, line):
    with pytest.raises(ConfigError, match=line):
        Config(**options).resolve()


def test_a_run_that_began_at_zero_is_the_recipe_of_one_by_back_propagation(bdfa):
    bdfa.train("first", "--gradient", "dfa", "--epochs", 1)
    outcome = bdfa("train", "--config", "first/config.toml", "--gradient", "bp", "--save", "second")
    assert (outcome.code, outcome.err) == (0, "")
    assert build_model(Config(gradient="bp"), (3,), 2).config.init == "uniform"

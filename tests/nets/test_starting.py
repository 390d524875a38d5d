"""How the weights of each net start under each rule."""

import pytest

from bdfa_np import Config, build_model
from bdfa_np.errors import ConfigError
from bdfa_np.networks import NETWORKS, find_network
from bdfa_np.rules import RULES

OWN = [name for name in NETWORKS if name not in ("mlp", "conv")]
"""The nets without a ``--nonlin``."""
FROM_ZERO = ["lenet5"]


@pytest.mark.parametrize("rule", [name for name, rule in RULES.items() if rule.starts_at_zero])
@pytest.mark.parametrize("name", OWN)
def test_a_net_without_nonlin_says_itself_whether_it_learns_from_zero(name, rule):
    config = Config(network=name, gradient=rule).resolve()
    expected = "zero" if name in FROM_ZERO else "uniform"
    assert (config.init, config.initial) == (expected, expected)


@pytest.mark.parametrize("name", [name for name in OWN if name not in FROM_ZERO])
def test_zero_is_refused_where_nothing_would_be_learnt_from_it(name):
    with pytest.raises(ConfigError) as caught:
        Config(network=name, gradient="dfa", init="zero").resolve()
    assert str(caught.value) == (
        f"--init zero has no part in --network {name}, which would not learn from there: choose another"
    )


def test_zero_stays_refused_by_the_rule_and_by_the_non_linearity():
    for options, reason in (
        ({"network": "vgg9", "gradient": "bp"}, "--gradient bp"),
        ({"network": "conv", "gradient": "dfa", "nonlin": "relu"}, "--nonlin relu"),
    ):
        with pytest.raises(ConfigError, match=reason):
            Config(init="zero", **options).resolve()


@pytest.mark.parametrize("name", OWN)
def test_a_net_has_no_part_in_options_that_it_does_not_declare(name):
    with pytest.raises(ConfigError, match=f"--nonlin has no part in --network {name}, only in mlp, conv: leave it out"):
        Config(network=name, nonlin="relu").resolve()


@pytest.mark.parametrize("name", NETWORKS)
def test_what_a_net_says_of_itself_fits_a_line(name):
    module = find_network(name)
    assert 10 < len(module.SUMMARY) < 80
    assert 10 < len(module.SOURCE) < 80


@pytest.mark.parametrize("name", ["lenet"])
@pytest.mark.parametrize("initial", ["uniform", "xavier", "kaiming", "orthogonal"])
def test_weights_start_as_init_says(name, initial):
    network = build_model(Config(network=name, init=initial), (32, 32, 1), 10).network
    for layer in network.tree():
        if "W" in layer.parameters():
            assert layer.initial == initial
            assert layer.W.any()

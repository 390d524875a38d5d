"""Adversarial training and max-norm: what each does to the numbers of a step."""

from itertools import product

import numpy as np
import pytest

from bdfa_np import Config, Trainer, build_model
from bdfa_np.constraints import MaxNorm
from bdfa_np.errors import ConfigError

GENERATOR = np.random.default_rng(0)
X = GENERATOR.random((12, 16, 16, 2))
LABELS = GENERATOR.integers(0, 4, size=12)
RULES = ["bp", "fa", "dfa", "bfa", "bdfa"]


def make_trainer(network="mlp", **options):
    settings = {name: options.pop(name) for name in ("eps", "acc_gradient") if name in options}
    size = {"num_hidden": 9} if network == "mlp" else {}
    config = Config(network=network, nonlin="relu", optimization="sgd", **size, **options)
    model = build_model(config, X.shape[1:], 4, dtype="float64")
    parts = {"network": model.network, "rule": model.rule, "loss": model.loss, "optimizer": model.optimizer}
    return Trainer(**parts, train=[], test=[], **settings)


@pytest.fixture(autouse=True)
def narrow(monkeypatch):
    """Make conv narrow, so that its tests take no time."""
    monkeypatch.setattr("bdfa_np.networks.conv.CHANNELS", (4, 5, 6))
    monkeypatch.setattr("bdfa_np.networks.conv.UNITS", (11, 10))


def close(actual, expected, tolerance=1e-12):
    assert actual.shape == expected.shape
    assert actual.size == 0 or np.abs(actual - expected).max() <= tolerance * np.abs(expected).max()


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("network", ["mlp", "conv"])
def test_the_input_gradient_is_exact_whatever_the_rule(rule, network):
    trainer = make_trainer(network, gradient=rule)
    net, loss = trainer.network, trainer.loss
    gradient = net.input_gradient(loss(net.forward(X), LABELS).error).copy()
    direction = np.random.default_rng(1).normal(size=X.shape)

    def value(step):
        return loss(net.forward(X + step * direction), LABELS).value * 12 * 4

    numeric = (value(1e-6) - value(-1e-6)) / 2e-6
    assert (gradient * direction).sum() == pytest.approx(numeric, rel=1e-6)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("network", ["mlp", "conv"])
def test_an_adversarial_step_is_a_clean_step_on_the_moved_batch(rule, network):
    with_eps, clean = (make_trainer(network, gradient=rule, eps=eps) for eps in (0.05, 0.0))
    net = clean.network
    gradient = net.input_gradient(clean.loss(net.forward(X), LABELS).error)
    moved = X + 0.05 * np.sign(gradient)
    assert with_eps.step(X, LABELS) == clean.step(moved, LABELS)
    close(with_eps.network.weights.values, net.weights.values)
    close(with_eps.rule.feedback.values, clean.rule.feedback.values)
    assert np.abs(with_eps.network.x - X).max() == pytest.approx(0.05)


@pytest.mark.parametrize("rule", RULES)
def test_accumulating_adds_the_clean_passs_exact_gradient(rule):
    bp = make_trainer(gradient="bp")
    both, second = (make_trainer(gradient=rule, eps=0.05, acc_gradient=acc) for acc in (True, False))
    bp.step(X, LABELS)
    for trainer in (both, second):
        trainer.step(X, LABELS)
    close(both.network.weights.gradients, second.network.weights.gradients + bp.network.weights.gradients)


@pytest.mark.parametrize("eps", [0.0, 0.1])
def test_dropout_draws_a_mask_for_each_pass(eps):
    trainer = make_trainer(dropout=1, eps=eps)
    trainer.step(X, LABELS)
    assert trainer.network.training_passes == (2 if eps else 1)


@pytest.mark.parametrize("rule", ["bfa", "bdfa"])
def test_feedback_is_trained_once_a_step(rule, monkeypatch):
    trainer = make_trainer(gradient=rule, eps=0.1)
    calls = []
    original = trainer.rule.train_feedback
    monkeypatch.setattr(trainer.rule, "train_feedback", lambda result: (calls.append(result), original(result)))
    trainer.step(X, LABELS)
    assert len(calls) == 1


def norms(W, incoming):
    axes = tuple(range(W.ndim - 1)) if incoming else (*range(W.ndim - 2), W.ndim - 1)
    return np.sqrt((W**2).sum(axis=axes))


@pytest.mark.parametrize(("network", "incoming"), list(product(["mlp", "conv"], [True, False])))
def test_max_norm_bounds_each_units_vector_and_leaves_shorter_ones_alone(network, incoming):
    trainer = make_trainer(network, gradient="fa")
    net = trainer.network
    for name in net.weights:
        net.weights[name][...] = np.random.default_rng(0).normal(size=net.weights[name].shape)
    before, feedback = net.weights.state(), trainer.rule.feedback.values.copy()
    all_norms = np.concatenate([norms(before[name], incoming) for name in before if name.endswith("W")])
    bound = float(np.median(all_norms))
    MaxNorm(net, **{"incoming" if incoming else "outgoing": bound}).apply()
    for name, W in before.items():
        if name.endswith("W"):
            wanted = np.minimum(norms(W, incoming), bound)
            np.testing.assert_allclose(norms(net.weights[name], incoming), wanted)
            ratio = net.weights[name] / W
            assert ((ratio <= 1 + 1e-12) & (ratio > 0)).all()
        else:
            assert (net.weights[name] == W).all()
    assert (trainer.rule.feedback.values == feedback).all()


def test_the_incoming_vector_of_a_unit_is_a_column_and_of_a_filter_all_its_taps():
    net = make_trainer("conv", gradient="bp").network
    conv, linear = net["conv2"].W, net["linear1"].W
    conv[...], linear[...] = 1, 1
    MaxNorm(net, incoming=2.0).apply()
    np.testing.assert_allclose(conv, 2 / np.sqrt(5 * 5 * conv.shape[2]))
    np.testing.assert_allclose(linear, 2 / np.sqrt(len(linear)))
    conv[...], linear[...] = 1, 1
    MaxNorm(net, outgoing=2.0).apply()
    np.testing.assert_allclose(conv, 2 / np.sqrt(5 * 5 * conv.shape[3]))
    np.testing.assert_allclose(linear, 2 / np.sqrt(linear.shape[1]))


def test_a_bound_of_400_is_no_bound():
    net = make_trainer(gradient="bp").network
    net.weights.values[...] = 1e6
    MaxNorm(net, incoming=400, outgoing=400).apply()
    assert (net.weights.values == 1e6).all()


def test_the_bound_holds_at_the_forward_pass_of_each_step():
    trainer = make_trainer(gradient="bp")
    trainer.constraint = MaxNorm(trainer.network, incoming=0.5)
    trainer.network["linear1"].W[...] = 1
    trainer.step(X, LABELS)
    assert norms(trainer.network["linear1"].W, True).max() < 0.6  # 0.5, and one small step of descent


def test_keeping_a_gradient_that_is_not_there_is_refused():
    with pytest.raises(ConfigError, match=r"--acc-gradient 1 .* give --eps too"):
        Config(acc_gradient=True).resolve()

"""The identities of the rules on the net `conv`, with all that may stand in its blocks."""

import numpy as np
import pytest

from bdfa_np import Config, build_model
from bdfa_np.layers import MaxPool2d
from bdfa_np.losses import LOSSES
from bdfa_np.rules import RULES

RNG = np.random.default_rng(5)
X = RNG.random((5, 17, 16, 2))
LABELS = RNG.integers(0, 4, size=5)
TRAINED = [name for name, rule in RULES.items() if not rule.fully_connected_only]


@pytest.fixture(autouse=True)
def narrow(monkeypatch):
    """Make conv narrow, so that its tests take no time."""
    monkeypatch.setattr("bdfa_np.networks.conv.CHANNELS", (4, 5, 6))
    monkeypatch.setattr("bdfa_np.networks.conv.UNITS", (11, 10))


def make_model(rule, **options):
    """Return the net with weights away from zero; dropout's masks follow from the seed, so two nets share them."""
    model = build_model(Config(network="conv", gradient=rule, **options), X.shape[1:], 4, dtype="float64")
    generator = np.random.default_rng(0)
    for name in model.network.weights:
        view = model.network.weights[name]
        view[...] = generator.normal(size=view.shape) / np.sqrt(max(1, view.size // view.shape[-1]))
    return model


def gradients(model):
    result = model.loss(model.network.forward(X), LABELS)
    model.rule.backward(result)
    return model.network.weights.gradients.copy()


def close(actual, expected, tolerance=1e-12):
    assert np.abs(actual - expected).max() <= tolerance * np.abs(expected).max()


OPTIONS = [
    {"nonlin": nonlin, "batchnorm": batchnorm, "dropout": dropout}
    for nonlin, batchnorm, dropout in [("tanh", 0, 0), ("relu", 1, 0), ("sigm", 0, 1), ("tanh", 2, 2), ("relu", 1, 1)]
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_fa_with_feedback_equal_to_the_weights_is_back_propagation(options):
    fa, bp = make_model("fa", **options), make_model("bp", **options)
    for name in fa.rule.feedback:
        fa.rule.feedback[name][...] = fa.network.weights[name.replace(".B", ".W")]
    close(gradients(fa), gradients(bp))


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_a_blocks_local_backward_is_back_propagations_when_given_the_true_gradient(options):
    bp, dfa = make_model("bp", **options), make_model("dfa", **options)
    true = bp.rule.deltas(bp.loss(bp.network.forward(X), LABELS))
    for site in dfa.rule.sites:
        site.project_feedback = lambda _error, _B, name=site.name: true[name]
    exact = bp.network.weights.gradients.copy()
    close(gradients(dfa), exact)


def test_which_layers_hold_feedback_depends_on_the_rule():
    held = {rule: list(make_model(rule).rule.feedback) for rule in TRAINED}
    assert held["fa"] == ["conv2.B", "conv3.B", "linear1.B", "linear2.B", "linear3.B"]
    assert held["bfa"] == ["conv1.B", *held["fa"]]
    of_sites = [f"feedback{number}.B" for number in range(1, 6)]
    assert all(held[rule] == of_sites for rule in ("dfa", "bdfa", "fdfa", "ebd"))


def test_a_direct_rule_projects_onto_the_whole_feature_map_after_pooling():
    model = make_model("dfa")
    for number in (1, 2, 3):
        pooled = model.network[f"pool{number}"].output_shape
        assert model.rule.B[f"feedback{number}"].shape == (4, int(np.prod(pooled)))


@pytest.mark.parametrize("rule", ["dfa", "bdfa"])
def test_a_direct_rule_computes_no_input_gradient_at_a_blocks_bottom(rule, monkeypatch):
    model = make_model(rule)
    asked = []
    for layer in model.network:
        if layer.parameters():
            original = layer.backward

            def backward(grad_y, need_grad_in=True, original=original):
                asked.append(need_grad_in)
                return original(grad_y, need_grad_in)

            monkeypatch.setattr(layer, "backward", backward)
    gradients(model)
    assert asked == [False] * 6


def test_bdfa_trains_every_sites_feedback_on_the_flattened_output_of_its_block():
    model = make_model("bdfa", feedback_lr=0.1, feedback_target="label")
    before = {site.name: model.rule.B[site.name].copy() for site in model.rule.sites}
    result = model.loss(model.network.forward(X), LABELS)
    model.rule.train_feedback(result)
    t = np.eye(4)[LABELS]
    for site in model.rule.sites:
        h, B = site.h.reshape(5, -1), before[site.name]
        s = ((t @ B) * h).sum(axis=1)
        close(model.rule.B[site.name], B + 0.1 * (t / (1 + np.exp(s))[:, None]).T @ h)


@pytest.mark.parametrize("output", ["linear", "sigmoid"])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_bfa_with_weights_equal_to_feedback_follows_the_exact_gradient_of_its_loss(options, output):
    model = make_model("bfa", feedback_output=output, **options)
    network = model.network
    for name in model.rule.feedback:
        model.rule.feedback[name][...] = network.weights[name.replace(".B", ".W")]
    model.rule.train_feedback(model.loss(network.forward(X), LABELS))
    direction = np.random.default_rng(1).normal(size=model.rule.feedback.values.shape)
    start = model.rule.feedback.values.copy()

    def value(step):
        model.rule.feedback.values[...] = start + step * direction
        drawn = model.rule.generate(LABELS)
        if output == "linear":
            return 0.5 * ((drawn - X) ** 2).sum()
        return -(X * np.log(drawn) + (1 - X) * np.log(1 - drawn)).sum()

    numeric = (value(1e-6) - value(-1e-6)) / 2e-6
    assert (model.rule.feedback.gradients * direction).sum() == pytest.approx(numeric, rel=1e-6)


def test_unpooling_gives_each_place_its_nearest_windows_value():
    from bdfa_np import Sequential
    from bdfa_np.backend.cpu.backend import NumpyBackend

    layer = MaxPool2d(3, 2)
    Sequential([layer], (6, 5, 1), backend=NumpyBackend("float64"))  # windows begin at 0 and 2, both ways
    y = np.array([[1.0, 2], [3, 4]]).reshape(1, 2, 2, 1)
    expected = [[1, 1, 2, 2, 2]] * 2 + [[3, 3, 4, 4, 4]] * 4
    assert layer.unpool(y)[0, :, :, 0].tolist() == expected
    assert layer.unpool_gradient(np.ones((1, 6, 5, 1)))[0, :, :, 0].tolist() == [[4, 6], [8, 12]]


def rules_and_losses():
    """Yield each rule with each loss, of which it sees the error alone: all but one of a rule's as slow ones."""
    for number, rule in enumerate(TRAINED):
        if rule == "frozen":  # narrow features say little as drawn
            continue
        for place, criterion in enumerate(LOSSES):
            usual = place == number % len(LOSSES)
            yield pytest.param(rule, criterion, marks=() if usual else pytest.mark.slow)


@pytest.mark.parametrize(("rule", "criterion"), list(rules_and_losses()))
def test_every_rule_trains_conv(rule, criterion, monkeypatch):
    monkeypatch.setattr("bdfa_np.networks.conv.CHANNELS", (6, 8, 10))
    monkeypatch.setattr("bdfa_np.networks.conv.UNITS", (40, 30))
    # The brighter half of an image is its class; a few steps on the same batch must lower the loss.
    x = np.random.default_rng(5).random((10, 15, 15, 1)) * 0.2
    labels = np.arange(10) % 2
    x[labels == 0, :7] += 0.8
    x[labels == 1, 8:] += 0.8
    steps, lr = (150, 3e-3) if criterion == "mse" else (60, 5e-3)  # nothing bounds the error of mse
    nonlin = "tanh" if rule == "drtp" else "relu"  # its signal never ends, so that units without a bound grow
    options = {"optimization": "adam", "lr": lr, "criterion": criterion, "nonlin": nonlin}
    model = build_model(Config(network="conv", gradient=rule, **options), (15, 15, 1), 2)
    values = []
    for _ in range(steps):
        result = model.loss(model.network.forward(x.astype(np.float32)), labels)
        values.append(result.value)
        model.network.forget_gradients()
        model.rule.backward(result)
        model.rule.train_feedback(result)
        model.optimizer.step()
    assert values[-1] < 0.5 * values[0]

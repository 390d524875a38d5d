"""The angles of signals and updates to the exact gradient's, and whether that is any reference."""

import numpy as np
import pytest

from bdfa_np.diagnostics.alignment import alignment
from bdfa_np.diagnostics.structure import with_weights

ALL_NETS = ["vectors", "noisy", "images", "skips", "tokens"]
FLIPPED = """
from bdfa_np import BP


class Flipped(BP):
    def visit(self, layer, signal, wanted):
        below = layer.backward(signal, wanted)
        return -below if wanted and layer.feedback_site == "layerwise" else below
"""


def between(a, b):
    """The angle between two arrays in degrees, straight from its definition."""
    return np.degrees(np.arccos((a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum())))


def softmax(o):
    p = np.exp(o - o.max(axis=1, keepdims=True))
    return p / p.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("net", ALL_NETS)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_back_propagation_lies_at_exactly_no_angle_to_the_exact_gradient(nets, measure, net, dtype):
    values = measure(nets(net, "bp", dtype=dtype), "alignment").values
    assert values["signal_angle"].tolist() == [0.0] * len(values["signal_angle"])
    assert values["gradient_angle"].tolist() == [0.0] * len(values["signal_angle"])
    np.testing.assert_array_equal(values["signal_norm"], values["exact_norm"])
    assert (values["meaningful"] == 1).all()


def test_angles_and_norms_of_direct_feedback_are_those_of_the_formulas(nets, measure, probe):
    model = nets("vectors", "dfa")
    W = {number: model.network.weights[f"linear{number}.W"] for number in (1, 2, 3)}
    b = {number: model.network.weights[f"linear{number}.b"] for number in (1, 2, 3)}
    x, N = probe.x.reshape(len(probe.x), -1), len(probe.x)
    h1 = np.tanh(x @ W[1] + b[1])
    h2 = 1 / (1 + np.exp(-(h1 @ W[2] + b[2])))
    e = softmax(h2 @ W[3] + b[3]) - np.eye(4)[probe.labels]  # a sample's own error: without 1/N
    f1, f2 = 1 - h1**2, h2 * (1 - h2)
    exact = {3: e, 2: (e @ W[3].T) * f2}
    exact[1] = (exact[2] @ W[2].T) * f1
    B = model.rule.B
    rule = {3: e, 2: (e @ B["feedback2"]) * f2, 1: (e @ B["feedback1"]) * f1}
    below = {1: x, 2: h1, 3: h2}

    values = measure(model, "alignment").values
    for place, layer in enumerate((1, 2, 3)):
        angles = (
            between(rule[layer], exact[layer]),
            between(below[layer].T @ rule[layer], below[layer].T @ exact[layer]),
        )
        np.testing.assert_allclose(values["signal_angle"][place], angles[0] if layer < 3 else 0, atol=1e-9)
        np.testing.assert_allclose(values["gradient_angle"][place], angles[1] if layer < 3 else 0, atol=1e-9)
        for name, delta in (("signal_norm", rule), ("exact_norm", exact)):
            expected = np.linalg.norm(delta[layer], axis=1).sum() / N
            np.testing.assert_allclose(values[name][place], expected, rtol=1e-12)


@pytest.mark.parametrize("criterion", ["ce", "bce", "mse"])
def test_norms_are_of_a_samples_own_error_whether_a_loss_divides_it_or_not(nets, measure, probe, criterion):
    model = nets("straight", "bp", criterion=criterion)
    result = model.loss(model.network.forward(probe.x), probe.labels)
    expected = np.linalg.norm(result.probabilities - result.targets, axis=1).mean()
    np.testing.assert_allclose(measure(model, "alignment").values["exact_norm"][-1], expected, rtol=1e-12)


@pytest.mark.parametrize("gradient", ["fa", "dfa"])
@pytest.mark.parametrize("net", ALL_NETS)
def test_the_gradient_that_all_is_compared_with_is_that_of_central_differences(nets, probe, net, gradient):
    """Of the same pass that the rule went back from, dropout masks and batch statistics among it."""
    model = nets(net, gradient)
    network, weights = model.network, model.network.weights

    def loss():
        network.training_passes = 0
        return model.loss(network.forward(probe.x), probe.labels)

    layers = with_weights(network)
    alignment(model.rule, loss(), layers)
    exact = {layer.name: weights.gradient(f"{layer.name}.W").copy() for layer in layers}
    generator = np.random.default_rng(0)
    for name, dW in exact.items():
        W, direction = weights[f"{name}.W"], generator.normal(size=dW.shape)
        W += 1e-7 * direction
        above = loss().value
        W -= 2e-7 * direction
        slope = (above - loss().value) / 2e-7
        W += 1e-7 * direction
        np.testing.assert_allclose((dW * direction).sum(), slope, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("net", ALL_NETS)
def test_a_rule_with_a_flipped_sign_lies_beyond_ninety_degrees(nets, measure, tmp_path, net):
    (tmp_path / "flipped.py").write_text(FLIPPED)
    values = measure(nets(net, tmp_path / "flipped.py"), "alignment").values
    assert values["signal_angle"][-1] == 0
    assert (values["signal_angle"][:-1] > 90).any()
    below = values["signal_angle"][-2]  # one sign from the top
    assert below == pytest.approx(180, abs=1e-5)
    assert values["gradient_angle"][-2] == pytest.approx(180, abs=1e-5)


def test_layers_that_no_signal_reaches_have_no_angle_but_an_exact_gradient(nets, measure):
    values = measure(nets("vectors", "frozen"), "alignment").values
    for name in ("signal_angle", "gradient_angle", "signal_norm"):
        assert np.isnan(values[name]).tolist() == [True, True, False]
    assert (values["exact_norm"] > 0).all()


def saturate_output(model, size):
    """Let the net be sure, and right, of the first class."""
    weights = model.network.weights
    weights["linear3.W"][...] = 0.01
    weights["linear3.W"][...] *= np.arange(weights["linear3.W"].size).reshape(weights["linear3.W"].shape)
    weights["linear3.b"][...] = [size, 0, 0, 0]


@pytest.mark.parametrize(("dtype", "size", "meaningful"), [("float32", 10, 1), ("float32", 20, 0), ("float64", 20, 1)])
def test_an_output_error_of_the_size_of_rounding_is_no_reference(nets, measure, probe, dtype, size, meaningful):
    model = nets("vectors", "dfa", dtype=dtype)
    saturate_output(model, size)
    sure = type(probe)(probe.x, np.zeros_like(probe.labels))
    assert measure(model, "alignment", on=sure).values["meaningful"].tolist() == [meaningful] * 3


def test_a_gradient_that_saturated_units_let_nothing_of_through_is_no_reference(nets, measure):
    model = nets("vectors", "dfa", dtype="float32")
    model.network.weights["linear1.W"][...] *= 1e4  # tanh is ±1 to the last digit
    values = measure(model, "alignment").values
    assert values["meaningful"].tolist() == [0, 1, 1]


@pytest.mark.parametrize(("dtype", "meaningful"), [("float32", 0), ("float64", 1)])
def test_a_slope_of_few_last_digits_is_no_reference(nets, measure, dtype, meaningful):
    """1 - tanh²(8) is 4.5e-7, and in float32 known to 1.2e-7: the gradient is not 0, and a quarter of it rounding."""
    model = nets("vectors", "dfa", dtype=dtype)
    model.network.weights["linear1.W"].fill(0)
    model.network.weights["linear1.b"].fill(8)
    values = measure(model, "alignment").values
    assert values["exact_norm"][0] > 0
    assert values["meaningful"].tolist() == [meaningful, 1, 1]


def test_a_gradient_that_underflows_is_no_reference(nets, measure):
    model = nets("straight", "dfa", dtype="float32")
    model.network.weights["linear2.W"][...] *= 1e-32
    assert measure(model, "alignment").values["meaningful"].tolist() == [0, 1, 1]
    deep = nets("straight", "dfa", dtype="float64")
    deep.network.weights["linear2.W"][...] *= 1e-32
    assert measure(deep, "alignment").values["meaningful"].tolist() == [1, 1, 1]

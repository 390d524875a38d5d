"""Forward direct feedback alignment against worked numbers, and its estimate against backward passes."""

import numpy as np
import pytest

from bdfa_np import (
    DFA,
    FDFA,
    BatchNorm,
    Container,
    Conv2d,
    ErrorFeedback,
    Flatten,
    Layer,
    Linear,
    MaxPool2d,
    Sequential,
    Tanh,
)
from bdfa_np.losses import LOSSES
from bdfa_np.optim import Adam


@pytest.fixture
def given_noise(golden, monkeypatch):
    noise = {"feedback1": golden["fdfa_p1"], "feedback2": golden["fdfa_p2"]}
    monkeypatch.setattr(FDFA, "noise", lambda _self, site, _N: noise[site.name])
    return noise


@pytest.mark.usefixtures("given_noise")
def test_with_a_rate_of_1_feedback_becomes_the_golden_estimate(network, golden, step, agree):
    rule = FDFA(network, learning_rate=1.0)
    result = step(network, "bce")
    rule.backward(result)
    rule.train_feedback(result)
    for number in (1, 2):
        agree(rule.B[f"feedback{number}"], golden[f"fdfa_B{number}"])


def test_noise_at_every_site_at_once_comes_out_as_the_golden_tangents(network, golden, step, agree, given_noise):
    step(network, "bce")
    agree(network.push_forward(entering=given_noise), golden["fdfa_d"])
    shown = network.tangents(entering=given_noise)
    agree(shown["tanh2"] + given_noise["feedback2"], golden["fdfa_dh2"])


def test_feedback_starts_at_zero_and_a_batch_uses_that_from_before_it(network, golden, step, agree):
    rule = FDFA(network)
    assert not rule.feedback.values.any()
    for moment in range(3):
        before, result = rule.B["feedback1"].copy(), step(network, "ce")
        network.forget_gradients()
        rule.backward(result)
        h = network["tanh1"].y
        delta = (result.error @ before) * (1 - h * h)
        if moment == 0:
            assert not network["linear1"].dW.any()
        else:
            agree(network["linear1"].dW, golden["x"].T @ delta)
        rule.train_feedback(result)


@pytest.mark.parametrize("criterion", LOSSES)
def test_each_estimate_counts_by_the_rate_whatever_the_loss(network, step, agree, criterion):
    """By hand: the running mean of dᵀp/N, which knows nothing of the error."""
    rule, expected = FDFA(network, learning_rate=0.2), np.zeros((4, 5))
    for _ in range(3):
        result = step(network, criterion)
        noise = {site.name: rule.noise(site, 6).copy() for site in rule.sites}
        d = network.push_forward(entering=noise)
        expected = 0.8 * expected + 0.2 * d.T @ noise["feedback2"] / 6
        rule.backward(result)
        rule.train_feedback(result)
    agree(rule.B["feedback2"], expected)


def jacobians(network, N, K):
    """Return the mean over samples of ∂o/∂h at each site, by K backward passes."""
    sites = [layer for layer in network.tree() if isinstance(layer, ErrorFeedback)]
    found = {site.name: [] for site in sites}
    for k in range(K):
        signal = np.zeros((N, K))
        signal[:, k] = 1
        for layer in reversed(network.layers):
            if layer.name in found:
                found[layer.name].append(signal.reshape(N, -1).mean(axis=0))
            signal = layer.backward(signal)
    return {name: np.array(rows) for name, rows in found.items()}


def test_the_jacobian_by_backward_passes_is_the_golden_one(network, golden, step, agree):
    step(network, "bce")
    found = jacobians(network, 6, 4)
    agree(found["feedback1"], golden["fdfa_J1"])
    agree(found["feedback2"], golden["fdfa_J2"])


def compare_with_the_jacobian(rule, x, labels, site, agree, tolerance):
    network, many = rule.network, np.repeat(x, 600, axis=0)  # as many estimates in one pass
    estimates = []
    for _ in range(3):
        result = LOSSES["bce"](network.backend)(network.forward(many), np.repeat(labels, 600))
        rule.train_feedback(result)
        estimates.append(rule.B[site].copy())
    expected = jacobians(network, len(many), 4)[site]
    agree(np.mean(estimates, axis=0), expected, tolerance)
    return expected


def test_the_mean_of_many_estimates_approaches_the_mean_jacobian(network, golden, agree):
    for number in (1, 2):
        rule = FDFA(network, learning_rate=1.0)
        found = compare_with_the_jacobian(rule, golden["x"], golden["labels"], f"feedback{number}", agree, 0.05)
        agree(found, golden[f"fdfa_J{number}"])


class Around(Container):
    """``y = x + F(x)``."""

    def forward(self, x, train=True):
        return x + self.through(self.branches()[0], x, train)

    def backward(self, grad_y, need_grad_in=True):
        below = self.back(self.branches()[0], grad_y, need_grad_in)
        return grad_y + below if need_grad_in else None

    def carry_back(self, signal, walk):
        below = walk(self.branches()[0], signal)
        return signal if below is None else signal + below

    def carry_forward(self, tangent, walk):
        above = walk(self.branches()[0], tangent)
        return above if tangent is None else tangent if above is None else tangent + above


def nets(backend):
    conv = [Conv2d(3, 3, padding=1), BatchNorm(), Tanh(), MaxPool2d(2, 2), ErrorFeedback(), Flatten()]
    conv += [Linear(5), Tanh(), ErrorFeedback(), Linear(4)]
    inside = Around([Linear(6), Tanh(), ErrorFeedback(), Linear(6)])
    residual = [Flatten(), Linear(6), Tanh(), ErrorFeedback(), inside, ErrorFeedback(), Linear(4)]
    return {
        name: Sequential(layers, (6, 6, 2), backend=backend, rng=2)
        for name, layers in {"conv": conv, "residual": residual}.items()
    }


@pytest.mark.parametrize("name", ["conv", "residual"])
def test_through_convolutions_and_residual_blocks_the_estimate_is_of_the_whole_map(backend, agree, name):
    network = nets(backend)[name]
    generator = np.random.default_rng(0)
    x, labels = generator.normal(size=(3, 6, 6, 2)), generator.integers(0, 4, 3)
    compare_with_the_jacobian(FDFA(network, learning_rate=1.0), x, labels, "feedback1", agree, 0.3)


def test_noise_is_normal_and_drawn_anew_for_each_pass_and_site(network, step):
    rule = FDFA(network)
    drawn = []
    for _ in range(2):
        step(network, "bce")
        drawn += [rule.noise(site, 6).copy()[:, :5] for site in rule.sites]
    assert len({array.tobytes() for array in drawn}) == 4
    again = FDFA(network)
    assert again.noise(again.sites[1], 6).tobytes() == rule.noise(rule.sites[1], 6).tobytes()
    many = rule.noise(rule.sites[0], 4000)
    assert abs(many.mean()) < 0.03
    assert abs(many.std() - 1) < 0.03


@pytest.mark.usefixtures("given_noise")
def test_an_optimizer_is_handed_what_separates_feedback_from_the_estimate(network, golden, step, agree):
    rule = FDFA(network, optimizer="adam")
    (optimizer,) = rule.optimizers
    assert isinstance(optimizer, Adam)
    assert optimizer.learning_rate == 1e-4
    rule.feedback.values[...] = 0.5
    rule.train_feedback(step(network, "bce"))
    for number in (1, 2):
        agree(rule.feedback.gradient(f"feedback{number}.B"), 0.5 - golden[f"fdfa_B{number}"])
    optimizer.step()
    moved = rule.feedback.values - 0.5
    agree(np.abs(moved), np.full_like(moved, 1e-4), tolerance=1e-4)  # Adam's first step is by the rate
    agree(np.sign(moved), -np.sign(rule.feedback.gradients))


def test_the_weights_of_a_direct_rule_with_the_same_feedback_get_the_same_gradients(network, step):
    rule, dfa = FDFA(network), DFA(network)
    rule.feedback.values[...] = dfa.feedback.values
    found = []
    for one in (rule, dfa):
        network.forget_gradients()
        one.backward(step(network, "mse"))
        found.append(network.weights.gradients.copy())
    np.testing.assert_array_equal(*found)


class Unknown(Layer):
    kind = "unknown"

    def forward(self, x, train=True):
        return x

    def backward(self, grad_y, need_grad_in=True):
        return grad_y


class Closed(Container):
    kind = "closed"

    def forward(self, x, train=True):
        return self.through(self.branches()[0], x, train)


@pytest.mark.parametrize(("layer", "method"), [(Unknown, "push_forward"), (lambda: Closed([Tanh()]), "carry_forward")])
def test_a_layer_that_no_tangent_can_pass_is_named_unless_it_lies_below_all_sites(backend, layer, method):
    below = Sequential([layer(), Linear(3), Tanh(), ErrorFeedback(), Linear(2)], (4,), backend=backend)
    rule = FDFA(below)
    rule.train_feedback(LOSSES["ce"](backend)(below.forward(np.ones((5, 4))), np.arange(5) % 2))
    assert rule.B["feedback1"].any()
    above = Sequential([Linear(3), Tanh(), ErrorFeedback(), layer(), Linear(2)], (3,), backend=backend)
    name = above.layers[3].name
    with pytest.raises(ValueError, match=f"^fdfa sends tangents .* and {name} has no {method}$"):
        FDFA(above)


def test_a_net_without_sites_is_refused(backend):
    with pytest.raises(ValueError, match="fdfa needs an ErrorFeedback layer"):
        FDFA(Sequential([Linear(3), Tanh(), Linear(2)], (4,), backend=backend))

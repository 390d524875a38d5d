"""Every rule against PyTorch, in which its signals are autograd functions written for the purpose; with ``-m oracle``.

Where a rule draws at random in a step, what it drew is recorded on the way to it and handed to PyTorch.
"""

import numpy as np
import pytest
from autograd_net import Net, error_of, our_order, our_order_back, torch, way_of

from bdfa_np import SGD, Sequential
from bdfa_np.backend.cpu.backend import NumpyBackend
from bdfa_np.layers import Conv2d, ErrorFeedback, Flatten, GlobalAvgPool, Linear, MaxPool2d, Residual, Tanh
from bdfa_np.losses import LOSSES
from bdfa_np.rules import RULES

pytestmark = pytest.mark.oracle

RNG = np.random.default_rng(11)
N, K = 5, 4
LABELS = RNG.integers(0, K, size=N)
TOLERANCE = 1e-10


def mlp():
    return [Flatten(), Linear(9), Tanh(), ErrorFeedback(), Linear(7), Tanh(), ErrorFeedback(), Linear(K)], (3, 4, 1)


def conv():
    block = [Conv2d(5, 3, padding=1), Tanh(), MaxPool2d(2), ErrorFeedback()]
    return [*block, Conv2d(6, 2, stride=2), Tanh(), ErrorFeedback(), Flatten(), Linear(K)], (7, 8, 2)


def residual():
    inside = [Conv2d(6, 3, stride=2, padding=1), Tanh(), Conv2d(6, 3, padding=1)]
    changing = Residual(inside, shortcut=[Conv2d(6, 1, stride=2)])
    plain = Residual([Conv2d(6, 3, padding=1), Tanh()])
    start = [Conv2d(4, 3, padding=1), Tanh(), changing, Tanh(), ErrorFeedback(), plain, ErrorFeedback()]
    return [*start, GlobalAvgPool(), Linear(K)], (6, 6, 2)


NETS = {"mlp": mlp, "conv": conv, "residual": residual}


class Recorder(NumpyBackend):
    """A backend that keeps what is drawn in a step, in order."""

    def __init__(self):
        super().__init__("float64")
        self.drawn = []

    def uniform(self, out, key, bound):
        self.drawn.append(super().uniform(out, key, bound).copy())
        return out

    def normal(self, out, key):
        self.drawn.append(super().normal(out, key).copy())
        return out


class Case:
    """One batch through a net of ours and its twin in PyTorch, with weights that are large enough to tell errors."""

    def __init__(self, net, name, criterion, **arguments):
        layers, shape = NETS[net]()
        self.backend = Recorder()
        self.network = Sequential(layers, shape, backend=self.backend, rng=5)
        for parameter in self.network.weights:  # biases and all
            view = self.network.weights[parameter]
            view[...] = RNG.normal(size=view.shape) / np.sqrt(max(1, view.size / view.shape[-1]))
        self.rule = RULES[name](self.network, **arguments)
        for B in self.rule.B.values():
            if not B.any():  # those that start at 0
                B[...] = RNG.normal(size=B.shape)
        self.x = RNG.normal(size=(N, *shape))
        self.twin = Net(self.network)
        self.logits = self.twin.forward(self.x)
        self.e, self.t, self.samples = error_of(self.logits, LABELS, criterion)
        self.B = {layer: torch.tensor(B) for layer, B in self.rule.B.items()}
        self.loss = LOSSES[criterion](self.backend)

    @property
    def sites(self):
        return [layer.name for layer in self.network.tree() if isinstance(layer, ErrorFeedback)]

    def run(self):
        """Go one step without an optimizer with ours."""
        self.backend.drawn.clear()
        self.network.forget_gradients()
        result = self.loss(self.network.forward(self.x), LABELS)
        agree(result.error, self.e.detach())
        self.rule.backward(result)
        self.rule.train_feedback(result)

    def check(self, names=None):
        """Compare all gradients by W and b with PyTorch's, or those named."""
        self.logits = self.twin.forward(self.x)
        self.logits.backward(self.e.detach())
        for name in names or self.twin.leaves:
            agree(self.network.weights.gradient(name), self.twin.leaves[name].grad)


def agree(actual, expected, tolerance=TOLERANCE):
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert actual.shape == expected.shape
    assert np.abs(actual - expected).max() <= tolerance * np.abs(expected).max()


every_net = pytest.mark.parametrize("net", NETS)
every_loss = pytest.mark.parametrize("criterion", ["bce", "ce", "mse"])


# Layerwise rules: the signal passes through a matrix of the rule's


@every_loss
@every_net
def test_bp_is_what_autograd_computes(net, criterion):
    case = Case(net, "bp", criterion)
    case.run()
    case.check()


@every_loss
@every_net
@pytest.mark.parametrize("rule", ["fa", "kp", "wm"])
def test_fa_kp_and_wm_send_the_signal_through_B(net, criterion, rule):
    case = Case(net, rule, criterion)
    case.run()
    case.twin.carry = lambda name, _, through: through(case.B[name]) if name in case.B else None
    case.check()
    if rule == "kp":
        for name in case.B:
            agree(case.rule.feedback.gradient(f"{name}.B"), case.twin.leaves[f"{name}.W"].grad)


def spread(W):
    *kernel, fan_in, fan_out = W.shape
    return (2 / (np.prod(kernel) * (fan_in + fan_out))) ** 0.5


@every_loss
@every_net
def test_usf_sends_it_through_the_signs_of_the_weights(net, criterion):
    case = Case(net, "usf", criterion)
    case.run()

    def carry(name, signal, through):
        W = case.twin.leaves[f"{name}.W"].detach()
        return through(spread(W) * W.sign())

    case.twin.carry = carry
    case.check()


@every_loss
@every_net
def test_frsf_sends_it_through_fixed_magnitudes_with_the_signs_of_the_weights(net, criterion):
    case = Case(net, "frsf", criterion)
    case.run()
    assert not case.backend.drawn
    case.twin.carry = lambda name, _, through: through(case.B[name].abs() * case.twin.leaves[f"{name}.W"].sign())
    case.check()


@every_loss
@every_net
def test_brsf_sends_it_through_magnitudes_of_this_batch_with_the_signs_of_the_weights(net, criterion):
    case = Case(net, "brsf", criterion)
    case.run()
    drawn = {}  # by shape, from the output down: no two branches of these nets have matrices of one shape
    for M in case.backend.drawn:
        assert abs(M).max() <= 3**0.5 * spread(M)
        drawn.setdefault(M.shape, []).append(torch.tensor(M))

    def carry(name, signal, through):
        W = case.twin.leaves[f"{name}.W"].detach()
        M = drawn[tuple(W.shape)].pop(0) if case.rule.wanted[case.network[name]] else torch.ones_like(W)
        return through(M.abs() * W.sign())

    case.twin.carry = carry
    case.check()
    assert not any(drawn.values())


@every_loss
@every_net
def test_pfa_sends_it_through_M_and_R(net, criterion):
    case = Case(net, "pfa", criterion, expansion=3)
    case.run()
    dR = {}

    def carry(name, signal, through):
        if name not in case.B:
            return None
        layer, R, M = case.network[name], case.B[name], torch.tensor(case.rule.M[name])
        expanded = torch.tensordot(signal, M, ([1], [0])).movedim(-1, 1)
        _, weight_gradient, _ = way_of(layer, channels=M.shape[1])
        is_linear = isinstance(layer, Linear)
        gradient = weight_gradient(case.twin.inputs[name], expanded)
        dR[name] = gradient.T if is_linear else gradient
        return through(R.T if is_linear else R, expanded)

    case.twin.carry = carry
    case.check()
    assert dR.keys() == case.B.keys()
    for name, gradient in dR.items():
        agree(case.rule.feedback.gradient(f"{name}.R"), gradient)


THROUGH_TANH = {"mlp": {"linear2"}, "conv": {"conv2"}, "residual": {"residual1.conv1", "residual2.conv1"}}
"""The layers with a ``B`` whose output goes through tanh before any other weights, in the same branch."""


@every_net
def test_wm_mirrors_the_weights_by_noise(net):
    case = Case(net, "wm", "ce", mirror_lr=0.3, mirror_decay=0.1)
    case.run()
    case.backend.drawn.clear()
    case.rule.after_step()
    noises = [torch.tensor(x) for x in case.backend.drawn]
    assert len(noises) == len(case.B)
    for name in case.B:  # drawn layer by layer, in this order
        layer, x = case.network[name], noises.pop(0)
        assert x.shape == (N, *layer.input_shape)
        assert 0.04 < abs(x).max() <= 0.05
        x = x if x.ndim == 2 else x.permute(0, 3, 1, 2)
        W, b = case.twin.leaves[f"{name}.W"].detach(), case.twin.leaves[f"{name}.b"].detach()
        product, weight_gradient, _ = way_of(layer)
        y = product(x, W) + (b if x.ndim == 2 else b[:, None, None])
        y = torch.tanh(y) if name in THROUGH_TANH[net] else y
        positions = 1 if x.ndim == 2 else y.shape[2] * y.shape[3]
        agree(case.rule.B[name], 0.9 * case.B[name] + 0.3 * weight_gradient(x, y) / positions)


# Direct rules: a signal of the output's width enters at each site


def checked_direct(case, signal):
    """Compare a direct rule whose sites get ``signal`` (N, K) times its B."""
    case.run()
    case.twin.inject = lambda name: signal @ case.B[name]
    case.check()


@every_loss
@every_net
@pytest.mark.parametrize("rule", ["dfa", "sdfa", "drtp", "dkp"])
def test_direct_rules_hand_the_error_its_sign_or_the_target_to_every_site(net, criterion, rule):
    case = Case(net, rule, criterion)
    signals = {"sdfa": case.e.detach().sign() / case.samples, "drtp": -case.t / case.samples}
    checked_direct(case, signals.get(rule, case.e.detach()))
    if rule == "dkp":
        for name in case.sites:
            gradient = case.e.detach().T @ our_order(case.twin.h[name]).detach()
            agree(case.rule.feedback.gradient(f"{name}.B"), gradient)


@every_loss
@every_net
def test_ebd_hands_the_error_through_the_correlation_of_errors_and_activities(net, criterion):
    case = Case(net, "ebd", criterion, forgetting=0.8)
    own_errors = case.e.detach() * case.samples
    for name in case.sites:
        correlation = own_errors.T @ our_order(case.twin.h[name]).detach() / N
        case.B[name] = 0.8 * case.B[name] + 0.2 * correlation
    checked_direct(case, case.e.detach())
    for name in case.sites:
        agree(case.rule.B[name], case.B[name])


@every_loss
def test_ifa_sends_the_signal_up_through_the_forward_weights(criterion):
    case = Case("mlp", "ifa", criterion)
    case.run()
    case.logits = case.twin.forward(case.x)
    h, leaves, e = case.twin.h, case.twin.leaves, case.e.detach()
    first = (e @ case.B["feedback1"]) * (1 - h["tanh1"] ** 2)
    second = (first @ leaves["linear2.W"]) * (1 - h["tanh2"] ** 2)
    for name, below, delta in (("linear1", "flatten1", first), ("linear2", "tanh1", second), ("linear3", "tanh2", e)):
        agree(case.network.weights.gradient(f"{name}.W"), (h[below].T @ delta).detach())
        agree(case.network.weights.gradient(f"{name}.b"), delta.sum(0).detach())


@every_loss
@every_net
def test_fdfa_estimates_the_jacobian_by_a_tangent_that_enters_at_every_site(net, criterion):
    case = Case(net, "fdfa", criterion, learning_rate=0.3)
    before = {name: B.clone() for name, B in case.B.items()}
    checked_direct(case, case.e.detach())
    p = dict(zip(case.sites, map(torch.tensor, case.backend.drawn), strict=True))
    case.twin.inject = None
    zeros = {name: torch.zeros_like(case.twin.h[name]) for name in case.sites}
    in_theirs = {name: our_order_back(p[name].reshape(N, -1), zeros[name].shape) for name in p}

    def logits_of(*added):
        return case.twin.forward(case.x, dict(zip(case.sites, added, strict=True)))

    given = [tuple(of[name] for name in case.sites) for of in (zeros, in_theirs)]
    _, d = torch.autograd.functional.jvp(logits_of, *given)
    for name in case.sites:
        estimate = d.T @ p[name].reshape(N, -1) / N
        agree(case.rule.B[name], 0.7 * before[name] + 0.3 * estimate)


@every_loss
@every_net
def test_frozen_trains_the_output_layer_as_bp_and_nothing_else(net, criterion):
    case = Case(net, "frozen", criterion)
    case.run()
    top = case.network.layers[-1].name
    case.check([f"{top}.W", f"{top}.b"])
    before = case.network.weights.state()
    SGD(case.rule.trained, 0.1, weight_decay=0.5, momentum=0.9).step()
    changed = {name for name, value in case.network.weights.state().items() if (value != before[name]).any()}
    assert changed == {f"{top}.W", f"{top}.b"}

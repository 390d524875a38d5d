"""Layers that write over what comes to them: the same bits as a net in which every layer has memory of its own."""

import numpy as np
import pytest

from bdfa_np import (
    BDFA,
    BP,
    DFA,
    FA,
    SGD,
    BatchNorm,
    Container,
    Conv2d,
    CrossEntropy,
    Dropout,
    ErrorFeedback,
    Flatten,
    Linear,
    MaxPool2d,
    ReLU,
    Sequential,
    Sigmoid,
    Tanh,
    Trainer,
)
from bdfa_np.backend.cpu import compiling
from bdfa_np.backend.cpu.backend import NumpyBackend
from bdfa_np.layers import Layer
from bdfa_np.rules import BFA, Rule

RNG = np.random.default_rng(5)
X = RNG.normal(size=(7, 8, 8, 2)).astype(np.float32)
LABELS = RNG.integers(0, 3, size=7)
RULES = {"bp": BP, "fa": FA, "dfa": DFA, "bfa": BFA, "bdfa": BDFA}


@pytest.fixture(autouse=True)
def _nothing_is_compiled(monkeypatch):
    monkeypatch.setattr(compiling, "COMPILE_AFTER", float("inf"))  # which takes long, and gives the same bits


class Probe(Layer):
    """A layer from outside, which knows nothing of memory: it hands on what it gets, and keeps all of it."""

    kind = "probe"

    def forward(self, x, train=True):
        self.x, self.x_was = x, x.copy()
        return x

    def backward(self, grad_y, need_grad_in=True):
        self.grad_y, self.grad_y_was = grad_y, grad_y.copy()
        return grad_y


class KeepingConv(Conv2d):
    """A convolution that looks at its own output once more."""

    kind = "keeping_conv"

    def forward(self, x, train=True):
        self.y = super().forward(x, train)
        self.y_was = self.y.copy()
        return self.y


class Two(Container):
    """``y = F(x) + G(x)``, as somebody outside may write it."""

    kind = "two"

    def infer_shape(self, input_shape):
        return self.branch_shapes[0]

    def forward(self, x, train=True):
        first, second = (self.through(branch, x, train) for branch in self.branches())
        return first + second

    def backward(self, grad_y, need_grad_in=True):
        return self.carry_back(grad_y, self.back)

    def carry_back(self, signal, walk):
        first, second = (walk(branch, signal) for branch in self.branches())
        return first + second


def without(network):
    """Let every layer of a net write to memory of its own."""
    for layer in network.tree():
        layer.owns_input = layer.owns_signal = False
    return network


def layers():
    return [
        Conv2d(4, 3, padding=1),
        BatchNorm(),
        Tanh(),
        Dropout(0.25),
        MaxPool2d(2),
        ErrorFeedback(),
        Conv2d(5, 3),
        Dropout(0.25),
        Sigmoid(),
        ErrorFeedback(),
        Flatten(),
        Linear(6),
        ReLU(),
        ErrorFeedback(),
        Linear(3),
    ]


def plain():
    """Of what every rule can train, the kind whose non-linearities stand on layers that give their output away."""
    blocks = [Conv2d(4, 3, padding=1), Tanh(), MaxPool2d(2), ErrorFeedback(), Flatten(), Linear(6), Tanh()]
    return [*blocks, ErrorFeedback(), Tanh(), Linear(3)]


def branched():
    first, second = [Tanh(), Linear(5), Tanh()], [Sigmoid(), Linear(5), BatchNorm(), ReLU()]
    return [Flatten(), Linear(4), Two(first, second), Tanh(), ErrorFeedback(), Linear(3)]


def probed():
    """Probes, and layers that could write over what another still reads but for `hand_over`."""
    blocks = [Conv2d(4, 3), Probe(), Tanh(), Probe(), Conv2d(4, 3), Tanh(), Flatten(), Sigmoid(), Probe()]
    return [*blocks, Linear(6), ErrorFeedback(), Sigmoid(), Linear(3)]


NETS = {"layers": layers, "plain": plain, "branched": branched, "probed": probed}


def trained(network, rule, steps=((X, LABELS), (X[:3], LABELS[:3]), (X, LABELS))):
    """Train for some batches, the second of which is smaller; return all that came of it, gradients too."""
    optimizer = SGD(rule.trained, 0.1, momentum=0.9)
    loss = CrossEntropy(network.backend)
    trainer = Trainer(network=network, rule=rule, loss=loss, optimizer=optimizer, train=[], test=None, eps=0.01)
    for x, labels in steps:
        trainer.step(x, labels)
    weights = network.weights
    found = [weights.values, weights.gradients, rule.feedback.values, network.predict(X), *network.state().values()]
    return [array.copy() for array in found]


def make(net, backend=None):
    return Sequential(NETS[net](), X.shape[1:], backend=backend or NumpyBackend(), rng=1)


@pytest.mark.parametrize(
    ("net", "name"),
    [(net, name) for net in NETS for name in RULES if name != "bfa" or net in ("layers", "plain")],
)
def test_a_net_learns_the_same_bits_in_place_as_in_memory_of_each_layer(net, name):
    batch, inside = X.copy(), make(net)
    found = trained(inside, RULES[name](inside))
    assert any(layer.owns_input for layer in inside.tree())
    assert any(layer.owns_signal for layer in inside.tree())
    apart = without(make(net))
    for ours, theirs in zip(found, trained(apart, RULES[name](apart)), strict=True):
        assert ours.tobytes() == theirs.tobytes()
    assert X.tobytes() == batch.tobytes()


def test_what_a_layer_from_outside_keeps_stays_as_it_was():
    network = make("probed")
    rule = BP(network)
    result = CrossEntropy(network.backend)(network.forward(X), LABELS)
    rule.backward(result)
    rule.train_feedback(result)
    probes = [layer for layer in network.tree() if isinstance(layer, Probe)]
    assert len(probes) == 3
    for probe in probes:
        np.testing.assert_array_equal(probe.x, probe.x_was)
        np.testing.assert_array_equal(probe.grad_y, probe.grad_y_was)


def test_a_layer_made_from_one_of_ours_gives_nothing_away_unless_it_says_so():
    network = Sequential([KeepingConv(4, 3), Tanh(), Flatten(), Linear(3)], X.shape[1:], rng=1)
    network.forward(X)
    conv = network["keeping_conv1"]
    np.testing.assert_array_equal(conv.y, conv.y_was)
    assert (KeepingConv.gives_output, KeepingConv.gives_signal) == (False, False)
    assert (Conv2d.gives_output, Conv2d.gives_signal) == (True, True)


class Keeping(Rule):
    """Back-propagation by somebody who looks at all signals once the pass is over."""

    name = "keeping"

    def visit(self, layer, signal, wanted):
        self.kept = getattr(self, "kept", {}) | {layer.name: signal}
        return layer.backward(signal, wanted)


class KeepingDFA(DFA):
    name = "keeping_dfa"

    def inject(self, site):
        self.kept = getattr(self, "kept", {}) | {site.name: super().inject(site)}
        return self.kept[site.name]


@pytest.mark.parametrize(("kind", "truth"), [(Keeping, BP), (KeepingDFA, DFA)])
def test_a_rule_from_outside_finds_every_signal_that_it_kept_as_it_was(kind, truth):
    network = make("layers")
    result = CrossEntropy(network.backend)(network.forward(X), LABELS)
    deltas = truth(network).deltas(result)
    rule = kind(network)
    rule.backward(result)
    assert len(rule.kept) >= 3
    for name, signal in rule.kept.items():
        np.testing.assert_array_equal(signal, deltas[name])
    assert kind.keeps_signals
    assert not any(ours.keeps_signals for ours in RULES.values())


def test_the_error_of_a_loss_and_what_a_layer_is_given_by_hand_are_not_written_over():
    network = Sequential([Tanh(), Flatten(), Linear(3), Tanh()], X.shape[1:], rng=1)
    result = CrossEntropy(network.backend)(network.forward(X), LABELS)
    error = result.error.copy()
    BP(network).backward(result)
    network.input_gradient(result.error)
    np.testing.assert_array_equal(result.error, error)
    signal = network["linear1"].backward(result.error)  # the first steps of a pass by hand, in a notebook
    was = signal.copy()
    network["tanh1"].backward(network["flatten1"].backward(signal))
    np.testing.assert_array_equal(signal, was)


def test_several_rules_look_at_one_forward_pass_also_after_one_has_trained_its_feedback():
    network, alone = make("plain"), make("plain")
    loss = CrossEntropy(network.backend)
    rules = [kind(network) for kind in RULES.values()]
    result = loss(network.forward(X), LABELS)
    for rule in rules:
        network.forget_gradients()
        rule.backward(result)
        rule.train_feedback(result)
    truth = DFA(alone)
    truth.backward(loss(alone.forward(X), LABELS))
    network.forget_gradients()
    rules[2].backward(result)
    np.testing.assert_array_equal(network.weights.gradients, alone.weights.gradients)


def test_a_prediction_between_two_steps_and_a_second_forward_pass_change_nothing():
    network, other = make("plain"), without(make("plain"))
    gradients = []
    for net in (network, other):
        rule, loss = BP(net), CrossEntropy(net.backend)
        rule.backward(loss(net.forward(X), LABELS))
        net.predict(X[:2])
        net.forward(X[3:])
        net.forget_gradients()
        rule.backward(loss(net.forward(X), LABELS))
        gradients.append(net.weights.gradients.tobytes())
    assert gradients[0] == gradients[1]


def test_two_blocks_of_memory_serve_all_gradients_and_a_non_linearity_has_none_of_its_own():
    network = make("plain")
    rule, loss = BP(network), CrossEntropy(network.backend)
    for _ in range(2):
        rule.backward(loss(network.forward(X), LABELS))
    largest, other = sorted(network.backend._lender.bytes_held(), reverse=True)
    assert largest == X.shape[0] * 8 * 8 * 4 * 4  # of the gradient at the first layer's output
    assert other <= X.shape[0] * 4 * 4 * 4 * 4
    for below, layer in (("conv1", "tanh1"), ("linear1", "tanh2")):
        assert np.shares_memory(network[layer].y, network[below].buffer("y", network[layer].y.shape))
        assert not network[layer]._buffers

"""Indirect feedback alignment against worked numbers, its identities, and the nets that it refuses."""

import numpy as np
import pytest

from bdfa_np import (
    DFA,
    IFA,
    BatchNorm,
    Container,
    Conv2d,
    Dropout,
    ErrorFeedback,
    Flatten,
    Linear,
    MaxPool2d,
    Sequential,
    Sigmoid,
    Tanh,
)
from bdfa_np.losses import LOSSES

RNG = np.random.default_rng(8)
X = RNG.normal(size=(9, 2, 3, 1))
LABELS = RNG.integers(0, 4, size=9)


def net(backend, *blocks, head=(Linear,)):
    layers = [Flatten()]
    for block in blocks:
        layers += [*block, ErrorFeedback()]
    return Sequential([*layers, *[make(4) for make in head]], X.shape[1:], backend=backend, rng=3)


def gradients(rule, criterion="bce"):
    network = rule.network
    network.forget_gradients()
    rule.backward(LOSSES[criterion](network.backend)(network.forward(X), LABELS))
    return network.weights.gradients.copy()


@pytest.mark.parametrize("criterion", ["bce", "ce"])
def test_the_golden_gradients(network, golden, step, agree, criterion):
    rule = IFA(network)
    assert list(rule.B) == ["feedback1"]
    rule.B["feedback1"][...] = golden["B_direct1"]
    rule.backward(step(network, criterion))
    for name in network.weights:
        layer, parameter = name.split(".")
        agree(network.weights.gradient(name), golden[f"ifa_{criterion}_d{parameter}{layer[-1]}"])


@pytest.mark.parametrize("criterion", LOSSES)
def test_with_one_hidden_layer_it_is_dfa(backend, criterion):
    ifa, dfa = (kind(net(backend, [Linear(7), Tanh()])) for kind in (IFA, DFA))
    np.testing.assert_array_equal(ifa.feedback.values, dfa.feedback.values)
    np.testing.assert_array_equal(gradients(ifa, criterion), gradients(dfa, criterion))


def test_each_block_gets_what_the_linear_below_sends_through_its_own_weights(backend, agree):
    """With batch normalisation and dropout inside, of which each block goes through its own exactly."""
    inside = [BatchNorm(), Sigmoid(), Dropout(0.3)]
    network = net(backend, [Linear(7), *inside], [Linear(6), BatchNorm(), Tanh()], [Linear(5), Tanh()])
    rule = IFA(network)
    result = LOSSES["ce"](backend)(network.forward(X), LABELS)
    shown = rule.deltas(result)
    agree(shown["feedback1"], result.error @ rule.B["feedback1"])
    agree(shown["feedback2"], shown["linear1"] @ network["linear2"].W)
    agree(shown["feedback3"], shown["linear2"] @ network["linear3"].W)
    agree(shown["linear3"], shown["feedback3"] * (1 - network["tanh2"].y ** 2))
    names = iter(["dropout1", "sigmoid1", "batchnorm1"])
    signal = shown["feedback1"]
    for name in names:
        signal = network[name].backward(signal)
    agree(shown["linear1"], signal)


def test_above_the_topmost_site_gradients_are_exact(backend, agree):
    network = net(backend, [Linear(7), Tanh()], head=(lambda _: Linear(6), lambda _: Tanh(), Linear))
    rule = IFA(network)
    result = LOSSES["bce"](backend)(network.forward(X), LABELS)
    shown = rule.deltas(result)
    agree(shown["linear2"], (result.error @ network["linear3"].W.T) * (1 - network["tanh2"].y ** 2))


def test_signals_are_listed_from_the_output_down(backend):
    rule = IFA(net(backend, [Linear(7), Tanh()], [Linear(5), Tanh()]))
    result = LOSSES["bce"](backend)(rule.network.forward(X), LABELS)
    names = [layer.name for layer in reversed(rule.network.layers) if layer.name != "flatten1"]
    assert list(rule.deltas(result)) == names


class Beside(Container):
    """A layer made of others."""

    def forward(self, x, train=True):
        return self.through(self.branches()[0], x, train)


REFUSED = {
    "conv1": [Conv2d(3, 1), Flatten(), Linear(5), Tanh()],
    "pool1": [MaxPool2d(2, 2), Flatten(), Linear(5), Tanh()],
    "container1": [Flatten(), Beside([Linear(5)]), Tanh()],
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_net_that_is_not_fully_connected_is_refused_by_the_name_of_its_layer(backend, name):
    network = Sequential([*REFUSED[name], ErrorFeedback(), Linear(4)], X.shape[1:], backend=backend)
    assert name in [layer.name for layer in network.layers]
    with pytest.raises(ValueError, match=f"^ifa is for fully connected nets, and cannot send .* through {name}$"):
        IFA(network)


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ([Linear(5), Tanh(), Linear(5), Tanh()], r"feedback2 has 2 \(linear2, linear3\)$"),
        ([Tanh()], "feedback2 has none$"),
    ],
)
def test_a_block_that_has_not_one_linear_is_refused(backend, block, message):
    with pytest.raises(ValueError, match=f"^ifa needs one Linear in each block, and the one that ends with {message}"):
        IFA(net(backend, [Linear(7), Tanh()], block))


def test_a_net_without_sites_is_refused(backend):
    with pytest.raises(ValueError, match="ifa needs an ErrorFeedback layer"):
        IFA(net(backend))

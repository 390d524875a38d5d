"""Rules over a tree: a toy container whose branch holds layers, and whose skip passes every signal unchanged."""

import numpy as np
import pytest

from bdfa_np import (
    BDFA,
    BP,
    DFA,
    FA,
    SGD,
    Container,
    CrossEntropy,
    Dropout,
    ErrorFeedback,
    Flatten,
    Linear,
    Sequential,
    Tanh,
    Trainer,
)
from bdfa_np.layers import Layer
from bdfa_np.layers.base import bind_chain
from bdfa_np.rules import BFA, RULES

RNG = np.random.default_rng(7)
X = RNG.normal(size=(6, 3, 4, 1))
LABELS = RNG.integers(0, 4, size=6)


class Skip(Container):
    """``y = x + F(x)``, with the layers of the branch for F."""

    kind = "skip"

    def __init__(self, *branch):
        super().__init__(branch)
        self.branch = branch

    def forward(self, x, train=True):
        return x + self.through(self.branch, x, train)

    def backward(self, grad_y, need_grad_in=True):
        below = self.back(self.branch, grad_y, need_grad_in)
        return grad_y + below if need_grad_in else None

    def carry_back(self, signal, walk):
        below = walk(self.branch, signal)
        return None if below is None else signal + below

    def carry_forward(self, tangent, walk):
        pushed = walk(self.branch, tangent)
        return pushed if tangent is None else tangent + pushed


def make_network(backend, *inside):
    branch = inside or (Linear(7), Tanh())
    layers = [Flatten(), Linear(7), Tanh(), Skip(*branch), ErrorFeedback(), Linear(4)]
    return Sequential(layers, X.shape[1:], backend=backend, rng=3)


def result_of(network):
    return CrossEntropy(network.backend)(network.forward(X), LABELS)


def gradients(rule):
    rule.network.forget_gradients()
    rule.backward(result_of(rule.network))
    return rule.network.weights.gradients.copy()


def close(actual, expected, tolerance=1e-12):
    assert np.abs(actual - expected).max() <= tolerance * np.abs(expected).max()


def central_differences(network):
    flat, step = network.weights.values, 1e-6
    numeric = np.empty_like(flat)
    for index in range(len(flat)):
        kept = flat[index]
        flat[index] = kept + step
        above = result_of(network).value
        flat[index] = kept - step
        below = result_of(network).value
        flat[index] = kept
        numeric[index] = (above - below) / (2 * step)
    return numeric


def test_parameters_inside_a_container_have_paths_for_names(backend):
    network = make_network(backend)
    names = ["linear1.W", "linear1.b", "skip1.linear1.W", "skip1.linear1.b", "linear2.W", "linear2.b"]
    assert list(network.weights) == names
    assert network["skip1.linear1"].W is network.weights["skip1.linear1.W"]
    assert [layer.name for layer in network.tree()][3:6] == ["skip1", "skip1.linear1", "skip1.tanh1"]


def test_bp_through_a_container_agrees_with_central_differences(backend):
    network = make_network(backend)
    close(gradients(BP(network)), central_differences(network), 1e-7)


def test_fa_with_feedback_equal_to_the_weights_is_bp_inside_a_container_too(backend):
    network = make_network(backend)
    fa = FA(network)
    assert list(fa.feedback) == ["skip1.linear1.B", "linear2.B"]
    for name in fa.feedback:
        fa.feedback[name][...] = network.weights[name.replace(".B", ".W")]
    close(gradients(fa), gradients(BP(network)))


def test_fa_sends_the_skips_signal_unchanged_and_the_branchs_through_its_own_matrix(backend):
    network = make_network(backend)
    rule = FA(network)
    deltas = rule.deltas(result_of(network))
    y, top = network["skip1.tanh1"].y, deltas["skip1"]
    inner = top * (1 - y**2)
    close(deltas["skip1.linear1"], inner)
    close(deltas["tanh1"], top + inner @ rule.B["skip1.linear1"].T)


def test_a_direct_rule_goes_backward_exactly_inside_a_block_that_holds_a_container(backend):
    network = make_network(backend)
    bp, dfa = BP(network), DFA(network)
    true = bp.deltas(result_of(network))["feedback1"]
    dfa.sites[0].project_feedback = lambda _error, _B: true
    close(gradients(dfa), gradients(bp))


def test_a_site_inside_a_branch_hands_its_own_signal_to_what_lies_below(backend):
    network = make_network(backend, Linear(7), Tanh(), ErrorFeedback())
    rule = DFA(network)
    assert list(rule.feedback) == ["skip1.feedback1.B", "feedback1.B"]
    result = result_of(network)
    deltas = rule.deltas(result)
    close(deltas["skip1.feedback1"], result.error @ rule.B["skip1.feedback1"])
    y, W = network["skip1.tanh1"].y, network["skip1.linear1"].W
    inner = deltas["skip1.feedback1"] * (1 - y**2)
    close(deltas["tanh1"], result.error @ rule.B["feedback1"] + inner @ W.T)


def test_weights_below_a_site_in_a_branch_learn_although_the_skip_leads_nowhere(backend):
    skip = Skip(Linear(12), Tanh(), ErrorFeedback())
    network = Sequential([Flatten(), skip, Linear(4)], X.shape[1:], backend=backend, rng=3)
    rule = DFA(network)
    result = result_of(network)
    rule.backward(result)
    delta = (result.error @ rule.B["skip1.feedback1"]) * (1 - network["skip1.tanh1"].y ** 2)
    close(network["skip1.linear1"].dW, X.reshape(6, -1).T @ delta)


@pytest.mark.parametrize("make", [BP, FA, DFA, BDFA])
def test_nothing_below_the_lowest_weights_is_computed(backend, make):
    inside = Linear(12), Tanh()
    network = Sequential([Flatten(), Skip(*inside), ErrorFeedback(), Linear(4)], X.shape[1:], backend=backend)
    deltas = make(network).deltas(result_of(network))
    assert "flatten1" not in deltas
    assert "skip1.linear1" in deltas


def test_dropout_inside_a_container_draws_another_mask_in_each_pass(backend):
    network = make_network(backend, Linear(7), Tanh(), Dropout(0.5))
    masks = []
    for _ in range(3):
        network.forward(X)
        masks.append(network["skip1.dropout1"].mask.tobytes())
    assert len(set(masks)) == 3


def test_bfa_refuses_a_container_in_one_line(backend):
    with pytest.raises(ValueError, match=r"^bfa cannot generate through skip1$"):
        BFA(make_network(backend))


@pytest.mark.parametrize("rule", [name for name in RULES if name not in ("bfa", "ifa")])
def test_a_net_with_a_container_trains_and_its_state_comes_back_by_paths(backend, rule):
    from bdfa_np.data import Batches

    network = make_network(backend, Linear(7), Tanh(), Dropout(0.1))
    learner = RULES[rule](network)
    batches = Batches(X, LABELS, 3, dtype="float64")
    loss = CrossEntropy(backend)
    trainer = Trainer(
        network=network, rule=learner, loss=loss, optimizer=SGD(learner.trained, 0.5), train=batches, test=batches
    )
    first, *_, last = trainer.run(20)
    assert last.train_loss < 0.8 * first.train_loss
    other = make_network(backend, Linear(7), Tanh(), Dropout(0.1))
    other.weights.load_state(network.weights.state())
    assert (other.predict(X) == network.predict(X)).all()


class Two(Container):
    """Two branches, added up."""

    kind = "two"


def test_layers_of_several_branches_have_names_of_their_own(backend):
    both = Two([Linear(7), Tanh()], [Linear(7), Linear(7)])
    Sequential([both, Linear(2)], (7,), backend=backend)
    assert [layer.name for branch in both.branches() for layer in branch] == [
        *("two1.linear1", "two1.tanh1", "two1.linear2", "two1.linear3"),
    ]
    assert both.branch_shapes == [(7,), (7,)]


def test_a_container_that_does_not_say_how_signals_pass_is_named(backend):
    class Silent(Skip):
        carry_back = Container.carry_back

    network = make_network(backend)
    silent = Silent(Linear(7), Tanh())
    network = Sequential([Flatten(), silent, ErrorFeedback(), Linear(4)], (7,), backend=backend)
    result = CrossEntropy(backend)(network.forward(RNG.normal(size=(6, 7))), LABELS)
    with pytest.raises(NotImplementedError, match="skip1: Silent says nothing of how a rule's signal passes"):
        BP(network).backward(result)


def test_two_layers_of_one_name_are_refused(backend):
    class Careless(Layer):
        kind = "careless"

        def __init__(self):
            super().__init__()
            self.inside = (Linear(3), Linear(3))

        def branches(self):
            return (self.inside,)

        def bind(self, name, input_shape, backend, streams):
            super().bind(name, input_shape, backend, streams)
            for layer in self.inside:
                bind_chain([layer], input_shape, backend, streams, prefix=f"{name}.")

    with pytest.raises(ValueError, match=r"several layers are called careless1\.linear1: every layer needs"):
        Sequential([Careless(), Linear(2)], (3,), backend=backend)

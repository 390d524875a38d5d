"""The identities that the rules satisfy, and which signal reaches which layer."""

from dataclasses import replace

import numpy as np
import pytest

from bdfa_np import BDFA, BFA, BP, DFA, FA, ErrorFeedback, Flatten, Layer, Linear, ReLU, Sequential, Sigmoid, Tanh
from bdfa_np.backend.cpu.backend import NumpyBackend
from bdfa_np.losses import LOSSES
from bdfa_np.rules import RULES

RNG = np.random.default_rng(5)
X = RNG.normal(size=(9, 2, 3, 1))
LABELS = RNG.integers(0, 4, size=9)


def make_network(backend, hidden=(7, 5), non_linearity=Tanh):
    layers = [Flatten()]
    for units in hidden:
        layers += [Linear(units), non_linearity(), ErrorFeedback()]
    return Sequential([*layers, Linear(4)], X.shape[1:], backend=backend, rng=3)


def result_of(network, criterion="bce"):
    return LOSSES[criterion](network.backend)(network.forward(X), LABELS)


def gradients(rule):
    rule.backward(result_of(rule.network))
    return rule.network.weights.gradients.copy()


def close(actual, expected, tolerance=1e-13):
    assert np.abs(actual - expected).max() <= tolerance * np.abs(expected).max()


@pytest.mark.parametrize("non_linearity", [Tanh, Sigmoid, ReLU])
def test_fa_with_feedback_equal_to_the_weights_is_back_propagation(backend, non_linearity):
    fa = FA(make_network(backend, non_linearity=non_linearity))
    for name in fa.feedback:
        fa.feedback[name][...] = fa.network.weights[name.replace(".B", ".W")]
    close(gradients(fa), gradients(BP(make_network(backend, non_linearity=non_linearity))))


def test_dfa_with_one_hidden_layer_and_transposed_feedback_is_fa(backend):
    fa, dfa = FA(make_network(backend, hidden=(7,))), DFA(make_network(backend, hidden=(7,)))
    dfa.B["feedback1"][...] = fa.B["linear2"].T
    close(gradients(dfa), gradients(fa))


def test_dfa_gives_bps_gradients_when_the_projection_is_replaced_by_the_true_gradient(backend):
    bp, dfa = BP(make_network(backend)), DFA(make_network(backend))
    true = bp.deltas(result_of(bp.network))
    for site in dfa.sites:
        site.project_feedback = lambda _error, _B, name=site.name: true[name]
    close(gradients(dfa), gradients(bp))


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("criterion", LOSSES)
def test_the_output_layer_gets_the_exact_gradient_under_every_rule(backend, rule, criterion):
    network = make_network(backend)
    result = result_of(network, criterion)
    RULES[rule](network).backward(result)
    close(network["linear3"].dW, network["linear3"].x.T @ result.error)
    close(network["linear3"].db, result.error.sum(axis=0))


def feedback_loss(rule, output):
    """Compute what BFA's feedback phase descends along when W = B: squared error, or cross-entropy for a sigmoid."""
    x, drawn = X.reshape(len(X), -1), rule.generate(LABELS).reshape(len(X), -1)
    if output == "linear":
        return 0.5 * ((drawn - x) ** 2).sum()
    return -(x * np.log(drawn) + (1 - x) * np.log(1 - drawn)).sum()


@pytest.mark.parametrize("output", ["linear", "sigmoid"])
def test_bfa_with_weights_equal_to_feedback_gives_the_exact_gradient_of_the_feedback_loss(backend, output):
    network = make_network(backend)
    rule = BFA(network, output=output)
    for name in rule.feedback:
        network.weights[name.replace(".B", ".W")][...] = rule.feedback[name]
    rule.train_feedback(result_of(network))
    analytic = rule.feedback.gradients.copy()
    flat, numeric, step = rule.feedback.values, np.empty_like(analytic), 1e-5
    for index in range(len(flat)):
        kept = flat[index]
        flat[index] = kept + step
        above = feedback_loss(rule, output)
        flat[index] = kept - step
        below = feedback_loss(rule, output)
        flat[index] = kept
        numeric[index] = (above - below) / (2 * step)
    close(analytic, numeric, 1e-7)


@pytest.mark.parametrize("target", ["torch", "label", "mixed", "centred"])
@pytest.mark.parametrize("criterion", LOSSES)
def test_bdfa_ascends_the_log_likelihood_of_its_feedback_target(backend, target, criterion):
    network = make_network(backend)
    rule = BDFA(network, target=target, learning_rate=1.0)
    result = result_of(network, criterion)
    sites = dict(enumerate(reversed(rule.sites), start=1))
    before = {k: rule.B[site.name].copy() for k, site in sites.items()}
    rule.train_feedback(result)
    for k, site in sites.items():
        Y, h = rule.feedback_target(result, k), site.h
        moved, step = rule.B[site.name] - before[k], 1e-6

        def log_likelihood(B, Y=Y, h=h):
            return -np.logaddexp(0, -((Y @ B) * h).sum(axis=1)).sum()

        numeric = np.empty_like(moved)
        for index in np.ndindex(*moved.shape):
            nudge = np.zeros_like(moved)
            nudge[index] = step
            numeric[index] = (log_likelihood(before[k] + nudge) - log_likelihood(before[k] - nudge)) / (2 * step)
        close(moved, numeric, 1e-7)


def test_the_torch_target_shrinks_downwards_and_sets_the_labels_entry_to_one(backend):
    rule = BDFA(make_network(backend), target="torch", alpha=0.5)
    result = result_of(rule.network)
    for k in (1, 2):
        Y = rule.feedback_target(result, k)
        assert (Y[np.arange(9), LABELS] == 1).all()
        others = np.ones(Y.shape, bool)
        others[np.arange(9), LABELS] = False
        close(Y[others], 0.5**k * result.outputs[others])


def test_the_torch_target_takes_log_probabilities_under_cross_entropy(backend):
    network = make_network(backend)
    result = result_of(network, "ce")
    close(np.exp(result.outputs).sum(axis=1), np.ones(9))


def test_dfa_and_bdfa_differ_in_the_training_of_feedback_alone(backend):
    dfa, bdfa = DFA(make_network(backend)), BDFA(make_network(backend))
    close(gradients(bdfa), gradients(dfa))
    before = dfa.feedback.values.copy()
    for rule in (dfa, bdfa):
        rule.train_feedback(result_of(rule.network))
    assert (dfa.feedback.values == before).all()
    assert (bdfa.feedback.values != before).all()


def test_which_rules_hand_their_feedback_to_the_optimizer(backend):
    for name, rule in RULES.items():
        network = make_network(backend)
        learner = rule(network)
        assert (learner.feedback in learner.trained) == (name in ("bfa", "kp", "pfa"))
        trained = [parameter for vector in learner.trained for parameter in vector if vector is not learner.feedback]
        assert trained == (["linear3.W", "linear3.b"] if name == "frozen" else list(network.weights))


def test_which_layers_hold_feedback_depends_on_the_rule(backend):
    held = {name: [] for name in RULES}
    for name, rule in RULES.items():
        network = make_network(backend)
        held[name] = list(rule(network).feedback)
    assert held["bp"] == []
    assert held["fa"] == ["linear2.B", "linear3.B"]
    assert held["bfa"] == ["linear1.B", "linear2.B", "linear3.B"]
    assert held["dfa"] == held["bdfa"] == ["feedback1.B", "feedback2.B"]


def test_feedback_is_independent_of_the_weights(backend):
    network = make_network(backend)
    rule = FA(network)
    for number in (2, 3):
        W, B = network[f"linear{number}"].W, rule.B[f"linear{number}"]
        assert np.abs(np.corrcoef(W.ravel(), B.ravel())[0, 1]) < 0.5
        assert not np.isin(W, B).any()


@pytest.mark.parametrize("rule", ["fa", "dfa", "bfa", "bdfa"])
def test_feedback_is_drawn_within_the_rules_own_bound_or_the_magnitude_given(backend, rule):
    for magnitude in (0.0, 0.03):
        network = make_network(backend, hidden=(400, 300))
        learner = RULES[rule](network, magnitude=magnitude)
        for name in learner.feedback:
            B = learner.feedback[name]
            n = B.shape[1] if name.startswith("feedback") else B.shape[0]
            bound = magnitude or n**-0.5
            assert 0.98 * bound < np.abs(B).max() <= bound
            assert abs(B.mean()) < 0.05 * bound


def test_a_direct_rule_computes_no_input_gradient_at_a_blocks_bottom(backend, monkeypatch):
    asked = []
    original = Linear.backward

    def backward(self, grad_y, need_grad_in=True):
        asked.append((self.name, need_grad_in))
        return original(self, grad_y, need_grad_in)

    monkeypatch.setattr(Linear, "backward", backward)
    network = make_network(backend)
    DFA(network).backward(result_of(network))
    assert asked == [("linear3", False), ("linear2", False), ("linear1", False)]


def test_a_block_of_two_linear_layers_goes_backward_exactly_inside(backend):
    layers = [Flatten(), Linear(6), Tanh(), Linear(5), Tanh(), ErrorFeedback(), Linear(4)]
    network = Sequential(layers, X.shape[1:], backend=backend, rng=1)
    rule = DFA(network)
    deltas = rule.deltas(result_of(network))
    close(deltas["tanh1"], deltas["linear2"] @ network["linear2"].W.T)
    close(network["linear1"].dW, X.reshape(9, -1).T @ deltas["linear1"])


def test_deltas_are_copies_that_later_passes_leave_alone(backend):
    rule = BP(make_network(backend))
    deltas = rule.deltas(result_of(rule.network))
    kept = {name: delta.copy() for name, delta in deltas.items()}
    rule.backward(replace(result_of(rule.network), error=RNG.normal(size=(9, 4))))
    assert all((deltas[name] == kept[name]).all() for name in kept)
    assert list(deltas) == ["linear3", "feedback2", "tanh2", "linear2", "feedback1", "tanh1", "linear1"]


def test_a_second_backward_accumulates_and_forgetting_starts_anew(backend):
    rule = BP(make_network(backend))
    once = gradients(rule)
    close(gradients(rule), 2 * once)
    rule.network.forget_gradients()
    close(gradients(rule), once)


def test_generating_gives_images_of_the_input_shape_within_the_unit_range():
    network = make_network(NumpyBackend())
    drawn = BFA(network).generate(np.arange(4))
    assert drawn.shape == (4, *X.shape[1:])
    assert drawn.dtype == np.float32
    assert ((drawn > 0) & (drawn < 1)).all()


@pytest.mark.parametrize("rule", RULES)
def test_a_network_with_nothing_to_train_is_refused(backend, rule):
    with pytest.raises(ValueError, match="at least one layer that has weights"):
        RULES[rule](Sequential([Flatten(), Tanh()], (2, 2, 1), backend=backend))


@pytest.mark.parametrize("rule", ["dfa", "bdfa"])
def test_a_direct_rule_refuses_a_network_without_feedback_sites(backend, rule):
    with pytest.raises(ValueError, match="needs an ErrorFeedback layer"):
        RULES[rule](Sequential([Linear(3)], (2,), backend=backend))


class Doubling(Layer):
    """A layer of the user's own, which the feedback phase knows nothing of."""

    kind = "doubling"


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([Linear(3), Doubling(), Linear(2)], "bfa cannot generate through doubling1"),
        ([Linear(3), Tanh()], "the net must end with one"),
    ],
)
def test_bfa_refuses_a_network_it_cannot_generate_through(backend, layers, message):
    with pytest.raises(ValueError, match=message):
        BFA(Sequential(layers, (2,), backend=backend))


def test_unknown_feedback_targets_and_outputs_are_refused(backend):
    with pytest.raises(ValueError, match="unknown feedback target 'x'"):
        BDFA(make_network(backend), target="x")
    with pytest.raises(ValueError, match="unknown feedback output 'x'"):
        BFA(make_network(backend), output="x")

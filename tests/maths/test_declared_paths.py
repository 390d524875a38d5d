"""The ways that rules declare are those that they have: held against what is said of them, and against a step."""

import numpy as np
import pytest

from bdfa_np import (
    DFA,
    FA,
    SGD,
    BinaryCrossEntropy,
    ErrorFeedback,
    FeedbackMatrix,
    Flatten,
    Layerwise,
    Linear,
    Pathway,
    Rule,
    Sequential,
    Tanh,
)
from bdfa_np.rules import RULES
from bdfa_np.rules.description import pathways_of

every_rule = pytest.mark.parametrize("name", RULES)
RNG = np.random.default_rng(5)
X = RNG.random((6, 3, 3, 1))
LABELS = np.arange(6) % 3


def of_errors(rule):
    return [pathway for pathway in pathways_of(rule) if not pathway.trains_feedback]


@every_rule
def test_feedback_is_declared_as_trained_where_a_step_changes_it(name):
    layers = [Flatten(), Linear(5), Tanh(), ErrorFeedback(), Linear(4), Tanh(), ErrorFeedback(), Linear(3)]
    network = Sequential(layers, X.shape[1:], rng=1)
    rule = RULES[name](network)
    optimizer = SGD(rule.trained, 0.1)
    before = rule.feedback.values.copy()
    result = BinaryCrossEntropy(network.backend)(network.forward(X), LABELS)
    rule.backward(result)
    rule.train_feedback(result)
    for one in (optimizer, *rule.optimizers):
        one.step()
    rule.after_step()
    kinds = {matrix.kind for pathway in of_errors(type(rule)) for matrix in pathway.through}
    assert bool((rule.feedback.values != before).any()) == ("trained" in kinds)
    assert bool(len(before)) == bool(kinds & {"trained", "fixed"} or name == "frsf")


@every_rule
def test_the_course_of_the_error_is_what_the_rule_says_of_where_it_comes_from(name):
    (first, *others) = of_errors(RULES[name])
    courses = {
        "the layer above": ["down"],
        "the output": ["direct"],
        "the target": ["direct"],
        "the output for the lowest block, the layer below for all others": ["lowest", "up"],
        "nowhere": ["none"],
    }
    assert [first.course, *(one.course for one in others)] == courses[RULES[name].errors_from]
    assert first.start == {"drtp": "-t", "sdfa": "sign(e)"}.get(name, "e")


@every_rule
def test_the_matrices_of_a_declaration_are_those_of_the_formula(name):
    rule = RULES[name]
    for pathway in of_errors(rule):
        for matrix in pathway.through:
            written = rule.formula.replace("_{l+1}", "_l").replace("_1", "_l")
            assert f"{matrix.symbol}_l{'ᵀ' if matrix.transposed else ''}" in written


class SignSymmetry(Layerwise):
    def matrix(self, layer):
        return np.sign(layer.W)


class Learns(FA):
    trains_feedback = True

    def train_feedback(self, result):
        pass


class Scaled(DFA):
    def signal(self, result):
        return 2 * result.error


class Walks(Rule):
    def visit(self, layer, signal, wanted):
        return layer.backward(signal, wanted)


class Says(Learns):
    pathways = (Pathway("down", (FeedbackMatrix("Q", "fixed"),)),)


@pytest.mark.parametrize(
    ("rule", "course", "start", "symbols", "kinds"),
    [
        (SignSymmetry, "down", "e", ["V"], [""]),
        (Learns, "down", "e", ["B"], ["trained"]),
        (Scaled, "direct", "s", ["B"], ["fixed"]),
        (Walks, "down", "e", [], []),
        (Says, "down", "e", ["Q"], ["fixed"]),
    ],
)
def test_a_rule_of_ones_own_inherits_only_what_still_holds(rule, course, start, symbols, kinds):
    (pathway,) = pathways_of(rule)
    assert (pathway.course, pathway.start) == (course, start)
    assert [matrix.symbol for matrix in pathway.through] == symbols
    assert [matrix.kind for matrix in pathway.through] == kinds


def test_what_there_is_not_is_refused_with_what_there_is():
    with pytest.raises(ValueError, match="unknown course 'sideways': choose from down, direct, lowest, up, none"):
        Pathway("sideways")
    with pytest.raises(ValueError, match="a signal is held against 'h' or 'x', not 'W'"):
        Pathway("direct", beside="W")
    with pytest.raises(ValueError, match="unknown kind of matrix 'random': choose from fixed, trained, forward, signs"):
        FeedbackMatrix("B", "random")


def test_a_pathway_shows_itself_in_a_line():
    assert repr(RULES["pfa"].pathways) == "(Pathway(δ down, from e, through M and R),)"
    assert repr(RULES["fa"].pathways[0].through) == "(FeedbackMatrix(B, fixed),)"

"""A wrong sign in a layer or a rule makes a notebook fail, on an assertion that its reader sees."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bdfa_np import BDFA, BFA, DFA, FA, Conv2d, ErrorFeedback, Linear, Tanh

NOTEBOOKS = Path(__file__).resolve().parents[2] / "docs" / "notebooks"
Method = Callable[..., Any]


def returned(method: Method) -> Method:
    """Return the method with the sign of what it returns turned round."""

    def wrong(*arguments, **options):
        found = method(*arguments, **options)
        return None if found is None else -found

    return wrong


def written(method: Method) -> Method:
    """Return a `weight_gradient` that turns round the sign of what it writes."""

    def wrong(*arguments, **options):
        out = method(*arguments, **options)
        return np.negative(out, out=out)

    return wrong


def left_for_the_optimizer(method: Method) -> Method:
    """Return a `train_feedback` whose gradient of B points the other way."""

    def wrong(rule, result):
        method(rule, result)
        rule.feedback.gradients[:] *= -1

    return wrong


def stepped(method: Method) -> Method:
    """Return a `train_feedback` that takes its step the other way."""

    def wrong(rule, result):
        before = rule.feedback.values.copy()
        method(rule, result)
        rule.feedback.values[:] = 2 * before - rule.feedback.values

    return wrong


WRONG = [
    (Linear, "forward", returned, "1-back-propagation", "Linear.forward is not x W"),
    (Linear, "backward", returned, "1-back-propagation", "what linear2 hands down is not δ_2 W_2ᵀ"),
    (Linear, "weight_gradient", written, "1-back-propagation", "dW_2 is not h_1ᵀ δ_2"),
    (Linear, "project_feedback", returned, "2-feedback-alignment", r"FA does not send \(δ_2 B_2ᵀ\)"),
    (Tanh, "forward", returned, "1-back-propagation", "Tanh.forward is not tanh"),
    (Tanh, "backward", returned, "1-back-propagation", "the slope of tanh is 1 - h²"),
    (ErrorFeedback, "forward", returned, "3-direct-feedback-alignment", "ErrorFeedback should pass on what comes"),
    (ErrorFeedback, "backward", returned, "3-direct-feedback-alignment", "BP is not the gradient"),
    (ErrorFeedback, "project_feedback", returned, "3-direct-feedback-alignment", "does not hand over e B_1"),
    (FA, "matrix", returned, "2-feedback-alignment", r"FA does not send \(δ_2 B_2ᵀ\)"),
    (DFA, "inject", returned, "3-direct-feedback-alignment", "DFA sends another signal"),
    (DFA, "signal", returned, "3-direct-feedback-alignment", "DFA sends another signal"),
    (BFA, "matrix", returned, "4-bidirectional-learning", "eq. 18: δ_2 is not"),
    (BFA, "_generate", returned, "4-bidirectional-learning", "generate should draw"),
    (BFA, "train_feedback", left_for_the_optimizer, "4-bidirectional-learning", "comes to another dB"),
    (BDFA, "inject", returned, "4-bidirectional-learning", "eq. 36: δ_2 is not"),
    (BDFA, "feedback_target", returned, "4-bidirectional-learning", "eq. 40: the rule's loss"),
    (BDFA, "train_feedback", stepped, "4-bidirectional-learning", "eq. 42: B_1 should change by"),
    (Conv2d, "forward", returned, "5-convolutions", "a window times a filter"),
    (Conv2d, "weight_gradient", written, "5-convolutions", "dW sums, over all places"),
    (Conv2d, "backward", returned, "5-convolutions", "the way down is not the transpose"),
    (Conv2d, "project_feedback", returned, "6-your-own-rule", "after a look it is back-propagation"),
]


@pytest.mark.parametrize(
    ("kind", "method", "planted", "notebook", "message"),
    WRONG,
    ids=[f"{kind.__name__}.{method}" for kind, method, *_ in WRONG],
)
def test_a_wrong_sign_fails_on_an_assertion_in_a_notebook(
    kind, method, planted, notebook, message, run_notebook, monkeypatch
):
    path = NOTEBOOKS / f"{notebook}.md"
    monkeypatch.setattr(kind, method, planted(getattr(kind, method)))
    with pytest.raises(AssertionError, match=message) as raised:
        run_notebook(path)
    assert Path(raised.traceback[-1].path) == path  # the assertion stands in the notebook itself

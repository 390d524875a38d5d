"""Clipping by the norm of the gradient: hand-worked factors, what it scales under each rule, and what follows it."""

import numpy as np
import pytest

from bdfa_np import Config, Trainer, build_model
from bdfa_np.backend.cpu.backend import NumpyBackend
from bdfa_np.backend.cpu.elementwise import BLOCK
from bdfa_np.errors import ConfigError
from bdfa_np.optim import SGD
from bdfa_np.rules import FA, RULES

X = np.random.default_rng(0).random((8, 3, 3, 1))
LABELS = np.arange(8) % 4


class NoBatches:
    """For trainers that are given their batches one by one."""

    def __len__(self):
        return 0

    def epoch(self, number):
        return iter(())


def trained_one_step(gradient, **options):
    """Return a model after one step of plain descent at rate 1, and what it was before."""
    given = {"optimization": "sgd", "lr": 1.0, "nonlin": "relu", "num_hidden": 6, **options}
    model = build_model(Config(gradient=gradient, **given), X.shape[1:], 4, dtype="float64")
    before = model.network.weights.state() | model.rule.feedback.state()
    model.trainer(NoBatches(), NoBatches()).step(X, LABELS)
    after = model.network.weights.state() | model.rule.feedback.state()
    return {name: before[name] - array for name, array in after.items()}, before, model


def norm(steps, model):
    return np.sqrt(sum((steps[name] ** 2).sum() for name in model.network.weights))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_vectors_are_scaled_by_the_factor_that_brings_the_first_to_the_bound(dtype):
    backend = NumpyBackend(dtype)
    first, second = np.array([3.0, -4.0], dtype), np.array([1.0, 10.0], dtype)
    backend.clip_norm([first, second], 2.5)
    assert first.tolist() == [1.5, -2.0]
    assert second.tolist() == [0.5, 5.0]
    backend.clip_norm([first, second], 2.5)
    backend.clip_norm([first, second], 7.0)
    assert first.tolist() == [1.5, -2.0]


def test_the_norm_is_of_all_blocks_and_of_squares_that_float32_could_not_hold():
    backend, size = NumpyBackend(), 2 * BLOCK + 17
    vector = np.full(size, 1e30, np.float32)
    backend.clip_norm([vector], 1.0)
    np.testing.assert_allclose(vector, size**-0.5, rtol=1e-6)


@pytest.mark.parametrize("criterion", ["bce", "ce", "mse"])
@pytest.mark.parametrize("rule", RULES)
def test_a_step_is_the_unclipped_one_scaled_to_the_bound(rule, criterion):
    (free, _, model), (clipped, _, _) = (
        trained_one_step(rule, criterion=criterion, **more) for more in ({}, {"clip_norm": 1e-2})
    )
    length = norm(free, model)
    assert length > 2e-2
    for name in model.network.weights:
        np.testing.assert_allclose(clipped[name], free[name] * 1e-2 / length, rtol=1e-10, atol=1e-16)
    # bfa and bdfa train their feedback by errors of its own.
    factor = 1e-2 / length if rule in ("kp", "pfa") else 1
    for name in model.rule.feedback if rule != "wm" else ():  # which learns from the weights as they are then
        np.testing.assert_allclose(clipped[name], free[name] * factor, rtol=1e-10, atol=1e-16)


@pytest.mark.parametrize("rule", RULES)
def test_a_bound_that_is_not_reached_changes_no_bit(rule):
    (free, _, _), (clipped, _, _) = (trained_one_step(rule, **more) for more in ({}, {"clip_norm": 1e6}))
    assert all((free[name] == clipped[name]).all() for name in free)


def test_weight_decay_is_added_after_clipping():
    (clipped, _, _), (both, before, model) = (
        trained_one_step("bp", clip_norm=1e-3, **more) for more in ({}, {"weight_decay": 0.5})
    )
    for name in model.network.weights:
        np.testing.assert_allclose(both[name], clipped[name] + 0.5 * before[name], rtol=1e-10, atol=1e-16)


class KolenPollack(FA):
    """Feedback that gets the gradient of the weights, as docs/rules.md has it."""

    trains_feedback = True
    starts_at_zero = False

    @property
    def trained(self):
        return [self.network.weights, self.feedback]

    @property
    def clipped(self):
        return self.trained

    def train_feedback(self, result):
        for layer in self.feedback_layers():
            self.feedback.gradient(f"{layer.name}.B")[...] = layer.dW


def test_feedback_whose_gradient_is_the_weights_own_is_scaled_by_the_same_factor_and_not_in_the_norm():
    model = build_model(Config(gradient="bp", num_hidden=6), X.shape[1:], 4, dtype="float64")
    rule = KolenPollack(model.network)
    parts = {"network": model.network, "rule": rule, "loss": model.loss, "optimizer": SGD(rule.trained, 1.0)}
    before, feedback = model.network.weights.state(), rule.feedback.state()
    Trainer(**parts, train=NoBatches(), test=NoBatches(), clip_norm=1e-2).step(X, LABELS)
    steps = {name: before[name] - array for name, array in model.network.weights.state().items()}
    assert norm(steps, model) == pytest.approx(1e-2, rel=1e-10)
    for name, array in rule.feedback.state().items():
        np.testing.assert_allclose(feedback[name] - array, steps[name.replace(".B", ".W")], rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize("bound", [0.0, -1.0, float("inf"), float("nan")])
def test_a_bound_that_is_none_is_refused(bound):
    with pytest.raises(ConfigError, match="--clip-norm must be a finite number greater than 0"):
        Config(clip_norm=bound).resolve()

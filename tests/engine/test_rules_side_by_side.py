"""Several rules that look at one net, and rules with buffers, phases and an optimizer of their own."""

import numpy as np
import pytest

from bdfa_np import (
    BDFA,
    BP,
    DFA,
    FA,
    SGD,
    Adam,
    BinaryCrossEntropy,
    Config,
    ErrorFeedback,
    Flatten,
    Linear,
    Sequential,
    Tanh,
    Trainer,
    alignment_angle,
)
from bdfa_np.data import Batches
from bdfa_np.errors import TrainingError
from bdfa_np.model import assemble

RNG = np.random.default_rng(3)
X = RNG.random((12, 2, 3, 1))
LABELS = RNG.integers(0, 3, size=12)


def make_network(backend):
    layers = [Flatten(), Linear(5), Tanh(), ErrorFeedback(), Linear(4), Tanh(), ErrorFeedback(), Linear(3)]
    return Sequential(layers, X.shape[1:], backend=backend, rng=2)


def close(actual, expected, tolerance=1e-12):
    assert np.abs(actual - expected).max() <= tolerance * np.abs(expected).max()


def test_three_rules_on_one_net_give_their_own_deltas_for_one_batch(backend):
    network = make_network(backend)
    rules = {"fa": FA(network), "dfa": DFA(network), "bp": BP(network)}
    result = BinaryCrossEntropy(backend)(network.forward(X), LABELS)
    deltas = {name: rule.deltas(result) for name, rule in rules.items()}
    e, slope = result.error, {n: 1 - network[f"tanh{n}"].y ** 2 for n in (1, 2)}
    W, fa, dfa = network.weights, rules["fa"].B, rules["dfa"].B
    close(deltas["bp"]["linear2"], (e @ W["linear3.W"].T) * slope[2])
    close(deltas["bp"]["linear1"], (deltas["bp"]["linear2"] @ W["linear2.W"].T) * slope[1])
    close(deltas["fa"]["linear2"], (e @ fa["linear3"].T) * slope[2])
    close(deltas["fa"]["linear1"], (deltas["fa"]["linear2"] @ fa["linear2"].T) * slope[1])
    close(deltas["dfa"]["linear2"], (e @ dfa["feedback2"]) * slope[2])
    close(deltas["dfa"]["linear1"], (e @ dfa["feedback1"]) * slope[1])
    assert 0 < alignment_angle(deltas["fa"]["linear1"], deltas["bp"]["linear1"]) < 180


def test_a_second_rule_on_a_net_leaves_the_first_ones_feedback_alone(backend):
    network = make_network(backend)
    first = FA(network)
    before = first.feedback.values.copy()
    second = FA(network, magnitude=0.3)
    assert (first.feedback.values == before).all()
    assert np.abs(second.feedback.values).max() > np.abs(before).max() / 2
    second.feedback.values[...] = 0
    assert (first.feedback.values == before).all()


def test_layers_hold_no_feedback(backend):
    network = make_network(backend)
    for make in (FA, DFA, BDFA):
        make(network)
    assert not [layer.name for layer in network if hasattr(layer, "B")]


class Watching(DFA):
    """DFA with all that a rule may have of its own: a phase, a buffer, and an optimizer over its feedback."""

    name = "watching"

    def __init__(self, network):
        super().__init__(network)
        self.draw_feedback(self.sites, trained=True)
        self.optimizers = [Adam([self.feedback], 0.01)]
        self.mean_error = self.backend.zeros(network.output_shape)
        self.calls = []

    def buffers(self):
        return {"mean_error": self.mean_error}

    def before_training(self, batches):
        for x, labels in batches:
            self.calls.append(("before", len(x), len(labels)))

    def train_feedback(self, result):
        for site in self.sites:
            h = site.h.reshape(len(result.error), -1)
            self.feedback.gradient(f"{site.name}.B")[...] = result.error.T @ h

    def after_step(self):
        self.mean_error += 0.1 * (self.result.error.mean(axis=0) - self.mean_error)
        self.calls.append(("after", self.optimizers[0].steps))


def make_trainer(backend, rule=Watching, **options):
    network = make_network(backend)
    learner = rule(network)
    batches = Batches(X, LABELS, 4, dtype="float64")
    optimizer = SGD(learner.trained, 0.1)
    loss = BinaryCrossEntropy(backend)
    return Trainer(
        network=network, rule=learner, loss=loss, optimizer=optimizer, train=batches, test=batches, **options
    )


def test_a_phase_comes_before_the_first_step_and_a_hook_after_each(backend):
    trainer = make_trainer(backend)
    for _ in trainer.run(2):
        pass
    assert trainer.rule.calls == [("before", 4, 4)] * 3 + [("after", step) for step in range(1, 7)]


def test_a_run_that_goes_on_has_no_second_phase(backend):
    trainer = make_trainer(backend)
    trainer.progress.epoch = 1
    for _ in trainer.run(2):
        pass
    assert "before" not in {call[0] for call in trainer.rule.calls}


def test_a_rules_own_optimizer_trains_its_feedback_at_its_own_rate_and_is_halved_with_the_other(backend):
    trainer = make_trainer(backend, epoch_step=1)
    before = trainer.rule.feedback.values.copy()
    for _ in trainer.run(1):
        pass
    moved = np.abs(trainer.rule.feedback.values - before)
    assert 0 < moved.max() <= 3 * 0.01 * 1.001  # Adam's steps are as long as its rate
    assert trainer.optimizer.learning_rate == 0.05
    assert trainer.rule.optimizers[0].learning_rate == 0.005


def test_buffers_and_the_own_optimizers_state_go_out_by_name_and_come_back(backend):
    straight, stopped, resumed = (make_trainer(backend, epoch_step=2) for _ in range(3))
    for _ in straight.run(4):
        pass
    for _ in stopped.run(2):
        pass
    model, other = (assemble_like(trainer) for trainer in (stopped, resumed))
    assert set(model.state()["rule"]) == {
        "mean_error",
        "optimizer1.0.m",
        "optimizer1.0.v",
    }
    assert model.state()["rule_counters"] == {"optimizer1.learning_rate": 0.005, "optimizer1.steps": 6.0}
    other.load_state(model.state())
    resumed.progress = stopped.progress
    for _ in resumed.run(4):
        pass
    assert (resumed.network.weights.values == straight.network.weights.values).all()
    assert (resumed.rule.feedback.values == straight.rule.feedback.values).all()
    assert (resumed.rule.mean_error == straight.rule.mean_error).all()


def assemble_like(trainer):
    """Return the model around a trainer's own objects."""
    from dataclasses import replace

    model = assemble(Config(gradient="dfa", criterion="bce", optimization="sgd", lr=0.1).resolve(), trainer.network)
    return replace(model, rule=trainer.rule, optimizer=trainer.optimizer, loss=trainer.loss)


def test_state_of_another_rule_is_refused(backend):
    trainer = make_trainer(backend)
    with pytest.raises(ValueError, match="missing: mean_error, optimizer1"):
        trainer.rule.load_state({}, {})


def test_feedback_that_is_no_longer_finite_ends_training(backend):
    class Exploding(Watching):
        def after_step(self):
            if self.optimizers[0].steps == 3:  # the epoch's last: nothing is computed with it any more
                self.feedback.values[0] = np.inf

    trainer = make_trainer(backend, Exploding)
    with pytest.raises(TrainingError, match="a weight is no longer a finite number after epoch 1"):
        for _ in trainer.run(1):
            pass

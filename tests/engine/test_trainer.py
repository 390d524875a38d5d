"""The epoch loop: its figures, its early stops, and what it does when numbers run away."""

from dataclasses import asdict

import numpy as np
import pytest

from bdfa_np import BP, Config, Trainer, build_model
from bdfa_np.backend.cpu.backend import NumpyBackend
from bdfa_np.batches import evaluate
from bdfa_np.data import Augmentation
from bdfa_np.errors import TrainingError
from bdfa_np.random_streams import Streams
from bdfa_np.trainer import EpochRecord

GENERATOR = np.random.default_rng(0)
X = GENERATOR.random((50, 3, 3, 1), np.float32)
LABELS = X.reshape(50, 9)[:, :4].argmax(axis=1)


class ArrayBatches:
    """Batches of 8 of the arrays above, in an order that turns with the epoch; the last has 2."""

    def __len__(self):
        return 7

    def epoch(self, number):
        order = np.roll(np.arange(50), number)
        for start in range(0, 50, 8):
            chosen = order[start : start + 8]
            yield X[chosen], LABELS[chosen]


def make_trainer(epoch_step=-1, on_batch=None, augment=None, test=True, **options):
    model = build_model(Config(num_hidden=12, lr=1e-2, **options), X.shape[1:], 4)
    parts = {"network": model.network, "rule": model.rule, "loss": model.loss, "optimizer": model.optimizer}
    hooks = {"augment": augment, "on_batch": on_batch}
    test_batches = ArrayBatches() if test else None
    return Trainer(**parts, train=ArrayBatches(), test=test_batches, epoch_step=epoch_step, **hooks)


def scripted(trainer, errors):
    """Let the trainer believe in these training errors, so that its schedule alone is under test."""
    given = iter(errors)
    trainer._train_epoch = lambda _epoch: (0.5, next(given))
    return trainer


@pytest.mark.parametrize("gradient", ["bp", "fa", "dfa", "bfa", "bdfa"])
def test_every_rule_learns_to_name_the_brightest_of_four_pixels(gradient):
    records = list(make_trainer(gradient=gradient).run(60))
    assert records[-1].train_loss < 0.6 * records[0].train_loss
    assert records[-1].test_error < 0.2


def test_without_test_samples_the_training_is_the_same_and_the_figures_of_testing_are_no_numbers():
    tested, untested = make_trainer(), make_trainer(test=False)
    for record, other in zip(tested.run(3), untested.run(3), strict=True):
        figures = ("epoch", "lr", "train_loss", "train_error", "train_error_mean")
        assert [getattr(record, name) for name in figures] == [getattr(other, name) for name in figures]
        assert np.isnan([other.test_loss, other.test_error]).all()
    assert (tested.network.weights.values == untested.network.weights.values).all()
    assert untested.confusion.total == 0


def test_without_test_samples_a_weight_that_is_no_number_ends_training_and_is_named():
    trainer = make_trainer(test=False)
    trainer.on_batch = lambda step: trainer.network.weights.values.fill(np.nan if step == 7 else 0)
    with pytest.raises(TrainingError, match="a weight is no longer a finite number after epoch 1"):
        list(trainer.run(1))


def test_training_figures_are_means_over_samples_each_seen_before_its_own_update():
    trainer, copy = make_trainer(gradient="bp"), make_trainer(gradient="bp")
    losses, wrong = [], 0
    for x, labels in ArrayBatches().epoch(1):
        logits = copy.network.predict(x)
        o, t = logits.astype(np.float64), np.eye(4)[labels]
        losses += list((np.logaddexp(0, o) - t * o).mean(axis=1))
        wrong += int((logits.argmax(axis=1) != labels).sum())
        copy.step(x, labels)
    (record,) = trainer.run(1)
    assert record.train_loss == pytest.approx(np.mean(losses), rel=1e-6)
    assert record.train_error == wrong / 50
    assert record.train_error_mean == 0.75 + 0.25 * wrong / 50


def test_a_step_of_nag_takes_its_gradient_at_the_look_ahead_point():
    trainer = make_trainer(gradient="bp", optimization="nag", momentum=0.9)
    network = make_trainer(gradient="bp", optimization="nag", momentum=0.9).network
    w, v = network.weights.values.copy(), 0
    for x, labels in ArrayBatches().epoch(1):
        trainer.step(x, labels)
        network.weights.values[...] = w + np.float32(0.9) * v
        network.forget_gradients()
        BP(network).backward(trainer.loss(network.forward(x), labels))
        v = np.float32(0.9) * v - np.float32(1e-2) * network.weights.gradients
        w = w + v
        np.testing.assert_allclose(trainer.network.weights.values, w, rtol=0, atol=1e-5)


def test_test_figures_are_those_of_an_evaluation_after_the_epoch():
    trainer = make_trainer()
    *_, record = trainer.run(2)
    loss, confusion = evaluate(trainer.network, trainer.loss, ArrayBatches())
    predictions = trainer.network.predict(X).argmax(axis=1)
    assert (record.test_loss, record.test_error) == (loss, confusion.error_rate)
    assert record.test_error == pytest.approx((predictions != LABELS).mean())
    assert (trainer.confusion.counts == confusion.counts).all()
    assert confusion.total == 50


def test_evaluation_changes_no_weight():
    trainer = make_trainer()
    list(trainer.run(1))
    before = trainer.network.weights.values.copy()
    evaluate(trainer.network, trainer.loss, ArrayBatches())
    assert (trainer.network.weights.values == before).all()


def test_the_observer_hears_of_every_step():
    heard = []
    list(make_trainer(on_batch=heard.append).run(2))
    assert heard == [1, 2, 3, 4, 5, 6, 7] * 2


def test_the_number_of_epochs_counts_from_the_runs_beginning():
    trainer = make_trainer()
    assert [record.epoch for record in trainer.run(2)] == [1, 2]
    assert [record.epoch for record in trainer.run(3)] == [3]
    assert list(trainer.run(3)) == []


def test_a_run_is_the_same_in_one_go_and_in_two():
    whole, first = make_trainer(momentum=0.9, optimization="sgd"), make_trainer(momentum=0.9, optimization="sgd")
    together = list(whole.run(4))
    parts = [*first.run(1), *first.run(4)]
    for one, other in zip(together, parts, strict=True):
        assert {**asdict(one), "seconds": 0} == {**asdict(other), "seconds": 0}
    assert (whole.network.weights.values == first.network.weights.values).all()


def test_every_training_batch_is_augmented_once_and_no_test_batch():
    heard = []

    def augment(x, epoch, step):
        heard.append((epoch, step, x.copy()))
        return x

    list(make_trainer(augment=augment).run(2))
    given = [(epoch, step, x) for epoch in (1, 2) for step, (x, _) in enumerate(ArrayBatches().epoch(epoch), start=1)]
    for (*count, x), (*expected_count, expected) in zip(heard, given, strict=True):
        assert count == expected_count
        assert (x == expected).all()


@pytest.mark.parametrize("eps", [0, 0.1])
def test_what_augmentation_returns_is_what_is_learnt_and_reported(eps):
    def tilt(x, epoch, step):
        return 1 - x * np.float32(0.1 * epoch + 0.01 * step)

    trainer, plain = make_trainer(augment=tilt), make_trainer()
    trainer.eps = plain.eps = eps
    (record,) = trainer.run(1)
    for step, (x, labels) in enumerate(ArrayBatches().epoch(1), start=1):
        plain.step(tilt(x, 1, step), labels)
    assert (trainer.network.weights.values == plain.network.weights.values).all()
    assert record.train_loss == plain.tally.loss
    assert record.test_loss == evaluate(plain.network, plain.loss, ArrayBatches())[0]


def test_augmentation_is_given_arrays_of_the_networks_type():
    class DoubleBatches(ArrayBatches):
        def epoch(self, number):
            for x, labels in super().epoch(number):
                yield x.astype(np.float64), labels

    types = []

    def augment(x, _epoch, _step):
        types.append(x.dtype)
        return x

    trainer = make_trainer(augment=augment)
    trainer.train = DoubleBatches()
    list(trainer.run(1))
    assert types == [np.float32] * 7


def test_a_resumed_run_augments_its_batches_as_the_whole_run_did():
    def remembering(seen):
        augmentation = Augmentation(NumpyBackend(), Streams(0), (3, 3, 1))

        def augment(x, epoch, step):
            out = augmentation(x, epoch, step)
            seen[epoch, step] = out.copy()
            return out

        return augment

    whole, rest = {}, {}
    list(make_trainer(augment=remembering(whole)).run(3))
    resumed = make_trainer(augment=remembering(rest))
    resumed.progress.epoch = 2
    list(resumed.run(3))
    assert list(rest) == [(3, step) for step in range(1, 8)]
    for place, x in rest.items():
        assert (x == whole[place]).all()


def test_the_rate_is_halved_every_k_epochs():
    trainer = scripted(make_trainer(epoch_step=2), [0.5] * 6)
    assert [record.lr for record in trainer.run(6)] == [1e-2, 1e-2, 5e-3, 5e-3, 2.5e-3, 2.5e-3]


def test_without_an_epoch_step_the_rate_stays():
    trainer = scripted(make_trainer(), [0.9] * 12)
    assert {record.lr for record in trainer.run(12)} == {1e-2}


def test_the_feedback_rate_of_bdfa_is_never_halved():
    trainer = scripted(make_trainer(epoch_step=1), [0.5] * 3)
    before = trainer.rule.learning_rate
    list(trainer.run(3))
    assert trainer.optimizer.learning_rate == 1e-2 / 8
    assert trainer.rule.learning_rate == before


def test_the_rate_is_halved_whenever_the_training_error_reaches_its_running_mean():
    # Means: .75 + .25 · .2 = .8, then .65 (.2), .6875 (.8: above it), .565625 (.2).
    trainer = scripted(make_trainer(epoch_step=0), [0.2, 0.2, 0.8, 0.2])
    records = list(trainer.run(4))
    assert [record.train_error_mean for record in records] == pytest.approx([0.8, 0.65, 0.6875, 0.565625])
    assert [record.lr for record in records] == [1e-2, 1e-2, 1e-2, 5e-3]


def test_an_error_equal_to_its_running_mean_halves_the_rate():
    trainer = scripted(make_trainer(epoch_step=0), [1.0, 1.0])
    assert [record.lr for record in trainer.run(2)] == [1e-2, 5e-3]


@pytest.mark.parametrize("epochs", [30, -1])
def test_training_ends_one_epoch_after_the_eighth_halving(epochs):
    trainer = scripted(make_trainer(epoch_step=0), [1.0] * 30)
    rates = [record.lr for record in trainer.run(epochs)]
    assert rates == [1e-2 / 2**k for k in range(9)]
    assert trainer.progress.stop_reason == "the learning rate was halved 8 times"
    assert list(trainer.run(40)) == []


@pytest.mark.parametrize("epochs", [200, -1])
@pytest.mark.parametrize("epoch_step", [-1, 0, 1000])
def test_training_ends_when_the_running_mean_is_at_most_one_in_ten_thousand(epochs, epoch_step):
    trainer = scripted(make_trainer(epoch_step=epoch_step), [0.0] * 200)
    records = list(trainer.run(epochs))
    assert len(records) == 33  # 0.75 to the 32nd is 1.004e-4, to the 33rd 7.5e-5
    assert "at most 0.0001" in trainer.progress.stop_reason


@pytest.mark.parametrize("spoil", [np.nan, np.inf])
def test_a_loss_that_is_no_number_stops_training_and_names_the_step(spoil):
    trainer = make_trainer()
    list(trainer.run(1))
    seen = []

    def spoil_weights(step):
        seen.append(step)
        if step == 3:
            trainer.network["linear3"].b[...] = spoil

    trainer.on_batch = spoil_weights
    with pytest.raises(TrainingError, match=r"the loss is (nan|inf) at step 4 of epoch 2 \(step 11 of the run\)"):
        list(trainer.run(2))
    assert seen == [1, 2, 3]
    assert trainer.progress.epoch == 1


def test_a_weight_spoiled_by_an_epochs_last_step_is_found_before_the_epoch_counts():
    trainer = make_trainer()
    feedback = trainer.rule.feedback.values

    def spoil_feedback(step):
        if step == 7:
            feedback[0] = np.nan

    trainer.on_batch = spoil_feedback
    with pytest.raises(TrainingError, match="no longer a finite number after epoch 1"):
        list(trainer.run(1))
    assert trainer.progress.epoch == 0


def test_records_hold_pythons_own_numbers():
    (record,) = make_trainer().run(1)
    assert isinstance(record, EpochRecord)
    assert {type(value) for value in asdict(record).values()} == {int, float}

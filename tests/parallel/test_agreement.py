"""However many processes share a batch, the same is learnt: by every rule and optimizer, to rounding."""

import numpy as np
import pytest
from in_threads import together

from bdfa_np import BatchNorm, Config, Dropout, Linear, Sequential, Tanh, build_model, load_dataset
from bdfa_np.layers import ErrorFeedback
from bdfa_np.losses import CrossEntropy
from bdfa_np.optim import SGD
from bdfa_np.rules import RULES
from bdfa_np.trainer import Trainer

TOLERANCE = 1e-11
SIZES = (2, 4)
OPTIMIZERS = {"sgd": 1e-2, "rmsprop": 1e-4, "adam": 1e-4}
NETS = {
    "mlp": {"network": "mlp", "num_layers": 2, "num_hidden": 12, "dropout": 1, "input_dropout": 0.1},
    "lenet": {"network": "lenet"},
}


class Batches:
    """Twenty batches, of which each fifth is smaller, and cut into uneven shares."""

    def __init__(self, shape):
        data = load_dataset("mnist-5k")
        side = shape[0]
        images = np.zeros((250, side, side, 1))
        images[:, : min(side, 28), : min(side, 28)] = data.train_images[:250, : min(side, 28), : min(side, 28)] / 255
        self.parts, start = [], 0
        for number in range(20):
            stop = start + (7 if number % 5 == 4 else 12)
            self.parts.append((images[start:stop], data.train_labels[start:stop].astype("int64")))
            start = stop

    def __len__(self):
        return len(self.parts)

    def epoch(self, number):
        yield from self.parts


def learnt(team, options, shape, batches):
    """Return the weights and the feedback after twenty steps, and the epoch's record and confusion."""
    model = build_model(Config(**options).resolve(), shape, 10, dtype="float64")
    trainer = model.trainer(batches, batches)
    trainer.team = team
    (record,) = trainer.run(1)
    return model.network.weights.values, model.rule.feedback.values, record, trainer.confusion.counts


def check(options, shape, sizes=SIZES):
    batches = Batches(shape)
    W, B, record, counts = learnt(None, options, shape, batches)
    for size in sizes:
        each = together(size, lambda team: learnt(team, options, shape, batches))
        for found in each:
            np.testing.assert_allclose(found[0], W, rtol=0, atol=TOLERANCE)
            np.testing.assert_allclose(found[1], B, rtol=0, atol=TOLERANCE)
            assert (found[0] == each[0][0]).all()
            assert found[2].train_loss == pytest.approx(record.train_loss, abs=1e-9)
            assert found[2].test_loss == pytest.approx(record.test_loss, abs=1e-9)
            assert (found[3] == counts).all()


def options_of(net, rule, optimizer, **more):
    return {
        **NETS[net],
        "gradient": rule,
        "criterion": "ce",
        "optimization": optimizer,
        "lr": OPTIMIZERS[optimizer],
        "batch_size": 12,
        "seed": 3,
        **more,
    }


@pytest.mark.parametrize("net", NETS)
@pytest.mark.parametrize("rule", RULES)
def test_every_rule_learns_the_same_over_two_and_four_processes(net, rule):
    if rule == "ifa" and net != "mlp":
        pytest.skip("ifa is for fully connected nets")
    shape = (8, 8, 1) if net == "mlp" else (32, 32, 1)
    for optimizer in OPTIMIZERS:
        check(options_of(net, rule, optimizer), shape)


@pytest.mark.parametrize(
    ("rule", "more"),
    [
        ("dfa", {"eps": 0.05, "acc_gradient": True}),
        ("bp", {"max_in_norm": 0.5, "max_out_norm": 0.4}),
        ("kp", {"clip_norm": 0.05, "weight_decay": 1e-3}),
        ("bp", {"criterion": "bce"}),
        ("bp", {"criterion": "mse"}),
        ("fdfa", {"feedback_optimizer": "adam"}),
        ("dkp", {"feedback_optimizer": "adam"}),
        ("bdfa", {"feedback_target": "torch"}),
        ("bdfa", {"feedback_sparsity": 3}),
        ("bfa", {"feedback_target": "mixed"}),
    ],
)
def test_other_options_change_nothing_about_that(rule, more):
    check(options_of("mlp", rule, "sgd") | more, (8, 8, 1))


def test_augmented_images_are_the_same_too():
    check(options_of("lenet", "bp", "sgd", augment=True), (32, 32, 1), sizes=(2,))


def test_as_many_processes_as_samples_and_a_number_that_divides_nothing():
    for size in (5, 7):
        check(options_of("mlp", "bdfa", "sgd"), (8, 8, 1), sizes=(size,))


def normalised(team, batches):
    """Return what a net with batch normalisation and dropout has learnt, and its running averages."""
    layers = [Linear(6), BatchNorm(), Tanh(), Dropout(0.3), ErrorFeedback(), Linear(10)]
    network = Sequential(layers, (64,), rng=1, backend=_float64())
    rule = RULES["bp"](network)
    loss = CrossEntropy(network.backend)
    optimizer = SGD(rule.trained, 0.02)
    trainer = Trainer(
        network=network, rule=rule, loss=loss, optimizer=optimizer, train=batches, test=batches, team=team
    )
    records = list(trainer.run(1))
    return network.weights.values, network.state(), records[-1].test_loss


def _float64():
    from bdfa_np.backend import make_backend

    return make_backend("numpy", "float64")


class Flat(Batches):
    def epoch(self, number):
        for x, labels in self.parts:
            yield x[:, :8, :8].reshape(len(x), -1) + np.linspace(0, 1, 64), labels


def test_batch_normalisation_takes_its_statistics_from_the_whole_batch():
    batches = Flat((8, 8, 1))
    W, state, loss = normalised(None, batches)
    for size in SIZES:
        for found in together(size, lambda team: normalised(team, batches)):
            np.testing.assert_allclose(found[0], W, rtol=0, atol=TOLERANCE)
            for name, array in state.items():
                np.testing.assert_allclose(found[1][name], array, rtol=0, atol=TOLERANCE)
            assert found[2] == pytest.approx(loss, abs=1e-9)


def locally_normalised():
    layers = [Linear(6), BatchNorm(), Tanh(), ErrorFeedback(), Linear(10)]
    network = Sequential(layers, (64,), rng=1, backend=_float64())
    network["batchnorm1"].local = True
    return network


def test_batch_normalisation_of_shares_is_that_of_so_many_smaller_batches():
    x, labels = next(Flat((8, 8, 1)).epoch(1))
    halves = [(x[:6], labels[:6]), (x[6:], labels[6:])]

    def step(team):
        network = locally_normalised()
        loss, rule = CrossEntropy(network.backend), RULES["bp"](network)
        one = Fixed([(x, labels)])
        optimizer = SGD(rule.trained, 0.5)
        trainer = Trainer(network=network, rule=rule, loss=loss, optimizer=optimizer, train=one, test=None, team=team)
        list(trainer.run(1))
        return network.weights.values, network.state()

    gradients, states = [], []
    for half in halves:
        network = locally_normalised()
        rule = RULES["bp"](network)
        rule.backward(CrossEntropy(network.backend)(network.forward(half[0]), half[1]))
        gradients.append(network.weights.gradients.copy())
        states.append(network.state())
    expected = locally_normalised().weights.values - 0.5 * (gradients[0] + gradients[1]) / 2
    for W, state in together(2, step):
        np.testing.assert_allclose(W, expected, rtol=0, atol=1e-13)
        for name, array in state.items():
            np.testing.assert_allclose(array, (states[0][name] + states[1][name]) / 2, rtol=0, atol=1e-13)


class Fixed:
    def __init__(self, parts):
        self.parts = parts

    def __len__(self):
        return len(self.parts)

    def epoch(self, number):
        yield from self.parts

"""Direct Kolen-Pollack: feedback with an optimizer of its own."""

import numpy as np
import pytest

from bdfa_np import DKP, SGD, BatchNorm, Config, Container, ErrorFeedback, Flatten, Linear, ReLU, Sequential
from bdfa_np import build_model as built
from bdfa_np.data import Batches
from bdfa_np.errors import ConfigError
from bdfa_np.losses import LOSSES, CrossEntropy
from bdfa_np.optim import OPTIMIZERS
from bdfa_np.runs.checkpoint import read_checkpoint

RNG = np.random.default_rng(2)
X = RNG.random((14, 5, 4, 2))
LABELS = np.arange(14) % 4
BATCHES = Batches(X, LABELS, 4, dtype="float64")


def make(**options):
    """Return the model of some options, in float64, and what trains it."""
    model = built(Config(gradient="dkp", **{"num_hidden": 9, **options}), X.shape[1:], 4, dtype="float64")
    return model, model.trainer(BATCHES, BATCHES)


def needed(name):
    return {"momentum": 0.5} if OPTIMIZERS[name].needs_momentum else {}


@pytest.mark.parametrize("decay", [0.0, 0.3])
@pytest.mark.parametrize("criterion", LOSSES)
def test_with_one_hidden_layer_feedback_comes_to_the_transposed_weights_as_fast_as_both_decay(criterion, decay):
    of_both = {"weight_decay": decay, "feedback_decay": decay, "optimization": "sgd", "lr": 0.05}
    model, trainer = make(num_layers=1, init="uniform", criterion=criterion, **of_both)
    B, W = model.rule.B["feedback1"], model.network["linear2"].W
    apart, weights = B - W.T, W.copy()
    list(trainer.run(5))  # of four steps each
    expected = (1 - 0.05 * decay) ** 20 * apart
    assert np.abs(B - W.T - expected).max() <= 1e-12 * np.abs(expected).max()
    assert np.abs(W - weights).max() > 0.01


@pytest.mark.parametrize("name", [name for name in OPTIMIZERS if name != "asgd"])  # which decays by itself
def test_with_one_hidden_layer_and_no_decay_their_distance_stays_under_every_optimizer(name):
    model, trainer = make(num_layers=1, init="uniform", optimization=name, lr=0.01, **needed(name))
    B, W = model.rule.B["feedback1"], model.network["linear2"].W
    apart, weights = B - W.T, W.copy()
    list(trainer.run(2))
    np.testing.assert_allclose(B - W.T, apart, rtol=0, atol=1e-12)
    assert np.abs(W - weights).max() > 1e-4


def test_at_a_rate_of_zero_it_is_dfa():
    model, trainer = make(feedback_lr=0.0)
    dfa = built(Config(gradient="dfa", num_hidden=9), X.shape[1:], 4, dtype="float64")
    before = model.rule.feedback.values.copy()
    list(trainer.run(2))
    list(dfa.trainer(BATCHES, BATCHES).run(2))
    assert (model.rule.feedback.values == before).all()
    assert (model.network.weights.values == dfa.network.weights.values).all()


SETTINGS = [
    ({"lr": 0.02}, "rmsprop", {"learning_rate": 0.02, "weight_decay": 0.0}),
    ({"optimization": "rprop"}, "rprop", {"learning_rate": 0.1}),
    ({"feedback_lr": 0.3, "feedback_decay": 0.1, "weight_decay": 9.0}, "rmsprop", {"learning_rate": 0.3}),
    ({"feedback_decay": 0.1, "weight_decay": 9.0}, "rmsprop", {"weight_decay": 0.1}),
    (
        {"optimization": "sgd", "momentum": 0.9, "dampening": 0.1, "lr_decay": 0.2},
        *("sgd", {"momentum": 0.9, "dampening": 0.1, "lr_decay": 0.2}),
    ),
    ({"optimization": "sgd", "momentum": 0.9}, "sgd", {"momentum": 0.9, "dampening": 0.9}),
    ({"optimization": "nag", "momentum": 0.9}, "nag", {"momentum": 0.9}),
    ({"optimization": "nag", "momentum": 0.9, "feedback_optimizer": "adam"}, "adam", {"learning_rate": 1e-4}),
    ({"optimization": "sgd", "momentum": 0.8, "feedback_optimizer": "nag"}, "nag", {"momentum": 0.8}),
    ({"feedback_optimizer": "sgd", "lr": 0.5}, "sgd", {"learning_rate": 0.5, "momentum": 0.0}),
]


@pytest.mark.parametrize(("options", "name", "settings"), SETTINGS)
def test_its_optimizer_is_the_nets_unless_said_otherwise_with_a_rate_and_a_decay_of_its_own(options, name, settings):
    model, _ = make(**options)
    (optimizer,) = model.rule.optimizers
    assert optimizer.name == name
    assert {setting: getattr(optimizer, setting) for setting in settings} == settings
    assert model.config.resolve() == model.config
    if "feedback_lr" not in options:
        assert optimizer.learning_rate == model.optimizer.learning_rate


def test_a_step_moves_feedback_by_the_error_times_the_activity_in_every_block(backend):
    layers = [Flatten(), Linear(6), BatchNorm(), ReLU(), ErrorFeedback(), Around(), ErrorFeedback(), Linear(4)]
    network = Sequential(layers, X.shape[1:], backend=backend)
    rule = DKP(network, learning_rate=0.1, decay=0.2, optimizer="sgd")
    before = rule.feedback.state()
    result = CrossEntropy(backend)(network.forward(X), LABELS)
    rule.backward(result)
    rule.train_feedback(result)
    rule.optimizers[0].step()
    for site in rule.sites:
        B = before[f"{site.name}.B"]
        dB = sum(np.outer(result.error[i], site.h[i].ravel()) for i in range(len(X)))
        np.testing.assert_allclose(rule.B[site.name], B - 0.1 * (dB + 0.2 * B), rtol=1e-12, atol=1e-15)


class Around(Container):
    """``y = x + F(x)``."""

    kind = "around"

    def __init__(self):
        super().__init__([Linear(6), ReLU()])

    def forward(self, x, train=True):
        return x + self.through(self.branches()[0], x, train)

    def carry_back(self, signal, walk):
        below = walk(self.branches()[0], signal)
        return signal if below is None else signal + below


def test_bounds_on_norms_and_on_the_gradient_leave_feedback_alone():
    steps = []
    for options in ({}, {"max_in_norm": 1e-3, "max_out_norm": 1e-3}, {"clip_norm": 1e-6}):
        model, trainer = make(optimization="sgd", lr=0.01, init="zero", **options)
        trainer.step(X, LABELS)
        steps.append(model.rule.feedback.state())
    for name, B in steps[0].items():
        assert (steps[1][name] == B).all()
        assert (steps[2][name] == B).all()
        assert np.linalg.norm(B, axis=0).min() > 0.01


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_entries_that_a_sparse_one_has_not_stay_zero_under_every_optimizer(name):
    decay = {"feedback_decay": 0.1} if "weight_decay" in OPTIMIZERS[name].options else {}
    options = {"optimization": name, "lr": 0.01, "feedback_sparsity": 2, **needed(name), **decay}
    model, trainer = make(init="uniform", **options)
    before = model.rule.feedback.values.copy()
    list(trainer.run(2))
    after, kept = model.rule.feedback.values, before != 0
    assert (kept.mean(), (after[~kept] == 0).all()) == (0.5, True)
    assert (after[kept] != before[kept]).all()


@pytest.mark.parametrize(
    ("options", "rates"),
    [
        ({"schedule": "step", "epoch_step": 1, "gamma": 4.0, "epochs": 4}, [1, 1 / 4, 1 / 16]),
        ({"warmup": 3}, [1 / 3, 2 / 3, 1]),
        ({"epoch_step": 1}, [1, 1 / 2, 1 / 4]),
        ({"lr_decay": 0.5}, [1, 1 / 3, 1 / 5]),
    ],
)
def test_whatever_changes_the_rate_of_the_net_changes_that_of_the_feedback_alike(options, rates):
    _, trainer = make(optimization="sgd", lr=0.08, feedback_lr=0.02, **options)
    found = []
    start = trainer._train_epoch

    def noted(epoch):
        found.append([optimizer.rate for optimizer in trainer.optimizers])
        return start(epoch)

    trainer._train_epoch = noted
    list(trainer.run(3))
    np.testing.assert_allclose(found, [[0.08 * rate, 0.02 * rate] for rate in rates], rtol=1e-12)


@pytest.mark.parametrize(
    "options",
    [
        ["--schedule", "step", "--epoch-step", 1, "--gamma", 3, "--feedback-optimizer", "adamax"],
        ["--epoch-step", 1, "--optimization", "nag", "--momentum", 0.9, "--feedback-sparsity", 2],
        ["--epoch-step", 2, "--optimization", "sgd", "--feedback-optimizer", "adam", "--feedback-decay", "1e-2"],
    ],
)
def test_a_resumed_run_equals_an_uninterrupted_one_its_own_optimizer_included(bdfa, result, tmp_path, options):
    options = ["--gradient", "dkp", "--lr", "3e-3", "--feedback-lr", "1e-2", *options]
    bdfa.train("whole", *options, "--epochs", 4)
    bdfa.train("parts", *options, "--epochs", 2)
    bdfa.resume("parts", "--epochs", 4)
    assert result(tmp_path / "parts") == result(tmp_path / "whole")
    kept = read_checkpoint(tmp_path / "parts" / "checkpoint.h5")
    assert kept.rule_counters["optimizer1.steps"] == kept.steps == 20
    if "--epoch-step" in options and "--schedule" not in options:
        assert kept.rule_counters["optimizer1.learning_rate"] < 1e-2


REFUSED = [
    ({"feedback_optimizer": "nag"}, "--feedback-optimizer nag takes the net's --momentum, and there is none: give it"),
    ({"feedback_optimizer": "cg"}, "--feedback-optimizer cg: choose from sgd, nag, "),
    ({"feedback_decay": -1.0}, "--feedback-decay must be a finite number of 0 or more, not -1.0"),
    ({"feedback_decay": 0.1, "optimization": "rprop"}, "--feedback-decay has no part in --feedback-optimizer rprop"),
    ({"feedback_decay": 0.1, "feedback_optimizer": "rprop"}, "--feedback-decay has no part in --feedback-optimizer"),
    ({"feedback_lr": -1.0}, "--feedback-lr must be a finite number of 0 or more"),
    ({"feedback_rank": 2}, "--feedback-rank has no part in --gradient dkp, only in dfa, sdfa, drtp: leave it out"),
    ({"feedback_shared": True}, "--feedback-shared has no part in --gradient dkp, only in dfa, sdfa, drtp: leave it"),
    ({"gradient": "dfa", "feedback_decay": 0.1}, "--feedback-decay has no part in --gradient dfa, only in dkp: leave"),
    ({"gradient": "bdfa", "feedback_optimizer": "sgd"}, "--feedback-optimizer has no part in --gradient bdfa, only in"),
]


@pytest.mark.parametrize(("options", "line"), REFUSED)
def test_options_that_have_no_part_are_refused_in_one_line(options, line):
    with pytest.raises(ConfigError) as caught:
        Config(**{"gradient": "dkp", **options}).resolve()
    assert str(caught.value).startswith(line)
    assert "\n" not in str(caught.value)


def test_what_no_optimizer_can_do_is_refused_from_python_too(backend):
    network = Sequential([Flatten(), Linear(3), ReLU(), ErrorFeedback(), Linear(4)], X.shape[1:], backend=backend)
    for given, line in (
        ({"optimizer": "cg"}, "unknown optimizer 'cg': choose from sgd, nag"),
        ({"optimizer": "rprop", "decay": 0.1}, "rprop has no weight decay: leave decay out"),
        ({"optimizer": "nag"}, "nag needs a momentum greater than 0"),
    ):
        with pytest.raises(ValueError, match=rf"^{line}"):
            DKP(network, **given)
    assert isinstance(DKP(network).optimizers[0], SGD)


def test_the_help_says_what_the_rate_is_where_it_is_not_given(bdfa):
    text = " ".join(bdfa("train", "--help").out.split())
    assert "bdfa 5e-05; dkp --lr;" in text
    shown = bdfa("train", "--dataset", "mnist-5k", "--gradient", "dkp", "--lr", 0.01, "--dry-run").out
    row = next(line for line in shown.splitlines() if "--feedback-lr" in line)
    assert [cell.strip() for cell in row.split("│")][1:4] == ["--feedback-lr", "0.01", "follows from the others"]


def test_of_a_file_the_rate_that_followed_from_another_is_left_out(bdfa, tmp_path):
    (tmp_path / "options.toml").write_text('gradient = "dkp"\nlr = 0.01\nfeedback_lr = 0.01\n')
    shown = bdfa("train", "--dataset", "mnist-5k", "--config", "options.toml", "--lr", 0.5, "--dry-run").out
    row = next(line for line in shown.splitlines() if "--feedback-lr" in line)
    assert "0.5" in row


def test_a_rule_from_outside_that_reads_an_option_which_no_run_has_is_told(bdfa, tmp_path):
    (tmp_path / "own.py").write_text("from bdfa_np import DFA\n\n\nclass Own(DFA):\n    reads = ('speed',)\n")
    line = bdfa.refused("train", "--dataset", "mnist-5k", "--gradient", "own.py", "--dry-run")
    assert line.endswith("own.py: it reads an option 'speed', which no run has")

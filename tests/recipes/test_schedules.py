"""Schedules: hand-worked rates, what goes with what, and runs that are resumed under them."""

import math
from pathlib import Path

import numpy as np
import pytest

from bdfa_np import Config, Trainer, build_model
from bdfa_np.cli.display import Display
from bdfa_np.errors import ConfigError
from bdfa_np.model import configured_schedule
from bdfa_np.optim import OPTIMIZERS, SGD
from bdfa_np.rules import DFA, RULES
from bdfa_np.rules.base import Rule
from bdfa_np.runs.checkpoint import read_checkpoint

X = np.random.default_rng(0).random((12, 3), np.float32)
LABELS = np.arange(12) % 3
CURVES = {
    "step": ({"schedule": "step", "epoch_step": 2}, [1, 1, 0.1, 0.1, 0.01, 0.01]),
    "step by 4": ({"schedule": "step", "epoch_step": 3, "gamma": 4.0}, [1, 1, 1, 0.25, 0.25, 0.25]),
    "multistep": ({"schedule": "multistep", "milestones": "1,4"}, [1, 0.1, 0.1, 0.1, 0.01, 0.01]),
    "cosine": ({"schedule": "cosine"}, [1, (1 + math.cos(math.pi / 6)) / 2, 0.75, 0.5, 0.25, 0.0669872981077807]),
    "warmup": ({"warmup": 4}, [0.25, 0.5, 0.75, 1, 1, 1]),
    "cosine after a warmup": (
        {"schedule": "cosine", "warmup": 2},
        [0.5, 0.933012701892219, 0.75, 0.5, 0.25, 0.06698730],
    ),
    "halving after a warmup": ({"epoch_step": 2, "warmup": 3}, [1 / 3, 2 / 3, 0.5, 0.5, 0.25, 0.25]),
}


class Batches:
    """Three batches of 4."""

    def __len__(self):
        return 3

    def epoch(self, number):
        for start in (0, 4, 8):
            part = np.roll(np.arange(12), number)[start : start + 4]
            yield X[part], LABELS[part]


def make(**options):
    model = build_model(Config(**{"num_hidden": 5, "lr": 0.1, "epochs": 6, **options}), (3,), 3)
    return model, model.trainer(Batches(), Batches())


@pytest.mark.parametrize("curve", CURVES)
def test_the_rate_of_each_epoch_is_the_one_worked_by_hand(curve):
    options, factors = CURVES[curve]
    _, trainer = make(**options)
    assert [record.lr for record in trainer.run(6)] == pytest.approx([0.1 * factor for factor in factors], rel=1e-7)


def test_epoch_step_alone_halves_as_it_always_did():
    _, trainer = make(epoch_step=2)
    assert [record.lr for record in trainer.run(6)] == [0.1, 0.1, 0.05, 0.05, 0.025, 0.025]
    assert trainer.schedule is None


@pytest.mark.parametrize("name", [name for name in OPTIMIZERS if OPTIMIZERS[name].follows_rate])
def test_a_step_under_a_schedule_is_a_step_at_the_rate_that_it_gives(name):
    momentum = {"momentum": 0.9} if OPTIMIZERS[name].needs_momentum else {}
    (_, scheduled), (plain, _) = (
        make(gradient="bp", optimization=name, **momentum, **more) for more in ({"warmup": 4}, {})
    )
    list(scheduled.run(1))
    plain.optimizer.learning_rate *= 0.25
    trainer = plain.trainer(Batches(), Batches())
    list(trainer.run(1))
    tolerance = 1e-6 if name == "asgd" else 0  # whose rate enters its own decay too
    found, expected = (one.network.weights.values for one in (scheduled, trainer))
    assert np.abs(found - expected).max() <= tolerance


class OwnOptimizer(DFA):
    """DFA with feedback that an optimizer of the rule's own trains."""

    def __init__(self, network):
        Rule.__init__(self, network)
        self.sites = [layer for layer in network.tree() if self.cuts(layer)]
        self.draw_feedback(self.sites, trained=True)
        self.optimizers = [SGD([self.feedback], 0.5)]


def test_the_rates_of_the_rules_own_optimizers_follow_alike():
    model = build_model(Config(gradient="dfa", num_hidden=5), (3,), 3)
    rule = OwnOptimizer(model.network)
    parts = {"network": model.network, "rule": rule, "loss": model.loss, "optimizer": SGD(rule.trained, 0.1)}
    trainer = Trainer(**parts, train=Batches(), test=Batches(), schedule=lambda done: 1 / (done + 1))
    seen = []
    for _ in trainer.run(3):
        seen.append([optimizer.rate for optimizer in trainer.optimizers])
    assert seen == [[0.1 / k, 0.5 / k] for k in (1, 2, 3)]


def test_the_feedback_rate_of_bdfa_which_no_optimizer_has_is_left_alone():
    model, trainer = make(gradient="bdfa", schedule="step", epoch_step=1, feedback_lr=0.01)
    list(trainer.run(3))
    assert model.rule.learning_rate == 0.01


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"schedule": "step"}, "--schedule step divides the rate every --epoch-step epochs: give one of 1 or more"),
        ({"schedule": "step", "epoch_step": 0}, "--schedule step divides the rate every --epoch-step epochs: give one"),
        ({"schedule": "multistep"}, "--schedule multistep divides the rate at --milestones: give them, as in 100,150"),
        (
            {"schedule": "cosine", "epochs": -1},
            "--schedule cosine comes to 0 at --epochs: give a number",
        ),
        ({"schedule": "cosine", "epoch_step": 3}, "--epoch-step has no part in --schedule cosine: leave it out"),
        ({"schedule": "cosine", "gamma": 2.0}, "--gamma is of --schedule step and multistep: leave it out"),
        ({"gamma": 2.0}, "--gamma is of --schedule step and multistep: leave it out, or give one of them"),
        ({"milestones": "3"}, "--milestones is of --schedule multistep: leave it out, or give that too"),
        ({"schedule": "linear"}, "--schedule linear: choose from step, multistep, cosine"),
        ({"warmup": -1}, "--warmup must be a whole number of 0 or more, not -1"),
        *(
            ({"schedule": "multistep", "milestones": text}, f"--milestones must be whole numbers .* not {text}")
            for text in ("", "a", "0", "-1", "3,3", "4,2", "1,,2", "1.5")
        ),
        *(
            (
                {"schedule": "step", "epoch_step": 1, "gamma": value},
                "--gamma must be a finite number greater than 1, by",
            )
            for value in (0.1, 1.0, -2.0, math.inf, math.nan)
        ),
        *(
            ({"optimization": "adam", "lr_decay": 0.1, **more}, f"--{name} and --lr-decay both change the rate: leave")
            for name, more in (("schedule", {"schedule": "cosine"}), ("warmup", {"warmup": 2}))
        ),
        *(
            ({"optimization": "rprop", **more}, f"--{name} has no part in --optimization rprop, which adapts its steps")
            for name, more in (("schedule", {"schedule": "cosine"}), ("warmup", {"warmup": 2}))
        ),
    ],
    ids=str,
)
def test_what_makes_no_schedule_is_refused_in_one_line(options, line):
    with pytest.raises(ConfigError, match=line):
        Config(**options).resolve()


def test_milestones_may_be_written_with_spaces_and_are_kept_without():
    config = Config(schedule="multistep", milestones="100, 150 ,200").resolve()
    assert (config.milestones, config.gamma) == ("100,150,200", 10.0)
    schedule = configured_schedule(config)
    assert [schedule(done) for done in (99, 100, 149, 150, 200)] == pytest.approx([1, 0.1, 0.1, 0.01, 0.001])


RECIPES = [
    "--schedule step --epoch-step 1 --gamma 3",
    "--schedule multistep --milestones 1,2",
    "--schedule cosine",
    "--schedule cosine --warmup 2",
    "--warmup 3 --epoch-step 2",
]


def recipes():
    """Yield each rule with each recipe; all but one of a rule's as slow ones."""
    for number, gradient in enumerate(RULES):
        for place, recipe in enumerate(RECIPES):
            usual = place == number % len(RECIPES)
            yield pytest.param(gradient, recipe, marks=() if usual else pytest.mark.slow)


@pytest.mark.parametrize(("gradient", "recipe"), list(recipes()))
def test_a_run_under_a_schedule_that_was_interrupted_is_resumed_bit_for_bit(bdfa, result, tiny, recipe, gradient):
    options = ["--gradient", gradient, "--optimization", "adam", "--lr", "1e-2", *recipe.split(), "--epochs", "4"]
    bdfa.train("whole", *options)
    with pytest.MonkeyPatch.context() as patch:
        steps = iter(range(100))

        def press(*_):
            if next(steps) == 12:  # in the third epoch, of five steps each
                raise KeyboardInterrupt

        patch.setattr(Display, "step", press)
        assert bdfa("train", *tiny, "--save", "parts", *options).code == 130
    assert read_checkpoint(Path("parts/checkpoint.h5")).progress.epoch == 2
    bdfa.resume("parts")
    assert result(Path("parts")) == result(Path("whole"))
    rates = {record.lr for record in read_checkpoint(Path("parts/checkpoint.h5")).history}
    assert len(rates) > 2


def test_a_cosine_that_is_resumed_keeps_its_epochs_and_other_schedules_may_go_on(bdfa):
    bdfa.train("cosine", "--schedule", "cosine", "--epochs", 1)
    line = bdfa.refused("train", "--save", "cosine", "--resume", "--epochs", 2)
    assert line == (
        "bdfa: error: --epochs 2 differs from the run's 1, at which its --schedule cosine has come to 0: "
        "resume it without --epochs, or begin another run from its weights with --load"
    )
    bdfa.resume("cosine", "--epochs", 1)
    bdfa.train("multistep", "--schedule", "multistep", "--milestones", "1", "--epochs", 1)
    bdfa.resume("multistep", "--epochs", 2)
    rates = [record.lr for record in read_checkpoint(Path("multistep/checkpoint.h5")).history]
    assert rates == pytest.approx([1e-4, 1e-5])


def test_a_list_of_milestones_in_a_file_is_told_what_to_be(bdfa):
    Path("recipe.toml").write_text('schedule = "multistep"\nmilestones = [1, 2]\n')
    line = bdfa.refused("train", "--dataset", "mnist-5k", "--config", "recipe.toml")
    assert "recipe.toml: option 'milestones' has a value of the wrong type: [1, 2]: str is wanted" in line


def test_a_run_says_in_its_heading_what_becomes_of_the_rate(bdfa):
    for number, (options, line) in enumerate(
        {
            "--schedule cosine --warmup 2": "lr grows over 2 epochs, falls along a cosine to 0 after 1 epoch",
            "--schedule step --epoch-step 3": "lr is divided by 10 every 3 epochs",
            "--schedule multistep --milestones 2,4 --gamma 2": "lr is divided by 2 after epochs 2,4",
        }.items()
    ):
        assert f"\n{line}\n" in bdfa.train(f"run{number}", *options.split(), "--epochs", 1).out
    assert "\nlr " not in bdfa.train("plain", "--epochs", 1).out


def test_a_halved_rate_gets_a_line_after_a_warmup_too_and_a_schedule_none(bdfa):
    out = bdfa.train("halved", "--warmup", 3, "--epoch-step", 1, "--epochs", 2).out
    assert "\nlearning rate halved: 0.0001 to 5e-05\n" in out
    options = ("--schedule", "step", "--gamma", 2, "--epoch-step", 1, "--epochs", 2)
    assert "halved" not in bdfa.train("scheduled", *options).out


def test_a_schedule_in_a_file_is_left_out_where_the_command_line_has_another(bdfa):
    bdfa.train("first", "--schedule", "multistep", "--milestones", "1", "--epochs", 1)
    outcome = bdfa("train", "--config", "first/config.toml", "--schedule", "cosine", "--save", "second")
    assert (outcome.code, outcome.err) == (0, "")
    assert "note: milestones = 1 of first/config.toml goes with another choice than yours: left out" in outcome.out
    assert "note: gamma = 10.0 of first/config.toml" in outcome.out

"""Shares of a batch, and what refuses to be cut."""

import re

import numpy as np
import pytest
from in_threads import together

from bdfa_np import DFA, Config, Linear, Sequential, build_model
from bdfa_np.backend.cuda.status import cupy_status
from bdfa_np.errors import ConfigError, RunError, TrainingError
from bdfa_np.parallel import leading
from bdfa_np.parallel.commands import Stage
from bdfa_np.parallel.leading import check_batches
from bdfa_np.parallel.share import WHOLE, Share
from bdfa_np.rules import RULES
from bdfa_np.rules.adding import check_adds_up
from bdfa_np.runs.teaming import sent


@pytest.mark.parametrize(("samples", "size"), [(64, 2), (64, 3), (7, 4), (4, 4), (100, 7)])
def test_shares_follow_one_another_and_differ_by_one_sample_at_most(samples, size):
    shares = together(size, lambda team: Share.of(team, samples))
    rows = [np.arange(samples)[share.rows] for share in shares]
    assert np.concatenate(rows).tolist() == list(range(samples))
    assert max(map(len, rows)) - min(map(len, rows)) <= 1
    assert {share.whole(len(own)) for share, own in zip(shares, rows, strict=True)} == {samples}


def test_who_computes_alone_has_all_and_adds_nothing():
    array = np.ones(3)
    WHOLE.sum(array)
    assert (WHOLE.whole(5), WHOLE.rows, array.tolist()) == (5, slice(None), [1, 1, 1])


def test_a_batch_that_leaves_a_process_without_samples_is_refused():
    team = together(4, lambda team: team)[0]
    check_batches(team, 64, 16, drop_last=False)
    check_batches(team, 67, 16, drop_last=True)
    with pytest.raises(ConfigError, match=r"a batch of 3 cannot be cut over 4 processes"):
        check_batches(team, 64, 3, drop_last=False)
    with pytest.raises(ConfigError, match=r"the last batch of an epoch has 3 samples.*--const-batch-size"):
        check_batches(team, 67, 16, drop_last=False)
    with pytest.raises(ConfigError, match=r"7 cannot be cut over 4 processes, each of which normalises by 2 samples"):
        check_batches(team, 64, 7, drop_last=False, least=2)


class Counting(DFA):
    name = "counting"

    def train_feedback(self, result):
        self.seen = len(result.error)


class Trained(DFA):
    name = "trained"

    def __init__(self, network):
        super().__init__(network)
        self.draw_feedback(self.sites, trained=True)


class Remembering(Linear):
    def state(self):
        return {"seen": self.W}


def test_a_rule_of_ones_own_that_may_not_add_up_is_refused_until_it_says_that_it_does():
    network = build_model(Config(num_hidden=5).resolve(), (4, 4, 1), 3).network
    with pytest.raises(ConfigError, match=r"counting does not say that its train_feedback adds up"):
        check_adds_up(network, Counting(network))
    Counting.across_processes = True
    check_adds_up(network, Counting(network))


def test_so_is_one_whose_feedback_has_gradients():
    network = build_model(Config(num_hidden=5).resolve(), (4, 4, 1), 3).network
    with pytest.raises(ConfigError, match=r"trained does not say that its feedback adds up"):
        check_adds_up(network, Trained(network))


def test_every_rule_of_the_package_adds_up():
    for kind in RULES.values():
        network = build_model(Config(num_hidden=5).resolve(), (4, 4, 1), 3).network
        check_adds_up(network, kind(network))


def test_a_layer_of_ones_own_that_carries_something_is_refused():
    network = Sequential([Remembering(4), Linear(3)], (5,))
    with pytest.raises(ConfigError, match=re.escape("carries something from batch to batch")):
        check_adds_up(network, build_model(Config(num_hidden=5).resolve(), (4, 4, 1), 3).rule)


def test_other_weights_in_one_process_end_training_in_all():
    def train(team):
        x, labels = np.random.default_rng(0).normal(size=(8, 4, 4, 1)), np.arange(8) % 3
        source = type("Source", (), {"__len__": lambda _: 1, "epoch": lambda *_: iter([(x, labels)])})()
        model = build_model(Config(num_hidden=5, lr=0.1).resolve(), (4, 4, 1), 3)
        trainer = model.trainer(source, None)
        trainer.team = team
        trainer.on_batch = lambda _: None
        if team.rank == 1:
            model.network.weights.values[0] += 1
        with pytest.raises(TrainingError, match=r"rank 1 of 2 has come to other weights than rank 0 in epoch 1"):
            list(trainer.run(1))

    together(2, train)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("data", {"train": "ff"}, r"rank 1 of 3 has another data: start all processes alike, with the same files"),
        ("NumPy", "1.0", r"rank 1 of 3 has another NumPy: 1.0, where rank 0 has "),
        (
            "command line",
            ["train", "--lr", "1"],
            r"rank 1 of 3 has another command line: train --lr 1, where",
        ),
    ],
)
def test_a_process_with_other_data_versions_or_options_is_named_and_nobody_goes_on(name, value, message):
    own = leading.facts({"train": "00"})

    def ready(team):
        if team.rank == 0:
            with pytest.raises(RunError, match=message):
                leading.agree(team, {"train": "00"})
            return False
        if team.rank == 1:
            team.gather(leading.Report("", {**own, name: value}))
            return False
        return leading.report(team, None, {"train": "00"})

    assert together(3, ready) == [False, False, False]


def test_a_process_that_cannot_make_ready_says_why_through_the_first_one():
    def ready(team):
        if team.rank:
            problem = RunError("its disk is full") if team.rank == 2 else None
            return leading.report(team, problem, {})
        with pytest.raises(RunError, match=r"rank 2 of 3 cannot train along: its disk is full"):
            leading.agree(team, {})
        return False

    assert together(3, ready) == [False, False, False]


def test_the_others_are_told_where_to_compute_whatever_auto_would_come_to_there():
    def task(team):
        if team.rank:
            return team.copy(None).config.backend
        sent(team, Config(backend="auto", threads=1).resolve())
        return team.stage

    stage, backend = together(2, task)
    assert (stage, backend) == (Stage.REPORTING, "numpy" if cupy_status() else "cupy")

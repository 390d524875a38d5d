"""Whoever is killed, and whenever: a sweep comes to the same digits, and nothing is trained to its end twice."""

import os
import random

import pytest

pytestmark = pytest.mark.skipif(os.name == "nt", reason="nobody is killed by a signal there")

WHO = ["worker", "worker", "worker", "scheduler", "client"]


def plan_of(state, victims, last):
    """Return after how many events each is killed, at random, in random order."""
    order = state.sample(victims, len(victims))
    return [(state.randint(2, last), victim) for victim in order]


@pytest.mark.slow
def test_a_sweep_whose_worker_scheduler_and_client_are_killed_comes_to_the_digits_of_an_undisturbed_one(
    disturbed, undisturbed, sweep, same_digits
):
    plan = [(6, "worker"), (8, "scheduler"), (6, "client")]
    swept = disturbed(8, workers=2)
    swept.run(plan, random.Random(1))
    same_digits(swept.root, undisturbed(8), sweep(8))


@pytest.mark.slow
def test_runs_that_are_brought_back_come_to_the_same_digits_whoever_is_killed(
    disturbed, by_hand, undisturbed, sweep, same_digits
):
    swept = disturbed(4, by_hand, scheduler=str(by_hand.file), collect=True)
    swept.run([(5, "worker"), (6, "client")], random.Random(2))
    same_digits(swept.root, undisturbed(4), sweep(4))
    assert [path.name for path in (by_hand.folder / "runs").iterdir() if path.is_dir()] == []


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_three_workers_the_scheduler_and_the_client_are_killed_at_random(
    disturbed, undisturbed, sweep, same_digits, seed
):
    state = random.Random(seed)
    swept = disturbed(24, workers=2)
    swept.run(plan_of(state, WHO, 30), state)
    same_digits(swept.root, undisturbed(24), sweep(24))


@pytest.mark.slow
@pytest.mark.parametrize("collect", [True, False])
@pytest.mark.parametrize("seed", range(5))
def test_of_a_cluster_started_by_hand_they_are_killed_at_random(
    disturbed, by_hand, undisturbed, sweep, same_digits, seed, collect
):
    state = random.Random(seed)
    swept = disturbed(24, by_hand, scheduler=str(by_hand.file), collect=collect)
    swept.run(plan_of(state, WHO, 30), state)
    same_digits(swept.root, undisturbed(24), sweep(24))

"""What random trials are: drawn as the space says, and each from the seed, the cell and its number alone."""

from collections import Counter
from itertools import product
from math import log

import pytest
from scipy.stats import chisquare, kstest

from bdfa_np.study.search.settings import Search
from bdfa_np.study.search.space import read_space
from bdfa_np.study.search.trials import drawn, known_beforehand

NUMBER = 2000


def values(name, said, cell="bp", seed=0):
    space = read_space({name: said})
    return [drawn(cell, number, space, seed)[name] for number in range(NUMBER)]


def test_a_rate_is_drawn_evenly_by_magnitude():
    found = values("lr", {"low": 1e-5, "high": 1e-1, "log": True})
    assert kstest([log(value) for value in found], "uniform", args=(log(1e-5), log(1e4))).pvalue > 0.01
    assert all(1e-5 <= value <= 1e-1 for value in found)
    assert all(float(f"{value:.6g}") == value for value in found)


def test_a_range_without_log_is_drawn_evenly():
    found = values("lr", {"low": 0.5, "high": 2})
    assert kstest(found, "uniform", args=(0.5, 1.5)).pvalue > 0.01


@pytest.mark.parametrize("log_", [False, True])
def test_whole_numbers_have_both_ends(log_):
    counts = Counter(values("num_hidden", {"low": 1, "high": 4, "log": log_}))
    # By magnitude, a number has the share of its half units below and above.
    shares = [log((k + 0.5) / (k - 0.5)) / log(9) if log_ else 1 / 4 for k in range(1, 5)]
    assert chisquare([counts[k] for k in range(1, 5)], [NUMBER * share for share in shares]).pvalue > 0.01
    assert set(counts) == {1, 2, 3, 4}


def test_choices_come_equally_often_in_their_own_types():
    counts = Counter(values("bias", [True, False]))
    assert chisquare([counts[True], counts[False]]).pvalue > 0.01
    assert {type(value) for value in values("momentum", [0, 0.5])} == {float}


def test_a_trial_hangs_on_no_other_trial_option_or_cell():
    lr, momentum = {"low": 1e-5, "high": 1e-1, "log": True}, [0.0, 0.5, 0.9]
    both = read_space({"lr": lr, "momentum": momentum})
    swapped = read_space({"momentum": momentum, "lr": lr})
    assert drawn("bp", 3, both, 0) == drawn("bp", 3, swapped, 0)
    assert drawn("bp", 3, both, 0)["lr"] == drawn("bp", 3, read_space({"lr": lr}), 0)["lr"]
    others = [drawn(cell, number, both, seed)["lr"] for cell, number, seed in product(("bp", "fa"), (3, 4), (0, 1))]
    assert len(set(others)) == 8


def test_adding_trials_keeps_the_first_ones(study):
    few, more = study(), study("[search]\ntrials = 9\n[search.space]\nlr = { low = 1e-5, high = 1e-1, log = true }\n")
    first, longer = (known_beforehand(one.cells[1], Search.from_mapping(one.search)) for one in (few, more))
    assert longer[:6] == first
    assert len(longer) == 9


def test_what_has_no_part_beside_the_rest_of_a_trial_is_left_out_of_it(study):
    one = study("[search]\ntrials = 20\n[search.space]\noptimization = ['sgd', 'adam']\nmomentum = [0.5, 0.9]\n")
    trials = known_beforehand(one.cells[0], Search.from_mapping(one.search))
    assert {(trial.options["optimization"], "momentum" in trial.options) for trial in trials} == {
        ("sgd", True),
        ("adam", False),
    }


def test_a_grid_has_each_combination_once_in_order(study):
    one = study("[search]\nmethod = 'grid'\n[search.space]\noptimization = ['adam', 'sgd']\nmomentum = [0.5, 0.9]\n")
    trials = known_beforehand(one.cells[0], Search.from_mapping(one.search))
    assert [trial.options for trial in trials] == [
        {"optimization": "adam"},
        {"optimization": "sgd", "momentum": 0.5},
        {"optimization": "sgd", "momentum": 0.9},
    ]
    assert [trial.number for trial in trials] == [0, 1, 2]

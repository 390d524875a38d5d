"""How long runs take: what is measured once, and how it is counted up."""

import pytest

from bdfa_np.errors import DataError
from bdfa_np.study import estimate
from bdfa_np.study.estimate import Estimates, seconds_of, shared_out
from bdfa_np.study.plan import PlannedRun

OPTIONS = {"dataset": "mnist-5k", "num_hidden": 10, "epochs": 3, "gradient": "dfa"}


def run(**options):
    return PlannedRun("s", "cell", 0, {**OPTIONS, **options}, "cell/seed-0")


@pytest.fixture
def counted(monkeypatch):
    """Let a step take 2 s and a batch tested on 1 s; give what was measured."""
    seen = []

    def measured(config, described):
        seen.append((config, described))
        return 2.0, 1.0

    monkeypatch.setattr(estimate, "_measured", measured)
    return seen


@pytest.mark.parametrize(
    ("options", "steps", "tests"),
    [
        # 4,000 digits to train on and 1,000 to test on, of mnist-5k.
        ({"batch_size": 100}, 40, 10),
        ({"batch_size": 64}, 62.5, 15.625),
        ({"batch_size": 64, "const_batch_size": True}, 62, 15.625),
        ({"batch_size": 100, "validate": True}, 32, 8),
        ({"batch_size": 100, "validate": 500}, 35, 5),
        ({"batch_size": 100, "train_limit": 200, "test_limit": 50}, 2, 0.5),
        ({"batch_size": 8000}, 1, 0.25),
    ],
)
def test_an_epoch_is_its_steps_and_its_test(counted, options, steps, tests):
    assert seconds_of(run(**options)) == pytest.approx(3 * (2 * steps + tests))


def test_a_kind_of_step_is_measured_once_whatever_its_rate_seed_and_epochs_are(counted):
    estimates = Estimates()
    runs = [run(), run(lr=0.5), run(seed=4), run(epochs=9), run(validate=True), run(weight_decay=0.1)]
    assert len(estimates.kinds(runs)) == 2  # what decays takes another step
    for one in runs:
        estimates.seconds_of(one)
    assert len(counted) == 2
    assert estimates.kinds(runs) == []


@pytest.mark.parametrize("options", [{"gradient": "bp"}, {"num_hidden": 11}, {"resize": 14}, {"criterion": "ce"}])
def test_another_rule_net_or_input_is_measured_by_itself(counted, options):
    assert len(Estimates().kinds([run(), run(**options)])) == 2


def test_a_step_is_measured_for_published_data_that_are_not_there_and_for_prepared_ones(monkeypatch):
    monkeypatch.setenv("BDFA_DATA_DIR", "/nowhere")
    for options in ({"dataset": "cifar10", "augment": True}, {"dataset": "cifar10", "whiten": True, "num_hidden": 4}):
        assert 0 < seconds_of(run(batch_size=8, **options)) < 1e7


def test_what_a_rule_keeps_or_draws_does_not_reach_the_measurement(monkeypatch):
    import numpy as np

    np.random.seed(3)  # which somebody's own rule may draw from
    before = np.random.get_state()[1].copy()
    seconds_of(run(gradient="ebd", batch_size=16))
    assert (np.random.get_state()[1] == before).all()


def test_data_of_ones_own_that_are_missing_are_said_to_be(tmp_path):
    with pytest.raises(DataError, match=r"none\.npz"):
        seconds_of(run(dataset=str(tmp_path / "none.npz")))


def test_workers_share_runs_out_the_longest_first():
    assert shared_out([3, 3, 2, 2, 2], 2) == 7
    assert shared_out([3, 3, 2, 2, 2], 1) == 12
    assert shared_out([5], 4) == 5

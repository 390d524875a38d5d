"""A run whose epochs become many times slower says so once, with advice that works."""

import itertools

import pytest

from bdfa_np.runs.threads.slowing import slowed


@pytest.mark.parametrize(
    ("seconds", "times"),
    [
        ([10, 10, 10, 60], 6),
        ([90, 10, 10, 10, 60], 6),  # the first epoch compiles
        ([10, 10, 300, 10, 40], 4),  # and one that was slow by chance is no measure
        ([10, 10, 10, 39], 0),
        ([10, 10, 60], 0),  # too few to know what is usual
        ([60], 0),
        ([0.01, 0.01, 0.01, 0.5], 0),  # nobody waits for it
        ([0.1, 0.1, 0.1, 1.2], 12),
        ([0, 0, 0, 0], 0),
    ],
)
def test_an_epoch_is_remarkable_that_takes_many_times_what_is_usual(seconds, times):
    assert slowed(seconds) == pytest.approx(times)


@pytest.fixture
def clock(monkeypatch):
    """Let each epoch take as many seconds as are given; its clock is asked as it begins and as it ends."""

    def set_to(*seconds):
        ticks = iter(itertools.accumulate(part for second in seconds for part in (100, second)))
        monkeypatch.setattr("bdfa_np.trainer.perf_counter", lambda: next(ticks))

    return set_to


def note(out, beginning="note: this epoch took"):
    lines = out.splitlines()
    found = [number for number, line in enumerate(lines) if line.startswith(beginning)]
    return [lines[number - 1 : number + 4] for number in found]


def test_it_is_said_once_after_the_epoch_and_the_advice_works(bdfa, tiny, clock, monkeypatch):
    monkeypatch.setattr("bdfa_np.runs.threads.cores.usable_cores", lambda: 2)
    clock(7, 2, 2, 2, 30, 30, 2)
    options = [*tiny, "--threads", 2, "--epochs", 7, "--lr", "1e-3", "--save", "a run"]
    out = bdfa("train", *options).out
    ((epoch, *said),) = note(out)
    assert epoch.startswith("epoch 5/7:")
    assert said[0] == "note: this epoch took 15 times as long as those before: another program may"
    assert said[-1] == "  bdfa train --save 'a run' --resume --threads 1"
    assert max(map(len, said)) <= 80
    clock(2)
    bdfa.resume("a run", "--threads", 1, "--epochs", 8)


def test_one_thread_is_not_told_to_become_one_thread(bdfa, tiny, clock):
    clock(2, 2, 2, 30)
    out = bdfa("train", *tiny, "--epochs", 4, "--lr", "1e-3", "--save", "run").out
    ((_, *said),) = note(out)
    assert said[1] == "  want what it computes on"
    assert not any("--threads" in line for line in said)


def test_a_resumed_run_measures_by_its_own_epochs(bdfa, tiny, clock):
    clock(2, 2, 2)
    bdfa.train("run", "--epochs", 3, "--lr", "1e-3")
    clock(30, 30)  # on another machine, say
    assert not note(bdfa.resume("run", "--epochs", 5).out)

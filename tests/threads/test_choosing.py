"""Which number of threads is chosen, on machines whose steps take known times: no clock is asked."""

import contextlib
import itertools
from math import inf

import pytest

from bdfa_np.runs.threads.choosing import choose


class Machine:
    """Says how long steps take in place of training; one cold step with each number takes ten times as long.

    ``one`` and ``every`` give the milliseconds of the steps with one thread and with one a core, over and over.
    """

    def __init__(self, one, every, cores=2):
        self.steps = {1: itertools.cycle(one), cores: itertools.cycle(every)}
        self.calls = []
        self.seconds = 0.0
        self.opened = 0

    @contextlib.contextmanager
    def trial(self):
        self.opened += 1
        yield self.timer

    def timer(self, threads, steps):
        cold = 1 if any(threads == called for called, _ in self.calls) else 10
        took = sum(next(self.steps[threads]) for _ in range(steps)) * cold / 1e3
        self.calls.append((threads, steps))
        self.seconds += took
        return took

    def choice(self, steps=6000, cores=2):
        return choose(self.trial, cores, steps)


QUIET, BUSY = [2.5], [80, 120, 90, 20]


@pytest.mark.parametrize(
    ("one", "every", "threads"),
    [
        (QUIET, [1.6], 2),
        (QUIET, [2.3], 2),
        (QUIET, QUIET, 1),
        (QUIET, [2.45], 1),  # within the noise: one thread is the safer
        (QUIET, [4], 1),
        ([8, 4, 20, 5], BUSY, 1),
        (QUIET, [1.6] * 3 + [30], 1),  # waits now and then: what counts is how long steps take in all
        ([2.5] * 9 + [40] + [2.5] * 30, [1.6], 2),  # something happened once
        ([2.5], [1.6] * 4 + [40] + [1.6] * 30, 2),
        ([2.5] * 3 + [40] + [2.5] * 30, [2.8], 1),
        ([200], [120], 2),
        ([200], [190], 2),
        ([200], [199], 1),
        ([200], [4000], 1),
        ([0.01], [0.05], 1),
    ],
)
def test_the_faster_number_is_chosen_and_between_equals_one_thread(one, every, threads):
    assert Machine(one, every).choice(10**5).threads == threads


@pytest.mark.parametrize(("every", "threads"), [([0.9], 16), ([30], 1)])
def test_more_cores_than_two_are_tried_all_at_once(every, threads):
    machine = Machine(QUIET, every, cores=16)
    assert machine.choice(cores=16).threads == threads
    assert {threads for threads, _ in machine.calls} == {1, 16}


@pytest.mark.parametrize(("cores", "steps"), [(1, 6000), (2, 0)])
def test_where_there_is_nothing_to_choose_nothing_is_tried_or_said(cores, steps):
    machine = Machine(QUIET, QUIET)
    choice = machine.choice(steps, cores)
    assert (choice.threads, choice.line, machine.opened) == (1, "", 0)


def test_a_run_of_few_steps_is_not_worth_a_net_for_a_trial():
    machine = Machine([500], [1])
    assert machine.choice(29).line == "1 thread: the run is too short to try 2"
    assert machine.opened == 0
    assert machine.choice(30).threads == 2


def test_a_run_that_is_over_at_once_is_not_worth_a_step_with_more_threads():
    machine = Machine(QUIET, [1])
    assert machine.choice(99).line == "1 thread: the run is too short to try 2"
    assert [threads for threads, _ in machine.calls] == [1, 1]
    assert Machine(QUIET, [1]).choice(101).threads == 2


def test_what_is_compiled_and_made_by_the_first_steps_is_not_counted():
    choice = Machine(QUIET, [1.6]).choice()
    assert choice.line == "2 threads: 1.6 ms a step now, 2.5 ms with 1"
    assert Machine([1500], [9000]).choice().line == "1 thread: 1.5 s a step now, 9 s with 2"


@pytest.mark.parametrize("every", [[1.6], [2.5], [4], BUSY])
@pytest.mark.parametrize("one", [QUIET, [2.5, 3, 2.4, 2.7]])
@pytest.mark.parametrize("steps", [630, 18900, inf])
def test_a_trial_of_a_light_net_takes_little_beside_what_a_run_takes(one, every, steps):
    machine = Machine(one, every)
    machine.choice(steps)
    cold = 9 * (one[0] + every[0]) / 1e3
    waited = 3 * max(every) / 1e3  # three steps are made with the number that is not taken, if it is so much slower
    assert machine.seconds - cold <= max(0.05 * one[0] * min(steps, 6000) / 1e3, 0.04) + waited


def test_of_a_heavy_net_two_steps_with_each_number_are_made_where_these_say_enough():
    machine = Machine([200], [120])
    machine.choice()
    assert machine.calls == [(1, 1), (1, 1), (2, 1), (2, 1)]


def test_of_a_heavy_net_with_no_great_difference_no_more_steps_than_these_are_made():
    machine = Machine([200], [190])
    machine.choice()
    assert machine.calls == [(1, 1), (1, 1), (2, 1), *[(2, 1), (1, 1)] * 2, (2, 1)]


def test_steps_with_threads_that_wait_are_made_one_at_a_time():
    machine = Machine([0.1], [90])
    assert machine.choice(10**5).threads == 1
    assert [call for call in machine.calls if call[0] == 2] == [(2, 1)] * 3

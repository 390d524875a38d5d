"""Shares of a batch on several threads."""

import os
import threading
from types import SimpleNamespace

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from bdfa_np.backend import numpy_threads


def blas_threads():
    return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}


@pytest.mark.parametrize("count", [1, 2, 5, 64, 101])
@pytest.mark.parametrize("threads", [1, 2, 3, 7])
def test_shares_follow_one_another_and_differ_by_one_at_most(count, threads):
    with threadpool_limits(threads, user_api="blas"):
        parts = numpy_threads.shares(count)
    assert len(parts) == min(count, threads)
    assert [i for part in parts for i in range(part.start, part.stop)] == list(range(count))
    lengths = {part.stop - part.start for part in parts}
    assert max(lengths) - min(lengths) <= 1


def test_there_are_as_many_threads_as_blas_may_use():
    for threads in (1, 3):
        with threadpool_limits(threads, user_api="blas"):
            assert numpy_threads.threads() == threads


@pytest.mark.parametrize("libraries", [[], [SimpleNamespace(num_threads=None)]])
def test_a_blas_that_does_not_say_leaves_the_batch_in_one_piece(libraries, monkeypatch):
    monkeypatch.setattr(numpy_threads, "_blas", lambda: SimpleNamespace(lib_controllers=libraries))
    assert numpy_threads.shares(9) == [slice(0, 9)]


def test_every_share_is_worked_through_once_and_all_at_the_same_time():
    parts = [slice(0, 3), slice(3, 5), slice(5, 6)]
    everyone, seen = threading.Barrier(3, timeout=20), {}

    def task(number, part):
        everyone.wait()
        seen[number] = part

    numpy_threads.work(task, parts)
    assert seen == dict(enumerate(parts))


def test_one_share_is_worked_through_where_it_was_asked_for():
    where = []
    numpy_threads.work(lambda number, part: where.append((number, part, threading.current_thread())), [slice(0, 9)])
    assert where == [(0, slice(0, 9), threading.current_thread())]


def test_a_product_runs_on_one_thread_meanwhile_and_on_as_many_as_before_afterwards():
    seen = []
    with threadpool_limits(3, user_api="blas"):
        numpy_threads.work(lambda _number, _part: seen.append(blas_threads()), [slice(0, 1), slice(1, 2)])
        assert blas_threads() == {3}
    assert seen == [{1}, {1}]


@pytest.mark.parametrize("fails", [0, 1, 2])
def test_an_error_in_any_share_is_raised_once_all_have_ended(fails):
    ended = []

    def task(number, _part):
        if number == fails:
            raise ZeroDivisionError(f"share {number}")
        threading.Event().wait(0.05)
        ended.append(number)

    with threadpool_limits(3, user_api="blas"):
        with pytest.raises(ZeroDivisionError, match=f"share {fails}"):
            numpy_threads.work(task, [slice(0, 1), slice(1, 2), slice(2, 3)])
        assert len(ended) == 2
        assert blas_threads() == {3}


def test_what_numpy_does_about_non_finite_numbers_holds_in_every_share():
    large = np.full(4, 1e38, np.float32)
    with np.errstate(over="ignore"):
        numpy_threads.work(lambda _number, _part: np.multiply(large, large), [slice(0, 1), slice(1, 2)])
    with np.errstate(over="raise"), pytest.raises(FloatingPointError):
        numpy_threads.work(lambda number, _part: number and np.multiply(large, large), [slice(0, 1), slice(1, 2)])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system starts processes afresh")
@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
def test_a_forked_process_has_threads_of_its_own():
    parts = [slice(0, 1), slice(1, 2)]
    numpy_threads.work(lambda _number, _part: None, parts)
    child = os.fork()
    if child == 0:
        done = []
        worker = threading.Thread(target=numpy_threads.work, args=(lambda number, _part: done.append(number), parts))
        worker.daemon = True
        worker.start()
        worker.join(10)
        os._exit(0 if sorted(done) == [0, 1] else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0

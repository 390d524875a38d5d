"""Shares of a batch on several threads."""

import os
import threading
from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from bdfa_np import Conv2d, Flatten, Linear, Sequential, Trainer
from bdfa_np.backend.cpu import products, threads
from bdfa_np.backend.cpu.backend import NumpyBackend
from bdfa_np.losses import BinaryCrossEntropy
from bdfa_np.optim import SGD
from bdfa_np.rules import BP


def blas_threads():
    return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}


@pytest.mark.parametrize("count", [1, 2, 5, 64, 101])
@pytest.mark.parametrize("limit", [1, 2, 3, 7])
def test_shares_follow_one_another_and_differ_by_one_at_most(count, limit):
    with threadpool_limits(limit, user_api="blas"):
        parts = threads.shares(count)
    assert len(parts) == min(count, limit)
    assert [i for part in parts for i in range(part.start, part.stop)] == list(range(count))
    lengths = {part.stop - part.start for part in parts}
    assert max(lengths) - min(lengths) <= 1


def test_there_are_as_many_threads_as_blas_may_use():
    for limit in (1, 3):
        with threadpool_limits(limit, user_api="blas"):
            assert threads.threads() == limit


@pytest.mark.parametrize("libraries", [[], [SimpleNamespace(num_threads=None)]])
def test_a_blas_that_does_not_say_leaves_the_batch_in_one_piece(libraries, monkeypatch):
    monkeypatch.setattr(threads, "_blas", lambda: SimpleNamespace(lib_controllers=libraries))
    assert threads.shares(9) == [slice(0, 9)]


def test_every_share_is_worked_through_once_and_all_at_the_same_time():
    parts = [slice(0, 3), slice(3, 5), slice(5, 6)]
    everyone, seen = threading.Barrier(3, timeout=20), {}

    def task(number, part):
        everyone.wait()
        seen[number] = part

    threads.work(task, parts)
    assert seen == dict(enumerate(parts))


def test_one_share_is_worked_through_where_it_was_asked_for():
    where = []
    threads.work(lambda number, part: where.append((number, part, threading.current_thread())), [slice(0, 9)])
    assert where == [(0, slice(0, 9), threading.current_thread())]


def test_a_product_runs_on_one_thread_meanwhile_and_on_as_many_as_before_afterwards():
    seen = []
    with threadpool_limits(3, user_api="blas"):
        threads.work(lambda _number, _part: seen.append(blas_threads()), [slice(0, 1), slice(1, 2)])
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
            threads.work(task, [slice(0, 1), slice(1, 2), slice(2, 3)])
        assert len(ended) == 2
        assert blas_threads() == {3}


def test_what_numpy_does_about_non_finite_numbers_holds_in_every_share():
    large = np.full(4, 1e38, np.float32)
    with np.errstate(over="ignore"):
        threads.work(lambda _number, _part: np.multiply(large, large), [slice(0, 1), slice(1, 2)])
    with np.errstate(over="raise"), pytest.raises(FloatingPointError):
        threads.work(lambda number, _part: number and np.multiply(large, large), [slice(0, 1), slice(1, 2)])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system starts processes afresh")
@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
def test_a_forked_process_has_threads_of_its_own():
    parts = [slice(0, 1), slice(1, 2)]
    threads.work(lambda _number, _part: None, parts)
    child = os.fork()
    if child == 0:
        done = []
        worker = threading.Thread(target=threads.work, args=(lambda number, _part: done.append(number), parts))
        worker.daemon = True
        worker.start()
        worker.join(10)
        os._exit(0 if sorted(done) == [0, 1] else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_alone_blas_has_one_thread_and_a_batch_as_many_shares_as_before():
    with threadpool_limits(3, user_api="blas"):
        with threads.alone(), threads.alone():
            assert blas_threads() == {1}
            assert len(threads.shares(9)) == 3
            assert len(threads.shares(9, 2)) == 2
        assert blas_threads() == {3}
        assert not threads.runs_alone()


def test_work_does_not_leave_blas_with_more_threads_than_it_had_alone():
    with threadpool_limits(3, user_api="blas"), threads.alone():
        threads.work(lambda _number, _part: None, threads.shares(3))
        assert blas_threads() == {1}


def test_an_error_alone_gives_blas_its_threads_back():
    with threadpool_limits(3, user_api="blas"):
        with pytest.raises(ZeroDivisionError), threads.alone():
            raise ZeroDivisionError
        assert blas_threads() == {3}
        assert not threads.runs_alone()


@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize("within", [False, True])
def test_only_a_large_array_is_cut_and_only_alone(large, within, monkeypatch):
    monkeypatch.setattr(threads, "LARGE", 100)
    with threadpool_limits(3, user_api="blas"), threads.alone() if within else nullcontext():
        assert len(threads.shares_of_large(100 if large else 99, 9)) == (3 if large and within else 1)


def test_a_net_of_convolutions_trains_alone_and_one_of_linear_layers_does_not():
    seen = []

    class Watch(Linear):
        def forward(self, x, train=True):
            seen.append(threads.runs_alone())
            return super().forward(x, train)

    for first in ([Conv2d(2, 3)], []):
        network = Sequential([*first, Flatten(), Watch(3)], (6, 6, 1))
        loss, optimizer = BinaryCrossEntropy(network.backend), SGD([network.weights], 0.1)
        trainer = Trainer(network=network, rule=BP(network), loss=loss, optimizer=optimizer, train=[], test=[])
        x = np.zeros((2, 6, 6, 1), np.float32)
        trainer.step(x, np.array([0, 1]))
        network.predict(x)
    assert seen == [True, True, False, False]


SHAPES = [(5, 3, 7), (700, 30, 800), (64, 700, 800), (900, 64, 400), (1, 4000, 5000)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("transposed", [False, True])
def test_alone_a_product_comes_out_the_same(shape, transposed, monkeypatch):
    monkeypatch.setattr(products, "SHARE", 10**6)
    M, K, N = shape
    generator = np.random.default_rng(0)
    a = generator.normal(size=(K, M)).T if transposed else generator.normal(size=(M, K))
    b, out = generator.normal(size=(K, N)), np.full((M, N), np.nan)
    with threadpool_limits(3, user_api="blas"), threads.alone():
        assert products.matmul(a, b, out) is out
    np.testing.assert_allclose(out, a @ b, rtol=1e-12, atol=1e-10)


@pytest.mark.parametrize("rows", [0, 1, 511, 512, 700, 4097])
@pytest.mark.parametrize("accumulate", [False, True])
def test_alone_a_column_sum_comes_out_the_same(rows, accumulate, monkeypatch):
    monkeypatch.setattr(threads, "LARGE", 1000)
    backend = NumpyBackend("float64")
    a, out = np.random.default_rng(0).normal(size=(rows, 5)), np.ones(5)
    with threadpool_limits(3, user_api="blas"), threads.alone():
        backend.column_sum(a, out, accumulate)
    expected = a.sum(axis=0) + accumulate if rows or accumulate else np.ones(5)
    np.testing.assert_allclose(out, expected, rtol=1e-12, atol=1e-12)


def test_there_are_never_more_shares_than_there_can_be_threads(monkeypatch):
    monkeypatch.setattr(threads, "threads", lambda: 1000)
    assert len(threads.shares(5000, 4000)) == threads.MAX_THREADS

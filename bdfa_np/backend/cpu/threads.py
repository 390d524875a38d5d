"""Several threads for NumPy: a batch is cut into one share a thread, and each works through its own.

NumPy's copies and elementwise operations run on one thread, whatever BLAS is told. They hand back Python's lock while
they run, as products do, so that threads which each take a share of the batch keep every core busy. A share depends
on the number of threads alone: the same number gives the same bits.

BLAS has threads of its own, and OpenBLAS lets them spin for a tenth of a second after a product, on the cores that
these threads need. So within `alone`, which is for nets that keep these threads busy, BLAS is held to one thread, and
large products and elementwise operations are cut into shares as well. Products alone are best left to BLAS's threads.
"""

import contextlib
import functools
import itertools
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextvars import ContextVar, copy_context
from typing import Any

from threadpoolctl import ThreadpoolController

MAX_THREADS = 64

LARGE = 2**19
"""Entries from which an elementwise operation is shared among threads: below, waking them takes as long."""

Task = Callable[[int, slice], object]
"""Works through one share of a batch; it is given the share's number, from 0, and where the share lies."""


@functools.cache
def _blas() -> Any:
    import numpy  # noqa: F401 - only a library that is loaded by now is found

    return ThreadpoolController().select(user_api="blas")


@functools.cache
def _executor() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(MAX_THREADS, thread_name_prefix="bdfa")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_executor.cache_clear)  # a forked process has none of its parent's threads


_alone: ContextVar[int] = ContextVar("threads of the computation that runs alone", default=0)


def threads() -> int:
    """Return how many threads BLAS may use, at present or outside of `alone`: as many shares is a batch cut into."""
    return _alone.get() or max((library.num_threads or 1 for library in _blas().lib_controllers), default=1)


def runs_alone() -> bool:
    """Return whether this is within `alone`."""
    return bool(_alone.get())


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Hold BLAS to one thread, and leave the others to `work`; as often inside one another as one likes."""
    if runs_alone():
        yield
        return
    token = _alone.set(threads())
    try:
        with _blas().limit(limits=1):
            yield
    finally:
        _alone.reset(token)


def shares(count: int, most: int = MAX_THREADS) -> list[slice]:
    """Cut ``range(count)`` into contiguous shares of one length or one more: one a thread, and ``most`` in all."""
    parts = max(1, min(threads(), count, most, MAX_THREADS))
    edges = [count * part // parts for part in range(parts + 1)]
    return [slice(start, stop) for start, stop in itertools.pairwise(edges)]


def shares_of_large(size: int, count: int) -> list[slice]:
    """Cut ``range(count)`` into shares within `alone`, where an array of ``size`` entries is large, else into one."""
    return shares(count) if size >= LARGE and runs_alone() else [slice(0, count)]


def work(task: Task, parts: list[slice]) -> None:
    """Call ``task`` for every share at the same time, each on a thread of its own, and wait for all of them.

    Meanwhile a product runs on the thread that asked for it: BLAS is held to one. What NumPy does about non-finite
    numbers (`numpy.errstate`) holds in the threads too.

    Parameters
    ----------
    task : callable
        Called as ``task(number, share)``. It must write to nothing that another share's call reads or writes.
    parts : list of slice
        The shares, from `shares`.
    """
    if len(parts) == 1:
        task(0, parts[0])
        return
    with alone():
        others = [_executor().submit(copy_context().run, task, i, part) for i, part in enumerate(parts) if i]
        try:
            task(0, parts[0])
        finally:
            wait(others)  # whatever happened here, the caller's arrays must not change once this returns
    for other in others:
        other.result()

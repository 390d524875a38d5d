"""Streams of the stand-in that do their work as late as CUDA may: a wait that was left out shows."""

import numpy as np
import pytest

pytest_plugins = ["cuda_fixtures"]


def pinned(cupy, values):
    host = np.frombuffer(cupy.cuda.alloc_pinned_memory(4 * len(values)), np.float32, len(values))
    host[:] = values
    return host


def feed(cupy, *, arrival=True, use=True, reuse=True):
    """Bring three batches through one buffer to the device, leaving out waits; return what was computed."""
    copying, stream = cupy.cuda.Stream(non_blocking=True), cupy.cuda.Stream(non_blocking=True)
    host, arrived, used = pinned(cupy, [0] * 4), cupy.cuda.Event(), cupy.cuda.Event(disable_timing=True)
    x, sums = cupy.zeros((4,), "float32"), cupy.zeros((3,), "float32")
    cupy.cuda.Stream.null.synchronize()
    with stream:
        for i in range(3):
            if reuse:
                arrived.synchronize()
            host[:] = i + 1
            if use:
                copying.wait_event(used)
            x.set(host, stream=copying)
            arrived.record(copying)
            if arrival:
                stream.wait_event(arrived)
            sums[i] = x.sum()
            used.record(stream)
        return sums.tolist()


@pytest.mark.parametrize("late", [None, "copies", "computing", "everything"])
def test_with_every_wait_in_place_late_streams_change_nothing(stand_in, late):
    stand_in.machine.late = late
    assert feed(stand_in.cupy) == [4, 8, 12]


@pytest.mark.parametrize(("missing", "late"), [("arrival", "copies"), ("use", "computing"), ("reuse", "everything")])
def test_a_wait_that_is_left_out_shows_where_streams_are_late(stand_in, missing, late):
    assert feed(stand_in.cupy, **{missing: False}) == [4, 8, 12]
    stand_in.machine.late = late
    assert feed(stand_in.cupy, **{missing: False}) != [4, 8, 12]


def test_a_copy_from_page_locked_memory_reads_it_when_it_is_done(stand_in):
    stand_in.machine.late, cupy = "copies", stand_in.cupy
    a = cupy.asarray(np.arange(6, dtype=np.float32).reshape(2, 3))
    copying, host = cupy.cuda.Stream(non_blocking=True), pinned(cupy, [1, 2, 3])
    ordinary, event = np.array([1, 2, 3], np.float32), cupy.cuda.Event()
    a[0].set(host, stream=copying)
    a[1].set(ordinary, stream=copying)
    event.record(copying)
    assert not event.done
    host[:] = ordinary[:] = 9
    assert a.tolist() == [[0, 1, 2], [3, 4, 5]]
    event.synchronize()
    assert event.done
    assert a.tolist() == [[9, 9, 9], [1, 2, 3]]

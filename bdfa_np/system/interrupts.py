"""Ctrl-C and requests to terminate, kept away from code in which they would be lost."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def interrupts_wait() -> Iterator[None]:
    """Let SIGINT and SIGTERM wait until the block, or the function decorated with this, has ended.

    HDF5's objects are taken down in weak references' callbacks. Python drops an exception that a signal raises
    there, so that a Ctrl-C at the wrong moment would print a traceback and stop nothing.
    """
    caught: list[int] = []
    before: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():  # only there can handlers be set, and are they called
        for number in (signal.SIGINT, signal.SIGTERM):
            if signal.getsignal(number) is not None:  # None: not Python's own, so it could not be put back
                before[number] = signal.signal(number, lambda number, _frame: caught.append(number))
    try:
        yield
    finally:
        for held, handler in before.items():
            signal.signal(held, handler)
    if caught:
        signal.raise_signal(caught[0])


@contextlib.contextmanager
def terminate_like_interrupt() -> Iterator[None]:
    """Treat a request to terminate as Ctrl-C: the run stays resumable, and says how."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)

"""Ctrl-C and requests to terminate, kept away from code in which they would be lost."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any


@contextlib.contextmanager
def interrupts_wait() -> Iterator[None]:
    """Let SIGINT and SIGTERM wait until the block, or the function decorated with this, has ended or failed.

    HDF5's objects are taken down in weak references' callbacks. Python drops an exception that a signal raises
    there, so that a Ctrl-C at the wrong moment would print a traceback and stop nothing.
    """
    caught: list[int] = []
    before: dict[int, Any] = {}

    def hold(number: int, _frame: object) -> None:
        caught.append(number)

    try:
        if threading.current_thread() is threading.main_thread():  # only there can handlers be set, and are they called
            for number in (signal.SIGINT, signal.SIGTERM):
                if signal.getsignal(number) is not None:  # None: not Python's own, so it could not be put back
                    before[number] = signal.getsignal(number)
                    signal.signal(number, hold)
        yield
    finally:
        _put_back(before, hold)
        if caught:
            signal.raise_signal(caught[0])


def _put_back(before: Mapping[int, Any], hold: Callable[[int, object], None]) -> None:
    """Put every handler back, also where a signal arrives meanwhile and one that is back already raises."""
    raised: BaseException | None = None
    for number, handler in before.items():
        while signal.getsignal(number) is hold:
            try:
                signal.signal(number, handler)
            except BaseException as error:
                raised = error
    if raised is not None:
        raise raised


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

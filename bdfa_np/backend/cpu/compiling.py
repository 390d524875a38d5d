"""Which loops Numba compiles, where it is installed (the extra ``fast``), and when.

NumPy makes one pass over its arrays an operation; a compiled loop reads every entry once and is done with it. Every
compiled loop of this kind has a form in NumPy beside it that gives the same numbers, so a run may go from one to the
other. The convolutions of `direct` have none: where Numba is installed they are compiled from the first one on.
"""

import functools
from collections import Counter
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from importlib.util import find_spec
from typing import Any

COMPILE_AFTER = 100
"""Uses of a loop before it is compiled, which takes about a second: a short run is over by then."""
COMPILER_BYTES = 145 * 10**6
"""What Numba keeps in memory once it has compiled a run's loops: measured, and much the same for every net."""

_uses: Counter[Hashable] = Counter()
_paused = ContextVar("paused", default=False)


@functools.cache
def can_compile() -> bool:
    """Return whether Numba is installed."""
    return find_spec("numba") is not None


@contextmanager
def compiling_nothing() -> Iterator[None]:
    """Have all loops done by NumPy, and count no uses."""
    token = _paused.set(True)
    try:
        yield
    finally:
        _paused.reset(token)


def worth_compiling(loop: Hashable) -> bool:
    """Count one more use of a loop, and return whether it is to be the compiled one."""
    if _paused.get():
        return False
    _uses[loop] += 1
    return _uses[loop] > COMPILE_AFTER and can_compile()


@functools.cache
def compile_loop(loop: Callable[..., None]) -> Callable[..., None]:
    """Compile a loop over arrays; it divides as NumPy does, and holds no lock of Python's while it runs."""
    from numba import njit

    compiled: Callable[..., Any] = njit(loop, nogil=True, error_model="numpy")
    return compiled

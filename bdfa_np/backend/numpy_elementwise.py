"""Elementwise formulas: block by block with NumPy, or in one pass by a loop that Numba compiles.

NumPy makes one pass over its arrays an operation. Where Numba is installed (the extra ``fast``), a formula that is
used again and again is compiled instead: every entry is read once, goes through the whole formula and is written once.
Both ways round after every operation, so they give the same bits.
"""

import functools
from collections import Counter
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import Any

from bdfa_np.backend.base import Array, Formula

BLOCK = 65536
"""Entries a block: a handful of float32 arrays of this length stay in a core's cache."""

COMPILE_AFTER = 100
"""Uses of a formula before it is compiled, which takes about a second: a short run is over by then."""

_uses: Counter[Formula] = Counter()


@functools.cache
def can_compile() -> bool:
    """Return whether Numba is installed."""
    return find_spec("numba") is not None


def elementwise(formula: Formula, given: Sequence[Array], out: Sequence[Array], constants: Sequence[Any]) -> None:
    """Write what ``formula(*given, *constants)`` returns into ``out``, entry by entry; see `Backend.elementwise`.

    Parameters
    ----------
    formula : callable
        The same object at every use, since it is compiled once for each.
    given, out : sequence of array
        Of one shape and dtype.
    constants : sequence of NumPy scalar
        Of the arrays' dtype.
    """
    _uses[formula] += 1
    if _uses[formula] > COMPILE_AFTER and can_compile():
        arrays = {id(array): _flat(array) for array in (*given, *out)}
        place = {key: i for i, key in enumerate(arrays)}
        places = [tuple(place[id(array)] for array in group) for group in (given, out)]
        loop = compiled(formula, *places, len(constants))
        loop(*arrays.values(), *constants)
    else:
        in_blocks(formula, [_flat(array) for array in given], [_flat(array) for array in out], constants)


def _flat(array: Array) -> Array:
    if not array.flags.c_contiguous:
        raise ValueError("an elementwise formula needs contiguous arrays")
    return array.reshape(-1)


def in_blocks(formula: Formula, given: Sequence[Array], out: Sequence[Array], constants: Sequence[Any]) -> None:
    """Evaluate a formula with NumPy, over flat arrays."""
    size = len(out[0])
    for start in range(0, size, BLOCK):
        part = slice(start, start + BLOCK)
        for array, values in zip(out, formula(*(array[part] for array in given), *constants), strict=True):
            array[part] = values


@functools.cache
def compiled(formula: Formula, given: tuple[int, ...], out: tuple[int, ...], constants: int) -> Callable[..., None]:
    """Compile the loop over a formula's entries.

    Parameters
    ----------
    formula : callable
        The formula.
    given, out : tuple of int
        The place of each array among the loop's arguments. An array that is both given and written to has one place:
        only so does the compiler know that it overlaps with nothing else, and may take several entries at once.
    constants : int
        How many constants follow the arrays.

    Returns
    -------
    callable
        The loop over flat arrays; it holds no lock of Python's while it runs.
    """
    from numba import njit

    arrays = [f"a{i}" for i in range(1 + max(given + out))]
    numbers = [f"c{i}" for i in range(constants)]
    entries = ", ".join([f"{arrays[i]}[i]" for i in given] + numbers)
    source = (
        f"def loop({', '.join(arrays + numbers)}):\n"
        f"    for i in range({arrays[out[0]]}.size):\n"
        f"        {''.join(f'{arrays[i]}[i], ' for i in out)} = formula({entries})\n"
    )
    scope: dict[str, Any] = {"formula": njit(formula, inline="always", error_model="numpy")}
    exec(source, scope)  # noqa: S102 - made above of numbered names alone: Numba compiles no variable argument lists
    loop: Callable[..., None] = njit(scope["loop"], nogil=True, error_model="numpy")
    return loop

"""Elementwise formulas: block by block with NumPy, or in one pass by a loop that Numba compiles; with the same bits."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from bdfa_np.backend.base import Array, Formula
from bdfa_np.backend.cpu.compiling import compile_loop, worth_compiling
from bdfa_np.backend.cpu.threads import shares_of_large, work

BLOCK = 65536
"""Entries a block: a handful of float32 arrays of this length stay in a core's cache."""


def elementwise(
    formula: Formula,
    given: Sequence[Array],
    out: Sequence[Array],
    constants: Sequence[Any],
    *,
    may_compile: bool = True,
) -> None:
    """Write what ``formula(*given, *constants)`` returns into ``out``, entry by entry; see `Backend.elementwise`.

    Parameters
    ----------
    formula : callable
        The same object at every use, since it is compiled once for each.
    given, out : sequence of array
        Of one shape and dtype.
    constants : sequence of NumPy scalar
        Of the arrays' dtype.
    may_compile : bool, default True
        Whether a compiled formula would give the same bits as NumPy's.
    """
    flat: dict[int, Array] = {}
    for array in (*given, *out):
        flat[id(array)] = array.reshape(-1)
    for array in out:
        if not array.flags.c_contiguous:
            raise ValueError("an elementwise formula writes to contiguous arrays alone")
    place = {key: i for i, key in enumerate(flat)}
    way = compiled if may_compile and worth_compiling(formula) else in_blocks
    places = [tuple([place[id(array)] for array in group]) for group in (given, out)]
    loop = way(formula, *places, len(constants))
    arrays = flat.values()
    parts = shares_of_large(out[0].size, out[0].size)
    if len(parts) == 1:
        loop(*arrays, *constants)
    else:
        work(lambda _, part: loop(*(array[part] for array in arrays), *constants), parts)


@functools.cache
def in_blocks(formula: Formula, given: tuple[int, ...], out: tuple[int, ...], constants: int) -> Callable[..., None]:
    """Return the loop over a formula's entries in NumPy; see `compiled` for the parameters."""

    def loop(*arguments: Any) -> None:
        arrays, numbers = arguments[: len(arguments) - constants], arguments[len(arguments) - constants :]
        for start in range(0, arrays[0].size, BLOCK):
            few = [array[start : start + BLOCK] for array in arrays]
            results = formula(*(few[i] for i in given), *numbers)
            for i, values in zip(out, results, strict=True):
                few[i][...] = values

    return loop


@functools.cache
def compiled(formula: Formula, given: tuple[int, ...], out: tuple[int, ...], constants: int) -> Callable[..., None]:
    """Return the loop over a formula's entries, compiled.

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
        The loop over flat arrays.
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
    return compile_loop(scope["loop"])


def tanh(a: Array, out: Array) -> Array:
    """Write the hyperbolic tangent of ``a`` into ``out``: NumPy's own takes several entries at once."""
    work(lambda _, part: np.tanh(a[part], out=out[part]), shares_of_large(a.size, len(a)))
    return out


def from_tanh(t, one, half):
    """``(1 + t) / 2``."""
    return ((t + one) * half,)


def add_bias(y: Array, b: Array) -> Array:
    """Add ``b`` (C,) to every row of ``y`` (N, ..., C), in place."""
    work(lambda _, part: np.add(y[part], b, out=y[part]), shares_of_large(y.size, len(y)))
    return y

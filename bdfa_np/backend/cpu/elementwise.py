"""Elementwise formulas: block by block with NumPy, or in one pass by a loop that Numba compiles; with the same bits."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from bdfa_np.backend.base import Array
from bdfa_np.backend.cpu.compiling import compile_loop, worth_compiling
from bdfa_np.backend.cpu.threads import shares_of_large, work
from bdfa_np.backend.formula import Formula, as_tuple, constants, entries
from bdfa_np.backend.symbols import TEXTS, written

BLOCK = 65536
"""Entries a block: a handful of float32 arrays of this length stay in a core's cache."""

LIBRARIES_OWN = {"erf", "exp", "log1p", "tanh"}
"""Functions of which a compiler's differ from NumPy's in the last bit, or from our own."""

COMPILED: dict[str, Any] = {
    "fabs": np.abs,
    "maximum": np.maximum,
    "minimum": np.minimum,
    "sign": np.sign,
    "sqrt": np.sqrt,
}
"""What the other functions in a formula's statements are to Numba."""


def elementwise(formula: Formula, given: Sequence[Array], out: Sequence[Array], numbers: Sequence[Any]) -> None:
    """Write what a formula returns into ``out``, entry by entry; see `Backend.elementwise`.

    Parameters
    ----------
    formula : callable
        The same object at every use, since it is compiled once for each.
    given, out : sequence of array
        Of one shape and dtype.
    numbers : sequence of NumPy scalar
        The constants, of the arrays' dtype, in the formula's order.
    """
    flat: dict[int, Array] = {}
    for array in (*given, *out):
        flat[id(array)] = array.reshape(-1)
    for array in out:
        if not array.flags.c_contiguous:
            raise ValueError("an elementwise formula writes to contiguous arrays alone")
    place = {key: i for i, key in enumerate(flat)}
    places = [tuple([place[id(array)] for array in group]) for group in (given, out)]
    way = compiled if worth_compiling(formula) and compiles(formula) else in_blocks
    loop = way(formula, *places, out[0].dtype)
    arrays = flat.values()
    parts = shares_of_large(out[0].size, out[0].size)
    if len(parts) == 1:
        loop(*arrays, *numbers)
    else:
        work(lambda _, part: loop(*(array[part] for array in arrays), *numbers), parts)


@functools.cache
def compiles(formula: Formula) -> bool:
    """Return whether a formula gives the same bits compiled: one that takes an ``exp`` does not."""
    functions = written(formula, range(entries(formula))).functions
    return LIBRARIES_OWN.isdisjoint(function.__name__ for function in functions)


def function_alone(formula: Formula) -> Any:
    """Return the function of one entry that a formula is and nothing else: NumPy writes it to its place at once.

    Without it tanh takes twice as long.
    """
    text = written(formula, range(entries(formula)))
    of_one = [function for function in text.functions if isinstance(function, np.ufunc) and function.nin == 1]
    alone = [
        one
        for one in of_one
        if text.statements == [f"t0 = {TEXTS[one.__name__].format('x0')}"] and text.results == ["t0"]
    ]
    return alone[0] if alone else None


@functools.cache
def in_blocks(formula: Formula, given: tuple[int, ...], out: tuple[int, ...], dtype: np.dtype) -> Callable[..., None]:
    """Return the loop over a formula's entries in NumPy; see `compiled` for the parameters."""
    count, names, alone = 1 + max(given + out), constants(formula), function_alone(formula)
    if alone is not None:
        return lambda *arrays: alone(arrays[given[0]], out=arrays[out[0]])

    def loop(*arguments: Any) -> None:
        arrays, numbers = arguments[:count], dict(zip(names, arguments[count:], strict=True))
        for start in range(0, arrays[0].size, BLOCK):
            few = [array[start : start + BLOCK] for array in arrays]
            results = as_tuple(formula(*(few[i] for i in given), **numbers))
            for i, values in zip(out, results, strict=True):
                few[i][...] = values

    return loop


@functools.cache
def compiled(formula: Formula, given: tuple[int, ...], out: tuple[int, ...], dtype: np.dtype) -> Callable[..., None]:
    """Return the loop over a formula's entries, compiled.

    Parameters
    ----------
    formula : callable
        The formula.
    given, out : tuple of int
        The place of each array among the loop's arguments. An array that is both given and written to has one place:
        only so does the compiler know that it overlaps with nothing else, and may take several entries at once.
    dtype : numpy.dtype
        The entries' type.

    Returns
    -------
    callable
        The loop over flat arrays, and the constants behind them.
    """
    text = written(formula, given)
    arrays = [f"a{i}" for i in range(1 + max(given + out))]
    arguments = arrays + [f"c{i}" for i in range(len(constants(formula)))]
    body = [f"x{i} = a{i}[i]" for i in dict.fromkeys(given)] + text.statements
    body += [f"a{i}[i] = {result}" for i, result in zip(out, text.results, strict=True)]
    statements = "\n        ".join(body)
    source = f"def loop({', '.join(arguments)}):\n    for i in range(a{out[0]}.size):\n        {statements}\n"
    scope = COMPILED | {"Real": dtype.type, "where": compile_loop(where)}
    exec(source, scope)  # noqa: S102 - made of what `written` writes, and of numbered names
    return compile_loop(scope["loop"])


def where(condition: Any, a: Any, b: Any) -> Any:
    """Return ``a`` where the condition holds, else ``b``: of one entry, to be compiled."""
    return a if condition else b


def add_bias(y: Array, b: Array) -> Array:
    """Add ``b`` (C,) to every row of ``y`` (N, ..., C), in place.

    Of feature maps a line of places is taken as one row: NumPy is slow with rows as short as a few channels.
    """
    rows = y
    if y.ndim > 2 and y.flags.c_contiguous:
        rows, b = y.reshape(-1, y.shape[-2] * len(b)), np.tile(b, y.shape[-2])
    work(lambda _, part: np.add(rows[part], b, out=rows[part]), shares_of_large(y.size, len(rows)))
    return y

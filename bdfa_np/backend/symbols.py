"""Formulas written down: a `Formula` is called once with symbols, and each operation on them becomes a statement.

A statement reads the same in C and in Python. So one text is what CUDA runs and what Numba compiles, and it is made
from the very function that NumPy evaluates over arrays.
"""

from collections.abc import Callable, Sequence
from math import isfinite
from typing import Any, NamedTuple

from numpy.lib.mixins import NDArrayOperatorsMixin

from bdfa_np.backend.formula import Formula, as_tuple, constants

TEXTS: dict[str, str] = {
    "add": "{} + {}",
    "subtract": "{} - {}",
    "multiply": "{} * {}",
    "divide": "{} / {}",
    "negative": "-{}",
    "greater": "{} > {}",
    "greater_equal": "{} >= {}",
    "absolute": "fabs({})",
    "erf": "erf({})",
    "exp": "exp({})",
    "log1p": "log1p({})",
    "maximum": "maximum({}, {})",
    "minimum": "minimum({}, {})",
    "sign": "sign({})",
    "sqrt": "sqrt({})",
    "tanh": "tanh({})",
    "where": "where({}, {}, {})",
}
"""How each operation is written, by the name of its function in NumPy or, of ``erf``, in C.

``Real`` is the type of all numbers. Who reads it knows these functions by name.
"""


class Written(NamedTuple):
    """A formula in statements, over the entries ``x0``, ``x1``, ... and the constants ``c0``, ``c1``, ..."""

    statements: list[str]
    """Assignments, each to a name of its own."""
    results: list[str]
    """The names of what it returns."""
    functions: set[Callable[..., Any]]
    """Which functions it uses; their names are keys of `TEXTS`."""


class Symbol(NDArrayOperatorsMixin):
    """A number in a formula: a name in the statements.

    Parameters
    ----------
    name : str
        The name.
    written : Written
        The formula so far; every operation adds a statement.
    """

    def __init__(self, name: str, written: Written) -> None:
        self.name = name
        self.written = written

    def __array_ufunc__(self, ufunc: Any, method: str, *operands: Any, **keywords: Any) -> "Symbol":
        """Write down an operator, or a function of one entry."""
        if method != "__call__":
            raise TypeError(f"a formula may not use {ufunc.__name__}.{method}")
        return self._operation(ufunc, operands, keywords)

    def __array_function__(self, function: Any, _types: Any, operands: Any, keywords: Any) -> "Symbol":
        """Write down a function such as ``where``."""
        return self._operation(function, operands, keywords)

    def apply(self, function: Any) -> "Symbol":
        """Write down a function of one entry that is not NumPy's."""
        return self._operation(function, (self,), {})

    def _operation(self, function: Any, operands: Sequence[Any], keywords: dict[str, Any]) -> "Symbol":
        if function.__name__ not in TEXTS or keywords:
            options = "".join(f" with {name}" for name in keywords)
            raise TypeError(f"a formula may not use {function.__name__}{options}")
        result = Symbol(f"t{len(self.written.statements)}", self.written)
        text = TEXTS[function.__name__].format(*map(operand, operands))
        self.written.statements.append(f"{result.name} = {text}")
        self.written.functions.add(function)
        return result

    def __bool__(self) -> bool:
        """Refuse to be looked at: what one entry is, another is not."""
        raise TypeError("a formula must not branch: use where, maximum or minimum")


def operand(value: Any) -> str:
    """Return the text of an operand: a symbol's name, or a number.

    Raises
    ------
    TypeError
        If it is neither, or a number of NumPy's, which could raise the precision.
    """
    if isinstance(value, Symbol):
        return value.name
    if type(value) in (int, float) and isfinite(value):
        return f"Real({float(value)!r})"
    raise TypeError(f"{value!r} in a formula: only entries, constants and finite numbers of Python's may be there")


def written(formula: Formula, places: Sequence[int]) -> Written:
    """Write down a formula.

    Parameters
    ----------
    formula : callable
        The formula.
    places : sequence of int
        Which of the entries ``x0``, ``x1``, ... each of its entries is.

    Raises
    ------
    TypeError
        If it branches, uses what is not in `TEXTS`, or returns what was not computed from an entry.
    """
    statements = Written([], [], set())
    entries = [Symbol(f"x{place}", statements) for place in places]
    numbers = {name: Symbol(f"c{i}", statements) for i, name in enumerate(constants(formula))}
    for result in as_tuple(formula(*entries, **numbers)):
        if not isinstance(result, Symbol):
            raise TypeError(f"{result!r} in a formula: a result must be computed from its entries")
        statements.results.append(result.name)
    return statements

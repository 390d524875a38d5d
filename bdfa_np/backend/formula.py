"""Formulas: what happens to one entry, as plain functions that every backend evaluates in its own way."""

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias, TypeVar

Formula: TypeAlias = Callable[..., Any]
"""A function of entries, which come first, and of constants, which are keyword-only; it returns one entry or several.

It consists of operators, of numbers as they stand, and of the functions in `bdfa_np.backend.maths`. NumPy evaluates it
over arrays; elsewhere it is called once with symbols and written down, so it must not branch.
"""

FORMULAS: list[Formula] = []
"""Every formula of the modules that have been imported: what ``bdfa doctor`` checks."""

Marked = TypeVar("Marked", bound=Formula)


def formula(function: Marked) -> Marked:
    """Note that a function is a formula; it stays as it is."""
    FORMULAS.append(function)
    return function


@functools.cache
def entries(function: Formula) -> int:
    """Return how many entries a formula takes."""
    parameters = inspect.signature(function).parameters.values()
    return sum(parameter.kind is not parameter.KEYWORD_ONLY for parameter in parameters)


@functools.cache
def constants(function: Formula) -> tuple[str, ...]:
    """Return the names of a formula's constants."""
    parameters = inspect.signature(function).parameters.values()
    return tuple([parameter.name for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY])


def in_order(function: Formula, given: Mapping[str, float]) -> list[float]:
    """Return the values of a formula's constants, in the order of its own.

    Raises
    ------
    TypeError
        If one is missing, or there is one that the formula does not have.
    """
    names = constants(function)
    if given.keys() != set(names):
        wanted, found = (", ".join(some) or "none" for some in (names, given))
        raise TypeError(f"{function.__qualname__} takes the constants {wanted}, and is given {found}")
    return [given[name] for name in names]


def as_tuple(result: Any) -> tuple[Any, ...]:
    """Return what a formula returned as a tuple, also where it is one entry alone."""
    return result if isinstance(result, tuple) else (result,)

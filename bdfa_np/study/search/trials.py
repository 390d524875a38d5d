"""What is tried in a cell: the values of every trial, and the run that it is."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import exp, log
from typing import Any

import numpy as np

from bdfa_np.study.cell import Cell
from bdfa_np.study.search.settings import Search, base_options
from bdfa_np.study.search.space import Dimension, in_part

DIGITS = 6
"""Significant digits of a drawn number: logarithms differ in their last bit from machine to machine, and a run that
goes on elsewhere must be the same."""


@dataclass(frozen=True)
class Trial:
    """A trial and what became of it.

    Attributes
    ----------
    number : int
        Counted from 0.
    options : dict
        The values that were drawn, but for those that have no part beside the others.
    error : float or None
        The validation error after the last epoch, as a fraction; None where it failed, or is not done.
    reason : str
        Why it failed, in one line.
    """

    number: int
    options: Mapping[str, Any]
    error: float | None = None
    reason: str = ""


def drawn(cell: str, number: int, space: Sequence[Dimension], seed: int) -> dict[str, Any]:
    """Return the values of a random trial.

    Each follows from the seed, the cell's name, the trial's number and the option's name alone, and so from no other
    trial, cell or option.

    Parameters
    ----------
    cell : str
        The cell's name.
    number : int
        The trial's, counted from 0.
    space : sequence of Dimension
        What is searched in the cell.
    seed : int
        Of the search.
    """
    return {
        one.name: _value(one, np.random.default_rng(seed_of(seed, cell, number, one.name)).random()) for one in space
    }


def seed_of(seed: int, cell: str, number: int, name: str = "") -> int:
    """Return a seed of 128 bits that a trial, or an option in it, has to itself."""
    text = "\0".join(map(str, (seed, cell, number, name)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "big")


def _value(dimension: Dimension, share: float) -> Any:
    """Return the value at a share of a range, from 0 (included) to 1 (excluded), or of the choices."""
    if dimension.choices:
        return dimension.choices[int(share * len(dimension.choices))]
    low, high = dimension.low, dimension.high
    if dimension.is_whole:
        low, high = low - 0.5, high + 0.5  # or the ends would come half as often as what lies between
    value = exp(log(low) + share * log(high / low)) if dimension.log else low + share * (high - low)
    value = round(value) if dimension.is_whole else float(f"{value:.{DIGITS}g}")
    return min(max(value, dimension.low), dimension.high)


def combinations(space: Sequence[Dimension]) -> list[dict[str, Any]]:
    """Return every combination of choices, the last option's changing first."""
    names = [one.name for one in space]
    return [dict(zip(names, values, strict=True)) for values in product(*(one.choices for one in space))]


def known_beforehand(cell: Cell, search: Search) -> list[Trial]:
    """Return all trials of a random search or of a grid in a cell.

    Combinations that differ in options without a part alone are one.
    """
    space, base = search.of_cell(cell), base_options(cell, search)
    if search.method == "grid":
        found: list[dict[str, Any]] = []
        for values in combinations(space):
            kept = in_part(base, values)
            if kept not in found:
                found.append(kept)
        return [Trial(number, values) for number, values in enumerate(found)]
    numbers = range(search.trials or 0)
    return [Trial(number, in_part(base, drawn(cell.name, number, space, search.seed))) for number in numbers]

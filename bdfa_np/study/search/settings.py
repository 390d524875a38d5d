"""The table ``[search]`` of a study, checked: how options are searched, and that every cell can be."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, product
from typing import Any

from bdfa_np.errors import ConfigError, StudyError
from bdfa_np.options.catalogue import OPTIONS
from bdfa_np.options.config import Config
from bdfa_np.study.cell import Cell
from bdfa_np.study.search.space import Dimension, read_space

METHODS = ("random", "optuna", "grid")
KEYS = ("method", "trials", "epochs", "seed", "per", "at_once", "space")
MOST_TRIALS = 100_000
_TRIED = 256
"""So many combinations of what decides over an option are tried, to see whether it has a part in a cell."""


@dataclass(frozen=True)
class Search:
    """How options are searched.

    Attributes
    ----------
    method : {"random", "optuna", "grid"}
        How values are drawn: independently, by Optuna's tree-structured Parzen estimator, or every combination.
    trials : int or None
        How many for each cell; None for a grid, whose choices say it.
    epochs : int or None
        How long a trial is; None: as long as a run of the study.
    seed : int
        Of what is drawn, and of every trial's net and batches.
    per : tuple of str
        Axes: cells of the same labels there share one search, on the first of them. Empty: each has its own.
    at_once : int
        Optuna: how many trials of a cell are asked for before the first of them is told.
    space : tuple of Dimension
        What is searched.
    """

    method: str
    trials: int | None
    epochs: int | None
    seed: int
    per: tuple[str, ...]
    at_once: int
    space: tuple[Dimension, ...]

    @classmethod
    def from_mapping(cls, table: Any) -> "Search":
        """Read the table ``[search]``.

        Raises
        ------
        StudyError
            If it says something else than a search.
        """
        if not isinstance(table, Mapping):
            raise StudyError(f"[search] must be a table, not {table!r}")
        unknown = [name for name in table if name not in KEYS]
        if unknown:
            advice = "options stand in [search.space]" if unknown[0] in OPTIONS else f"there are {', '.join(KEYS)}"
            raise StudyError(f"[search] unknown key '{unknown[0]}': {advice}")
        method = table.get("method", "random")
        if method not in METHODS:
            raise StudyError(f"[search] method {method}: choose from {', '.join(METHODS)}")
        space = read_space(table.get("space"))
        return cls(
            method=method,
            trials=_trials(method, table, space),
            epochs=_count(table, "epochs", None),
            seed=_seed(table.get("seed", 0)),
            per=_per(table),
            at_once=_at_once(method, table),
            space=space,
        )

    def of_cell(self, cell: Cell) -> list[Dimension]:
        """Return what is searched in a cell: the options that have a part there."""
        base = base_options(cell, self)
        resolved = Config.from_mapping(base).resolve()
        return [one for one in self.space if one.applies(resolved) and _has_part(one, base, self.space)]


def _trials(method: str, table: Mapping[str, Any], space: Sequence[Dimension]) -> int | None:
    if method != "grid":
        return _count(table, "trials", 20)
    if "trials" in table:
        raise StudyError("[search] trials has no part in a grid, which tries every combination: leave it out")
    ranges = [dimension.name for dimension in space if not dimension.choices]
    if ranges:
        raise StudyError(f'[search.space] {ranges[0]}: method = "grid" needs a list of choices, not a range')
    return None


def _count(table: Mapping[str, Any], key: str, default: int | None) -> int | None:
    value = table.get(key, default)
    if value is not None and (type(value) is not int or not 1 <= value <= MOST_TRIALS):
        raise StudyError(f"[search] {key} must be a whole number from 1 to {MOST_TRIALS}, not {value!r}")
    return value


def _at_once(method: str, table: Mapping[str, Any]) -> int:
    if "at_once" in table and method != "optuna":
        raise StudyError(
            f'[search] at_once is of method = "optuna": the trials of "{method}" do not wait for one another'
        )
    return _count(table, "at_once", 1) or 1


def _seed(value: Any) -> int:
    option = OPTIONS["seed"]
    problem = option.problem(value) if option.fits(value) else f"must be a whole number of 0 or more, not {value!r}"
    if problem:
        raise StudyError(f"[search] seed {problem}")
    return int(value)


def _per(table: Mapping[str, Any]) -> tuple[str, ...]:
    per = table.get("per")
    if per is None:
        return ()
    if not isinstance(per, list) or not per or not all(isinstance(axis, str) for axis in per):
        raise StudyError(f'[search] per must be a list of axes, as in per = ["rule"], not {per!r}')
    return tuple(dict.fromkeys(per))


def check_search(table: Any, cells: Sequence[Cell], axes: Sequence[str] = ()) -> dict[str, Any]:
    """Check the table ``[search]`` with a study's cells, and return it.

    Parameters
    ----------
    table : mapping
        As it was read.
    cells : sequence of Cell
        The study's, whose own options have been checked.
    axes : sequence of str, optional
        The headings of their labels.

    Raises
    ------
    StudyError
        Of one line, where it cannot be searched as it says.
    """
    search = Search.from_mapping(table)
    _check_axes(search, axes)
    found = {cell.name: _checked_in(cell, search) for cell in cells}
    for dimension in search.space:
        if not any(dimension in ones for ones in found.values()):
            raise StudyError(f"[search.space] {dimension.name}: {_idle(dimension, cells, search)}")
    for name, ones in found.items():
        if not ones:
            raise StudyError(
                f"cell {name}: [search.space] has no option that has a part in it: add one, or leave the cell out"
            )
    for first, *others in groups(cells, search, axes):
        for other in others:
            apart = [one.name for one in search.space if (one in found[first.name]) != (one in found[other.name])]
            if apart:
                raise StudyError(
                    f"cells {first.name} and {other.name} share a search ([search] per), and {apart[0]} has a part in "
                    "one of them alone: name more axes in per"
                )
    return dict(table)


def _check_axes(search: Search, axes: Sequence[str]) -> None:
    for name in search.per:
        if name not in axes:
            there = f"there are {', '.join(axes)}" if axes else "there is none"
            raise StudyError(f"[search] per names an unknown axis '{name}': {there}")
    for dimension in search.space:
        if dimension.name in axes:
            raise StudyError(
                f"'{dimension.name}' is an axis of the grid, and searched in each of its cells: leave one of them out"
            )


def groups(cells: Sequence[Cell], search: Search, axes: Sequence[str]) -> list[list[Cell]]:
    """Return the cells that share a search, of which the first is the one that it is made on."""
    if not search.per:
        return [[cell] for cell in cells]
    places = [list(axes).index(axis) for axis in search.per]
    found: dict[tuple[str, ...], list[Cell]] = {}
    for cell in cells:
        found.setdefault(tuple(cell.labels[place] for place in places), []).append(cell)
    return list(found.values())


def base_options(cell: Cell, search: Search) -> dict[str, Any]:
    """Return the options of a cell's trials, but for what is drawn.

    They hold out validation images, whether the study does or not; what would choose on test images goes.
    """
    options = {name: value for name, value in cell.options.items() if name not in ("on_test", "keep_best")}
    if not options.get("validate"):
        options["validate"] = True
    if search.epochs is not None:
        options["epochs"] = search.epochs
    options.setdefault("epochs", OPTIONS["epochs"].default)
    return {**options, "seed": search.seed}


def _checked_in(cell: Cell, search: Search) -> list[Dimension]:
    """Return what is searched in a cell, of which every value can be used; else raise `StudyError`."""
    base = base_options(cell, search)
    try:
        Config.from_mapping(base).resolve()
    except ConfigError as error:
        raise StudyError(f"cell {cell.name}: its trials cannot be trained: {error}") from error
    found = search.of_cell(cell)
    for dimension in found:
        for value in dimension.ends:
            problem = _problem(dimension, value, base, search.space)
            if problem:
                raise StudyError(
                    f"[search.space] {dimension.name}: {value} cannot be used in cell {cell.name}: {problem}"
                )
    return found


def _beside(dimension: Dimension, base: Mapping[str, Any], space: Sequence[Dimension]) -> Iterator[dict[str, Any]]:
    """Yield a cell's options with every combination of the searched ones that decide over an option."""
    by_name = {one.name: one for one in space}
    deciders: list[Dimension] = []
    asked = [dimension.name]
    while asked:
        for condition in OPTIONS[asked.pop()].conditions:
            decider = by_name.get(condition.decider)
            if decider is not None and decider is not dimension and decider not in deciders:
                deciders.append(decider)
                asked.append(decider.name)
    for values in islice(product(*(one.ends for one in deciders)), _TRIED):
        yield {**base, **dict(zip((one.name for one in deciders), values, strict=True))}


def _has_part(dimension: Dimension, base: Mapping[str, Any], space: Sequence[Dimension]) -> bool:
    """Return whether an option has a part in a cell, with some value of it and of what decides over it."""
    return any(
        Config.from_mapping({**options, dimension.name: value}).complaint(dimension.option) is None
        for options in _beside(dimension, base, space)
        for value in dimension.ends
    )


def _problem(dimension: Dimension, value: Any, base: Mapping[str, Any], space: Sequence[Dimension]) -> str:
    """Return why a value cannot be used in a cell, whatever else is drawn; empty where it can."""
    problem = ""
    for options in _beside(dimension, base, space):
        config = Config.from_mapping({**options, dimension.name: value})
        try:
            config.resolve()
        except ConfigError as error:
            problem = str(error)
        else:
            if config.complaint(dimension.option) is None:
                return ""
    return problem


def _idle(dimension: Dimension, cells: Sequence[Cell], search: Search) -> str:
    """Say why an option is searched in no cell."""
    if dimension.only:
        where = ", ".join(f"{name} {' or '.join(map(str, values))}" for name, values in dimension.only.items())
        return f"no cell has what it is for (only {where}): leave it out"
    config = Config.from_mapping({**base_options(cells[0], search), dimension.name: dimension.ends[-1]})
    return f"it has a part in no cell, as in {cells[0].name}: {config.complaint(dimension.option)}"

"""What is searched: the options, their ranges or choices, and in which cells they apply."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bdfa_np.declaration import Option
from bdfa_np.errors import StudyError
from bdfa_np.options.catalogue import HEADINGS, OPTIONS
from bdfa_np.options.config import Config
from bdfa_np.options.hints import OPTIONS as OTHER_NAMES
from bdfa_np.options.hints import meant

RANGE = ("low", "high", "log")
IMAGES = ("dataset", "label", "test_fraction", "no_extra", "train_limit", "test_limit", "validate", "on_test")
NOT_SEARCHED = {
    "gradient": "rules are what is compared: make it an axis of the grid, and each of its cells is searched",
    "epochs": "how long trials are, epochs = N of [search] says",
    "seed": "luck is no option to choose: the seed of the trials is seed = N of [search]",
    "rule_options": "of a rule of your own, no option can be searched: make it an axis of the grid",
    "keep_best": "trials are judged by their last epoch: leave it out",
    **dict.fromkeys(IMAGES, "trials on other images cannot be compared: leave it out"),
    **dict.fromkeys(
        ("datapath", "cache_dir", "models_folder", *(one.name for one in HEADINGS["Machine"] if one.name != "seed")),
        "it is the machine's and no part of what is studied: leave it out",
    ),
}
"""Options that no search chooses, and what to do instead."""


@dataclass(frozen=True)
class Dimension:
    """One option of the space: a range, or choices.

    Attributes
    ----------
    name : str
        The option.
    choices : tuple
        The values that it may have; empty for a range.
    low, high : float or int
        The ends of a range, both included.
    log : bool
        Whether a range is drawn from evenly by magnitude, as befits a learning rate.
    only : dict
        Where it applies: other options, and the values of each with which it does.
    """

    name: str
    choices: tuple[Any, ...] = ()
    low: float = 0
    high: float = 0
    log: bool = False
    only: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)

    @property
    def option(self) -> Option:
        """The option as it is declared."""
        return OPTIONS[self.name]

    @property
    def is_whole(self) -> bool:
        """Whether a range holds whole numbers alone."""
        return self.option.type is int

    @property
    def ends(self) -> tuple[Any, ...]:
        """The choices, or both ends of the range: if all these can be used, everything between can."""
        return self.choices or (self.low, self.high)

    @property
    def text(self) -> str:
        """What it may be, in words."""
        if self.choices:
            *first, last = map(_value_text, self.choices)
            said = f"{self.name} {', '.join(first)} or {last}" if first else f"{self.name} {last}"
        else:
            said = f"{self.name} {self.low:g} to {self.high:g}" + (" (log)" if self.log else "")
        where = "; ".join(f"{name} {', '.join(map(_value_text, values))}" for name, values in self.only.items())
        return f"{said} (only {where})" if where else said

    def to_mapping(self) -> dict[str, Any]:
        """Return what ``[search.space]`` says of it."""
        found = (
            {"choices": list(self.choices)} if self.choices else {"low": self.low, "high": self.high, "log": self.log}
        )
        return {**found, **({"only": {name: list(values) for name, values in self.only.items()}} if self.only else {})}

    def applies(self, config: Config) -> bool:
        """Return whether a cell of a resolved configuration is one of those that ``only`` names."""
        return all(getattr(config, name) in values for name, values in self.only.items())


def read_space(table: Any) -> tuple[Dimension, ...]:
    """Return the space that ``[search.space]`` describes, in the order of its options.

    Raises
    ------
    StudyError
        If there is nothing in it, or an option, a range or a choice of it cannot be searched.
    """
    if not isinstance(table, Mapping) or not table:
        raise StudyError(
            "[search] has no space: say what to search, as in [search.space] lr = {low = 1e-5, high = 0.1}"
        )
    space = tuple(_dimension(name, said) for name, said in table.items())
    for dimension in space:
        for name in dimension.only:
            if name in table:
                raise StudyError(f"{_place(dimension.name)}only names '{name}', which is searched itself: leave it out")
    return space


def _dimension(name: str, said: Any) -> Dimension:
    place = _place(name)
    if name not in OPTIONS:
        raise StudyError(f"[search.space] unknown option '{name}'.{question(name) or ' bdfa train --help lists them'}")
    if name in NOT_SEARCHED:
        raise StudyError(f"{place}{NOT_SEARCHED[name]}")
    if isinstance(said, list):
        said = {"choices": said}
    if not isinstance(said, dict):
        raise StudyError(f"{place}a list of choices or a table with low and high is wanted, not {said!r}")
    unknown = said.keys() - {*RANGE, "choices", "only"}
    if unknown:
        raise StudyError(f"{place}unknown key '{min(unknown)}': there are low, high, log, choices and only")
    only = _only(place, said.get("only", {}))
    if "choices" in said:
        if said.keys() & set(RANGE):
            raise StudyError(f"{place}give choices, or low and high, not both")
        return Dimension(name, _choices(place, OPTIONS[name], said["choices"]), only=only)
    return _range(place, OPTIONS[name], said, only)


def _choices(place: str, option: Option, choices: Any) -> tuple[Any, ...]:
    if not isinstance(choices, list) or not choices:
        raise StudyError(f"{place}choices must be a list of one value or more, not {choices!r}")
    for value in choices:
        _check_value(place, option, value)
    repeated = [value for number, value in enumerate(choices) if value in choices[:number]]
    if repeated:
        raise StudyError(f"{place}the choice {_value_text(repeated[0])} is there twice: leave one out")
    return tuple(float(value) if option.type is float else value for value in choices)


def _range(place: str, option: Option, said: Mapping[str, Any], only: Mapping[str, tuple[Any, ...]]) -> Dimension:
    if option.type not in (int, float):
        raise StudyError(f"{place}it is no number: give a list of choices")
    missing = [key for key in ("low", "high") if key not in said]
    if missing:
        raise StudyError(f"{place}'{missing[0]}' is missing: a range has both its ends")
    low, high, log = said["low"], said["high"], said.get("log", False)
    if not isinstance(log, bool):
        raise StudyError(f"{place}log must be true or false, not {log!r}")
    for end in (low, high):
        if isinstance(end, str) or (isinstance(end, float) and not math.isfinite(end)):
            raise StudyError(f"{place}low and high must be finite numbers, not {end!r}")
        if log and not isinstance(end, bool) and isinstance(end, (int, float)) and end <= 0:
            raise StudyError(f"{place}log = true needs low and high above 0, not {end:g}: there is no logarithm of it")
        _check_value(place, option, end)
    if not low < high:
        raise StudyError(f"{place}low must be less than high, and {low:g} is not less than {high:g}")
    kind = option.type
    return Dimension(option.name, low=kind(low), high=kind(high), log=log, only=only)


def _only(place: str, said: Any) -> dict[str, tuple[Any, ...]]:
    if not isinstance(said, dict):
        raise StudyError(f'{place}only must be a table, as in only = {{ gradient = ["bdfa"] }}, not {said!r}')
    found = {}
    for name, values in said.items():
        if name not in OPTIONS:
            raise StudyError(f"{place}only names an unknown option '{name}'.{question(name)}")
        found[name] = tuple(values if isinstance(values, list) else [values])
        for value in found[name]:
            _check_value(f"{place}only: ", OPTIONS[name], value)
    return found


def _check_value(place: str, option: Option, value: Any) -> None:
    if not option.fits(value):
        raise StudyError(f"{place}{value!r} is of the wrong type: {option.wanted} is wanted")
    problem = option.problem(value)
    if problem:
        raise StudyError(f"{place}{problem}")


def _place(name: str) -> str:
    return f"[search.space] {name}: "


def question(name: str) -> str:
    """Ask whether another option was meant by a name that there is not."""
    there = {option.name: option.name for option in OPTIONS.values()}
    others = {option.name: OTHER_NAMES[option.flag] for option in OPTIONS.values() if option.flag in OTHER_NAMES}
    return meant(name, others, there)


def _value_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)


def option_texts(options: Mapping[str, Any]) -> str:
    """Return options in words: ``lr 0.00321457, momentum 0.9``."""
    return ", ".join(f"{name} {_value_text(value)}" for name, value in options.items())


def in_part(options: Mapping[str, Any], drawn: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was drawn but for what has no part beside the rest: no momentum where Adam was drawn.

    Parameters
    ----------
    options : dict
        Those of the cell.
    drawn : dict
        The values that were drawn.
    """
    kept = dict(drawn)
    while True:
        config = Config.from_mapping({**options, **kept})
        idle = [name for name in kept if config.complaint(OPTIONS[name])]
        if not idle:
            return kept
        kept = {name: value for name, value in kept.items() if name not in idle}

"""Which options of a run are as they would be without being given."""

from collections.abc import Mapping
from typing import Any

from bdfa_np.declaration import Option
from bdfa_np.options.catalogue import OPTIONS, as_declared
from bdfa_np.options.config import Config
from bdfa_np.rules import RULES
from bdfa_np.rules.find import find_rule


def is_usual(config: Config, name: str, *, run_outside: bool = True) -> bool:
    """Return whether an option has its default, or what follows from the others where it is not given.

    Parameters
    ----------
    config : Config
        The resolved options.
    name : str
        One of them.
    run_outside : bool, default True
        Whether a rule from outside may be run, to learn what it declares. If not, whatever it decides is unusual.
    """
    value, option = getattr(config, name), OPTIONS[name]
    if value in (option.default, _as_kept(option)):
        return True
    if config.gradient not in RULES and not run_outside:
        return "gradient" not in option.follows_from and bool(value == option.resolved(config))
    return bool(value == as_declared(option, find_rule(config.gradient).options).resolved(config))


def differing_first(config: Config) -> tuple[list[Option], list[Option]]:
    """Return the options that are not as usual, and those that are, each in the order of their headings.

    A rule's own options, which ``rule_options`` holds, are among the first.
    """
    split: dict[bool, list[Option]] = {True: [], False: []}
    for name, option in OPTIONS.items():
        split[is_usual(config, name)].append(option)
    return split[False], split[True]


GROWS = ("eps", "weight_decay", "feedback_lr", "feedback_decay", "feedback_alpha", "rfb_mag")
"""What lets a loss grow beyond all bounds, beside the rate."""


def suspects(config: Config) -> list[str]:
    """Return the options that may be to blame where a loss is no longer a number, as they are spelt."""
    return ["--lr", *(OPTIONS[name].flag for name in GROWS if not is_usual(config, name))]


def lines_of(option: Option, value: Any) -> Mapping[str, Any]:
    """Return an option's spelling and value; of a rule's own options, a spelling and a value each."""
    if option.type is dict:
        return {f"-O {own}": own_value for own, own_value in (value or {}).items()}
    return {option.flag: value}


def _as_kept(option: Option) -> Any:
    """Return an option's default as a run's options have it: a path as a whole one."""
    return option.default if option.default is None or option.canonical is None else option.canonical(option.default)

"""From the name that ``--gradient`` takes to a rule: one of the package, of a user's file, or of a distribution."""

from collections.abc import Mapping
from inspect import signature
from pathlib import Path
from typing import Any

from bdfa_np.errors import ExtensionError
from bdfa_np.extensions import (
    NOT_MISTAKES,
    describe,
    file_of,
    installed,
    is_there,
    load_installed,
    offered,
    read_code,
    run_file,
    told,
    whole,
)
from bdfa_np.network import Sequential
from bdfa_np.rules import RULES
from bdfa_np.rules.base import Rule
from bdfa_np.system.paths import user_path

GROUP = "bdfa_np.rules"
"""The group of entry points by which a distribution offers rules: a name, and a class that derives from `Rule`."""
FLAG = "--gradient"

_loaded: dict[tuple[str, str], type[Rule]] = {}


def find_rule(name: str) -> type[Rule]:
    """Return the rule of a name.

    Parameters
    ----------
    name : str
        A rule of the package, the path of a Python file in which one class derives from `Rule`, or what an installed
        distribution offers in the group ``bdfa_np.rules``.

    Raises
    ------
    ExtensionError
        If there is no such rule, or it cannot be loaded.
    """
    if name in RULES:
        return RULES[name]
    if name.endswith(".py"):
        return _from_file(user_path(name, FLAG))
    entry = installed(GROUP, name)
    if entry is None:
        raise ExtensionError(
            f"{FLAG} {name}: unknown rule '{name}': choose from {', '.join([*RULES, *offered(GROUP)])}, "
            "or name a Python file (.py)"
        )
    rule = load_installed(entry, FLAG)
    if not _is_rule(rule):
        raise ExtensionError(f"{FLAG} {name}: {entry.value} is no class that derives from bdfa_np.Rule")
    found: type[Rule] = rule
    return found


def canonical(name: str) -> str:
    """Return a rule's name as it is, a file by its whole path: a run finds it again from any folder; none is run.

    Raises
    ------
    ExtensionError
        If there is no such rule.
    """
    own = own_file(name)
    if own is not None:
        return whole(_existing(own))
    find_rule(name)
    return name


def own_file(name: str) -> Path | None:
    """Return where a rule's file is a user's own, whether there is one or not; None for any other rule."""
    return user_path(name, FLAG) if name.endswith(".py") and name not in RULES else None


def rule_file(name: str) -> Path | None:
    """Return the file that a rule from outside comes from, or None for one of the package."""
    if name in RULES:
        return None
    return _existing(user_path(name, FLAG)) if name.endswith(".py") else file_of(find_rule(name))


def takes(rule: type[Rule], argument: str) -> bool:
    """Return whether a rule's constructor takes an argument of this name."""
    parameters = signature(rule.__init__).parameters
    return argument in parameters or any(one.kind is one.VAR_KEYWORD for one in parameters.values())


def make_rule(name: str, network: Sequential, arguments: Mapping[str, Any]) -> Rule:
    """Make the rule of a name for a network.

    Raises
    ------
    ValueError
        If the rule cannot train this network.
    ExtensionError
        If it is from outside and broken; with its own line number where there is one.
    """
    rule = find_rule(name)
    try:
        return rule(network, **arguments)
    except ValueError:
        raise
    except NOT_MISTAKES:
        raise
    except BaseException as error:
        if name in RULES:
            raise
        # It may be the net's mistake, which comes to light when the rule asks its layers.
        said = told(error) or describe(error, file_of(rule), FLAG, rule.__init__)
        if isinstance(error, TypeError):
            taken = ", ".join(f"{option.argument} ({option.name})" for option in rule.options) or "nothing"
            said += f"; beside the network it is given what its options say: {taken}"
        raise ExtensionError(said) from error


def _is_rule(thing: object) -> bool:
    return isinstance(thing, type) and issubclass(thing, Rule)


def _existing(path: Path) -> Path:
    """Return a file's path; say that the rule is unknown where there is no such file."""
    if not is_there(path):
        raise ExtensionError(f"{FLAG} {path}: unknown rule '{path}': there is no such file")
    return path


def _from_file(path: Path) -> type[Rule]:
    """Return the rule of a file; the same class for the same content, so that options and nets agree on it."""
    key = (whole(_existing(path)), read_code(path).sha256)
    if key not in _loaded:
        module = run_file(path, FLAG)
        # Those that the file imports belong to others; one that another derives from is only its base.
        own = [thing for thing in vars(module).values() if _is_rule(thing) and thing.__module__ == module.__name__]
        own = [rule for rule in own if not any(rule in other.__mro__[1:] for other in own)]
        if len(own) != 1:
            found = f"{len(own)} ({', '.join(rule.__name__ for rule in own)})" if own else "none"
            raise ExtensionError(
                f"{FLAG} {path}: one class that derives from bdfa_np.Rule is wanted, it defines {found}"
            )
        if not isinstance(own[0].options, tuple):
            raise ExtensionError(f"{FLAG} {path}: {own[0].__name__}.options must be a tuple, as in (Option(...),)")
        if "name" not in vars(own[0]):  # or it would be called as the rule that it derives from
            own[0].name = path.stem
        _loaded[key] = own[0]
    return _loaded[key]

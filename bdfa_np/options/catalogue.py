"""All options under headings: what rules, nets and optimizers declare, beside what belongs to none of them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from bdfa_np.declaration import Condition, Option, flag
from bdfa_np.errors import ConfigError, ExtensionError
from bdfa_np.networks import NETWORKS, find_network
from bdfa_np.optim import OPTIMIZERS
from bdfa_np.optim.options import OPTIONS as OF_OPTIMIZERS
from bdfa_np.options.data import OPTIONS as DATA
from bdfa_np.options.initial import INIT
from bdfa_np.options.machine import OPTIONS as MACHINE
from bdfa_np.options.tracking import OPTIONS as TRACKING
from bdfa_np.options.training import LOSS, OPTIMIZER, TRAINING
from bdfa_np.rules import RULES
from bdfa_np.rules.find import canonical, find_rule
from bdfa_np.system.paths import lasting_path


def owned(
    decider: str, declared: Mapping[str, Sequence[Option]], options_of: Callable[[Any], Sequence[Option]]
) -> list[Option]:
    """Return what several owners declare, each option once, with the condition that its owner is chosen.

    Where an option follows from other things under one owner than under another, it follows as its owner says; the
    help has the owners' names for ``{owners}``, and what it is under each of them for ``{defaults}``.

    Parameters
    ----------
    decider : str
        The option that chooses an owner, for example ``gradient``.
    declared : mapping of str to sequence of Option
        The owners' options, by their names.
    options_of : callable
        The options of an owner, also of one from outside the package.
    """
    merged: dict[str, Option] = {}
    owners: dict[str, list[str]] = {}
    for owner, options in declared.items():
        for option in options:
            owners.setdefault(option.name, []).append(owner)
            first = merged.get(option.name, option)
            choices = dict.fromkeys((*first.choices, *option.choices))
            default = first.default if option.default == first.default else None  # then each owner has its own
            merged[option.name] = replace(first, kind=first.type, choices=tuple(choices), default=default)

    def made(option: Option) -> Option:
        def has(owner: Any, _: Any) -> bool:
            return any(one.name == option.name for one in options_of(owner))

        names = tuple(owners[option.name])
        conditions = [Condition(decider, has, owners=names)]
        found = {owner: as_declared(option, declared[owner]) for owner in names}
        for owner, own in found.items():
            for value in option.choices:
                if value not in own.choices:
                    having = [name for name in names if value in found[name].choices]
                    conditions.append(_only(decider, owner, own.choices, value, having))
        if len({own.follows for own in found.values()}) > 1:
            option = _following(option, decider, found.values(), options_of)
        text = option.help.replace("{owners}", ", ".join(names)).replace("{defaults}", _defaults(found))
        return replace(option, help=text, conditions=(*conditions, *option.conditions))

    return [made(option) for option in merged.values()]


def as_declared(option: Option, options: Sequence[Option]) -> Option:
    """Return how one owner declares an option, where it does; else the option."""
    return next((one for one in options if one.name == option.name), option)


def _following(
    option: Option, decider: str, declared: Iterable[Option], options_of: Callable[[Any], Sequence[Option]]
) -> Option:
    """Return an option that follows from its owner, and from what each of its owners says."""

    def follows(config: Any) -> Any:
        return as_declared(option, options_of(getattr(config, decider))).resolved(config)

    deciders = dict.fromkeys([decider, *(name for own in declared for name in own.follows_from)])
    return replace(option, follows=follows, follows_from=tuple(deciders))


def _defaults(found: Mapping[str, Option]) -> str:
    """Return what an option is under each of its owners where it is not given."""
    return "; ".join(f"{owner} {own.said_default}" for owner, own in found.items())


def _only(decider: str, owner: str, choices: Sequence[Any], other: Any, having: Sequence[str]) -> Condition:
    """Return the condition that an owner has no part in a value, other than its choices, that others have."""
    return Condition(
        decider,
        lambda chosen, value: chosen != owner or value != other,
        message=f"{{flag}} {{value}} has no part in {{decider_flag}} {{decider}}, only in {', '.join(having)}: "
        f"choose from {', '.join(map(str, choices))}",
    )


def _of_rules() -> list[Option]:
    declared = {name: rule.options for name, rule in RULES.items()}
    return owned("gradient", declared, lambda gradient: find_rule(gradient).options)


def _of_networks() -> list[Option]:
    declared = {name: find_network(name).OPTIONS for name in NETWORKS}
    # A net from outside is handed all options, and takes what it likes.
    everything = tuple(option for options in declared.values() for option in options)
    return owned("network", declared, lambda network: declared.get(network, everything))


def _of_optimizers() -> list[Option]:
    declared = {
        name: [option for option in OF_OPTIMIZERS if option.name in optimizer.options]
        for name, optimizer in OPTIMIZERS.items()
    }
    found = owned("optimization", declared, declared.__getitem__)
    message = "--optimization {decider} has no {flag}, only {owners}: leave it out"

    def worded(condition: Condition) -> Condition:
        return replace(condition, message=message) if condition.decider == "optimization" else condition

    return [
        replace(option, conditions=tuple(map(worded, option.conditions)))
        for option in sorted(found, key=lambda option: [one.name for one in OF_OPTIMIZERS].index(option.name))
    ]


HEADINGS: dict[str, tuple[Option, ...]] = {
    "Data": DATA,
    "Net": (
        Option(
            "network",
            "mlp",
            f"Net to build: {', '.join(NETWORKS)}, a Python file of your own, or its name in --models-folder.",
            torch="-network",
        ),
        Option(
            "models_folder",
            "./Models/",
            "Folder of your own nets.",
            torch="-modelsFolder",
            canonical=lasting_path("--models-folder"),
        ),
        *_of_networks(),
        INIT,
    ),
    "Learning rule": (
        Option(
            "gradient",
            "bdfa",
            f"Learning rule: {', '.join(RULES)}, or a Python file of your own.",
            torch="-gradient",
            canonical=canonical,
        ),
        Option(
            "rule_options",
            None,
            "Options of a rule of your own, by name.",
            kind=dict,
        ),
        *_of_rules(),
    ),
    "Loss and optimizer": (LOSS, *OPTIMIZER, *_of_optimizers()),
    "Training": TRAINING,
    "Diagnostics": TRACKING,
    "Machine": MACHINE,
}
"""Every option, under the heading that it is shown under, in the order in which it is shown."""

OPTIONS: dict[str, Option] = {option.name: option for options in HEADINGS.values() for option in options}
"""Every option by its name."""


def own_options(gradient: str) -> dict[str, Option]:
    """Return the options that a rule from outside has beside those of the package's rules: what ``-O`` gives.

    Raises
    ------
    ExtensionError
        If one is called as an option of the run itself, which it would take over.
    """
    of_rules = {option.name for rule in RULES.values() for option in rule.options}
    declared = find_rule(gradient).options
    for option in declared:
        if option.name in OPTIONS and option.name not in of_rules:
            raise ExtensionError(
                f"--gradient {gradient}: it declares an option '{option.name}', which every run has: "
                "give it another name"
            )
    return {option.name: option for option in declared if option.name not in OPTIONS}


def own_values(gradient: str, given: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the values of a rule's own options, those that are not given by their defaults; None if it has none.

    Raises
    ------
    ConfigError
        If the rule has no such option, or a value cannot be used.
    """
    own = own_options(gradient)
    for name, value in given.items():
        if name in OPTIONS:
            raise ConfigError(f"-O {name}: an option of its own spelling: give it as {flag(name)}")
        if name not in own:
            there = f"only {', '.join(own)}" if own else "and no other of its own"
            raise ConfigError(f"-O {name}: --gradient {gradient} has no option '{name}', {there}: leave it out")
        problem = own[name].problem(value) if own[name].fits(value) else f"has a value of the wrong type: {value!r}"
        if problem:
            raise ConfigError(f"-O {name} {problem}")
    values = {name: given.get(name, option.default) for name, option in own.items()}
    return {name: value for name, value in values.items() if value is not None} or None


def parsed(gradient: str, texts: Sequence[str]) -> dict[str, Any]:
    """Return what ``-O name=value`` says, in the types that the rule has declared.

    Raises
    ------
    ConfigError
        If a text has no ``=``, or a value is not of the option's type.
    """
    own, found = own_options(gradient), {}
    for text in texts:
        name, equals, value = text.partition("=")
        name = name.strip().replace("-", "_")
        if not (equals and name):
            raise ConfigError(f"-O {text}: write it as name=value")
        kind = own[name].type if name in own else str
        try:
            found[name] = _SWITCH[value.lower()] if kind is bool else kind(value)
        except (KeyError, ValueError):
            raise ConfigError(f"-O {text}: '{value}' is not a valid {kind.__name__}") from None
    return found


_SWITCH = {"0": False, "false": False, "1": True, "true": True}

"""Every option of a run in one frozen dataclass, whose fields follow from what is declared."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, TypeVar, Union

from bdfa_np.data.recipe import Recipe
from bdfa_np.declaration import Condition, Option, too_long
from bdfa_np.errors import ConfigError, ExtensionError
from bdfa_np.optim import OPTIMIZERS
from bdfa_np.options.catalogue import HEADINGS, OPTIONS, as_declared, own_values
from bdfa_np.options.initial import initial
from bdfa_np.options.training import choosing_problem
from bdfa_np.representation import one_line, value_text
from bdfa_np.rules.find import find_rule, takes
from bdfa_np.tables import Table

Class = TypeVar("Class", bound=type)


def explained(option: Option) -> list[str]:
    """Return an option's lines in a docstring: what it may be, what it means, and who has it."""
    kind = f"{{{', '.join(map(repr, option.choices))}}}" if option.choices else option.wanted
    kind = f"bool or {kind}" if option.choices and option.also else kind
    meaning = " ".join(option.help.split())
    owners = [f"{one.decider} {', '.join(one.owners)}" for one in option.conditions if one.owners]
    meaning += f" Only with {'; '.join(owners)}." if owners else ""
    meaning += f" ({option.source}.)" if option.source else ""
    optional = ", optional" if option.default is None else f", default {option.default!r}"
    return [
        f"{option.name} : {kind}{optional}",
        *textwrap.wrap(meaning, 100, initial_indent="    ", subsequent_indent="    "),
    ]


def with_options(cls: Class) -> Class:
    """Give a class a field for every option, and a docstring that explains each; make it a frozen dataclass."""
    lines = [inspect.cleandoc(cls.__doc__ or ""), "", "Parameters", "----------"]
    for title, options in HEADINGS.items():
        lines += [f"{title}:", ""]
        for option in options:
            lines += explained(option)
        lines.append("")
    cls.__doc__ = "\n".join(lines)
    cls.__annotations__ = {
        name: Union[(*option.types, *(() if option.default is not None else (None,)))]
        for name, option in OPTIONS.items()
    }
    for name, option in OPTIONS.items():
        setattr(cls, name, field(default=option.default))
    made: Class = dataclass(frozen=True)(cls)  # type: ignore[assignment]
    return made


@with_options
class Config:
    """The options of a run.

    Defaults are the original's, but for ``gradient``, ``feedback_target``, ``backend`` and ``threads``. None means
    "not given". `resolve` checks everything together and fills in what depends on other options.
    """

    if TYPE_CHECKING:  # the fields follow from declarations, which a type checker does not run

        def __init__(self, **options: Any) -> None: ...
        def __getattr__(self, name: str) -> Any: ...

    def __repr__(self) -> str:
        """Return the options that are not at their defaults."""
        return one_line(self, [f"{name}={value_text(value)}" for name, value in self.changed().items()])

    def _repr_html_(self) -> str:
        """Return what a notebook shows: a row an option that is not at its default."""
        return Table(["option", "value"], list(self.changed().items()), title="options not at their defaults").to_html()

    def changed(self) -> dict[str, Any]:
        """Return the options that are not at their defaults; of a resolved configuration, those that follow too."""
        values = {name: getattr(self, name) for name in OPTIONS}
        return {name: value for name, value in values.items() if value != OPTIONS[name].default}

    def replace(self, **changes: Any) -> Config:
        """Return a configuration with other values of some options."""
        changed: Config = replace(self, **changes)  # type: ignore[type-var]
        return changed

    def resolve(self) -> Config:
        """Check every option and their combinations; return a configuration with nothing left open.

        Returns
        -------
        Config
            With what depends on other options filled in, such as ``lr``, ``threads`` and the rule's own options.

        Raises
        ------
        ConfigError
            Naming the option, its value and what is wanted.
        """
        spelled = {}
        for name, option in OPTIONS.items():
            value = getattr(self, name)
            if value is not None and not (option.fits(value) or too_long(value)):
                raise ConfigError(f"{option.flag} has a value of the wrong type: {value!r}: {option.wanted} is wanted")
            problem = None if value is None else option.problem(value)
            if problem:
                raise ConfigError(f"{option.flag} {problem}")
            spelled[name] = option.canonical(value) if option.canonical and value is not None else value
        config = self.replace(**spelled)
        of_rule = find_rule(config.gradient).options
        for option in OPTIONS.values():
            config = config._settled(option, as_declared(option, of_rule))
        config = config.replace(rule_options=own_values(config.gradient, config.rule_options or {}))
        if OPTIMIZERS[config.optimization].needs_momentum and config.momentum == 0:
            raise ConfigError(f"--optimization {config.optimization} needs a --momentum greater than 0")
        problem = choosing_problem(config)
        if problem:
            raise ConfigError(problem)
        return config

    def _settled(self, option: Option, own: Option) -> Config:
        """Refuse an option that has no part here; fill in one that is not given.

        ``own`` is how the rule declares it, where it does: rules that share a name may have defaults of their own.
        """
        value = getattr(self, option.name)
        complaint = self.complaint(option)
        if option.is_given(value):
            problem = own.problem(value)
            if complaint or problem:
                raise ConfigError(complaint or f"{option.flag} {problem}")
            return self
        follows = value if complaint else own.resolved(self)
        return self if follows == value else self.replace(**{option.name: follows})

    def complaint(self, option: Option) -> str | None:
        """Say why an option has no part in this configuration; None where it has one."""
        value = getattr(self, option.name)
        for condition in option.conditions:
            decider = self._decider(condition)
            if not condition.holds(decider, value):
                return condition.complaint(option, value, decider)
        return None

    def _decider(self, condition: Condition) -> Any:
        """Return the value of the option that decides a condition."""
        option, value = OPTIONS[condition.decider], getattr(self, condition.decider)
        if value is None and condition.as_resolved and not self.complaint(option):
            return option.resolved(self)
        return value

    @property
    def tested_on(self) -> str:
        """What the error after each epoch is measured on: ``"validation"`` images or ``"test"`` images."""
        return "validation" if self.validate else "test"

    @property
    def initial(self) -> str:
        """How a net's weights start: as ``init`` says, else at zero where rule, net and non-linearity allow it."""
        return self.init or initial(self.gradient, self.network, self.nonlin)

    def recipe(self) -> Recipe:
        """Return what is to be done to the images before training.

        Raises
        ------
        ConfigError
            If options of preprocessing exclude one another.
        """
        return Recipe(
            self.dataset,
            extra=not self.no_extra,
            resize=self.resize,
            format=self.format,
            normalization=self.normalization,
            whiten=self.whiten,
            zca_epsilon=self.zca_epsilon,
            validate=self.validate,
            train_limit=self.train_limit,
            seed=self.seed,
            label=self.label,
            test_fraction=self.test_fraction,
        )

    def rule_arguments(self) -> dict[str, Any]:
        """Return what the rule's constructor takes beside the network.

        An option that a rule of one's own inherits and does not take is handed on only where it is given.

        Raises
        ------
        ExtensionError
            If it reads an option that no run has.
        """
        rule, own = find_rule(self.gradient), self.rule_options or {}
        for name in rule.reads:
            if name not in OPTIONS:
                raise ExtensionError(f"--gradient {self.gradient}: it reads an option '{name}', which no run has")
        arguments = {name: getattr(self, name) for name in rule.reads}
        for option in rule.options:
            held = option.name in OPTIONS
            value = getattr(self, option.name) if held else own.get(option.name, option.default)
            if takes(rule, option.argument) or value not in (option.default, option.resolved(self)):
                arguments[option.argument] = value
        return arguments

    def to_mapping(self) -> dict[str, Any]:
        """Return the options that have a value, for a run's ``config.toml``."""
        values = {item.name: getattr(self, item.name) for item in fields(self)}  # type: ignore[arg-type]
        return {name: value for name, value in values.items() if value is not None}

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> Config:
        """Make a configuration of what ``to_mapping`` gave.

        Raises
        ------
        ConfigError
            If an option is unknown, its value is of another type than the option's, or a text holds a null character.
        """
        for name, value in mapping.items():
            if name not in OPTIONS:
                raise ConfigError(f"unknown option '{name}'")
            if not OPTIONS[name].fits(value):
                wanted = OPTIONS[name].wanted
                raise ConfigError(f"option '{name}' has a value of the wrong type: {value!r}: {wanted} is wanted")
            if isinstance(value, str) and "\0" in value:
                raise ConfigError(f"option '{name}' holds a null character")
        return cls(**mapping)

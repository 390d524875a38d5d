"""Command-line options made from what is declared, and those that several commands share."""

from collections.abc import Callable
from pathlib import PureWindowsPath
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from bdfa_np.cli.paths import FolderPath, KeptFolder
from bdfa_np.cli.values import (
    DatasetName,
    DeviceNumber,
    FlagOrValue,
    NetworkName,
    NumberOrWord,
    RuleName,
    Switch,
    TorchChoice,
)
from bdfa_np.declaration import Option, flag
from bdfa_np.errors import ConfigError
from bdfa_np.options.catalogue import HEADINGS, OPTIONS

Function = TypeVar("Function", bound=Callable[..., Any])


def debug_option(function: Function) -> Function:
    """Add ``--debug``, so that it may follow the command's name too."""
    return click.option("--debug", is_flag=True, expose_value=False, help="Show the traceback of an error.")(function)


def trust_option(function: Function) -> Function:
    """Add ``--trust``."""
    return click.option(
        "--trust",
        is_flag=True,
        help="Run the net's and the rule's Python file that the run or --config names, though you never named it: read "
        "it first. It is noted, and run unasked from then on.",
    )(function)


def existing_run_argument(function: Function) -> Function:
    """Add the argument that names a run folder."""
    return click.argument("run", type=FolderPath())(function)


class HeadedOption(click.Option):
    """An option of a run, shown in the help under a heading."""

    def __init__(self, *arguments: Any, heading: str, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.heading = heading


def config_options(*names: str) -> Callable[[Function], Function]:
    """Return a decorator that adds these options of a run, or all of them where none is named."""
    headed = [(option, title) for title, options in HEADINGS.items() for option in options]
    chosen = [(option, title) for option, title in headed if not names or option.name in names]

    def decorate(function: Function) -> Function:
        for option, title in reversed(chosen):
            if option.type is not dict:  # the options of a rule from outside: `rule_option`
                function = _config_option(option, title)(function)
        return function

    return decorate


def rule_option(function: Function) -> Function:
    """Add ``-O``, which gives options to a rule of one's own."""
    return click.option(
        "-O",
        "own",
        multiple=True,
        metavar="NAME=VALUE",
        cls=HeadedOption,
        heading="Learning rule",
        help="An option that a rule of your own has declared; as often as you like.",
    )(function)


_TYPES: "dict[str, click.ParamType[Any]]" = {
    "dataset": DatasetName(),
    "network": NetworkName(),
    "gradient": RuleName(),
    "datapath": KeptFolder(),
    "cache_dir": KeptFolder(new=True),
    "device": DeviceNumber(),
}
"""Of the options whose values are more than a number, a switch, a choice or a text."""


def _config_option(option: Option, heading: str) -> Callable[[Function], Function]:
    spellings = [option.name, option.flag] + ([option.torch] if option.torch else [])
    settings: dict[str, Any] = {"default": option.default, "show_default": option.default is not None}
    if option.is_flag and option.also:
        settings |= {"is_flag": False, "flag_value": True, "type": FlagOrValue(option), "show_default": False}
    elif option.words:
        settings["type"] = NumberOrWord(option)
    elif option.is_flag:
        settings |= {"is_flag": True, "show_default": False}
    elif option.type is bool:
        settings |= {"type": Switch(), "metavar": "0|1", "default": "1" if option.default else "0"}
    elif option.name in _TYPES:
        settings["type"] = _TYPES[option.name]
    elif option.choices:
        settings["type"] = TorchChoice(option.choices, option.absent)
    else:
        settings["type"] = option.type
    return click.option(*spellings, help=option.help, cls=HeadedOption, heading=heading, **settings)


def torch_aliases(function: Function) -> Function:
    """Add the original's options that have another name or form here."""
    options = (
        click.option("-type", "--type", "torch_type", type=click.Choice(["float", "cuda"]), hidden=True),
        click.option("-devid", "--devid", "torch_device", type=click.IntRange(min=1), hidden=True),
        click.option("-nGPU", "--nGPU", "torch_gpus", type=click.IntRange(min=1), default=1, hidden=True),
    )
    for option in options:
        function = option(function)
    return function


def translated(ctx: click.Context, given: dict[str, Any]) -> dict[str, Any]:
    """Add what the original's ``-type``, ``-devid`` and ``-nGPU`` say, in the words of `Config`.

    Raises
    ------
    ConfigError
        If they contradict ``--backend``, ``--device`` or ``--devices``.
    """
    said = {}
    if ctx.params.get("torch_type"):
        said["backend"] = {"float": "numpy", "cuda": "cupy"}[ctx.params["torch_type"]]
    first, several = ctx.params.get("torch_device"), ctx.params.get("torch_gpus", 1)
    if several > 1:
        lowest = (first or 1) - 1
        said["devices"] = ",".join(map(str, range(lowest, lowest + several)))
    elif first:
        said["device"] = first - 1
    for name, value in said.items():
        if given.get(name, value) != value:
            raise ConfigError(f"{flag(name)} {given[name]} contradicts the Torch program's option for it: give one")
    return {**given, **said}


def given_options(ctx: click.Context) -> dict[str, Any]:
    """Return the options of `Config` that the user typed, with their values."""
    given = {
        name: value
        for name, value in ctx.params.items()
        if name in OPTIONS and ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE
    }
    if given.get("network", "").endswith(".lua"):
        given["network"] = PureWindowsPath(given["network"]).stem  # which takes either system's separators
    return translated(ctx, given)

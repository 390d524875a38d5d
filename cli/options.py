"""Command-line options made from the fields of `Config`, and the commands that take them."""

from collections.abc import Callable, Sequence
from dataclasses import Field, fields
from pathlib import Path
from typing import Any, TypeVar

import click
from click.core import ParameterSource
from click.shell_completion import CompletionItem

from bdfa_np.data.sources.find import is_own
from bdfa_np.data.sources.registry import dataset_names
from bdfa_np.errors import ConfigError
from bdfa_np.options.config import Config, flag, option_type

Function = TypeVar("Function", bound=Callable[..., Any])


class Command(click.Command):
    """A command that names a misspelled option of the original's single-dash style in full."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse; where click would complain of ``-d``, complain of ``-dropout``."""
        given = list(args)
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            named = error.option_name
            if len(named) == 2:
                named = next((arg for arg in given if arg.startswith(named)), named)
            raise click.NoSuchOption(named, possibilities=error.possibilities, ctx=ctx) from None

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; say that it was interrupted in one line, where click would print an empty one."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as interrupt:
            click.echo(": ".join(["interrupted", *map(str, interrupt.args)]), err=True)
            raise click.Abort from None


def debug_option(function: Function) -> Function:
    """Add ``--debug``, so that it may follow the command's name too."""
    return click.option("--debug", is_flag=True, expose_value=False, help="Show the traceback of an error.")(function)


def existing_run_argument(function: Function) -> Function:
    """Add the argument that names a run folder."""
    return click.argument("run", type=click.Path(path_type=Path, file_okay=False))(function)


def config_options(*names: str) -> Callable[[Function], Function]:
    """Return a decorator that adds the options of these `Config` fields, or of all of them where none is named."""
    chosen = [item for item in fields(Config) if not names or item.name in names]

    def decorate(function: Function) -> Function:
        for item in reversed(chosen):
            function = _config_option(item)(function)
        return function

    return decorate


class TorchChoice(click.Choice[str]):
    """A choice that takes ``MNIST`` for ``mnist`` and ``CIFAR-10`` for ``cifar10``: any case, hyphens or not."""

    def __init__(self, choices: Sequence[str], absent: Sequence[str]) -> None:
        super().__init__(choices)
        self.absent = absent

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the chosen name."""
        names: list[Any] = [*self.choices, *self.absent]
        name = {self._plain(known): known for known in names}.get(self._plain(value), value)
        if name in self.absent:
            return name  # for Config, which says why it is refused
        return super().convert(name, param, ctx)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Offer the names that begin so, in any case, hyphens or not."""
        names = (name for name in self.choices if self._plain(name).startswith(self._plain(incomplete)))
        return [CompletionItem(name) for name in names]

    @staticmethod
    def _plain(name: object) -> str:
        return str(name).lower().replace("-", "")


class DatasetName(TorchChoice):
    """A known data set, spelt as `TorchChoice` allows, or the path of one of the user's own."""

    name = "name or path"

    def __init__(self) -> None:
        super().__init__(dataset_names(), ())

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the data set's name, or the path as it is."""
        if is_own(value):
            return value
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter as error:
            message = f"{error.message.rstrip('.')}; name a file or folder of your own by a path, as in ./{value}"
            raise click.BadParameter(message, ctx, param) from None

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        """Leave the names to the help text: a path will do too."""
        return "NAME|PATH"

    def get_missing_message(self, param: click.Parameter, ctx: click.Context | None) -> str:
        """List the names."""
        return f"Choose from {', '.join(self.choices)}, or name a file or folder of your own"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Offer the names and, as soon as no name begins so, files and folders."""
        return super().shell_complete(ctx, param, incomplete) or [CompletionItem(incomplete, type="file")]


def _config_option(item: Field[Any]) -> Callable[[Function], Function]:
    meta = item.metadata
    spellings = [item.name, flag(item.name)] + ([meta["torch"]] if meta["torch"] else [])
    kind = option_type(item)
    settings: dict[str, Any] = {"default": item.default, "show_default": item.default is not None}
    if meta["is_flag"]:
        settings |= {"is_flag": True, "show_default": False}
    elif kind is bool:
        settings |= {"type": bool, "metavar": "0|1", "default": "1" if item.default else "0"}
    elif meta["choices"]:
        settings["type"] = TorchChoice(meta["choices"], meta["absent"])
    elif item.name == "dataset":
        settings["type"] = DatasetName()
    elif item.name in ("datapath", "cache_dir"):
        settings["type"] = click.Path(file_okay=False)
    else:
        settings["type"] = kind
    return click.option(*spellings, help=meta["help"], **settings)


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
    """Add what the original's ``-type`` and ``-devid`` say, in the words of `Config`.

    Raises
    ------
    ConfigError
        If they contradict ``--backend`` or ``--device``, or more than one GPU is asked for.
    """
    said = {}
    if ctx.params.get("torch_type"):
        said["backend"] = {"float": "numpy", "cuda": "cupy"}[ctx.params["torch_type"]]
    if ctx.params.get("torch_device"):
        said["device"] = ctx.params["torch_device"] - 1
    if ctx.params.get("torch_gpus", 1) > 1:
        raise ConfigError("-nGPU above 1 is not carried over: a run computes on one device")
    for name, value in said.items():
        if given.get(name, value) != value:
            raise ConfigError(f"{flag(name)} {given[name]} contradicts the Torch program's option for it: give one")
    return {**given, **said}


def given_options(ctx: click.Context) -> dict[str, Any]:
    """Return the options of `Config` that the user typed, with their values."""
    names = {item.name for item in fields(Config)}
    given = {
        name: value
        for name, value in ctx.params.items()
        if name in names and ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE
    }
    if "network" in given:
        given["network"] = given["network"].removesuffix(".lua")
    return translated(ctx, given)

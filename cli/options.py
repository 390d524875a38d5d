"""Command-line options made from what is declared, and the commands that take them."""

from collections.abc import Callable, Sequence
from pathlib import PureWindowsPath
from typing import Any, TypeVar

import click
from click.core import ParameterSource
from click.shell_completion import CompletionItem

from bdfa_np.cli.paths import FolderPath, KeptFolder, spelling
from bdfa_np.data.sources.find import is_own
from bdfa_np.data.sources.registry import dataset_names
from bdfa_np.declaration import Option, flag
from bdfa_np.errors import ConfigError
from bdfa_np.networks import NETWORKS
from bdfa_np.options.catalogue import HEADINGS, OPTIONS
from bdfa_np.options.hints import OPTIONS as OTHER_OPTIONS
from bdfa_np.options.hints import meant
from bdfa_np.rules import RULES
from bdfa_np.system.paths import user_path
from bdfa_np.system.streams import ReaderGone

# Lines are broken at hyphens, which would take names of data sets and options apart.
_UNBREAKABLE = "\N{NON-BREAKING HYPHEN}"

Function = TypeVar("Function", bound=Callable[..., Any])


class Command(click.Command):
    """A command that takes options in the original's single-dash style, and whose help fits its terminal."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse; of an option that there is not, say its whole name, and which one may be meant."""
        given = list(args)
        self._check_attached(ctx, args)
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            named = error.option_name
            if len(named) == 2:
                named = next((arg for arg in given if arg.startswith(named)), named)
            options = [param for param in self.get_params(ctx) if isinstance(param, click.Option) and not param.hidden]
            there = {spelling: max(option.opts, key=_as_offered) for option in options for spelling in option.opts}
            question = meant(named, OTHER_OPTIONS, there)
            raise click.NoSuchOption(named, f"No such option '{named}'.{question}", ctx=ctx) from None

    def _check_attached(self, ctx: click.Context, args: list[str]) -> None:
        """Refuse ``--validate=-1``, whose value click would take for another option."""
        flags = {
            spelling: option
            for option in self.get_params(ctx)
            if isinstance(option.type, FlagOrValue)
            for spelling in option.opts
        }
        for arg in args[: args.index("--") if "--" in args else None]:
            spelling, _, value = arg.partition("=")
            if spelling in flags and value.startswith("-"):
                flags[spelling].type.fail(f"{value!r} is not a value of it", flags[spelling], ctx)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options of a run under their headings, and the command's own after them.

        An argument has no row: the usage line and the text say what it is.
        """
        under: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None and isinstance(parameter, click.Option):
                term, text = record
                under.setdefault(getattr(parameter, "heading", "Options"), []).append(
                    (folded(term, formatter.width), text.replace("-", _UNBREAKABLE))
                )
        for title in (*HEADINGS, "Options"):
            if title in under:
                with formatter.section(title):
                    formatter.write_dl(under[title])
        formatter.buffer = [piece.replace(_UNBREAKABLE, "-") for piece in formatter.buffer]

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; say that it was interrupted in one line, where click would print an empty one.

        That whoever read the output has gone away is said where something was left undone by that.
        """
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as interrupt:
            click.echo(": ".join(["interrupted", *map(str, interrupt.args)]), err=True)
            raise click.Abort from None
        except ReaderGone as gone:
            for left in gone.args:
                click.echo(f"stopped, since nobody reads the output any longer: {left}", err=True)
            raise


def _as_offered(spelling: str) -> tuple[bool, int]:
    return spelling.startswith("--"), len(spelling)


def folded(term: str, width: int) -> str:
    """Return an option's spellings and values in as many lines as it takes to break none of them in the middle."""
    room, indent = width - 4, " " * 6
    if len(term) <= room:
        return term
    spellings, _, values = term.rpartition(" ")
    lines = [indent]
    for piece in values.replace("|", "|\n").splitlines():
        if len(lines[-1] + piece) > room:
            lines.append(indent + " ")
        lines[-1] += piece
    return "\n".join([spellings, *lines])


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


class TorchChoice(click.Choice[Any]):
    """A choice that takes ``MNIST`` for ``mnist`` and ``CIFAR-10`` for ``cifar10``: any case, hyphens or not.

    Of a number, which may have a sign, and of what begins with a hyphen, the hyphen counts.
    """

    def __init__(self, choices: Sequence[Any], absent: Sequence[str]) -> None:
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
        text = str(name).lower()
        return text[:1] + text[1:].replace("-", "")


class DatasetName(TorchChoice):
    """A known data set, spelt as `TorchChoice` allows, or the path of one of the user's own."""

    name = "name or path"

    def __init__(self) -> None:
        super().__init__(dataset_names(), ())

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the data set's name, or the path as it is: that it is one is seen by how it is spelt."""
        if is_own(value):
            user_path(value, spelling(param))
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


class RuleName(TorchChoice):
    """A rule of the package in any case, or whatever else names one: what does not is for `Config` to say."""

    name = "name or path"

    def __init__(self) -> None:
        super().__init__(tuple(RULES), ())

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the rule's name, or what was given."""
        return {known: known for known in self.choices}.get(str(value).lower(), value)

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        """Show the names, and that a file will do too."""
        return f"[{'|'.join(self.choices)}|PATH]"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Offer the names and, as soon as no name begins so, files."""
        return super().shell_complete(ctx, param, incomplete) or [CompletionItem(incomplete, type="file")]


class NetworkName(click.ParamType[str]):
    """A net of the package, or whatever else names one."""

    name = "name or path"

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        """Leave the names to the help text: a path will do too."""
        return "NAME|PATH"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Offer the names that begin so and, as soon as none does, files."""
        names = [CompletionItem(name) for name in NETWORKS if name.startswith(incomplete)]
        return names or [CompletionItem(incomplete, type="file")]


class Switch(click.types.BoolParamType):
    """A boolean; an empty text, as of a shell's variable that was never set, is none."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> bool:
        """Return the boolean."""
        if isinstance(value, str) and not value.strip():
            self.fail(f"{value!r} is not a valid boolean: give 0 or 1", param, ctx)
        return bool(super().convert(value, param, ctx))


class FlagOrValue(click.ParamType[Any]):
    """What a flag that may be given a value is set to: True, or the value in the first type that it has."""

    name = "value"

    def __init__(self, option: Option) -> None:
        self.option = option

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the value; a 1 is the number 1, and ``true`` what the flag alone means."""
        if not isinstance(value, str):
            return value
        words = {"true": True, "false": False}
        if value.lower() in words:
            return words[value.lower()]
        for kind in self.option.also:
            try:
                return kind(value)
            except ValueError:
                continue
        return self.fail(f"{value!r} is not a valid {self.option.wanted}", param, ctx)

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        """Show that it may be left out."""
        if self.option.choices:
            return f"[{'|'.join(self.option.choices)}]"
        return "[TEXT]" if str in self.option.also else "[N]"


class NumberOrWord(click.ParamType[Any]):
    """A whole number, or a word that may stand in its place."""

    name = "number"

    def __init__(self, option: Option) -> None:
        self.option = option

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the number, or the word."""
        if str(value).lower() in self.option.words:
            return str(value).lower()
        try:
            return int(value)
        except ValueError:
            return self.fail(f"{value!r} is not a valid {self.option.wanted}", param, ctx)

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        """Show the words, and that a number will do too."""
        return f"[{'|'.join(self.option.words)}|N]"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Offer the words that begin so."""
        return [CompletionItem(word) for word in self.option.words if word.startswith(incomplete.lower())]


class DeviceNumber(click.ParamType[int]):
    """A device's number; who names a kind of device is told which option that is."""

    name = "integer"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the number."""
        try:
            return int(value)
        except ValueError:
            kinds = {"cuda": "cupy", "gpu": "cupy", "cpu": "numpy"}
            backend = kinds.get(str(value).lower().partition(":")[0])
            advice = f"; where to compute is --backend {backend}" if backend else ""
            self.fail(f"{value!r} is not a valid integer{advice}", param, ctx)


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
    given = {
        name: value
        for name, value in ctx.params.items()
        if name in OPTIONS and ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE
    }
    if given.get("network", "").endswith(".lua"):
        given["network"] = PureWindowsPath(given["network"]).stem  # which takes either system's separators
    return translated(ctx, given)

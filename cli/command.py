"""What every command of ``bdfa`` is: how it is parsed and explained, and what it says when it is interrupted."""

from collections.abc import Mapping
from typing import Any

import click

from bdfa_np.cli.outcome import SHARED_CODES, exit_codes_table
from bdfa_np.cli.values import FlagOrValue
from bdfa_np.options.catalogue import HEADINGS
from bdfa_np.options.hints import OPTIONS as OTHER_OPTIONS
from bdfa_np.options.hints import meant
from bdfa_np.system.streams import ReaderGone

# Lines are broken at hyphens, which would take names of data sets and options apart.
_UNBREAKABLE = "\N{NON-BREAKING HYPHEN}"

OWN = "Options"
"""The heading of options that are none of a run."""


class Command(click.Command):
    """A command that takes options in the original's single-dash style, and whose help fits its terminal.

    Parameters
    ----------
    exit_codes : mapping of int to str, optional
        What its exit codes mean, where that is more than `SHARED_CODES` say; its help shows them.
    """

    def __init__(self, *arguments: Any, exit_codes: Mapping[int, str] | None = None, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.own_exit_codes = exit_codes or {}

    @property
    def exit_codes(self) -> dict[int, str]:
        """What its exit codes mean."""
        return dict(sorted({**SHARED_CODES, **self.own_exit_codes}.items()))

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
        for title, records in headed_options(ctx).items():
            with formatter.section(title):
                formatter.write_dl(
                    [(folded(term, formatter.width), text.replace("-", _UNBREAKABLE)) for term, text in records]
                )
        formatter.buffer = [piece.replace(_UNBREAKABLE, "-") for piece in formatter.buffer]

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples, and what exit codes mean where the command says more of them than all do."""
        super().format_epilog(ctx, formatter)
        if self.own_exit_codes:
            formatter.write_paragraph()
            with formatter.indentation():
                formatter.write_text(f"\b\nExit codes:\n{exit_codes_table(self.exit_codes)}")

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


def headed_options(ctx: click.Context) -> dict[str, list[tuple[str, str]]]:
    """Return the options of a command under their headings, each as its spellings with values, and its help."""
    under: dict[str, list[tuple[str, str]]] = {title: [] for title in (*HEADINGS, OWN)}
    for parameter in ctx.command.get_params(ctx):
        record = parameter.get_help_record(ctx)
        if record is not None and isinstance(parameter, click.Option):
            under[getattr(parameter, "heading", OWN)].append(record)
    return {title: records for title, records in under.items() if records}


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

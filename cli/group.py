"""The group ``bdfa``, which imports a command's file only when it is needed."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from types import MappingProxyType
from typing import Any

import click

from bdfa_np import __version__
from bdfa_np.cli.outcome import EXIT_CODES, exit_codes_table
from bdfa_np.options.hints import COMMANDS as OTHER_COMMANDS
from bdfa_np.options.hints import meant

HEADINGS = {
    "Train a net, and use it": ("train", "evaluate", "predict", "export"),
    "Data sets": ("data",),
    "Studies": ("study",),
    "Look at runs": ("runs", "compare", "plot", "watch", "report", "diagnose"),
    "What there is, and help": ("rules", "nets", "info", "doctor", "completion", "help"),
}
"""The commands under the headings of the help, each a module of ``commands`` with a command of the same name."""
COMMANDS = tuple(name for names in HEADINGS.values() for name in names)
"""All of them, in the order in which a user meets them."""


class LazyGroup(click.Group):
    """A group whose commands are modules of this package.

    Parameters
    ----------
    headings : mapping of str to sequence of str
        Their names under the headings of the help, in the order in which a user meets them.
    package : str, default "bdfa_np.cli.commands"
        Where the modules are.
    prefix : str, default ""
        What the names of the functions begin with.
    """

    def __init__(
        self,
        *arguments: Any,
        headings: Mapping[str, Sequence[str]] = MappingProxyType(HEADINGS),
        package: str = "bdfa_np.cli.commands",
        prefix: str = "",
        **settings: Any,
    ) -> None:
        super().__init__(*arguments, **settings)
        self.headings = headings
        self._names = [name for names in headings.values() for name in names]
        self._package = package
        self._prefix = prefix

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names."""
        return list(self._names)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return a command, or None where there is none of that name."""
        if cmd_name not in self._names:
            return None
        name = cmd_name.replace("-", "_")
        command: click.Command = getattr(import_module(f"{self._package}.{name}"), self._prefix + name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands under their headings, the texts of all in one column."""
        widest = max(map(len, self._names))
        for title, names in self.headings.items():
            with formatter.section(title):
                formatter.write_dl([(f"{name:{widest}}", self.summary(ctx, name)) for name in names])

    def summary(self, ctx: click.Context, name: str) -> str:
        """Return what a command does, in the first sentence of its help."""
        command = self.get_command(ctx, name)
        assert command is not None
        return command.get_short_help_str(limit=1000)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that is named; of one that there is not, say which may be meant."""
        name = args[0]
        if name not in self._names and not name.startswith("-") and not ctx.resilient_parsing:
            ctx.fail(f"No such command '{name}'.{meant(name, OTHER_COMMANDS, {one: one for one in self._names})}")
        return super().resolve_command(ctx, args)


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=f"""\b
Examples:
  bdfa train --dataset mnist-5k --epochs 10 --save runs/first
  bdfa evaluate runs/first
  bdfa help train
Every command explains itself, with examples: bdfa help COMMAND.

\b
Exit codes:
{exit_codes_table(EXIT_CODES)}""",
)
@click.version_option(__version__, prog_name="bdfa", message="%(prog)s %(version)s")
@click.option("--debug", is_flag=True, expose_value=False, help="Show the traceback of an error.")
def bdfa() -> None:
    """Learn with feedback alignment: bp, fa, dfa, bfa and bdfa, from scratch on NumPy."""

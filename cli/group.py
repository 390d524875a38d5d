"""The group ``bdfa``, which imports a command's file only when it is needed."""

from collections.abc import Sequence
from importlib import import_module
from typing import Any

import click

from bdfa_np import __version__
from bdfa_np.options.hints import COMMANDS as OTHER_COMMANDS
from bdfa_np.options.hints import meant

COMMANDS = (
    "train",
    "runs",
    "compare",
    "plot",
    "diagnose",
    "watch",
    "report",
    "study",
    "evaluate",
    "predict",
    "export",
    "data",
    "nets",
    "rules",
    "info",
    "doctor",
    "completion",
    "help",
)
"""Each is a module of this package with a command of the same name."""


class LazyGroup(click.Group):
    """A group whose commands are modules of this package.

    Parameters
    ----------
    commands : sequence of str
        Their names, in the order in which a user meets them.
    package : str, default "bdfa_np.cli.commands"
        Where the modules are.
    prefix : str, default ""
        What the names of the functions begin with.
    """

    def __init__(
        self,
        *arguments: Any,
        commands: Sequence[str] = COMMANDS,
        package: str = "bdfa_np.cli.commands",
        prefix: str = "",
        **settings: Any,
    ) -> None:
        super().__init__(*arguments, **settings)
        self._names = commands
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
    epilog="""\b
Examples:
  bdfa train --dataset mnist-5k --epochs 10  train on the bundled digits
  bdfa runs                                  which runs there are
  bdfa compare runs/bp runs/dfa              in what they differ
  bdfa plot runs/bp runs/dfa -o curves.png   see them learn
  bdfa diagnose runs/dfa                     what its layers have learnt
  bdfa watch runs/dfa                        see a run while it trains
  bdfa report runs/dfa -o dfa.html           a page on a run
  bdfa evaluate runs/dfa                     test what was trained
  bdfa predict runs/dfa 7.png                what a picture of your own is
  bdfa export runs/dfa --to onnx             the net for other programs
  bdfa data info cifar10 --png cifar10.png   what a data set holds
  bdfa nets                                  which nets there are
  bdfa rules                                 which learning rules there are
  bdfa info                                  versions, threads, backends
  bdfa doctor                                compare the GPU with the CPU
Every command explains itself: bdfa help train, or bdfa train --help.

\b
Exit codes:
  0    done
  1    bdfa doctor: a check has failed
  2    an error you can mend, in one line; --debug shows where it came from
  130  interrupted, by Ctrl-C or a request to terminate
  141  whoever read the output has gone away, as in bdfa info | head -1""",
)
@click.version_option(__version__, prog_name="bdfa", message="%(prog)s %(version)s")
@click.option("--debug", is_flag=True, expose_value=False, help="Show the traceback of an error.")
def bdfa() -> None:
    """Learn with feedback alignment: bp, fa, dfa, bfa and bdfa, from scratch on NumPy."""

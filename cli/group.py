"""The group ``bdfa``, which imports a command's file only when it is needed."""

from importlib import import_module

import click

from bdfa_np import __version__

COMMANDS = ("train", "evaluate", "info", "completion")
"""Each is a module of this package with a command of the same name."""


class LazyGroup(click.Group):
    """A group whose commands are modules."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names, in the order in which a user meets them."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return a command, or None where there is none of that name."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(import_module(f"bdfa_np.cli.{cmd_name}"), cmd_name)
        return command


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="""\b
Examples:
  bdfa train --dataset mnist-5k --epochs 10      train on the bundled digits
  bdfa evaluate runs/2026-01-31_12-00-00         test what was trained
  bdfa info                                      versions, threads, backends
Every command explains itself with --help.""",
)
@click.version_option(__version__, prog_name="bdfa", message="%(prog)s %(version)s")
@click.option("--debug", is_flag=True, expose_value=False, help="Show the traceback of an error.")
def bdfa() -> None:
    """Learn with feedback alignment: bp, fa, dfa, bfa and bdfa, from scratch on NumPy."""

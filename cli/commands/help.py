"""``bdfa help``: what ``--help`` says, of any command."""

import click

from bdfa_np.cli.command import Command
from bdfa_np.cli.options import debug_option


@click.command(
    "help",
    cls=Command,
    epilog="""\b
Examples:
  bdfa help
  bdfa help train
  bdfa help data prepare""",
)
@click.argument("command", nargs=-1)
@debug_option
@click.pass_context
def help(ctx: click.Context, command: tuple[str, ...]) -> None:  # noqa: A001 - the command is called so
    """Show the help of a command, or of the whole program."""
    assert ctx.parent is not None
    found: click.Command = ctx.parent.command
    context = ctx.parent
    for position, name in enumerate(command):
        if not isinstance(found, click.Group):
            ctx.fail(f"{context.command_path} has no commands of its own: leave out {' '.join(command[position:])}")
        _, below, _ = found.resolve_command(context, [name])
        assert below is not None
        found, context = below, click.Context(below, info_name=name, parent=context)
    click.echo(found.get_help(context))

"""Commands that say after an interrupt how they are gone on with: as they were typed."""

import shlex

import click

from bdfa_np.cli.command import Command


class Repeatable(Command):
    """A command that knows how it was called, so that it can say how to go on."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse, and keep the arguments as they were typed."""
        ctx.meta[__name__] = shlex.join([*ctx.command_path.split(), *args])
        return super().parse_args(ctx, args)


def as_typed(ctx: click.Context) -> str:
    """Return how a command of this kind was called."""
    typed: str = ctx.meta[__name__]
    return typed

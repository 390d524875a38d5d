"""Commands that know how they were typed: whoever interrupts one is told how it goes on."""

import shlex

import click

from bdfa_np.cli.command import Command


class Repeatable(Command):
    """A command that knows how it was called."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse, and keep the arguments as they were typed."""
        ctx.meta[__name__] = [*ctx.command_path.split(), *args]
        return super().parse_args(ctx, args)


def as_typed(ctx: click.Context) -> str:
    """Return how a command of this kind was called, as a line for a shell."""
    return shlex.join(typed(ctx))


def typed(ctx: click.Context) -> list[str]:
    """Return the words with which a command of this kind was called."""
    words: list[str] = ctx.meta[__name__]
    return words

"""``bdfa completion``: shell completion."""

import click
from click.shell_completion import get_completion_class

from bdfa_np.cli.command import Command
from bdfa_np.cli.options import debug_option


@click.command(
    cls=Command,
    epilog="""\b
Examples:
  bdfa completion bash >> ~/.bashrc
  bdfa completion zsh >> ~/.zshrc
  bdfa completion fish > ~/.config/fish/completions/bdfa.fish""",
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@debug_option
def completion(shell: str) -> None:
    """Print the script that teaches a shell to complete bdfa.

    Commands, options, their values and paths are completed by the Tab key, in shells that are started from then on.
    """
    from bdfa_np.cli.group import bdfa

    completion_class = get_completion_class(shell)
    assert completion_class is not None
    click.echo(completion_class(bdfa, {}, "bdfa", "_BDFA_COMPLETE").source())

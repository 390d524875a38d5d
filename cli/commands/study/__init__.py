"""``bdfa study``: the group of the commands about many runs."""

import click

from bdfa_np.cli.group import LazyGroup


@click.group(
    cls=LazyGroup,
    headings={"Commands": ("list", "show", "new", "run", "table")},
    package="bdfa_np.cli.commands.study",
    prefix="study_",
    epilog="""\b
Examples:
  bdfa study list                        published tables, and what they take
  bdfa study run luo-mnist --cells 1x400 --seeds 1 --epochs 20
  bdfa study table luo-mnist             published, ours, and how far apart
  bdfa study new sweep.toml              a study of your own, to be filled in""",
)
def study() -> None:
    """Train many runs, and set their errors beside published ones."""

"""``bdfa data``: the group of the commands about data sets."""

import click

from bdfa_np.cli.group import LazyGroup


@click.group(
    cls=LazyGroup,
    headings={"Commands": ("list", "fetch", "prepare", "info", "show-zca", "clear")},
    package="bdfa_np.cli.commands.data",
    prefix="data_",
    epilog="""\b
Examples:
  bdfa data list                         what there is, and what is prepared
  bdfa data prepare cifar10 --whiten     so that training starts at once
  bdfa data show-zca cifar10 --png FILE  images, and the same ones whitened
  bdfa data clear cifar10                remove what was prepared""",
)
def data() -> None:
    """List, download, prepare, show and clear data sets."""

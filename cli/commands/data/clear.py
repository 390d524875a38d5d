"""``bdfa data clear``: remove prepared files."""

import sys

import click

from bdfa_np.cli.options import Command, DatasetName, config_options, debug_option
from bdfa_np.errors import ConfigError
from bdfa_np.system.streams import is_terminal


@click.command(
    "clear",
    cls=Command,
    epilog="""\b
Examples:
  bdfa data clear cifar10
  bdfa data clear --yes""",
)
@click.argument("name", type=DatasetName(), required=False)
@config_options("cache_dir")
@click.option("--yes", "-y", is_flag=True, help="Do not ask before everything is removed.")
@debug_option
def data_clear(name: str | None, cache_dir: str | None, yes: bool) -> None:
    """Remove prepared files, of one data set or of all.

    The data sets' own files stay.
    """
    from bdfa_np.cli.prepared import line
    from bdfa_np.data.cache.store import Cache, cache_folder
    from bdfa_np.data.sources.find import find_source

    folder = cache_folder(cache_dir)
    if name is None and not yes:
        if not is_terminal(sys.stdin):
            raise ConfigError("without NAME every prepared file is removed: name a data set, or add --yes")
        if not click.confirm(f"Remove every prepared file in {folder}?", err=True):
            click.echo("nothing was removed")
            return
    removed = Cache(folder).clear(None if name is None else find_source(name).name)
    for entry in removed:
        click.echo(line(entry))
    size = sum(entry.size for entry in removed) / 1e6
    click.echo(f"removed {len(removed)} prepared file{'' if len(removed) == 1 else 's'}, {size:,.1f} MB")

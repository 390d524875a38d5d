"""``bdfa data clear``: remove prepared files."""

import sys

import click

from bdfa_np.cli.command import Command
from bdfa_np.cli.options import config_options, debug_option
from bdfa_np.cli.values import DatasetName
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

    The data sets' own files stay, and so do other files in the folder, links, and what is being prepared now.
    """
    from bdfa_np.cli.prepared import line
    from bdfa_np.data.cache.store import Cache, cache_folder
    from bdfa_np.data.sources.find import find_source, is_own
    from bdfa_np.system.text import counted

    folder = cache_folder(cache_dir)
    cache = Cache(folder)
    of, own = (None, None) if name is None else (find_source(name).name, is_own(name))
    there = cache.entries(of, own=own)
    if name is None and not yes:
        if not is_terminal(sys.stdin):
            raise ConfigError("without NAME every prepared file is removed: name a data set, or add --yes")
        for entry in there:
            click.echo(line(entry), err=True)
        if not click.confirm(f"Remove every prepared file in {folder}?", err=True):
            click.echo("nothing was removed")
            return
    removed = cache.clear(of, own=own)
    for entry in removed:
        click.echo(line(entry))
    size = sum(entry.size for entry in removed) / 1e6
    click.echo(f"removed {counted(len(removed), 'prepared file')}, {size:,.1f} MB")
    left = {entry.path for entry in there} - {entry.path for entry in removed}
    busy = [path for path in left if path.exists()]
    if busy:
        click.echo(
            f"{counted(len(busy), 'file')} stay{'s' if len(busy) == 1 else ''}: being prepared just now", err=True
        )

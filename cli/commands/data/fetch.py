"""``bdfa data fetch``: download a data set's files."""

import sys
from pathlib import Path

import click

from bdfa_np.cli.command import Command
from bdfa_np.cli.options import config_options, debug_option
from bdfa_np.cli.values import TorchChoice
from bdfa_np.data.sources.registry import dataset_names
from bdfa_np.system.streams import is_terminal


@click.command(
    "fetch",
    cls=Command,
    epilog="""\b
Examples:
  bdfa data fetch mnist
  bdfa data fetch svhn --no-extra --datapath /data""",
)
@click.argument("name", type=TorchChoice(dataset_names(), ()), metavar="NAME")
@config_options("datapath", "no_extra")
@debug_option
def data_fetch(name: str, datapath: str | None, no_extra: bool) -> None:
    """Download what is missing of a data set, and check its files."""
    from bdfa_np.data.sources.published import Published
    from bdfa_np.data.sources.registry import find_entry

    folder = None if datapath is None else Path(datapath)
    source = Published(find_entry(name), not no_extra, folder, progress=is_terminal(sys.stderr))
    dataset = source.read()
    _, files = source.locate()
    for _, path in files:
        click.echo(f"{path.stat().st_size / 1e6:9,.1f} MB  {path}")
    counts = f"{len(dataset.train_labels):,} training and {len(dataset.test_labels):,} test images"
    checked = "every file as it was published" if source.known_checksums else "every file whole"
    click.echo(f"{source.entry.title}: {counts}, {checked}")

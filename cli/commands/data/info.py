"""``bdfa data info``: what a data set holds."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bdfa_np.cli.options import Command, DatasetName, config_options, debug_option

if TYPE_CHECKING:
    from bdfa_np.data import Dataset


@click.command(
    "info",
    cls=Command,
    epilog="""\b
Examples:
  bdfa data info mnist-5k
  bdfa data info cifar10 --png cifar10.png
  bdfa data info ./photographs --resize 64""",
)
@click.argument("name", type=DatasetName())
@config_options("datapath", "no_extra", "resize")
@click.option("--png", type=click.Path(path_type=Path, dir_okay=False), help="Draw samples of each class into a file.")
@debug_option
def data_info(name: str, datapath: str | None, no_extra: bool, resize: int | None, png: Path | None) -> None:
    """Print what a data set holds, and draw samples of it.

    That is its class counts, pixel statistics and checksums and, of a published one, its licence and citation.
    """
    from rich.console import Console
    from rich.table import Table

    from bdfa_np.data.pictures import contact_sheet, save
    from bdfa_np.data.sources.find import find_source
    from bdfa_np.options.config import Config

    Config(dataset=name, resize=resize, no_extra=no_extra).resolve()
    source = find_source(name, extra=not no_extra, datapath=datapath, progress=sys.stderr.isatty())
    dataset = source.read(resize)
    console = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
    for text in (*source.notes(), *dataset.notes):
        click.echo(f"note: {text}", err=True)
    for text in description(dataset, source.terms):
        console.print(text)
    table = Table("class", box=None, pad_edge=False)
    for column in ("training", "test"):
        table.add_column(column, justify="right")
    for row in class_counts(dataset):
        table.add_row(*row)
    console.print(table)
    if png is not None:
        save(contact_sheet(dataset.train_images, dataset.train_labels, dataset.class_names), png)
        console.print(f"samples of the training images: {png}")


def description(dataset: "Dataset", terms: tuple[str, ...]) -> Iterator[str]:
    """Yield what there is to say before the table of classes."""
    from bdfa_np.data.statistics import channel_statistics

    shape = "x".join(map(str, dataset.input_shape))
    counts = f"{len(dataset.train_labels):,} training and {len(dataset.test_labels):,} test samples"
    yield f"{dataset.name}: {counts} of {shape} {dataset.train_images.dtype}, {len(dataset.class_names)} classes"
    yield from terms
    for file, sha256 in dataset.checksums.items():
        yield f"SHA-256 {sha256}  {file}"
    for number, channel in enumerate(channel_statistics(dataset.train_images)):
        yield (
            f"channel {number} of the training images: {channel.minimum:g} to {channel.maximum:g}, "
            f"mean {channel.mean:.4f}, standard deviation {channel.deviation:.4f}"
        )


def class_counts(dataset: "Dataset") -> Iterator[tuple[str, str, str]]:
    """Yield each class's name and its numbers of training and test samples."""
    import numpy as np

    classes = len(dataset.class_names)
    counts = [np.bincount(labels, minlength=classes) for labels in (dataset.train_labels, dataset.test_labels)]
    for name, training, test in zip(dataset.class_names, *counts, strict=True):
        yield name, f"{training:,}", f"{test:,}"

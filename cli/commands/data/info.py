"""``bdfa data info``: what a data set holds."""

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bdfa_np.cli.command import Command
from bdfa_np.cli.options import config_options, debug_option
from bdfa_np.cli.paths import OutputPath
from bdfa_np.cli.values import DatasetName
from bdfa_np.system.streams import is_terminal

if TYPE_CHECKING:
    from bdfa_np.data.arrays import Whole

_PARTS = {"train": "training", "test": "test"}


@click.command(
    "info",
    cls=Command,
    epilog="""\b
Examples:
  bdfa data info mnist-5k
  bdfa data info cifar10 --png cifar10.png
  bdfa data info ./photographs --resize 64
  bdfa data info wine.csv --label class --test-fraction 0.2""",
)
@click.argument("name", type=DatasetName())
@config_options("label", "test_fraction", "datapath", "no_extra", "resize", "seed")
@click.option("--png", type=OutputPath(), help="Draw samples of each class into a file.")
@debug_option
def data_info(
    name: str, datapath: str | None, no_extra: bool, resize: int | None, png: Path | None, **own: Any
) -> None:
    """Print what a data set holds, and draw samples of it.

    That is its class counts, the statistics of its pixels or columns, its checksums and, of a published one, its
    licence and citation.
    """
    from rich.console import Console
    from rich.table import Table

    from bdfa_np.data.pictures import contact_sheet, save
    from bdfa_np.data.sources.find import find_source
    from bdfa_np.options.config import Config

    Config(dataset=name, resize=resize, no_extra=no_extra, **own).resolve()
    source = find_source(name, extra=not no_extra, datapath=datapath, progress=is_terminal(sys.stderr), **own)
    whole = source.read_whole(resize)
    if own["test_fraction"] is not None:
        whole = replace(whole, parts=whole.divided(own["test_fraction"], own["seed"]))
    console = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
    for text in (*source.notes(), *whole.notes, *class_remarks(whole)):
        click.echo(f"note: {text}", err=True)
    for text in description(whole, source.terms):
        console.print(text)
    table = Table("class", box=None, pad_edge=False)
    for part in whole.parts:
        table.add_column(_PARTS[part] if len(whole.parts) > 1 else "samples", justify="right")
    for row in class_counts(whole):
        table.add_row(*row)
    console.print(table)
    if png is not None:
        save(contact_sheet(*whole.parts["train"], whole.class_names, title=next(description(whole, ()))), png)
        console.print(f"samples of the training images: {png}")


def class_remarks(whole: "Whole") -> tuple[str, ...]:
    """Return what is to be said of classes without samples."""
    from bdfa_np.data.checks import class_notes

    labels = [labels for _, labels in whole.parts.values()]
    return class_notes(labels[0], labels[1] if len(labels) > 1 else None, whole.class_names)


def description(whole: "Whole", terms: tuple[str, ...]) -> Iterator[str]:
    """Yield what there is to say before the table of classes."""
    from bdfa_np.data.samples import noun
    from bdfa_np.data.statistics import channel_statistics
    from bdfa_np.system.text import counted

    train, _ = whole.parts["train"]
    shape = "x".join(map(str, train.shape[1:]))
    if noun(train) == "vectors":
        shape = counted(train.shape[1], "column")
    counts = " and ".join(f"{len(labels):,} {_PARTS[part]}" for part, (_, labels) in whole.parts.items())
    if "test" not in whole.parts:
        counts = f"{len(train):,}"
    classes = counted(len(whole.class_names), "class", "classes")
    yield f"{whole.name}: {counts} samples of {shape} {train.dtype}, {classes}"
    if "test" not in whole.parts:
        yield "it has no test part: bdfa train needs --test-fraction, such as 0.2"
    yield from terms
    for file, sha256 in whole.checksums.items():
        yield f"SHA-256 {sha256}  {file}"
    which = "the training " if "test" in whole.parts else "the "
    for number, channel in enumerate(channel_statistics(train)):
        values = f"channel {number} of" if noun(train) == "images" else "all entries of"
        yield (
            f"{values} {which}{noun(train)}: {channel.minimum:g} to {channel.maximum:g}, "
            f"mean {channel.mean:.4f}, standard deviation {channel.deviation:.4f}"
        )


def class_counts(whole: "Whole") -> Iterator[tuple[str, ...]]:
    """Yield each class's name and its number of samples in each part, a dash where it has none."""
    import numpy as np

    counts = [np.bincount(labels, minlength=len(whole.class_names)) for _, labels in whole.parts.values()]
    for name, *figures in zip(whole.class_names, *counts, strict=True):
        yield name, *(f"{figure:,}" if figure else "-" for figure in figures)

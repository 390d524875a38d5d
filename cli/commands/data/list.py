"""``bdfa data list``: the data sets, where their files are, and what is prepared."""

from pathlib import Path

import click

from bdfa_np.cli.command import Command
from bdfa_np.cli.options import config_options, debug_option


@click.command(
    "list",
    cls=Command,
    epilog="""\b
Examples:
  bdfa data list
  bdfa data list --datapath /data --cache-dir /scratch/prepared""",
)
@config_options("datapath", "cache_dir")
@debug_option
def data_list(datapath: str | None, cache_dir: str | None) -> None:
    """List data sets, where their files are, and what is prepared."""
    from rich.console import Console

    from bdfa_np.cli.prepared import line
    from bdfa_np.data.cache.store import Cache, cache_folder
    from bdfa_np.data.sources.download import where
    from bdfa_np.data.sources.registry import ENTRIES

    console = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)  # a long path is shown whole
    rows = [("name", "samples", "classes", "training", "test", "files")]
    for known in ENTRIES.values():
        shape = "x".join(map(str, known.image_shape))
        counts = f"{len(known.class_names)}", f"{known.train_images:,}", f"{known.test_images:,}"
        rows.append((known.name, shape, *counts, where(known, None if datapath is None else Path(datapath))))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for *cells, files in rows:
        aligned = (f"{cell:{'<' if column < 2 else '>'}{widths[column]}}" for column, cell in enumerate(cells))
        console.print("  ".join((*aligned, files)))
    folder = cache_folder(cache_dir)
    entries = Cache(folder).entries()
    console.print(f"\nprepared, in {folder}:" if entries else f"\nnothing is prepared in {folder}")
    for entry in entries:
        console.print(line(entry))

"""``bdfa evaluate``: test what a run has trained."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bdfa_np.cli.options import Command, config_options, debug_option, existing_run_argument

if TYPE_CHECKING:
    from bdfa_np.metrics import ConfusionMatrix


@click.command(
    cls=Command,
    epilog="""\b
Examples:
  bdfa evaluate runs/dfa
  bdfa evaluate runs/dfa --split validation
  bdfa evaluate runs/dfa --backend cupy --device 1""",
)
@existing_run_argument
@click.option(
    "--split",
    "part",
    type=click.Choice(["test", "validation"]),
    default="test",
    show_default=True,
    help="The data set's test images, or those that --validate held out of the training images.",
)
@config_options("datapath", "cache_dir", "threads", "backend", "device")
@debug_option
def evaluate(
    run: Path, part: str, datapath: str | None, cache_dir: str | None, threads: int | None, backend: str, device: int
) -> None:
    """Print the error, each class's error and the confusion matrix of the net in the run folder RUN.

    All images of the part are used, also where the run itself was given a --test-limit.
    """
    from bdfa_np.cli.display import Display
    from bdfa_np.runs.evaluation import evaluate_run
    from bdfa_np.runs.session import fallback_notes

    given = {"datapath": datapath, "cache_dir": cache_dir, "threads": threads, "backend": backend, "device": device}
    found = evaluate_run(run, part, given, Display())
    confusion, config = found.confusion, found.config
    click.echo(f"{run} after {found.epoch} epochs, on {confusion.total:,} {part} images of {config.dataset}")
    for note in fallback_notes(config):
        click.echo(note)
    click.echo(f"error {confusion.error_rate:.2%}   loss {found.loss:.4f}")
    click.echo()
    click.echo(table(confusion, found.class_names))


def table(confusion: "ConfusionMatrix", class_names: Sequence[str]) -> str:
    """Return the confusion matrix as text, with each class's error in the last column."""
    header = ["true \\ predicted", *class_names, "error"]
    rows = [
        [name, *map(str, counts), f"{rate:.2%}"]
        for name, counts, rate in zip(
            class_names, confusion.counts.tolist(), confusion.class_error_rates(), strict=True
        )
    ]
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    return "\n".join(
        "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in [header, *rows]
    )

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
    from bdfa_np.cli.commands.train import cuda_defaults, fallback_notes, moved, thread_limit
    from bdfa_np.cli.run_data import check_same_data, load_run_data
    from bdfa_np.errors import ConfigError
    from bdfa_np.model import build_model, restore
    from bdfa_np.runs.folder import RunFolder, check_same_network
    from bdfa_np.trainer import evaluate as evaluate_network

    folder = RunFolder(run)
    config, document = folder.read_config()
    if part == "validation" and not config.validate:
        raise ConfigError(f"{run} was trained without --validate: it has no validation images, only --split test")
    # What the run had may be of another machine: this command computes where it is told to, without TF32.
    anew = {"backend": backend, "device": device, "threads": threads, "test_limit": None}
    config = moved(config, cuda_defaults() | anew)
    with thread_limit(config):
        data = load_run_data(config, datapath=datapath, cache_dir=cache_dir)
        check_same_data(data, document, run)
        check_same_network(config, document, run)
        if part == "test":
            data = data.with_real_test_set()
        model = build_model(config, data.split.input_shape, len(data.split.class_names))
        checkpoint = folder.read_checkpoint()
        restore(model, checkpoint, run)
        loss, confusion = evaluate_network(model.network, model.loss, data.test_batches(config.batch_size))
    click.echo(
        f"{run} after {checkpoint.progress.epoch} epochs, on {confusion.total:,} {part} images of {config.dataset}"
    )
    for note in fallback_notes(config):
        click.echo(note)
    click.echo(f"error {confusion.error_rate:.2%}   loss {loss:.4f}")
    click.echo()
    click.echo(table(confusion, data.split.class_names))


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

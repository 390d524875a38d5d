"""``bdfa data prepare``: preprocess a data set and store it."""

from typing import Any

import click

from bdfa_np.cli.command import Command
from bdfa_np.cli.options import config_options, debug_option
from bdfa_np.cli.recipe import RECIPE_OPTIONS
from bdfa_np.cli.values import DatasetName


@click.command(
    "prepare",
    cls=Command,
    epilog="""\b
Examples:
  bdfa data prepare mnist
  bdfa data prepare cifar10 --whiten --validate
  bdfa data prepare stl10 --resize 32 --whiten
  bdfa data prepare mine.npz --normalization channel""",
)
@click.argument("name", type=DatasetName())
@config_options(*RECIPE_OPTIONS)
@debug_option
def data_prepare(name: str, **options: Any) -> None:
    """Preprocess a data set, and store it to be trained on.

    Training with the same options then starts at once.
    """
    from bdfa_np.cli.display import Display
    from bdfa_np.options.config import Config
    from bdfa_np.runs.data import load_run_data
    from bdfa_np.runs.threads.cores import within_cores, without_training
    from bdfa_np.system.interrupts import terminate_like_interrupt
    from bdfa_np.system.threads import limited_threads

    config = Config(dataset=name, **options).resolve()
    config, capped = within_cores(config)
    display = Display()
    for text in capped:
        display.note(text)
    with terminate_like_interrupt(), limited_threads(without_training(config)):
        data = load_run_data(config, progress=display.progress, note=display.note)
    prepared = data.prepared
    parts = prepared.parts.items()
    counts = [f"{len(labels):,} {'training' if part == 'train' else part}" for part, (_, labels) in parts]
    shape = "x".join(map(str, data.split.input_shape))
    click.echo(f"{prepared.name}: {', '.join(counts)} samples of {shape}")
    click.echo(data.origin() or "it comes with the package and needs no prepared file as it is")

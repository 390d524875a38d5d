"""``bdfa data show-zca``: images and what whitening makes of them, side by side."""

from pathlib import Path
from typing import Any

import click

from bdfa_np.cli.command import Command
from bdfa_np.cli.options import config_options, debug_option
from bdfa_np.cli.paths import OutputPath
from bdfa_np.cli.recipe import RECIPE_OPTIONS
from bdfa_np.cli.values import DatasetName


@click.command(
    "show-zca",
    cls=Command,
    epilog="""\b
Examples:
  bdfa data show-zca mnist-5k --png whitened.png
  bdfa data show-zca stl10 --resize 32 --images 20 --png whitened.png""",
)
@click.argument("name", type=DatasetName())
@config_options(*(option for option in RECIPE_OPTIONS if option not in ("format", "normalization", "whiten")))
@click.option("--png", type=OutputPath(), required=True, help="The picture's file.")
@click.option("--images", type=click.IntRange(1, 100), default=10, show_default=True, help="How many are drawn.")
@debug_option
def data_show_zca(name: str, png: Path, images: int, **options: Any) -> None:
    """Draw test images above what whitening makes of them.

    Nothing is stored: whitening is fitted for these images alone, unless the data set is prepared with --whiten.
    """
    from bdfa_np.cli.display import Display
    from bdfa_np.data.pictures import before_and_after, save
    from bdfa_np.data.preparing import whitened_images
    from bdfa_np.options.config import Config
    from bdfa_np.runs.threads.cores import within_cores, without_training
    from bdfa_np.system.interrupts import terminate_like_interrupt
    from bdfa_np.system.text import counted
    from bdfa_np.system.threads import limited_threads

    config = Config(dataset=name, whiten=True, **options).resolve()
    config, capped = within_cores(config)
    display = Display()
    for text in capped:
        display.note(text)
    with terminate_like_interrupt(), limited_threads(without_training(config)):
        raw, whitened, classes = whitened_images(
            config.recipe(),
            images,
            datapath=config.datapath,
            cache_dir=config.cache_dir,
            progress=display.progress,
            note=display.note,
        )
    title = f"{Path(name).name}: the first {counted(len(raw), 'test image')}, and what whitening makes of them"
    save(before_and_after(raw, whitened, title=title, captions=classes), png)
    click.echo(f"{counted(len(whitened), 'test image')}, each beside its whitened version: {png}")

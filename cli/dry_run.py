"""``bdfa train --dry-run``: every option with its source, and the net's layers, before anything is trained."""

from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from bdfa_np.data.sources.find import source_of
from bdfa_np.extensions import held
from bdfa_np.model import Model, build_model
from bdfa_np.options.catalogue import HEADINGS
from bdfa_np.options.precedence import Chosen
from bdfa_np.options.usual import differing_first, lines_of
from bdfa_np.runs.data import check_augment
from bdfa_np.runs.lines import net_line
from bdfa_np.runs.loading import load_weights
from bdfa_np.runs.memory import memory_lines, program_memory
from bdfa_np.system.text import counted

if TYPE_CHECKING:
    from bdfa_np.rules import Rule


def show(chosen: Chosen, load: Path | None) -> None:
    """Print the resolved options and the layer table, and whether the weights to start from fit.

    Of data sets, only one of the user's own is read: nobody else knows what its samples are like.
    """
    with held(chosen.files):
        _show(chosen, load)


def _show(chosen: Chosen, load: Path | None) -> None:
    console = Console(highlight=False, markup=False, emoji=False)  # a path may look like either
    console.print(option_table(chosen))
    for note in chosen.notes:
        console.print(note, soft_wrap=True)
    recipe = chosen.config.recipe()
    name, input_shape, classes, nbytes, *_ = source_of(recipe).describe(recipe)
    check_augment(chosen.config, input_shape)
    program = program_memory()
    model = build_model(chosen.config, input_shape, classes)
    console.print(layer_table(model.rule, f"{chosen.config.network} for {name}"))
    for line in summary(model):
        console.print(line)
    if load is not None:
        console.print(load_weights(model, load), soft_wrap=True)
    for line in memory_lines(model, data=nbytes, program=program):  # the last: it trains the model on nothing
        console.print(line, soft_wrap=True)


def summary(model: Model) -> list[str]:
    """Return what would be trained, in a few lines."""
    config, weights = model.config, model.network.weights.values.size
    epochs = "no bound of epochs" if config.epochs == -1 else counted(config.epochs, "epoch")
    return [
        f"{net_line(config, model.network)}; {counted(weights, 'parameter')}",
        f"{config.optimization} lr {config.lr:g}, batch {config.batch_size}, {epochs}, seed {config.seed}",
    ]


def option_table(chosen: Chosen) -> Table:
    """Return a row an option, with its value and where that is from: first those that differ from the defaults."""
    table = Table("option", title="options", title_justify="left")
    for column in ("value", "from"):
        table.add_column(column, overflow="fold")  # a long path is shown whole
    differing, usual = differing_first(chosen.config)
    under = {title: [option for option in options if option in usual] for title, options in HEADINGS.items()}
    for title, options in {"Not the default": differing, **under}.items():
        table.add_section()
        if options:
            table.add_row(f"{title}:")
        for option in options:
            value, source = getattr(chosen.config, option.name), chosen.sources[option.name]
            if value != option.default and source == "default":
                source = "follows from the others"
            for spelling, shown in lines_of(option, value).items():
                table.add_row(spelling, "" if shown is None else str(shown), source)
    return table


def layer_table(rule: "Rule", title: str) -> Table:
    """Return a row a layer: output shape, parameters, feedback parameters, multiply-adds a sample; and their sums."""
    rows = rule.network.table(rule.B)
    table = Table(title=title, title_justify="left")
    for column, at_right in zip(rows.columns, rows.at_right(), strict=True):
        table.add_column(column, justify="right" if at_right else "left", overflow="fold")
    *layers, sums = rows.text_rows()
    for row in layers:
        table.add_row(*row)
    table.add_section()
    table.add_row(*sums)
    return table

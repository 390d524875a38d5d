"""``bdfa study table``: published numbers beside our own."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bdfa_np.cli.command import Command
from bdfa_np.cli.options import debug_option, trust_option
from bdfa_np.cli.paths import FolderPath, OutputPath
from bdfa_np.errors import ConfigError
from bdfa_np.system.outputs import open_output, write_output
from bdfa_np.system.text import counted
from bdfa_np.tables import WIDTH

if TYPE_CHECKING:
    from bdfa_np.study.description import Study


@click.command(
    "table",
    cls=Command,
    epilog="""\b
Examples:
  bdfa study table luo-mnist
  bdfa study table luo-mnist --epochs 20 --cells 1x400
  bdfa study table studies/sweep --welch rule
  bdfa study table luo-mnist --latex --out table.tex
  bdfa study table luo-mnist --frame epochs.csv""",
)
@click.argument("study", metavar="NAME|FOLDER|FILE")
@click.option("--save", type=FolderPath(), help="The study's folder.  [default: studies/NAME]")
@click.option(
    "--cells",
    multiple=True,
    metavar="PATTERN",
    help="Only cells of which the name or a label fits, as in '1x400' or '*/bdfa'; as often as you like.",
)
@click.option("--epochs", type=click.IntRange(min=1), help="The table of runs that were shortened to so many epochs.")
@click.option("--best", is_flag=True, help="Compare the epoch with the lowest validation error of each run.")
@click.option("--interval", is_flag=True, help="Show Student's 95% interval for each mean.")
@click.option("--welch", metavar="AXIS", help="Show Welch's tests between the labels of an axis instead.")
@click.option("--csv", "form", flag_value="csv", help="Print CSV, in percent with every digit.")
@click.option("--markdown", "form", flag_value="markdown", help="Print Markdown.")
@click.option("--latex", "form", flag_value="latex", help="Print LaTeX, for the package booktabs.")
@click.option("--out", type=OutputPath(), metavar="FILE", help="Write the table to a file, whole or not at all.")
@click.option("--frame", type=OutputPath(), metavar="FILE", help="Write a row for each run and epoch as CSV instead.")
@trust_option
@debug_option
def study_table(
    study: str,
    save: Path | None,
    cells: Sequence[str],
    epochs: int | None,
    best: bool,
    interval: bool,
    welch: str | None,
    form: str | None,
    out: Path | None,
    frame: Path | None,
    trust: bool,
) -> None:
    """Show a study's errors, beside those that were published.

    A study is named by its NAME, of the package's or of a folder in studies, by its FOLDER, or by its own FILE. Cells
    that are not finished say so. Runs of other settings than the study's are left out, and named.
    """
    from bdfa_np.study.table.source import found_study

    described, folder = found_study(study, save, trust=trust)
    if frame is not None:
        if best or interval or welch or form or out:
            raise ConfigError("--frame is every epoch's figures as CSV: leave the other options of the table out")
        _write_frame(frame, described, folder, cells, epochs)
        return
    from bdfa_np.study.table import tabulate

    table = tabulate(described, folder, cells=cells, epochs=epochs, best=best, welch=welch, interval=interval)
    width = WIDTH if out is not None else shutil.get_terminal_size().columns
    text = f"{table.text(width)}\n" if form is None else getattr(table, form)()
    if out is None:
        click.echo(text, nl=False)
    else:
        write_output(out, text)
    if form is not None or out is not None:
        _tell(table.warnings())


def _write_frame(file: Path, study: "Study", folder: Path, cells: Sequence[str], epochs: int | None) -> None:
    """Write a row for each run and epoch."""
    from bdfa_np.study.frame import names, rows, write_csv
    from bdfa_np.study.plan import plan

    left_out: list[str] = []
    found = rows(study, folder, cells=cells, epochs=epochs, left_out=left_out)
    header = names(study, plan(study, cells=cells, epochs=epochs))
    with open_output(file) as opened:
        count = write_csv(opened, header, found)
    _tell(left_out)
    click.echo(f"{file}: {counted(count, 'row')}, one a run and epoch", err=True)


def _tell(warnings: Sequence[str]) -> None:
    """Say on standard error what was left out, where the output itself may be read by nobody."""
    for text in warnings:
        click.echo(f"note: {text}", err=True)

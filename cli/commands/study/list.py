"""``bdfa study list``: the studies that there are, and how long they should take here."""

import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bdfa_np.cli.command import Command
from bdfa_np.cli.declared import wrapped
from bdfa_np.cli.options import debug_option
from bdfa_np.errors import UserError
from bdfa_np.options.machine import usable_cores

if TYPE_CHECKING:
    from bdfa_np.study.description import Study
    from bdfa_np.study.plan import PlannedRun

WIDEST = 100
"""Columns beyond which lines are hard to read, however wide the terminal is."""


@dataclass
class Row:
    """A study in the list.

    Attributes
    ----------
    called : str
        What it is called in a command.
    study : Study
        The study.
    seconds : list of float or None
        What each of its runs should take; None where that was not measured.
    """

    called: str
    study: "Study"
    runs: "list[PlannedRun]"
    seconds: list[float] | None = None


@click.command(
    "list",
    cls=Command,
    epilog="""\b
Examples:
  bdfa study list
  bdfa study list --no-time""",
)
@click.option("--no-time", is_flag=True, help="Do not measure how long studies should take here.")
@debug_option
def study_list(no_time: bool) -> None:
    """List the package's studies, and those in files of the current folder.

    Each has its cells, its seeds, the epochs of a run, and how long all runs should take here, one after another and
    with a worker a core: a few training steps of each kind of net are timed for that, on random samples.
    """
    rows, notes = found()
    if not no_time:
        notes += measured(rows)
    width = min(shutil.get_terminal_size().columns, WIDEST)
    for line in listing(rows, width, times=not no_time):
        click.echo(line)
    for note in notes:
        click.echo(wrapped(note, width, "note: ", "  "))
    click.echo(wrapped("bdfa study show NAME|FILE has the published numbers and all settings of one", width))


def found() -> tuple[list[Row], list[str]]:
    """Return the studies, and notes on files that would be some and cannot be used."""
    from bdfa_np.study.description import load_study, published_names, study_files
    from bdfa_np.study.plan import plan

    rows, notes = [], []
    for called in (*published_names(), *map(str, study_files(Path()))):
        try:
            study = load_study(called)
        except UserError as error:
            notes.append(str(error))
            continue
        rows.append(Row(called, study, plan(study)))
    return rows, notes


def measured(rows: list[Row]) -> list[str]:
    """Measure how long the runs should take; return notes on studies of which that cannot be told."""
    from bdfa_np.study.estimate import Estimates
    from bdfa_np.system.progress import bar
    from bdfa_np.system.streams import is_terminal

    estimates, notes, kinds = Estimates(), [], 0
    runs = [run for row in rows for run in row.runs if run.seed == row.study.seeds[0]]
    with bar("timing a few steps of each kind of net", len(runs), is_terminal(sys.stderr)) as done:
        for row in rows:
            try:
                row.seconds = []
                for run in row.runs:
                    row.seconds.append(estimates.seconds_of(run))
                    kinds += run.seed == row.study.seeds[0]
                    done(kinds)
            except UserError as error:
                row.seconds = None
                notes.append(f"how long {row.called} takes cannot be told: {error}")
    return notes


def listing(rows: list[Row], width: int, *, times: bool) -> Iterator[str]:
    """Yield a line of figures for each study, and its title below."""
    from bdfa_np.study.estimate import shared_out
    from bdfa_np.system.text import duration
    from bdfa_np.tables import Table

    cores = usable_cores()
    columns = ["study", "cells", "seeds", "epochs", *(["one by one"] if times else [])]
    columns += [f"{cores} workers"] if times and cores > 1 else []
    lines = []
    for row in rows:
        epochs = sorted({run.options["epochs"] for run in row.runs})
        counts = [len(row.study.cells), len(row.study.seeds)]
        figures: list[object] = [row.called, *counts, "-".join(map(str, dict.fromkeys((epochs[0], epochs[-1]))))]
        if times:
            workers = [1, cores] if cores > 1 else [1]
            figures += ["?" if row.seconds is None else duration(shared_out(row.seconds, one)) for one in workers]
        lines.append(figures)
    heading, *printed = Table(columns, lines, right=columns[1:]).to_text(max(width, 80)).splitlines()
    yield heading
    for row, line in zip(rows, printed, strict=True):
        yield line
        if row.study.title:
            yield wrapped(row.study.title, width, "  ", "  ")

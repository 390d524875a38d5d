"""``bdfa study run --dry-run``: every run of a study, how far it is, what it differs in, and what it takes."""

from collections.abc import Callable, Mapping
from typing import Any

import click

from bdfa_np.cli.declared import wrapped
from bdfa_np.representation import value_text
from bdfa_np.study.laboratory import Order
from bdfa_np.study.plan import PlannedRun
from bdfa_np.study.search.choosing import searches
from bdfa_np.study.search.lines import search_lines
from bdfa_np.study.standing import RunStanding, Standing
from bdfa_np.system.text import counted, duration
from bdfa_np.tables import WIDTH, Table


def show_plan(order: Order, standing: Standing, at_once: int | None, seconds_of: Callable[[PlannedRun], float]) -> None:
    """Print a row a run, and what all of them take.

    Parameters
    ----------
    order : Order
        The runs.
    standing : Standing
        How far they are.
    at_once : int or None
        How many are trained at once; None where nobody knows.
    seconds_of : callable
        Returns what a run takes that nothing is known of.
    """
    order.tell(standing)
    common, own = parted({run.folder: run.options for run in order.runs})
    measured: dict[str, float] = {}
    rows, total = [], 0.0
    for one in standing.runs.values():
        takes = 0.0 if one.state == "finished" else _seconds_left(one, measured, seconds_of)
        total += takes
        settings = ", ".join(f"{name} {shown}" for name, shown in own[one.run.folder].items())
        rows.append([one.run.folder, _state(one), settings, duration(takes) if takes else ""])
    click.echo(standing.heading())
    if common:
        click.echo(wrapped(", ".join(f"{name} {value}" for name, value in common.items()), WIDTH, "all: "))
    click.echo()
    click.echo(Table(["run", "state", "settings", "takes"], rows, right=("takes",), whole=("run",)).to_text())
    for line in search_lines(order.study, order.folder, epochs=order.wanted["epochs"]):
        click.echo(wrapped(line, WIDTH, "", "  "))
    for one in standing.failed():
        click.echo(wrapped(f"{one.run.folder}: {order.folder.failure(one.run)}", WIDTH, "failed: "))
    if total:
        how = f"{at_once} at once" if at_once and at_once > 1 else "one after another"
        made = searches(order.study, order.folder, cells=order.wanted["cells"], epochs=order.wanted["epochs"])
        beside = ", beside the trials of its search" if any(not one.is_settled() for one in made) else ""
        click.echo(f"\nabout {duration(total / (at_once or 1))}, {how}{beside}; nothing was trained or written")


def parted(options: Mapping[str, Mapping[str, Any]]) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    """Return the options that all runs share, and those of each by its folder; a seed is in the folder's name."""
    every = list(options.values())
    names = dict.fromkeys(name for one in every for name in one if name != "seed")
    same = {name for name in names if all(name in one and one[name] == every[0][name] for one in every)}
    common = {name: _shown(every[0][name]) for name in names if name in same}
    own = {
        folder: {name: _shown(one[name]) for name in names if name in one and name not in same}
        for folder, one in options.items()
    }
    return common, own


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else value_text(value)


def _state(one: RunStanding) -> str:
    told = one.progress
    if one.state == "missing":
        whole = one.run.whole_epochs
        return f"to do, {one.run.options['epochs']} of {counted(whole, 'epoch')}" if whole is not None else "to do"
    if told is None or one.state == "finished":
        return one.state
    return f"{one.state} after {told.epoch} of {told.epochs}" if told.epochs > 0 else f"{one.state} after {told.epoch}"


def _seconds_left(one: RunStanding, measured: dict[str, float], seconds_of: Callable[[PlannedRun], float]) -> float:
    """Return what a run takes yet: by its own epochs, else as measured once for its cell."""
    left = one.seconds_left(None)
    if left is not None:
        return left
    if one.run.cell not in measured:
        measured[one.run.cell] = seconds_of(one.run)
    return measured[one.run.cell] * (1 - one.share)

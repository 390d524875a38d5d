"""What a person sees while a study's runs are carried out: on a terminal a table of its cells, else a line a run."""

import contextlib
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from time import monotonic

import click
from rich.console import Console, Group
from rich.constrain import Constrain
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from bdfa_np.errors import OutputError
from bdfa_np.study.events import Outcome, Progress, State
from bdfa_np.study.lines import Lines
from bdfa_np.study.plan import PlannedRun
from bdfa_np.study.standing import CellStanding, RunStanding, Standing
from bdfa_np.system.streams import is_terminal
from bdfa_np.system.text import counted, duration

REDRAW_SECONDS = 0.5
"""Drawing takes some milliseconds, which is to be less than a hundredth of the time."""
ECHO = 3
"""Columns left free: a terminal echoes Ctrl-C as ``^C``, which would begin another line at the end of a full one."""
FEWEST_CELLS = 3
"""Rows that cells have, however low the terminal is."""
MOST_RUNNING, MOST_FAILED = 4, 3
"""Lines that running and failed runs have under the table."""


def display(title: str, measure: str) -> Standing:
    """Return what shows how far a study is, on this standard output; to be left with ``ends_showing``."""
    console = Console(highlight=False, emoji=False, markup=False)
    # A notebook's cell has a terminal for its commands, which shows every redrawing as lines of its own; a terminal
    # that can move no cursor does too.
    in_cell = "JPY_PARENT_PID" in os.environ
    if console.is_terminal and not console.is_dumb_terminal and is_terminal(sys.stdout) and not in_cell:
        return LiveTable(title, measure, console)
    return Lines(title, measure, _to(err=False), _note)


def _to(*, err: bool) -> Callable[[str], None]:
    def write(text: str) -> None:
        click.echo(text, err=err)

    return write


def _note(text: str) -> None:
    click.echo(f"note: {text}", err=True)


class LiveTable(Standing):
    """A table of a study's cells, drawn anew a few times a second at most.

    Parameters
    ----------
    title : str
        What the study is called.
    measure : {"error", "accuracy"}
        As what errors are shown.
    console : rich.console.Console
        The terminal.
    """

    def __init__(self, title: str, measure: str, console: Console) -> None:
        super().__init__(title, measure)
        self.console = console
        self._drawn = 0.0
        self._live: Live | None = None

    def plans(self, runs: Sequence[PlannedRun], states: Mapping[str, State]) -> None:
        """Show the table, in place of one that was there."""
        self.ends_showing()
        super().plans(runs, states)
        self._draw(at_once=True)

    def note(self, text: str) -> None:
        """Print something out of the ordinary; above the table, where that is shown."""
        with self._going_on():
            self.console.print(f"note: {text}")

    def begins(self, folder: str, where: str) -> None:
        """Show that a run begins."""
        super().begins(folder, where)
        self._draw()

    def progress(self, progress: Progress) -> None:
        """Show how far a run is."""
        super().progress(progress)
        self._draw()

    def ends(self, outcome: Outcome) -> None:
        """Show what became of a run."""
        super().ends(outcome)
        if outcome.note:
            self.note(f"{outcome.folder}: {outcome.note}")
        self._draw()

    def ends_showing(self) -> None:
        """Leave the table as it is now."""
        if self._live is not None:
            self._is_begun = True  # what is left on the terminal promises nothing
            self._draw(at_once=True)
            with self._going_on():
                self._live.stop()
            self._live = None

    def _draw(self, *, at_once: bool = False) -> None:
        now = monotonic()
        if not at_once and now - self._drawn < REDRAW_SECONDS:
            return
        self._drawn = now
        with self._going_on():
            if self._live is None:
                self._live = Live(console=self.console, auto_refresh=False)
                self._live.start()
            shown = Constrain(picture(self, self.console.height), self.console.width - ECHO)
            self._live.update(shown, refresh=True)

    @contextlib.contextmanager
    def _going_on(self) -> Iterator[None]:
        """Let the study go on where the terminal is gone or full."""
        with contextlib.suppress(OutputError):
            yield


def picture(shown: Standing, height: int) -> Group:
    """Return a study's cells and what is at work, in no more lines than a terminal has.

    Parameters
    ----------
    shown : Standing
        How far the study is.
    height : int
        The lines of the terminal.
    """
    running, failed = _running(shown), _failed(shown)
    cells = list(shown.cells.values())
    rows = max(height - 1 - 2 - len(running) - len(failed), FEWEST_CELLS)
    table = Table(box=None, pad_edge=False, expand=True, header_style="bold")
    table.add_column("cell", ratio=3, no_wrap=True, overflow="ellipsis")
    table.add_column("runs", justify="right", no_wrap=True)
    table.add_column("done", ratio=2, min_width=8)
    table.add_column(f"{_tested_on(shown)} {shown.measure}", justify="right", no_wrap=True)
    table.add_column("left", justify="right", no_wrap=True)
    kept = cells if len(cells) <= rows else _most_telling(cells, rows - 1)
    for cell in kept:
        table.add_row(*_row(shown, cell))
    if len(kept) < len(cells):
        table.add_row(*_rest([cell for cell in cells if cell not in kept]))
    left = shown.seconds_left()
    heading = shown.heading() + (f", about {duration(left)} left" if left else "")
    return Group(_line(heading, "bold"), table, *running, *failed)


def _line(text: str, style: str = "") -> Text:
    return Text(text, style=style, no_wrap=True, overflow="ellipsis")


def _tested_on(shown: Standing) -> str:
    """Return which images errors are of: those held back, where all runs hold some back."""
    validate = [bool(one.run.options.get("validate", False)) for one in shown.runs.values()]
    return "validation" if validate and all(validate) else "test"


def _most_telling(cells: Sequence[CellStanding], count: int) -> list[CellStanding]:
    """Return so many cells, in their order: at work first, then with a failure, then begun, then to come, then done."""

    def rank(cell: CellStanding) -> int:
        if cell.count("running"):
            return 0
        if cell.count("failed"):
            return 1
        if cell.is_over:
            return 4
        return 2 if cell.share else 3

    kept = {id(cell) for cell in sorted(cells, key=rank)[:count]}
    return [cell for cell in cells if id(cell) in kept]


def _row(shown: Standing, cell: CellStanding) -> tuple[Text | ProgressBar, ...]:
    error, count, finished = cell.error()
    figure = ""
    if error is not None:
        figure = shown.shown(error) + (f" of {count}" if finished else " so far")
    left = cell.seconds_left()
    return (
        Text(cell.name),
        Text(f"{cell.count('finished')}/{len(cell.runs)}"),
        ProgressBar(total=1.0, completed=cell.share),
        Text(figure),
        Text("failed" if cell.is_over and cell.count("failed") else duration(left) if left else ""),
    )


def _rest(cells: Sequence[CellStanding]) -> tuple[Text | ProgressBar, ...]:
    """Return a row for cells that have none of their own."""
    runs = [one for cell in cells for one in cell.runs]
    finished = sum(one.state == "finished" for one in runs)
    share = sum(one.share for one in runs) / len(runs)
    return (
        Text(f"{counted(len(cells), 'more cell')}", style="dim"),
        Text(f"{finished}/{len(runs)}"),
        ProgressBar(total=1.0, completed=share),
        Text(""),
        Text(""),
    )


def _running(shown: Standing) -> list[Text]:
    """Return lines on what is at work."""
    runs = shown.running()
    if not runs and shown.is_to_begin:
        return [_line("the first runs are about to begin", "cyan")]
    lines = [_line(_at_work(one), "cyan") for one in runs[:MOST_RUNNING]]
    return lines + ([_line(f"and {counted(len(runs) - MOST_RUNNING, 'more run')}")] if len(runs) > MOST_RUNNING else [])


def _at_work(one: RunStanding) -> str:
    where = f"{one.where}: " if one.where else ""
    if one.progress is None:
        return f"{where}{one.run.folder} begins"
    told = one.progress
    of = f" of {told.epochs}" if told.epochs > 0 else ""
    pace = f", {told.seconds:.3g} s each" if told.seconds is not None else ""
    return f"{where}{one.run.folder}, epoch {told.epoch}{of}{pace}"


def _failed(shown: Standing) -> list[Text]:
    """Return lines on what has failed, the latest last."""
    runs = shown.failed()
    more = [_line(f"{counted(len(runs) - MOST_FAILED, 'run')} failed before these", "red")]
    lines = [_line(f"failed: {one.run.folder}: {one.reason}", "red") for one in runs[-MOST_FAILED:]]
    return (more if len(runs) > MOST_FAILED else []) + lines

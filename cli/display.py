"""What a person sees while a net trains: a bar for every batch, a line for every epoch."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from bdfa_np.errors import OutputError
from bdfa_np.runs.events import Listener
from bdfa_np.system.streams import is_terminal
from bdfa_np.trainer import EpochRecord

REDRAW_SECONDS = 0.4
"""Drawing takes two milliseconds, which is to be less than a hundredth of the time."""


class Display(Listener):
    """Prints a run's lines, and on a terminal a bar under them."""

    def __init__(self) -> None:
        # A notebook's cell has a terminal for its commands, which shows every redrawing of a bar as a line of its own.
        in_cell = "JPY_PARENT_PID" in os.environ
        self.progress = is_terminal(sys.stderr) and not in_cell
        self.console = Console(highlight=False, soft_wrap=True, emoji=False)
        self._drawn = 0.0
        self._steps = 0
        self._bar: Progress | None = None
        self._so_far: Callable[[], tuple[float, float]] | None = None
        # is_terminal is also true of a file under FORCE_COLOR, which asks for colours and for no film of a bar.
        if self.console.is_terminal and is_terminal(sys.stdout) and not in_cell:
            columns = (
                TextColumn("{task.description}"),
                BarColumn(bar_width=None),
                MofNCompleteColumn(),
                TextColumn("{task.fields[figures]}"),
                TimeRemainingColumn(),
            )
            self._bar = Progress(*columns, console=self.console, transient=True, auto_refresh=False)
            self._task = self._bar.add_task("", visible=False, figures="")

    def note(self, text: str) -> None:
        """Print something out of the ordinary on standard error."""
        click.echo(f"note: {text}", err=True)

    def line(self, text: str) -> None:
        """Print a line."""
        # A terminal gets a long note in lines that end between words; whoever reads from a pipe gets it whole.
        folded = text.startswith("note: ") and self.console.is_terminal
        with self._going_on():
            self.console.print(text, markup=False, soft_wrap=not folded)

    def training_begins(self, so_far: Callable[[], tuple[float, float]]) -> None:
        """Keep what tells the running epoch's figures."""
        self._so_far = so_far

    def epoch_begins(self, number: int, epochs: int, steps: int) -> None:
        """Show the bar of an epoch of so many training steps."""
        if self._bar is not None:
            self._steps = steps
            title = f"epoch {number}" + (f"/{epochs}" if epochs > 0 else "")
            with self._going_on():
                self._bar.start()
                self._bar.reset(self._task, total=steps, description=title, visible=True, figures="")
                self._bar.refresh()

    def step(self, number: int) -> None:
        """Move the bar, a few times a second."""
        now = monotonic()
        if self._bar is not None and (now - self._drawn >= REDRAW_SECONDS or number == self._steps):
            self._drawn = now
            figures = ""
            if self._so_far is not None:  # asked only when drawn: on a GPU it waits
                loss, error = self._so_far()
                figures = f"loss {loss:.4f} error {error:.2%}"
            with self._going_on():
                self._bar.update(self._task, completed=number, figures=figures, refresh=True)

    def epoch_ends(self, record: EpochRecord) -> None:
        """Take the bar away, for the epoch's line."""
        self.ends()

    def ends(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            with self._going_on():
                self._bar.stop()

    @contextmanager
    def _going_on(self) -> Iterator[None]:
        """Let a run go on that cannot tell its lines, since the disk is full or the terminal gone; say so once."""
        try:
            yield
        except OutputError as error:
            self.note(f"{error}: the run goes on, and its lines are in its Log.txt")

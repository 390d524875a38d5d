"""What a person sees while a net trains: a bar for every batch, a line for every epoch."""

from collections.abc import Callable
from time import monotonic

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from bdfa_np.trainer import EpochRecord

REDRAW_SECONDS = 0.4
"""Drawing takes two milliseconds, which is to be less than a hundredth of the time."""


class Display:
    """Prints lines, and on a terminal a bar under them.

    Parameters
    ----------
    log : callable
        Called with every line that is printed.
    """

    def __init__(self, log: Callable[[str], None]) -> None:
        self.console = Console(highlight=False, soft_wrap=True, emoji=False)
        self._log = log
        self._drawn = 0.0
        self._steps = 0
        self._progress: Progress | None = None
        if self.console.is_terminal:
            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
            self._progress = Progress(*columns, console=self.console, transient=True, auto_refresh=False)
            self._task = self._progress.add_task("", visible=False)

    def line(self, text: str) -> None:
        """Print a line and log it."""
        self._log(text)
        self.console.print(text, markup=False)

    def start_epoch(self, number: int, epochs: int, steps: int) -> None:
        """Show the bar of an epoch of so many training steps."""
        if self._progress is not None:
            self._steps = steps
            self._progress.start()
            title = f"epoch {number}" + (f"/{epochs}" if epochs > 0 else "")
            self._progress.reset(self._task, total=steps, description=title, visible=True)
            self._progress.refresh()

    def on_batch(self, step: int) -> None:
        """Move the bar, a few times a second."""
        now = monotonic()
        if self._progress is not None and (now - self._drawn >= REDRAW_SECONDS or step == self._steps):
            self._drawn = now
            self._progress.update(self._task, completed=step, refresh=True)

    def stop(self) -> None:
        """Take the bar away."""
        if self._progress is not None:
            self._progress.stop()

    def epoch(self, record: EpochRecord, epochs: int) -> None:
        """Print an epoch's line."""
        self.stop()
        of = f"/{epochs}" if epochs > 0 else ""
        self.line(
            f"epoch {record.epoch}{of}: "
            f"train error {record.train_error:7.2%} (running mean {record.train_error_mean:7.2%}) "
            f"loss {record.train_loss:.4f} | "
            f"test error {record.test_error:7.2%} loss {record.test_loss:.4f} | "
            f"lr {record.lr:.3g} | {record.seconds:.1f} s"
        )

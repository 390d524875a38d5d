"""One quiet bar over all of training, in a terminal or in a notebook."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from html import escape
from time import monotonic
from typing import Any, Protocol, TypeAlias

from bdfa_np.runs.events import Listener
from bdfa_np.system.streams import is_terminal, standard_error
from bdfa_np.system.text import counted
from bdfa_np.trainer import EpochRecord

REDRAW_SECONDS = 0.4
"""Drawing takes two milliseconds, which is to be less than a hundredth of the time."""


Callback: TypeAlias = Callable[[EpochRecord, dict[str, float]], object]
"""Hears an epoch's figures, and what was measured in it, as ``signal_angle.linear1``."""


class Drawing(Protocol):
    """Where a bar is drawn."""

    def draw(self, share: float | None, text: str) -> None:
        """Show how much is done, from 0 to 1, or None where no end is known; and a few words."""

    def end(self, text: str) -> None:
        """Leave these words in the bar's place."""


class TerminalDrawing:
    """A bar on standard error, by rich."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self._console = Console(file=standard_error(), stderr=True, highlight=False, emoji=False)
        text = TextColumn("{task.description}", markup=False)
        self._bar = Progress(
            BarColumn(), text, TimeRemainingColumn(), console=self._console, transient=True, auto_refresh=False
        )
        self._task = self._bar.add_task("", total=1.0)
        self._bar.start()

    def draw(self, share: float | None, text: str) -> None:
        """Move the bar."""
        self._bar.update(self._task, completed=share or 0.0, total=None if share is None else 1.0, description=text)
        self._bar.refresh()

    def end(self, text: str) -> None:
        """Take the bar away."""
        self._bar.stop()
        if text:
            self._console.print(text, markup=False, soft_wrap=True)


class NotebookDrawing:
    """A bar under a notebook's cell, as an element of HTML that needs no widgets."""

    def __init__(self) -> None:
        from IPython.display import HTML, display  # type: ignore[import-not-found, unused-ignore]

        self._html = HTML
        self._handle = display(HTML(""), display_id=True)

    def draw(self, share: float | None, text: str) -> None:
        """Move the bar."""
        value = "" if share is None else f' value="{share:.3f}"'
        self._handle.update(self._html(f"<progress{value}></progress> <code>{escape(text)}</code>"))

    def end(self, text: str) -> None:
        """Leave the words."""
        self._handle.update(self._html(f"<code>{escape(text)}</code>" if text else ""))


def drawing(progress: bool | None) -> Drawing | None:
    """Return where a bar is to be drawn: under a notebook's cell, in a terminal, or nowhere.

    Parameters
    ----------
    progress : bool or None
        False: nowhere. True: in any case. None: where somebody looks on.
    """
    if progress is False:
        return None
    if in_notebook():
        return NotebookDrawing()
    return TerminalDrawing() if progress or is_terminal(sys.stderr) else None


def in_notebook() -> bool:
    """Return whether this is the kernel of a notebook. IPython in a terminal is none."""
    shell: Any = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return shell is not None and hasattr(shell, "kernel")


class Bar(Listener):
    """Draws one bar over all epochs, with the last errors.

    Parameters
    ----------
    progress : bool or None
        See `drawing`.
    tested_on : str, default "test"
        What the errors after each epoch are called: ``"test"`` or ``"validation"``.
    callbacks : sequence of callable, default ()
        Called with each epoch's record, and what was measured in it, once it is saved.
    folder : path, optional
        Where it is saved for good, for what is said where a callback fails.
    """

    def __init__(
        self,
        progress: bool | None,
        tested_on: str = "test",
        callbacks: Sequence[Callback] = (),
        folder: object = None,
    ) -> None:
        self._where = drawing(progress)
        self._tested_on = tested_on
        self.progress = isinstance(self._where, TerminalDrawing)
        self.notes: list[str] = []
        self._quiet = progress is False
        self._callbacks = callbacks
        self._folder = folder
        self._drawn = 0.0
        self._epoch, self._epochs, self._steps = 1, -1, 1
        self._figures = ""

    def note(self, text: str) -> None:
        """Keep something out of the ordinary, and say it on standard error unless nothing is to be shown."""
        self.notes.append(text)
        if not self._quiet:
            standard_error().write(f"note: {text}\n")

    def epoch_begins(self, number: int, epochs: int, steps: int) -> None:
        """Show that an epoch of so many steps begins."""
        self._epoch, self._epochs, self._steps = number, epochs, steps
        self._draw(0)

    def step(self, number: int) -> None:
        """Move the bar, a few times a second."""
        if self._where is not None and monotonic() - self._drawn >= REDRAW_SECONDS:
            self._draw(number)

    def epoch_ends(self, record: EpochRecord) -> None:
        """Show the epoch's errors from now on."""
        self._figures = f"train error {record.train_error:.2%}, {self._tested_on} error {record.test_error:.2%}"
        self._draw(self._steps)

    def epoch_saved(self, record: EpochRecord, measured: Mapping[str, float]) -> None:
        """Call the callbacks."""
        for place, callback in enumerate(self._callbacks):
            try:
                callback(record, dict(measured))
            except Exception as error:
                kept = f": {self._folder} holds {counted(record.epoch, 'whole epoch')}, go on with resume=True"
                if self._folder is None:
                    kept = "; nothing was saved: with save=RUN a run can be gone on with"
                error.add_note(f"callbacks[{place}] raised this after epoch {record.epoch}{kept}")
                raise

    def ends(self) -> None:
        """Leave the last errors in the bar's place."""
        if self._where is not None:
            self._where.end(f"epoch {self._of()}: {self._figures}" if self._figures else "")
            self._where = None

    def _of(self) -> str:
        return f"{self._epoch}/{self._epochs}" if self._epochs > 0 else str(self._epoch)

    def _draw(self, step: int) -> None:
        if self._where is None:
            return
        self._drawn = monotonic()
        share = (self._epoch - 1 + step / self._steps) / self._epochs if self._epochs > 0 else None
        self._where.draw(share, f"epoch {self._of()}" + (f": {self._figures}" if self._figures else ""))

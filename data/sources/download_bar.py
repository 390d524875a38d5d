"""A progress bar of a download, drawn by rich."""

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from bdfa_np.system.streams import standard_error


class DownloadBar:
    """A bar on standard error, shown between ``with`` and the end of its block.

    Parameters
    ----------
    title : str
        What is downloaded.
    console : rich.console.Console, optional
        Where to draw; standard error by default.
    """

    def __init__(self, title: str, console: Console | None = None) -> None:
        columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn()
        self._progress = Progress(*columns, console=console or Console(file=standard_error(), stderr=True))
        self._task = self._progress.add_task(title, total=None)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._progress.stop()

    @property
    def total(self) -> float | None:
        """The download's size in bytes; None or 0 while it is not known."""
        return self._progress.tasks[0].total

    @total.setter
    def total(self, size: int) -> None:
        self._progress.update(self._task, total=size or None)

    def update(self, size: int) -> None:
        """Move on by a number of bytes.

        Parameters
        ----------
        size : int
            Bytes that came in.
        """
        self._progress.update(self._task, advance=size)

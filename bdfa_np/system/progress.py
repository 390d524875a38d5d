"""A bar or a line on standard error for work that takes a while, drawn by rich."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from bdfa_np.system.streams import standard_error


@contextmanager
def bar(title: str, total: int, progress: bool) -> Iterator[Callable[[int], None]]:
    """Show a bar while the block runs.

    Parameters
    ----------
    title : str
        What is being done.
    total : int
        How many items there are.
    progress : bool
        Whether to draw at all.

    Yields
    ------
    callable
        To be called with the number of items that are done.
    """
    if not progress:
        yield lambda _done: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=Console(file=standard_error(), stderr=True), transient=True) as display:
        task = display.add_task(title, total=total)
        yield lambda done: display.update(task, completed=done)


@contextmanager
def stages(progress: bool) -> Iterator[Callable[[str], None]]:
    """Show what is being done while the block runs, in a line that goes when it ends.

    Parameters
    ----------
    progress : bool
        Whether to show it at all.

    Yields
    ------
    callable
        To be called with what is being done now.
    """
    if not progress:
        yield lambda _title: None
        return
    from rich.console import Console
    from rich.text import Text

    with Console(file=standard_error(), stderr=True).status("") as line:
        yield lambda title: line.update(Text(title))

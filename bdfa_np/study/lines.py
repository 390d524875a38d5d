"""What is printed while a study's runs are carried out and nobody looks on: a line for each run that is done."""

import sys
from collections.abc import Callable, Mapping, Sequence

from bdfa_np.runs.bar import in_notebook
from bdfa_np.study.events import Outcome, State, Watcher
from bdfa_np.study.plan import PlannedRun
from bdfa_np.study.standing import Standing
from bdfa_np.system.streams import is_terminal, standard_error
from bdfa_np.system.text import counted


class Lines(Standing):
    """Prints a line for every run that is done, as it is done.

    Parameters
    ----------
    title : str
        What the study is called.
    measure : {"error", "accuracy"}
        As what errors are shown.
    write, note : callable
        Prints a line, and something out of the ordinary.
    """

    def __init__(self, title: str, measure: str, write: Callable[[str], None], note: Callable[[str], None]) -> None:
        super().__init__(title, measure)
        self.write = write
        self.note_line = note

    def plans(self, runs: Sequence[PlannedRun], states: Mapping[str, State]) -> None:
        """Say how many runs there are."""
        super().plans(runs, states)
        self.write(self.heading())

    def note(self, text: str) -> None:
        """Print something out of the ordinary."""
        self.note_line(text)

    def ends(self, outcome: Outcome) -> None:
        """Say what became of a run, unless it was finished before."""
        known = self.runs.get(outcome.folder)
        before = known.state if known is not None else "missing"
        super().ends(outcome)
        if outcome.state == "failed":
            self.write(f"failed    {outcome.folder}: {outcome.reason}")
        elif outcome.state == "finished" and before != "finished":
            note = f"; {outcome.note}" if outcome.note else ""
            self.write(f"finished  {outcome.folder}{self._came_to(outcome.folder)}{note}")

    def _came_to(self, folder: str) -> str:
        told = self.runs[folder].progress if folder in self.runs else None
        if told is None or told.error is None:
            return ""
        return f": {self.measure} {self.shown(told.error)} after {counted(told.epoch, 'epoch')}"


def watcher_for(title: str, measure: str, progress: bool | None) -> Watcher:
    """Return who hears of a study that is carried out from Python.

    Parameters
    ----------
    title, measure
        As `Lines` takes them.
    progress : bool or None
        Whether a line is printed for every run that is done; by default in a terminal and in a notebook.
    """
    if progress is False:
        return Watcher()
    if in_notebook():
        return Lines(title, measure, print, lambda text: print(f"note: {text}"))
    error = standard_error()
    if progress or is_terminal(sys.stderr):
        return Lines(title, measure, lambda text: error.write(f"{text}\n"), lambda text: error.write(f"note: {text}\n"))
    return Lines(title, measure, lambda _: None, lambda text: error.write(f"note: {text}\n"))

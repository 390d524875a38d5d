"""How far a study is: of each cell and in all, the runs that are done, the error so far, and the time left."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import mean

from bdfa_np.options.catalogue import OPTIONS
from bdfa_np.study.events import Outcome, Progress, State, Watcher
from bdfa_np.study.plan import PlannedRun
from bdfa_np.system.text import counted


@dataclass
class RunStanding:
    """How far one run is.

    Attributes
    ----------
    run : PlannedRun
        The run.
    state : State
        What is known of it.
    progress : Progress or None
        What was last told of it.
    where : str
        On which machine or worker it is trained now.
    reason, note : str
        Why it failed, or what is out of the ordinary.
    trained : bool
        Whether it was trained since this was begun.
    """

    run: PlannedRun
    state: State
    progress: Progress | None = None
    where: str = ""
    reason: str = ""
    note: str = ""
    trained: bool = False

    @property
    def is_over(self) -> bool:
        """Whether nothing more is to come of it."""
        return self.state in ("finished", "failed")

    @property
    def share(self) -> float:
        """Which part of it is done, from 0 to 1; 0 where its epochs have no bound."""
        if self.state == "finished":
            return 1.0
        if self.progress is None or self.progress.epochs <= 0:
            return 0.0
        return min((self.progress.epoch + self.progress.share) / self.progress.epochs, 1.0)

    def seconds_left(self, per_epoch: float | None) -> float | None:
        """Return the seconds that it takes yet; None where nobody knows.

        Parameters
        ----------
        per_epoch : float or None
            What an epoch takes where it has not had one.
        """
        if self.is_over:
            return 0.0
        told = self.progress
        epochs: int = self.run.options.get("epochs", OPTIONS["epochs"].default)
        seconds = told.seconds if told is not None and told.seconds is not None else per_epoch
        if seconds is None or epochs < 0:
            return None
        return seconds * max(epochs - (told.epoch + told.share if told is not None else 0.0), 0.0)


@dataclass
class CellStanding:
    """How far a cell's runs are.

    Attributes
    ----------
    name : str
        The cell's name.
    runs : list of RunStanding
        Its runs.
    """

    name: str
    runs: list[RunStanding] = field(default_factory=list)

    def count(self, state: State) -> int:
        """Return how many of its runs are in a state."""
        return sum(one.state == state for one in self.runs)

    @property
    def is_over(self) -> bool:
        """Whether nothing more is to come of it."""
        return all(one.is_over for one in self.runs)

    @property
    def share(self) -> float:
        """Which part of its runs is done, from 0 to 1."""
        return mean(one.share for one in self.runs)

    def error(self) -> tuple[float | None, int, bool]:
        """Return the mean error after the last epoch as a fraction, of how many runs, and whether these are finished.

        Of a cell with finished runs it is theirs; of another one, that of the runs that have done an epoch.
        """
        for finished in (True, False):
            found = [
                one.progress.error
                for one in self.runs
                if (one.state == "finished") is finished and one.progress is not None and one.progress.error is not None
            ]
            if found:
                return mean(found), len(found), finished
        return None, 0, False

    @property
    def seconds_of_epoch(self) -> float | None:
        """What an epoch takes, by the runs that have done one; None where none has."""
        found = [one.progress.seconds for one in self.runs if one.progress is not None and one.progress.seconds]
        return mean(found) if found else None

    def seconds_left(self, per_epoch: float | None = None) -> float | None:
        """Return the seconds that its runs take yet, one after another; None where nobody knows."""
        return _total(one.seconds_left(self.seconds_of_epoch or per_epoch) for one in self.runs)


class Standing(Watcher):
    """Keeps how far a study is.

    Parameters
    ----------
    title : str
        What the study is called.
    measure : {"error", "accuracy"}
        As what errors are shown.
    """

    def __init__(self, title: str, measure: str) -> None:
        self.title = title
        self.measure = measure
        self.runs: dict[str, RunStanding] = {}
        self.cells: dict[str, CellStanding] = {}
        self._is_begun = False

    def plans(self, runs: Sequence[PlannedRun], states: Mapping[str, State]) -> None:
        """Take the runs."""
        self.runs, self.cells, self._is_begun = {}, {}, False
        for run in runs:
            one = RunStanding(run, states[run.folder])
            self.runs[run.folder] = one
            self.cells.setdefault(run.cell, CellStanding(run.cell)).runs.append(one)

    def begins(self, folder: str, where: str) -> None:
        """Keep that somebody is at work on a run."""
        self._is_begun = True
        one = self.runs.get(folder)
        if one is not None and one.state != "finished":
            one.state, one.where = "running", where

    def progress(self, progress: Progress) -> None:
        """Keep how far a run is."""
        one = self.runs.get(progress.folder)
        if one is not None:
            one.progress = progress
            one.where = progress.where or one.where

    def ends(self, outcome: Outcome) -> None:
        """Keep what became of a run."""
        one = self.runs.get(outcome.folder)
        if one is not None:
            one.state, one.reason, one.note, one.where = outcome.state, outcome.reason, outcome.note, ""
            one.trained = outcome.trained > 0

    def count(self, state: State) -> int:
        """Return how many runs are in a state."""
        return sum(one.state == state for one in self.runs.values())

    def running(self) -> list[RunStanding]:
        """Return the runs at which somebody is at work."""
        return [one for one in self.runs.values() if one.state == "running"]

    @property
    def is_to_begin(self) -> bool:
        """Whether there is something to do and nobody has begun: data are read, or workers are starting."""
        idle = all(one.state in ("missing", "unfinished", "finished", "failed") for one in self.runs.values())
        return idle and not self._is_begun and any(one.state != "finished" for one in self.runs.values())

    def failed(self) -> list[RunStanding]:
        """Return the runs that have failed."""
        return [one for one in self.runs.values() if one.state == "failed"]

    def seconds_left(self) -> float | None:
        """Return about how many seconds all takes yet; None where nobody knows."""
        known = [cell.seconds_of_epoch for cell in self.cells.values() if cell.seconds_of_epoch]
        usual = mean(known) if known else None
        left = [one.seconds_left(cell.seconds_of_epoch or usual) for cell in self.cells.values() for one in cell.runs]
        total = _total(left)
        if total is None:
            return None
        return max(total / max(len(self.running()), 1), *(seconds or 0.0 for seconds in left), 0.0)

    def shortened(self) -> str:
        """Return how runs are shortened, as ``20 of 300 epochs``; empty where none is."""
        marks = dict.fromkeys(
            f"{one.run.options['epochs']} of {counted(one.run.whole_epochs, 'epoch')}"
            for one in self.runs.values()
            if one.run.whole_epochs is not None
        )
        return ", ".join(marks)

    def said(self) -> str:
        """Return how many runs are finished and how many have failed."""
        failed = self.count("failed")
        finished = f"{self.count('finished')} of {counted(len(self.runs), 'run')} finished"
        return f"{finished}, {failed} failed" if failed else finished

    def heading(self) -> str:
        """Return what is carried out, and how much of it is done."""
        shortened = f", shortened to {self.shortened()}" if self.shortened() else ""
        return f"{self.title}{shortened}: {self.said()}"

    def shown(self, error: float) -> str:
        """Return an error as the study's figures are shown, in percent."""
        return f"{1 - error if self.measure == 'accuracy' else error:.2%}"

    def ends_showing(self) -> None:
        """Hear that nothing more is to come."""


def _total(seconds: Iterable[float | None]) -> float | None:
    total = 0.0
    for one in seconds:
        if one is None:
            return None
        total += one
    return total

"""What is heard of a study's runs while they are carried out, wherever that is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from bdfa_np.study.plan import PlannedRun

State: TypeAlias = Literal["missing", "unfinished", "running", "finished", "failed"]
"""How far a run has come: nothing of it, some epochs, somebody at work on it, all epochs, or an error."""


@dataclass(frozen=True)
class Progress:
    """How far a run is, told a few times a minute at most and after every epoch.

    Attributes
    ----------
    folder : str
        Which run: `PlannedRun.folder`.
    epoch, epochs : int
        The epochs done, and of how many.
    share : float
        Which part of the running epoch is done, from 0 to 1.
    error : float or None
        The error after the last epoch on the part tested on, as a fraction; None before the first.
    seconds : float or None
        What an epoch takes, by the last one; None before the first.
    where : str
        On which machine or worker.
    """

    folder: str
    epoch: int
    epochs: int
    share: float = 0.0
    error: float | None = None
    seconds: float | None = None
    where: str = ""


@dataclass(frozen=True)
class Outcome:
    """What became of a run that was to be carried out.

    Attributes
    ----------
    folder : str
        Which run: `PlannedRun.folder`.
    state : {"finished", "failed", "running"}
        ``"running"`` where somebody else is at work on it: it is to be asked for again.
    reason : str
        Of a failed one the error in one line; of a running one who is at work on it.
    trained : int
        How many epochs were trained for this by whoever tells.
    note : str
        Of a finished one what is out of the ordinary, in one line: that its net has learnt nothing.
    """

    folder: str
    state: State
    reason: str = ""
    trained: int = 0
    note: str = ""


class Watcher:
    """Hears of a study's runs; every method does nothing unless a class overrides it."""

    def plans(self, runs: Sequence[PlannedRun], states: Mapping[str, State]) -> None:
        """Hear which runs are to be carried out, and by their folders how far each has come."""

    def note(self, text: str) -> None:
        """Hear of something out of the ordinary."""

    def begins(self, folder: str, where: str) -> None:
        """Hear that a run begins, or goes on, on a machine or worker."""

    def progress(self, progress: Progress) -> None:
        """Hear how far a run is."""

    def ends(self, outcome: Outcome) -> None:
        """Hear what became of a run."""

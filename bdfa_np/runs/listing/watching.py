"""A run as it is seen while another process trains it: read anew when its files change, and never in its way."""

from __future__ import annotations

import contextlib
import shlex
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import mean
from typing import Literal

from bdfa_np.diagnostics.diagnostics import Diagnostics
from bdfa_np.diagnostics.quantities import FILE as DIAGNOSTICS
from bdfa_np.errors import RunError
from bdfa_np.options.config import Config
from bdfa_np.runs.folder import CHECKPOINT, CONFIG, METRICS, RunFolder
from bdfa_np.runs.listing.summaries import checked, find_runs
from bdfa_np.runs.store.figures import read_metrics
from bdfa_np.runs.store.lock import held
from bdfa_np.runs.store.names import RESULT
from bdfa_np.runs.store.result import RunResult
from bdfa_np.runs.store.taking import NEW, is_unfinished
from bdfa_np.system.sealed import problems_told, read_text
from bdfa_np.system.text import counted
from bdfa_np.trainer import EpochRecord

State = Literal["preparing", "running", "finished", "stopped"]
WATCHED = (CONFIG, METRICS, DIAGNOSTICS, CHECKPOINT, RESULT)
"""The files that say how a run stands. Of the checkpoint it is only seen when it was written: it may be large."""
MOST_NAMED = 3
"""How many runs a message names."""
RECENT = 5
"""How many of the last epochs say what the next one takes."""

Signature = tuple[tuple[int, int, int] | None, ...]


@dataclass(frozen=True, eq=False)
class Sight:
    """How a run stands.

    Attributes
    ----------
    path : Path
        The run folder.
    state : {"preparing", "running", "finished", "stopped"}
        ``"preparing"`` before the untrained net is saved; ``"stopped"`` where epochs are left and nobody is at work.
    config : Config or None
        The run's options; None while it is prepared.
    history : list of EpochRecord
        The epochs done.
    diagnostics : Diagnostics or None
        What was measured, where it was asked for.
    result : RunResult or None
        What the run has come to.
    since : float
        When the running epoch began, in seconds as `time.time` counts them.
    is_followed : bool
        Whether a new run is in its first epoch, after which it takes this one's place.
    """

    path: Path
    state: State
    config: Config | None = None
    history: list[EpochRecord] = field(default_factory=list)
    diagnostics: Diagnostics | None = None
    result: RunResult | None = None
    since: float = 0.0
    is_followed: bool = False

    @property
    def is_over(self) -> bool:
        """Whether nothing more is to come."""
        return self.state in ("finished", "stopped")

    def is_news_after(self, before: Sight) -> bool:
        """Return whether it shows something else than an earlier one."""
        names = ("state", "config", "history", "diagnostics", "result", "is_followed")
        return any(getattr(self, name) is not getattr(before, name) for name in names)

    @property
    def epochs(self) -> int | None:
        """How many epochs there are to be in all; None where they have no bound."""
        return self.config.epochs if self.config is not None and self.config.epochs >= 0 else None

    @property
    def seconds_of_epoch(self) -> float | None:
        """What an epoch takes, by the last ones; None before the first is done."""
        return mean(record.seconds for record in self.history[-RECENT:]) if self.history else None

    def seconds_left(self, now: float) -> float | None:
        """Return about how many seconds are left at a time of `time.time`; None where nobody knows."""
        if self.seconds_of_epoch is None or self.epochs is None or self.is_over or self.is_followed:
            return None
        epochs = max(self.epochs - len(self.history), 0)
        return max(epochs * self.seconds_of_epoch - min(max(now - self.since, 0.0), self.seconds_of_epoch), 0.0)


class Watch:
    """Looks at a run again and again; what has not changed is not read again.

    It writes nothing. Whether a process is at work is asked of its lock, which a run that goes on does not feel.

    Parameters
    ----------
    path : Path
        The run folder.
    """

    def __init__(self, path: Path) -> None:
        self.folder = RunFolder(path)
        self._seen: Signature | None = None
        self._last: Sight | None = None

    def look(self) -> Sight:
        """Return how the run stands now.

        Raises
        ------
        RunError
            If there is no run, or a file of it is damaged.
        """
        at_work = held(self.folder.path)  # asked first: what a process has written before its end is then read
        if at_work and is_unfinished(self.folder.path):
            return self._last or Sight(self.folder.path, "preparing")  # its files are being put into their places
        before = self._signature()
        followed = at_work is not False and self.folder.file(NEW).exists()
        if before[WATCHED.index(CONFIG)] is None and (followed or at_work):
            return Sight(self.folder.path, "preparing")
        try:
            read = self._last if before == self._seen and self._last is not None else self._read(before)
        except RunError:
            if self._last is None or before == self._signature():
                raise
            return self._last  # another run has taken the folder meanwhile: the next look sees it
        self._last = replace(read, state=_state(read, at_work), is_followed=followed)
        self._seen = before if before == self._signature() else None
        return self._last

    def _signature(self) -> Signature:
        """Return what tells whether a file is another one, of each that is looked at."""
        found = []
        for name in WATCHED:
            status = None
            with contextlib.suppress(OSError):
                status = self.folder.file(name).stat()
            found.append(status and (status.st_mtime_ns, status.st_size, status.st_ino))
        return tuple(found)

    def _read(self, signature: Signature) -> Sight:
        config, _ = self.folder.read_document()
        config = checked(config, self.folder.path)
        metrics = self.folder.file(METRICS)
        with problems_told(metrics, missing="let --resume make it anew", damaged="let --resume make it anew"):
            whole, _, _ = read_text(metrics).rpartition("\n")  # the last line may be half written
            history = read_metrics(whole)
        written = [found[0] for found in signature if found is not None]
        return Sight(
            self.folder.path,
            "running",
            config=config,
            history=history,
            diagnostics=self.folder.read_diagnostics(),
            result=self.folder.read_result(),
            since=max(written, default=0) / 1e9,
        )


def _state(read: Sight, at_work: bool | None) -> State:
    """Return what has become of a run; with a process in its folder, even one with a result is about to go on."""
    if at_work:
        return "running"
    done = read.result is not None or (read.epochs is not None and len(read.history) >= read.epochs)
    if done:
        return "finished"
    return "stopped" if at_work is False else "running"


def check_is_one(path: Path) -> None:
    """Raise `RunError` if a folder holds runs, as a study's does, and is none itself; it says which are going on."""
    if (path / CONFIG).exists() or held(path):
        return
    below = sorted(find_runs(path))
    if not below:
        return  # what is wrong with it, its reader says
    going_on = [run for run in below if held(run)]
    which = f"{len(going_on)} of them going on" if going_on else "none of them going on"
    named = ", ".join(map(shlex.quote, map(str, (going_on or below)[:MOST_NAMED])))
    more = ", ..." if len(going_on or below) > MOST_NAMED else ""
    raise RunError(f"{path} holds {counted(len(below), 'run')}, {which}: name one of them, as {named}{more}")

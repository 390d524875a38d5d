"""One run of a study carried out: claimed, begun or gone on with, and its failure kept in one line."""

import errno
import socket
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from time import monotonic
from typing import Any

from bdfa_np.errors import UserError, plain_line
from bdfa_np.options.catalogue import OPTIONS
from bdfa_np.options.changes import CHANGEABLE
from bdfa_np.options.config import Config
from bdfa_np.runs.events import Listener
from bdfa_np.runs.folder import RunFolder
from bdfa_np.runs.starting import resume_run, start_run
from bdfa_np.runs.store.lock import is_held
from bdfa_np.study.claims import Claim, ClaimHeldError, claimed
from bdfa_np.study.events import Outcome, Progress
from bdfa_np.study.folder import StudyFolder
from bdfa_np.study.plan import PlannedRun
from bdfa_np.trainer import EpochRecord
from bdfa_np.trust.gate import named

REPORT_SECONDS = 3.0
"""How often it is told how far an epoch is."""


def carry_out(run: PlannedRun, root: Path, machine: Mapping[str, Any], report: Callable[[Progress], None]) -> Outcome:
    """Train a run to its end, from where it is.

    Whatever goes wrong with it is an outcome, kept beside its folder until the run succeeds; Ctrl-C passes through.

    Parameters
    ----------
    run : PlannedRun
        The run.
    root : Path
        The study's folder.
    machine : dict
        Options of the machine, which go before those of the run.
    report : callable
        Hears how far the run is, after every epoch and every few seconds between.

    Returns
    -------
    Outcome
        ``"running"`` where somebody else is at work on the run: nothing was done here.
    """
    folder = StudyFolder(root)
    path = folder.run(run)
    telling = Telling(run, report)
    try:
        if not folder.is_finished(run):
            with claimed(path) as claim:
                telling.claim = claim
                if is_held(path):
                    raise ClaimHeldError(f"another process is training in {path}")
                if not folder.is_finished(run):  # which another may have done meanwhile
                    folder.check_run(run)
                    _train(run, folder, machine, telling)
        folder.check_run(run)
    except ClaimHeldError as error:
        return Outcome(run.folder, "running", str(error), telling.trained)
    except Exception as error:
        reason, traced = _told(error, folder.failure_file(run))
        folder.keep_failure(run, reason, traced)
        return Outcome(run.folder, "failed", reason, telling.trained)
    folder.forget_failure(run)
    return Outcome(run.folder, "finished", trained=telling.trained)


def shard(runs: Sequence[PlannedRun], number: int, count: int) -> list[PlannedRun]:
    """Return the runs of one of several jobs that share a study between them.

    Every run is one job's, and each cell's are spread over all of them.

    Parameters
    ----------
    runs : sequence of PlannedRun
        All runs of the study.
    number : int
        Which job this is, counted from 1.
    count : int
        How many there are.
    """
    return list(runs[number - 1 :: count])


def _train(run: PlannedRun, folder: StudyFolder, machine: Mapping[str, Any], telling: "Telling") -> None:
    """Begin a run, or go on with it."""
    path = folder.run(run)
    options = {**run.options, **machine}
    config = Config.from_mapping(options)
    if RunFolder(path).is_vacant:
        start_run(config, path, listener=telling)
        return
    history = folder.history(run)
    telling.last = history[-1] if history else None
    changes = {name: value for name, value in options.items() if name in (*CHANGEABLE, "dataset")}
    resume_run(path, changes, files=named(config), listener=telling)


class Telling(Listener):
    """Tells how far a run is, and ends it before it saves anything that is no longer this process's to save.

    Parameters
    ----------
    run : PlannedRun
        The run.
    report : callable
        Hears it.

    Attributes
    ----------
    claim : Claim or None
        The claim on the run.
    last : EpochRecord or None
        The last epoch done.
    trained : int
        How many epochs were done here.
    """

    def __init__(self, run: PlannedRun, report: Callable[[Progress], None]) -> None:
        self.claim: Claim | None = None
        self.last: EpochRecord | None = None
        self.trained = 0
        self._run = run
        self._report = report
        self._epochs: int = run.options.get("epochs", OPTIONS["epochs"].default)
        self._done, self._steps = 0, 1
        self._told = 0.0
        self._where = socket.gethostname()

    def epoch_begins(self, number: int, epochs: int, steps: int) -> None:
        """Tell that an epoch begins."""
        self._done, self._steps = number - 1, steps
        self._tell(0.0)

    def step(self, number: int) -> None:
        """Tell how far the epoch is, every few seconds."""
        if monotonic() - self._told >= REPORT_SECONDS:
            self._tell(number / self._steps)

    def epoch_ends(self, record: EpochRecord) -> None:
        """See that the run is still this process's, and tell of the epoch."""
        if self.claim is not None:
            self.claim.check()
        self.last, self._done = record, record.epoch
        self.trained += 1
        self._tell(0.0)

    def _tell(self, share: float) -> None:
        self._told = monotonic()
        error, seconds = (None, None) if self.last is None else (self.last.test_error, self.last.seconds)
        progress = Progress(self._run.folder, self._done, self._epochs, share, error, seconds, self._where)
        self._report(progress)


def _told(error: Exception, file: Path) -> tuple[str, str]:
    """Return why a run has failed, in one line, and Python's traceback of what is no user's error."""
    if isinstance(error, UserError):
        return str(error), ""
    if isinstance(error, MemoryError):
        return plain_line(f"not enough memory ({error})" if str(error) else "out of memory"), ""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES):
        place = f"{error.filename}: " if error.filename else ""
        return plain_line(f"{place}{error.strerror}: make room or check its permissions, and run the study again"), ""
    what = " ".join(f"{type(error).__name__}: {error}".split())
    return plain_line(f"{what} (the traceback is in {file})"), traceback.format_exc()

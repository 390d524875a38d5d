"""One run of a study carried out: claimed, begun or gone on with, and its failure kept in one line."""

import gc
import socket
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from time import monotonic
from typing import Any

from bdfa_np.data.sources.find import is_own
from bdfa_np.errors import ConfigError, InUseError, UserError, plain_line
from bdfa_np.options.config import Config
from bdfa_np.options.machine import AUTO
from bdfa_np.options.tracking import NONE
from bdfa_np.runs.events import Listener
from bdfa_np.runs.starting import resume_run, start_run
from bdfa_np.runs.store.lock import is_held
from bdfa_np.study.claims import Claim, ClaimLostError, claimed
from bdfa_np.study.events import Outcome, Progress
from bdfa_np.study.folder import StudyFolder, planned_epochs
from bdfa_np.study.plan import PlannedRun
from bdfa_np.system.files import refusal
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
    telling = Telling(run, report)
    try:
        if not folder.is_finished(run):
            _claim_and_train(run, folder, machine, telling)
        folder.check_same([run])
        note = _note(folder, run)
    except (InUseError, ClaimLostError) as error:
        return Outcome(run.folder, "running", str(error), telling.trained)
    except Exception as error:  # whatever it is, the other runs go on
        reason, traced = _told(error, folder.failure_file(run))
        folder.keep_failure(run, reason, traced)
        return Outcome(run.folder, "failed", reason, telling.trained)
    folder.forget_failure(run)
    return Outcome(run.folder, "finished", trained=telling.trained, note=note)


def shard(runs: Sequence[PlannedRun], number: int, count: int) -> list[PlannedRun]:
    """Return the runs of one of several jobs that share a study between them.

    Every run is one job's, and each cell's are spread over as many jobs as can be.

    Parameters
    ----------
    runs : sequence of PlannedRun
        All runs of the study, in any order.
    number : int
        Which job this is, counted from 1.
    count : int
        How many there are.

    Returns
    -------
    list of PlannedRun
        In the order in which they were given; none for some jobs where there are more jobs than runs.

    Raises
    ------
    ConfigError
        If there is no job of that number.
    """
    if not 1 <= number <= count:
        raise ConfigError(f"--shard {number}/{count} is none of {count} parts: they are counted from 1 to {count}")
    cells = {cell: place for place, cell in enumerate(sorted({run.cell for run in runs}))}
    by_cell = sorted(runs, key=lambda run: (cells[run.cell], run.seed, run.folder))
    chosen = {run.folder for run in by_cell[number - 1 :: count]}
    return [run for run in runs if run.folder in chosen]


def _claim_and_train(run: PlannedRun, folder: StudyFolder, machine: Mapping[str, Any], telling: "Telling") -> None:
    path = folder.run(run)
    if is_held(path):  # by somebody who claims nothing, such as bdfa train, or who stood still and lost the claim
        raise InUseError(f"another process is training in {path}")
    with claimed(path) as claim:
        telling.claim = claim
        if not folder.is_finished(run):  # which it may be meanwhile
            folder.check_same([run])
            _train(run, folder, machine, telling)
    gc.collect()  # a net, whose parts refer to one another, makes room for the next run's


def _train(run: PlannedRun, folder: StudyFolder, machine: Mapping[str, Any], telling: "Telling") -> None:
    """Begin a run, or go on with it, with as many threads as before unless this machine's are given."""
    path = folder.run(run)
    config = Config.from_mapping({**run.options, **machine})
    history = folder.history(run)
    if not history:  # what was begun and has no epoch yet is worth nothing, and its settings may have been changed
        start_run(config, path, force=True, listener=telling, final_test=run.final_test)
        return
    telling.last = history[-1]
    given = {"epochs": telling.epochs, "track": config.track or NONE, **machine}
    if config.track:
        given["track_every"] = config.track_every
    if given.get("threads") == AUTO:
        del given["threads"]
    if is_own(config.dataset):
        given["dataset"] = config.dataset
    resume_run(path, given, files=named(config), listener=telling, final_test=run.final_test)


def _note(folder: StudyFolder, run: PlannedRun) -> str:
    """Return what is out of the ordinary about a finished run."""
    result = folder.result(run)
    if result is None or not result.learns_nothing:
        return ""
    return f"it has learnt nothing: {result.tested_on} error {result.last_error:.2%}, as of a constant answer"


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
    epochs : int
        How many are planned.
    trained : int
        How many were done here.
    """

    def __init__(self, run: PlannedRun, report: Callable[[Progress], None]) -> None:
        self.claim: Claim | None = None
        self.last: EpochRecord | None = None
        self.trained = 0
        self._run = run
        self._report = report
        self.epochs = planned_epochs(run)
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
        progress = Progress(self._run.folder, self._done, self.epochs, share, error, seconds, self._where)
        self._report(progress)


def _told(error: Exception, file: Path) -> tuple[str, str]:
    """Return why a run has failed, in one line, and Python's traceback of what no user can mend."""
    if isinstance(error, UserError):
        return str(error), ""
    if isinstance(error, MemoryError):
        what = f"not enough memory ({error})" if str(error) else "out of memory"
        return plain_line(f"{what}: choose a smaller net or data set, or fewer runs at once"), ""
    if isinstance(error, OSError) and error.strerror:
        return plain_line(refusal(error.filename or file.with_suffix(""), error, "cannot be used")), ""
    said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return plain_line(f"{said} (the traceback is in {file})"), traceback.format_exc()

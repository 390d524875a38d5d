"""A run of the study's folder while it is trained in a folder that only its worker sees."""

import contextlib

from bdfa_np.errors import RunError
from bdfa_np.study.claims import Claim, claimed
from bdfa_np.study.engine.parcel import Parcel, packed, unpack
from bdfa_np.study.engine.worker import Return
from bdfa_np.study.events import Outcome
from bdfa_np.study.folder import StudyFolder
from bdfa_np.study.plan import PlannedRun
from bdfa_np.system.files import refusal


class Collected:
    """A run that is brought back; this process holds its claim for the worker.

    Parameters
    ----------
    folder : StudyFolder
        The study's.
    run : PlannedRun
        The run.

    Raises
    ------
    InUseError
        If somebody else is at work on it.
    RunError
        If its folder cannot be written to.
    """

    def __init__(self, folder: StudyFolder, run: PlannedRun) -> None:
        self._folder = folder
        self._run = run
        self._stack = contextlib.ExitStack()
        self._claim: Claim = self._stack.enter_context(claimed(folder.run(run)))

    @property
    def is_finished(self) -> bool:
        """Whether it has become finished before it was held; raises as `StudyFolder.state` does."""
        return self._folder.is_finished(self._run)

    def parcel(self) -> Parcel:
        """Return the run as it is, for a worker to go on with."""
        path = self._folder.run(self._run)
        try:
            return packed(path)
        except OSError as error:
            raise RunError(refusal(error.filename or path, error)) from error

    def take(self, parcel: Parcel) -> None:
        """Put the run into the study's folder as it has come back.

        Raises
        ------
        RunError
            If it cannot be written, or is another process's by now; what was there stays.
        """
        self._claim.check()
        try:
            unpack(parcel, self._folder.run(self._run))
        except OSError as error:
            raise RunError(
                refusal(error.filename or self._folder.run(self._run), error, "cannot be written")
            ) from error

    def end(self, back: Return) -> Outcome:
        """Take what a worker has returned, keep or forget why it failed, and say what became of the run."""
        outcome, why = back.outcome, back.failure
        try:
            self.take(back.parcel)
        except RunError as error:
            outcome, why = Outcome(self._run.folder, "failed", str(error), outcome.trained), ""
        if outcome.state == "failed":
            self._folder.keep_failure(self._run, outcome.reason, why.partition("\n")[2].strip("\n"))
        elif outcome.state == "finished":
            self._folder.forget_failure(self._run)
        return outcome

    def release(self) -> None:
        """Let others have the run."""
        self._stack.close()

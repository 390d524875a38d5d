"""What a study's folder has of each planned run, whatever state that is in."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bdfa_np.errors import RunError, UserError
from bdfa_np.options.config import Config
from bdfa_np.runs.history import lowest
from bdfa_np.runs.store.result import RunResult
from bdfa_np.study.description import Study
from bdfa_np.study.events import State
from bdfa_np.study.folder import StudyFolder, planned_epochs
from bdfa_np.study.plan import PlannedRun, plan
from bdfa_np.study.search.choosing import unsearched, with_choices
from bdfa_np.trainer import EpochRecord


def opened(study: Study, folder: Path) -> StudyFolder:
    """Return the folder that a study's runs are in.

    Raises
    ------
    RunError
        If there is no such folder.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise RunError(
            f"there is no folder {folder}: run study {study.name} first (bdfa study run), or name its runs' folder"
        )
    return StudyFolder(folder)


@dataclass(frozen=True)
class FoundRun:
    """A planned run as it was found.

    Attributes
    ----------
    run : PlannedRun
        The run.
    state : State
        How far it is; ``"missing"`` where it was left out.
    left_out : str
        Why it is not taken into account though it is there: it is damaged, edited, or of other settings.
    failure : str
        Why it has failed.
    history : list of EpochRecord
        The epochs done.
    result : RunResult or None
        What it has come to.
    document : dict
        Its ``config.toml``, empty where there is none.
    """

    run: PlannedRun
    state: State
    left_out: str = ""
    failure: str = ""
    history: list[EpochRecord] = field(default_factory=list)
    result: RunResult | None = None
    document: dict[str, Any] = field(default_factory=dict)

    @property
    def epochs(self) -> int:
        """How many epochs the study asks for: of a shortened run too."""
        return self.run.whole_epochs or planned_epochs(self.run)

    def error(self, figure: str) -> float | None:
        """Return its error as a fraction; None unless it is finished, or where it was not tested so.

        Parameters
        ----------
        figure : {"last", "best", "test"}
            What the error is taken from.
        """
        if self.state != "finished" or not self.history:
            return None
        if figure == "best":
            return lowest(self.history).test_error
        if figure == "test" and tested_on(self.run) == "validation":
            return self.result.test.error if self.result is not None and self.result.test is not None else None
        return self.history[-1].test_error


def in_percent(study: Study, error: float) -> float:
    """Return an error, which is a fraction, in per cent of what a study measures: errors, or accuracy."""
    return 100 * (1 - error if study.measure == "accuracy" else error)


def tested_on(run: PlannedRun) -> str:
    """Return on what a run's errors after each epoch are measured: ``"validation"`` or ``"test"`` images."""
    return Config.from_mapping(run.options).tested_on


def find(
    study: Study, folder: StudyFolder, *, cells: Sequence[str] = (), epochs: int | None = None
) -> tuple[Study, Iterator[FoundRun]]:
    """Return a study with the options that a search has chosen, and what there is of each of its runs, in their order.

    Parameters
    ----------
    study : Study
        The study.
    folder : StudyFolder
        Its folder.
    cells : sequence of str, optional
        Patterns of the cells that are wanted; all of them unless given.
    epochs : int, optional
        Of the runs that were shortened to so many epochs.

    Raises
    ------
    StudyError
        If no cell fits a pattern.
    """
    wrong = unsearched(study, folder, plan(study, cells=cells, epochs=epochs), cells=cells, epochs=epochs)
    study = with_choices(study, folder, epochs=epochs)
    return study, _each(folder, plan(study, cells=cells, epochs=epochs), wrong)


def _each(folder: StudyFolder, runs: Sequence[PlannedRun], wrong: Mapping[str, str]) -> Iterator[FoundRun]:
    """Yield what there is of each run; ``wrong`` says by their folders why some are left out."""
    for run in runs:
        if run.folder in wrong:
            yield FoundRun(run, "missing", left_out=wrong[run.folder])
            continue
        try:
            document = folder.check_settings(run) or {}
            state = folder.state(run)
            history = folder.history(run)
            result = folder.result(run) if state == "finished" else None
        except UserError as error:
            yield FoundRun(run, "missing", left_out=str(error))
            continue
        failure = folder.failure(run) if state == "failed" else ""
        yield FoundRun(run, state, "", failure, history, result, document)

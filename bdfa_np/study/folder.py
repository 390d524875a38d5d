"""A study's folder: which of its runs are there, how far they are, and why one has failed."""

import contextlib
import os
import uuid
from collections.abc import Container, Iterable, Iterator
from pathlib import Path
from typing import Any

from bdfa_np.data.sources.find import find_source, is_own
from bdfa_np.errors import RunError
from bdfa_np.extensions import held
from bdfa_np.options.catalogue import OPTIONS
from bdfa_np.options.changes import check_unedited
from bdfa_np.options.config import Config
from bdfa_np.options.precedence import whole
from bdfa_np.runs.checkpoint import read_history
from bdfa_np.runs.data import check_same_data
from bdfa_np.runs.folder import CHECKPOINT, CONFIG, RunFolder
from bdfa_np.runs.listing import NOT_COMPARED
from bdfa_np.runs.store.document import check_same_code
from bdfa_np.runs.store.lock import is_held
from bdfa_np.runs.store.result import RunResult, concluded
from bdfa_np.study.claims import holder
from bdfa_np.study.description import COPY, Study, study_text, with_targets, write_study
from bdfa_np.study.events import State
from bdfa_np.study.plan import PlannedRun
from bdfa_np.system.files import encoded, is_plain, replace_text
from bdfa_np.trainer import EpochRecord
from bdfa_np.trust.gate import named

NOT_STUDIED = NOT_COMPARED - {"rule_options"}
"""Options in which a run may differ from what is planned: those of the machine and of its paths, and the epochs."""
MOST_NAMED = 3
"""How many settings a message names that differ."""


class StudyFolder:
    """The folder of a study, in which each run has a folder of its own as `PlannedRun.folder` names it.

    Parameters
    ----------
    path : path
        The folder, there or not.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)

    def run(self, run: PlannedRun) -> Path:
        """Return where a run is, or is to be."""
        return self.path.joinpath(*run.folder.split("/"))

    def begin(self, study: Study) -> None:
        """Make the folder, and write the study into it, unless it is there; several jobs may do so at once.

        Raises
        ------
        OSError
            If that cannot be written.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        path, study = self.path / COPY, with_targets(study)
        if is_plain(path) and path.read_bytes() == encoded(study_text(study)):
            return
        own = path.with_name(f".{COPY}.{uuid.uuid4().hex}")  # a name that all jobs had would be written by several
        try:
            write_study(study, own)
            os.replace(own, path)
        finally:
            own.unlink(missing_ok=True)

    def state(self, run: PlannedRun) -> State:
        """Return how far a run has come.

        Raises
        ------
        RunError
            If what is there is damaged.
        """
        path = self.run(run)
        if self.is_finished(run):
            return "finished"
        if holder(path) is not None or is_held(path):
            return "running"
        if self.failure(run):
            return "failed"
        return "missing" if RunFolder(path).is_vacant else "unfinished"

    def is_finished(self, run: PlannedRun) -> bool:
        """Return whether a run has all that is wanted of it; raises as `state` does."""
        folder = RunFolder(self.run(run))
        if folder.is_vacant:
            return False
        with _advised():
            config, _ = folder.read_document()
            progress, _, _ = read_history(folder.path / CHECKPOINT)
        epochs = planned_epochs(run)
        over = bool(progress.stop_reason) or 0 <= epochs <= progress.epoch
        untested = run.final_test and config.validate and not folder.has_result
        return over and not untested

    def config(self, run: PlannedRun) -> Config:
        """Return a run's options as its ``config.toml`` has them; raises `RunError` where there is none."""
        return RunFolder(self.run(run)).read_document()[0]

    def history(self, run: PlannedRun) -> list[EpochRecord]:
        """Return the figures of the epochs that a run has done; raises as `state` does."""
        folder = RunFolder(self.run(run))
        if folder.is_vacant:
            return []
        folder.finish()
        return read_history(folder.path / CHECKPOINT)[1]

    def result(self, run: PlannedRun) -> RunResult | None:
        """Return what a run has come to; None where it is not finished.

        Of one that was finished by an earlier version, or stopped before it could write that, its checkpoint says so.

        Raises
        ------
        RunError
            If what is there is damaged.
        """
        folder = RunFolder(self.run(run))
        found = folder.read_result()
        if found is not None or not self.is_finished(run):
            return found
        config, document = folder.read_document()
        last = folder.read_checkpoint()
        backend = document["run"].get("backend", "numpy")
        return concluded(config, last.history, last.confusion, backend=backend, stop_reason=last.progress.stop_reason)

    def failure(self, run: PlannedRun) -> str:
        """Return why a run failed when it was last tried, in one line; empty where it did not."""
        try:
            return self.failure_file(run).read_text(errors="replace").partition("\n")[0]
        except OSError:
            return ""

    def failure_file(self, run: PlannedRun) -> Path:
        """Return the file that says why a run has failed, and where: its first line, and what Python traced."""
        path = self.run(run)
        return path.with_name(f"{path.name}.failed")

    def keep_failure(self, run: PlannedRun, reason: str, traced: str = "") -> None:
        """Keep why a run has failed, where that can be written."""
        with contextlib.suppress(OSError):
            path = self.failure_file(run)
            path.parent.mkdir(parents=True, exist_ok=True)
            replace_text(path, f"{reason}\n" + (f"\n{traced}" if traced else ""))

    def forget_failure(self, run: PlannedRun) -> None:
        """Forget that a run had failed."""
        with contextlib.suppress(OSError):
            self.failure_file(run).unlink(missing_ok=True)

    def check_same(self, runs: Iterable[PlannedRun]) -> None:
        """See that what is there of some runs was trained with the settings that are planned.

        Where a run computes and where its data lie may change, and it may get more epochs, but for a rate that comes to
        0 at the last one.

        Raises
        ------
        RunError
            If a run was begun with other settings, is damaged, or was edited by hand.
        DataError
            If a data set of the user's own is another one by now.
        ConfigError
            If what is planned cannot be used.
        """
        checksums: dict[str, dict[str, str]] = {}
        for run in runs:
            self._check_run(run, checksums)

    def check_settings(self, run: PlannedRun) -> dict[str, Any] | None:
        """Do for one run what `check_same` does, all but looking at files of nets, rules and data.

        Returns
        -------
        dict or None
            Its ``config.toml``; None where there is no epoch of it.
        """
        folder = RunFolder(self.run(run))
        if folder.is_vacant:
            return None
        with _advised():
            before, document = folder.read_document()
            progress, _, record = read_history(folder.path / CHECKPOINT)
            check_unedited(before, document, record, folder.path / CONFIG)
        planned = planned_config(run)
        if progress.epoch == 0:
            return None  # there is nothing of it to be mixed: it is begun anew
        changes = _changes(before, planned, run.options)
        epochs = planned_epochs(run)
        if before.schedule == "cosine" and before.epochs != epochs:
            changes.append(f"epochs {before.epochs}, now {epochs}, by the last of which its rate comes to 0")
        elif 0 <= epochs < progress.epoch:
            changes.append(f"epochs {progress.epoch}, now {epochs}")
        if changes:
            raise RunError(
                f"{folder.path} was trained with other settings ({'; '.join(changes)}): name another folder with "
                "--save, or put the setting back"
            )
        return document

    def _check_run(self, run: PlannedRun, checksums: dict[str, dict[str, str]]) -> None:
        """Check one run; ``checksums`` are those of data sets that were looked at before."""
        document = self.check_settings(run)
        if document is None:
            return
        planned, path = planned_config(run), self.run(run)
        with held(named(planned)):
            check_same_code(planned, document, path)
        dataset = planned.dataset
        if is_own(dataset):
            if dataset not in checksums:
                checksums[dataset] = find_source(dataset).checksums()
            check_same_data(checksums[dataset], document, path)


def planned_config(run: PlannedRun) -> Config:
    """Return a planned run's options, resolved.

    Raises
    ------
    ConfigError
        If they cannot be used.
    """
    config = Config.from_mapping(run.options)
    with held(named(config)):
        return whole(config.resolve())


def planned_epochs(run: PlannedRun) -> int:
    """Return how many epochs are planned, -1 for no bound."""
    epochs: int = run.options.get("epochs", OPTIONS["epochs"].default)
    return epochs


def _changes(before: Config, planned: Config, given: Container[str]) -> list[str]:
    """Return the settings in which a run differs from what is planned, the first few of them.

    Those that follow from others are left out where some differ that are given.
    """
    if before.gradient == planned.gradient:
        with held(named(planned)):
            before = before.resolve()
    found = {}
    for name in OPTIONS:
        was, now = getattr(before, name), getattr(planned, name)
        if name not in NOT_STUDIED and was != now and not (name == "dataset" and is_own(was) and is_own(now)):
            found[name] = f"{name} {_said(was)}, now {_said(now)}"
    said = [text for name, text in found.items() if name in given] or list(found.values())
    return [*said[:MOST_NAMED], *([f"and {len(said) - MOST_NAMED} more"] if len(said) > MOST_NAMED else [])]


def _said(value: Any) -> str:
    """Return an option's value as a message has it."""
    return "not given" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


@contextlib.contextmanager
def _advised() -> Iterator[None]:
    """Say with what is wrong with a run folder what helps in a study, which has no ``--force``."""
    try:
        yield
    except RunError as error:
        raise RunError(f"{error} (a run of a study begins anew once its folder is removed)") from error

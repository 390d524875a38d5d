"""Controls trained beside their run: each an ordinary run folder, gone on with where it was interrupted."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from bdfa_np.controls.plan import Control
from bdfa_np.data import Dataset
from bdfa_np.data.sources.find import is_own
from bdfa_np.errors import InUseError, RunError, UserError
from bdfa_np.extensions import held, read_code
from bdfa_np.options.catalogue import OPTIONS
from bdfa_np.options.changes import CHANGEABLE, check_unedited, data_digest
from bdfa_np.options.config import Config
from bdfa_np.options.precedence import whole
from bdfa_np.runs.checkpoint import read_history
from bdfa_np.runs.folder import CHECKPOINT, CONFIG, RunFolder
from bdfa_np.runs.listing import NOT_COMPARED
from bdfa_np.runs.starting import resume_run, start_run
from bdfa_np.runs.store.document import digests
from bdfa_np.runs.store.taking import CONTROLS
from bdfa_np.study.claims import claimed
from bdfa_np.study.engine.sequential import Told
from bdfa_np.study.events import Outcome, Progress, State, Watcher
from bdfa_np.study.plan import PlannedRun
from bdfa_np.study.work import Telling
from bdfa_np.trainer import EpochRecord
from bdfa_np.trust.gate import Files, own_files

COMPARED = tuple(name for name in OPTIONS if name not in NOT_COMPARED - {"rule_options"})
"""Options in which a control is to be what is planned: not those of the machine and its paths, nor the epochs."""


def place(run: Path, name: str) -> Path:
    """Return the folder of a run's control."""
    return run / CONTROLS / name


class Workshop:
    """Trains the controls of one run, whose net and rule may be run.

    Parameters
    ----------
    run : Path
        The run folder.
    document : mapping
        The whole of its ``config.toml``.
    controls : sequence of Control
        What is to be trained.
    machine : mapping
        Where to compute and where the data are.
    dataset : Dataset, optional
        The run's data set where it is in memory.

    Attributes
    ----------
    planned : dict of str to PlannedRun
        Each control as a study would have it, by its name.
    """

    def __init__(
        self,
        run: Path,
        document: Mapping[str, Any],
        controls: Sequence[Control],
        machine: Mapping[str, Any],
        dataset: Dataset | None = None,
    ) -> None:
        self.run = run
        self.document = document
        self.controls = controls
        self.machine = machine
        self.dataset = dataset
        self.planned = {control.name: self._planned(control) for control in controls}

    def _planned(self, control: Control) -> PlannedRun:
        options = {name: value for name, value in control.config.to_mapping().items() if OPTIONS[name].is_given(value)}
        options |= {"epochs": control.config.epochs, **self.machine}
        return PlannedRun(CONTROLS, control.name, control.config.seed, options, control.name)

    @property
    def folder(self) -> Path:
        """Where the controls are, each in a run folder of its own."""
        return self.run / CONTROLS

    def epochs_done(self, control: Control) -> int | None:
        """Return how many epochs of a control are done that count; None where nothing is left to do."""
        history, over, stale = self._standing(control)
        return 0 if stale else None if over else len(history)

    def _tell(self, watcher: Watcher) -> None:
        """Tell a watcher of the controls, and how far each was brought before."""
        done = {control.name: self.epochs_done(control) for control in self.controls}
        states: dict[str, State] = {
            name: "finished" if epochs is None else "unfinished" if epochs else "missing"
            for name, epochs in done.items()
        }
        watcher.plans(list(self.planned.values()), states)
        for control in self.controls:
            history, _, _ = self._standing(control)
            if history and states[control.name] != "missing":
                last, epochs = history[-1], control.config.epochs
                told = Progress(control.name, last.epoch, epochs, error=last.test_error, seconds=last.seconds)
                watcher.progress(told)

    def train(self, watcher: Watcher) -> dict[str, str]:
        """Bring all controls to their end; one that fails does not stop the others.

        Returns
        -------
        dict of str to str
            Why a control could not be trained, by its name.

        Raises
        ------
        InUseError
            If somebody else is at work on one.
        KeyboardInterrupt
            After Ctrl-C; what is done of each is kept.
        """
        failed: dict[str, str] = {}
        left = [control for control in self.controls if self.epochs_done(control) is not None]
        if left:
            self._tell(watcher)
        for control in left:
            telling = Telling(self.planned[control.name], Told(watcher))
            try:
                self._bring(control, telling, watcher)
            except RunError:
                raise  # of the folder: the next one would come to the same
            except UserError as error:
                failed[control.name] = str(error)
                watcher.ends(Outcome(control.name, "failed", str(error), telling.trained))
                continue
            watcher.ends(Outcome(control.name, "finished", trained=telling.trained))
            gc.collect()  # a net, whose parts refer to one another, makes room for the next one's
        return failed

    def _bring(self, control: Control, telling: Telling, watcher: Watcher) -> None:
        path = place(self.run, control.name)
        with _advised(), claimed(path) as claim:
            telling.claim = claim
            history, over, stale = self._standing(control)  # which it may be meanwhile
            if stale:
                watcher.note(f"the control {control.name} is trained anew: {stale}")
            if stale or not history:
                config = control.config.replace(**self.machine)
                files = self.files(control.config)
                start_run(config, path, force=True, files=files, listener=telling, dataset=self.dataset)
            elif not over:
                telling.last = history[-1]
                given = {name: value for name, value in self.machine.items() if name in (*CHANGEABLE, "dataset")}
                changes = {"epochs": control.config.epochs, **given}
                files = self.files(control.config)
                resume_run(path, changes, files=files, listener=telling, dataset=self.dataset)

    def files(self, config: Config) -> Files:
        """Return the files that a control's net and rule come from, as the run that is looked at has them."""
        return {own.whole: read_code(own.path) for own in own_files(config).values()}

    def _standing(self, control: Control) -> tuple[list[EpochRecord], bool, str]:
        """Return a control's epochs, whether all are done, and why it is not what is planned, if it is not."""
        folder = RunFolder(place(self.run, control.name))
        if folder.is_vacant:
            return [], False, ""
        try:
            before, document = folder.read_document()
            progress, history, record = read_history(folder.path / CHECKPOINT)
            check_unedited(before, document, record, folder.path / CONFIG)
        except RunError as error:
            return [], False, str(error)
        with held(self.files(control.config)):
            planned = whole(control.config.resolve())
            if before.gradient == planned.gradient and before.network == planned.network:
                before = before.resolve()  # options that are younger than the control
            stale = self._differs(before, planned, document) if history else ""
        epochs = control.config.epochs
        if history and before.schedule == "cosine" and before.epochs != epochs:
            stale = stale or f"its rate came to 0 at epoch {before.epochs}, the run's at {epochs}"
        elif progress.epoch > epochs:
            stale = stale or f"it has {progress.epoch} epochs, the run {epochs}"
        return history, bool(progress.stop_reason) or progress.epoch == epochs, stale

    def _differs(self, before: Config, planned: Config, document: Mapping[str, Any]) -> str:
        """Say in what a control that is there differs from what is planned; empty where it does not."""
        for name in COMPARED:
            was, now = getattr(before, name), getattr(planned, name)
            if was != now and not (name == "dataset" and is_own(was) and is_own(now)):
                return f"its {name} is {was}, and now to be {now}"
        if data_digest(document["data"]) != data_digest(self.document["data"]):
            return "its data are not the run's"
        if any(document["run"].get(name) != sha256 for name, sha256 in digests(planned).items()):
            return "the file of its net or its rule is not the run's"
        return ""


@contextlib.contextmanager
def _advised() -> Iterator[None]:
    """Say of a control that somebody else is at work on what to do."""
    try:
        yield
    except InUseError as error:
        raise InUseError(f"{error}: wait for it, or leave controls out with --no-controls") from None

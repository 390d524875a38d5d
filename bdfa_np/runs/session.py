"""Runs without a terminal: started or resumed, trained and saved until the epochs are done or somebody interrupts."""

import contextlib
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from bdfa_np.backend.cuda.status import auto_note
from bdfa_np.data import Dataset
from bdfa_np.data.sources.find import is_own
from bdfa_np.declaration import flag
from bdfa_np.errors import ConfigError, RunError
from bdfa_np.extensions import blamed
from bdfa_np.model import Model, configured_backend, outside
from bdfa_np.networks import canonical
from bdfa_np.options.catalogue import OPTIONS, parsed
from bdfa_np.options.config import Config
from bdfa_np.options.machine import CUDA, cuda_defaults
from bdfa_np.runs.checkpoint import Checkpoint
from bdfa_np.runs.cores import within_cores
from bdfa_np.runs.curves import check_drawing, draw_curves
from bdfa_np.runs.data import RunData, load_data_of_run, load_run_data
from bdfa_np.runs.events import Listener
from bdfa_np.runs.folder import CURVES, RunFolder, keeps_its_input, versions_for
from bdfa_np.runs.history import learns_nothing, lowest
from bdfa_np.runs.lines import (
    CHOSEN_ON_TEST,
    FinalTest,
    ending,
    epoch_heading,
    epoch_line,
    halved_line,
    heading,
    learns_nothing_lines,
    opening,
)
from bdfa_np.runs.loading import load_weights, model_for, restore, weights_of
from bdfa_np.system.interrupts import interrupts_wait
from bdfa_np.system.text import counted
from bdfa_np.system.threads import limited_threads
from bdfa_np.trainer import EpochRecord, evaluate

CHANGEABLE = ("epochs", "threads", "backend", *(option.name for option in CUDA), "datapath", "cache_dir")
"""What a resumed run may be given anew; the data in another folder must be the same bytes."""


def start_run(
    config: Config,
    save: Path,
    *,
    load: Path | None = None,
    force: bool = False,
    numbered: bool = False,
    notes: Sequence[str] = (),
    listener: Listener | None = None,
    dataset: Dataset | None = None,
) -> "Session":
    """Train a new run in a folder, with as many threads as the options say.

    Parameters
    ----------
    config : Config
        The options; they are resolved here.
    save : Path
        The run folder, made if need be.
    load : Path, optional
        A run folder or a ``checkpoint.h5`` whose weights the net starts from.
    force : bool, default False
        Whether a run that is in the folder may be replaced.
    numbered : bool, default False
        Whether the folder is called ``NAME_2`` and so on where there is something of its name.
    notes : sequence of str, optional
        Lines that go into the log first.
    listener : Listener, optional
        Who hears of it.
    dataset : Dataset, optional
        What it trains on where that is in memory; else the data set that the options name.

    Returns
    -------
    Session
        With the trained ``model`` and the ``history``.

    Raises
    ------
    ConfigError, DataError, RunError, BackendError, TrainingError
        Whatever a user can mend, in one line.
    """
    listener = listener or Listener()
    config, capped = within_cores(config.resolve())
    folder = RunFolder(Path(save), numbered=numbered)
    folder.check_free(force=force)
    if config.visualize:
        check_drawing()
    configured_backend(config)  # what cannot be used is refused before any data are read
    with limited_threads(config.threads):
        data = load_run_data(config, dataset, progress=listener.progress, note=listener.note)
        model = model_for(config, data)
        lines = [*notes, *(f"note: {text}" for text in capped), *heading(model, data), *fallback_notes(config)]
        if load is not None:
            lines.append(load_weights(model, load))
        with folder.new(force=force):
            session = Session(folder, model, data, listener)
            session.begin()
            session.run(lines)
    return session


def resume_run(
    save: Path,
    changes: Mapping[str, Any],
    *,
    rule_options: Sequence[str] = (),
    notes: Sequence[str] = (),
    listener: Listener | None = None,
    dataset: Dataset | None = None,
) -> "Session":
    """Go on with the run in a folder.

    Parameters
    ----------
    save : Path
        The run folder.
    changes : mapping
        Options that are given anew: of `CHANGEABLE`, or the same as the run's.
    rule_options : sequence of str, optional
        Options of a rule of one's own, as ``name=value``, which must be the run's.
    notes : sequence of str, optional
        Lines that go into the log first.
    listener : Listener, optional
        Who hears of it.
    dataset : Dataset, optional
        What it trains on where that is in memory; else the data set that the options name.

    Returns
    -------
    Session
        With the trained ``model`` and the ``history``.

    Raises
    ------
    ConfigError, DataError, RunError, BackendError, TrainingError
        Whatever a user can mend, in one line.
    """
    listener = listener or Listener()
    folder = RunFolder(Path(save))
    with folder.resumed() as (before, document, checkpoint):
        own = {**(changes.get("rule_options") or {}), **parsed(before.gradient, rule_options)}
        if own:
            changes = {**changes, "rule_options": {**(before.rule_options or {}), **own}}
        config, capped = within_cores(moved(before, _changes(before, changes)))
        if config.visualize:
            check_drawing()
        with limited_threads(config.threads):
            data = load_data_of_run(config, document, save, dataset, progress=listener.progress, note=listener.note)
            model = model_for(config, data)
            restore(model, checkpoint, save)
            lines = [
                *notes,
                *(f"note: {text}" for text in capped),
                f"resumed after epoch {checkpoint.progress.epoch}",
                *fallback_notes(config),
            ]
            lines += folder.keep_preprocessing(checkpoint, data.prepared.preprocessing)
            if keeps_its_input(document["options"]):
                lines.append("note: the run was started when conv dropped nothing of its input: it goes on so")
            for package, now in versions_for(config).items():
                then = document.get("versions", {}).get(package)
                if then != now:
                    lines.append(f"note: the run was started with {package} {then}, now it is {now}: digits may differ")
            session = Session(folder, model, data, listener)
            session.go_on_from(checkpoint)
            session.run(lines)
    return session


def _changes(before: Config, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what changes in a run; refuse what may not."""
    for name, value in given.items():
        option = OPTIONS[name]
        if name == "network":
            value = canonical(value, given.get("models_folder", before.models_folder))  # noqa: PLW2901
        elif option.canonical is not None:
            value = option.canonical(value)  # noqa: PLW2901
        if name == "dataset" and is_own(value):
            continue  # it may have moved: its checksum tells whether it is the same
        if name not in CHANGEABLE and value != getattr(before, name):
            spelled = "-O" if option.type is dict else option.flag
            raise ConfigError(
                f"{spelled} {value} differs from the run's {getattr(before, name)}: a resumed run keeps its "
                f"options, only {', '.join(map(flag, CHANGEABLE))} may change"
            )
    if before.schedule == "cosine" and given.get("epochs", before.epochs) != before.epochs:
        raise ConfigError(
            f"--epochs {given['epochs']} differs from the run's {before.epochs}, at which its --schedule cosine has "
            "come to 0: resume it without --epochs, or begin another run from its weights with --load"
        )
    return {name: given[name] for name in (*CHANGEABLE, "dataset") if name in given}


def moved(config: Config, changes: Mapping[str, Any]) -> Config:
    """Return a run's options with changes in where it computes; what was for CUDA alone goes with its backend."""
    if changes.get("backend") == "numpy":
        changes = {**cuda_defaults(), **changes}
    return config.replace(**changes).resolve()


def fallback_notes(config: Config) -> list[str]:
    """Return a note on why a run that may use CUDA computes on the CPU, where that is not to be expected."""
    note = auto_note() if config.backend == "auto" else None
    return [note] if note else []


class Session:
    """One sitting at a run: ties a model and its data to a run folder and to whoever listens.

    Parameters
    ----------
    folder : RunFolder
        Held by this process.
    model : Model
        As built, or as restored from the folder's checkpoint.
    data : RunData
        What it trains and tests on.
    listener : Listener
        Who hears of it.

    Attributes
    ----------
    history : list of EpochRecord
        One for each epoch done.
    final_test : FinalTest or None
        With ``validate``, what the net that is kept comes to on the test images, once all epochs are done.
    """

    def __init__(self, folder: RunFolder, model: Model, data: RunData, listener: Listener) -> None:
        self.folder = folder
        self.model = model
        self.data = data
        self.listener = listener
        config = model.config
        self.trainer = model.trainer(
            data.train_batches(config.batch_size, model.streams, drop_last=config.const_batch_size),
            data.test_batches(config.batch_size),
            listener.step,
        )
        self.history: list[EpochRecord] = []
        self.final_test: FinalTest | None = None
        self._epochs_saved = 0
        self._preprocessing = ""

    def begin(self) -> None:
        """Save the untrained net, so that a run stopped in its first epoch can be resumed; open the log."""
        self.folder.log_lines += opening(self.model)
        self._preprocessing = self.folder.write_preprocessing(self.data.prepared.preprocessing)
        self._save()

    def go_on_from(self, checkpoint: Checkpoint) -> None:
        """Take over a checkpoint's progress, and write anew the files that follow from it."""
        self.trainer.progress = checkpoint.progress
        counts = self.trainer.confusion.counts
        if checkpoint.confusion.shape != counts.shape:
            raise RunError(f"the checkpoint in {self.folder.path} is not that of its data: it has other classes")
        counts[...] = checkpoint.confusion
        self.history = checkpoint.history
        self._preprocessing = checkpoint.preprocessing
        self._epochs_saved = len(self.history)
        self.folder.write_follows(checkpoint, self.data.split.class_names, self.model.config)
        if self.model.config.keep_best and self.history:
            self.folder.read_best()  # what is missing is missed now, not after the last epoch

    def run(self, lines: Sequence[str]) -> None:
        """Train until the configured epochs are done; each is saved before the next begins."""
        config, listener = self.model.config, self.listener
        done_before = len(self.history)
        self.folder.write_config(config, self.data.description(), self.model.backend.name)
        self._lines([*lines, f"run folder: {self.folder.path}"])
        try:
            if self.trainer.goes_on(config.epochs):
                self._lines(epoch_heading(config.tested_on, config.epochs))
                self._train()
                self._test_what_is_kept()
        except KeyboardInterrupt:
            raise KeyboardInterrupt(
                f"{self.folder.path} holds {counted(self._epochs_saved, 'whole epoch')}; "
                f"go on with: bdfa train --save {shlex.quote(str(self.folder.path))} --resume"
            ) from None
        finally:
            listener.ends()
        self._lines(self._ending(done_before))
        self.folder.write_log()

    def _train(self) -> None:
        config, trainer, listener = self.model.config, self.trainer, self.listener
        listener.training_begins(trainer.so_far)
        listener.epoch_begins(trainer.progress.epoch + 1, config.epochs, len(trainer.train))
        rate = trainer.optimizer.learning_rate
        for record in self._epochs(config.epochs):
            self.history.append(record)
            listener.epoch_ends(record)
            self._lines([epoch_line(record, config.epochs), *self._remarks(rate)])
            rate = trainer.optimizer.learning_rate
            self._stop_without_improvement()
            self._save()
            if trainer.goes_on(config.epochs):
                listener.epoch_begins(record.epoch + 1, config.epochs, len(trainer.train))

    def _epochs(self, epochs: int) -> Iterator[EpochRecord]:
        """Train epoch by epoch; a mistake in a user's rule or net is told as theirs."""
        with blamed(outside(self.model.config)):
            yield from self.trainer.run(epochs)

    def _remarks(self, rate: float) -> Iterator[str]:
        """Yield what is to be said after an epoch's line; ``rate`` is the learning rate before it, without decay."""
        after = self.trainer.optimizer.learning_rate
        if after == rate / 2:  # a schedule leaves it alone: what it multiplies by is no part of it
            yield halved_line(rate, after)
        counts = self.trainer.confusion.counts
        share = counts.sum(axis=1).max() / counts.sum()
        # Once in a run, resumed or not.
        if learns_nothing(self.history, share) and not any(
            learns_nothing(self.history[:epochs], share) for epochs in range(len(self.history))
        ):
            yield from learns_nothing_lines(self.history[-1].test_error, self.model.config.tested_on)

    def _stop_without_improvement(self) -> None:
        config, progress = self.model.config, self.trainer.progress
        since = progress.epoch - lowest(self.history).epoch
        if config.patience is not None and since >= config.patience and not progress.stop_reason:
            chosen = f", {CHOSEN_ON_TEST}" if config.on_test else ""
            progress.stop_reason = f"no lower {config.tested_on} error in {counted(since, 'epoch')}{chosen}"

    def _test_what_is_kept(self) -> None:
        """Test on the data set's own test images, once, where the epochs were tested on others."""
        config, network = self.model.config, self.model.network
        if not config.validate:
            return
        data = self.data.with_real_test_set()
        kept = lowest(self.history).epoch if config.keep_best else self.history[-1].epoch
        is_last = kept == self.history[-1].epoch
        in_place = contextlib.nullcontext() if is_last else weights_of(network, self.folder.read_best())
        with in_place, blamed(outside(config)):
            loss, confusion = evaluate(network, self.model.loss, data.test_batches(config.batch_size))
        self.final_test = FinalTest(kept, confusion.error_rate, loss, confusion.total)

    def _lines(self, lines: Iterable[str]) -> None:
        for text in lines:
            self.folder.log_lines.append(text)
            self.listener.line(text)

    @interrupts_wait()  # or the epochs counted here would not be those of the checkpoint
    def _save(self) -> None:
        config = self.model.config
        checkpoint = Checkpoint(
            **self.model.state(),
            progress=self.trainer.progress,
            confusion=self.trainer.confusion.counts,
            history=self.history,
            preprocessing=self._preprocessing,
        )
        self.folder.write_epoch(checkpoint, self.data.split.class_names, config)
        if config.visualize and self.history:
            title = f"{config.dataset}, {Path(config.network).stem}, {config.gradient}"
            draw_curves(self.folder.path / CURVES, self.history, title, config.tested_on)
        self._epochs_saved = len(self.history)

    def _ending(self, done_before: int) -> list[str]:
        reason = self.trainer.progress.stop_reason
        if len(self.history) == done_before:
            why = f"it ended since {reason}" if reason else "give a larger --epochs to go on"
            return [f"nothing to do: the run has its {counted(done_before, 'epoch')} already; {why}"]
        return ending(self.model.config, self.history, reason, self.final_test, self.folder.path)

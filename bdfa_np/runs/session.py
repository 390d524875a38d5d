"""One sitting at a run: trained and saved until the epochs are done or somebody interrupts."""

import contextlib
import shlex
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bdfa_np.batches import evaluate
from bdfa_np.diagnostics.diagnostics import Diagnostics
from bdfa_np.diagnostics.quantities import FILE as DIAGNOSTICS
from bdfa_np.errors import RunError, TrainingError
from bdfa_np.extensions import blamed
from bdfa_np.model import Model
from bdfa_np.parallel.share import Team
from bdfa_np.runs.checkpoint import Checkpoint
from bdfa_np.runs.curves import Curves
from bdfa_np.runs.data import RunData
from bdfa_np.runs.events import Listener
from bdfa_np.runs.folder import CURVES, RunFolder
from bdfa_np.runs.history import Standing
from bdfa_np.runs.lines import (
    CHOSEN_ON_TEST,
    angle_lines,
    ending,
    epoch_heading,
    epoch_line,
    halved_line,
    learns_nothing_lines,
    missing_angle_lines,
    opening,
    rule_lines,
    slowed_lines,
    tracking_lines,
)
from bdfa_np.runs.loading import weights_of
from bdfa_np.runs.store.document import recorded
from bdfa_np.runs.store.log import failure_line
from bdfa_np.runs.store.result import FinalTest, concluded
from bdfa_np.runs.threads.slowing import LOOKED_BACK, slowed
from bdfa_np.runs.tracking.events import EventWriter
from bdfa_np.runs.tracking.tracker import Tracker
from bdfa_np.system.interrupts import interrupts_wait
from bdfa_np.system.streams import ReaderGone
from bdfa_np.system.text import counted
from bdfa_np.trainer import EpochRecord


class RunInterrupted(KeyboardInterrupt):
    """Ctrl-C, or a request to terminate, ended a run whose folder holds what its last whole epoch left."""


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
    final_test : bool, default True
        Whether a run with ``validate`` is tested on the test images once all epochs are done. A trial of a search is
        not: what is chosen by validation must not have seen them.

    team : Team, optional
        The processes that train together, of which this is the first.

    Attributes
    ----------
    history : list of EpochRecord
        One for each epoch done.
    final_test : FinalTest or None
        With ``validate``, what the net that is kept comes to on the test images, once all epochs are done, unless
        that is not to be known.
    tracker : Tracker or None
        What measures the net as it learns, and what was measured.
    """

    def __init__(
        self,
        folder: RunFolder,
        model: Model,
        data: RunData,
        listener: Listener,
        *,
        final_test: bool = True,
        team: Team | None = None,
    ) -> None:
        self.folder = folder
        self.model = model
        self.data = data
        self.listener = listener
        config = model.config
        self.trainer = model.trainer(
            data.train_batches(config.batch_size, model.streams, drop_last=config.const_batch_size),
            data.test_batches(config.batch_size),
            listener.step,
            team,
        )
        self.history: list[EpochRecord] = []
        self._standing = Standing()
        self._curves = Curves(f"{config.dataset}, {Path(config.network).stem}, {config.gradient}", config.tested_on)
        self.final_test: FinalTest | None = None
        self.tracker: Tracker | None = None
        self._events = EventWriter(folder.path, config.tested_on) if config.tensorboard else None
        self._tests_at_the_end = final_test and bool(config.validate)
        self._epochs_saved = 0
        self._preprocessing = ""
        self._record = recorded(config, data.description())
        self._said_to_learn_nothing = False
        self._said_to_be_slow = False
        self._said_why_no_angle = False
        self._seconds: deque[float] = deque(maxlen=LOOKED_BACK)

    def begin(self, lines: Sequence[str], noted: Sequence[str] = ()) -> None:
        """Save the untrained net, so that a run stopped in its first epoch can be resumed; open the log.

        Parameters
        ----------
        lines : sequence of str
            What the log is to say first, after all options.
        noted : sequence of str, optional
            Notes for the log before that, which the listener has heard already.
        """
        with self._interrupts_told():
            if self.model.config.track:
                self._track(Tracker(self.model, self.data))
            self.folder.log([*opening(self.model), *noted])
            self._say_where(lines)
            self._preprocessing = self.folder.write_preprocessing(self.data.prepared.preprocessing)
            self.folder.begin(self._checkpoint(), self.data.split.class_names, self.model.config)

    def go_on_from(self, checkpoint: Checkpoint, lines: Sequence[str], noted: Sequence[str] = ()) -> None:
        """Take over a checkpoint's progress, and write anew the files that follow from it.

        Parameters
        ----------
        checkpoint : Checkpoint
            What the model was restored from.
        lines : sequence of str
            What the log is to say first.
        noted : sequence of str, optional
            Notes for the log before that, which the listener has heard already.
        """
        self.trainer.progress = checkpoint.progress
        counts = self.trainer.confusion.counts
        if checkpoint.confusion.shape != counts.shape:
            raise RunError(f"the checkpoint in {self.folder.path} is not that of its data: it has other classes")
        counts[...] = checkpoint.confusion
        self.history = checkpoint.history
        for record in self.history:
            self._standing.add(record)
            self._said_to_learn_nothing |= self._standing.learns_nothing(self._largest_share)
        self._preprocessing = checkpoint.preprocessing
        self._epochs_saved = len(self.history)
        config = self.model.config
        if config.track or checkpoint.measured is not None:
            self._track(Tracker(self.model, self.data, checkpoint.measured, self.folder.file(DIAGNOSTICS)))
            if self.history:
                self._measure_at_first()
            checkpoint.measured = self._diagnostics()
        epoch_lines = [epoch_line(record, config.epochs) for record in self.history]
        self.folder.go_on_from(checkpoint, self.data.split.class_names, config, opening(self.model), epoch_lines)
        self._draw(at_once=True)
        self._write_events()
        if config.keep_best and self.history:
            self.folder.read_best()  # what is missing is missed now, not after the last epoch
        self.folder.log(noted)
        self._say_where(lines)

    def _track(self, tracker: Tracker) -> None:
        self.tracker = tracker
        if tracker.watches_steps:
            self.trainer.on_batch = self._after_step

    def _diagnostics(self) -> Diagnostics | None:
        return None if self.tracker is None else self.tracker.diagnostics()

    def _after_step(self, number: int) -> None:
        self.listener.step(number)
        if self.tracker is not None:
            self.tracker.after_step(self.trainer.progress.epoch + number / len(self.trainer.train))

    def _where(self) -> dict[str, Any]:
        """Return what ``config.toml`` says of where it computes now."""
        team = self.trainer.team
        return {"backend": self.model.backend.name, **({} if team is None else {"processes": team.size})}

    def _say_where(self, lines: Sequence[str]) -> None:
        self.folder.write_config(self.model.config, self.data.description(), self._where())
        self._lines([*lines, f"run folder: {self.folder.path}"])

    def run(self) -> None:
        """Train until the configured epochs are done; each is saved before the next begins.

        Raises
        ------
        RunInterrupted
            After Ctrl-C; a plain KeyboardInterrupt where the folder holds nothing of this run yet.
        """
        config, listener = self.model.config, self.listener
        done_before = len(self.history)
        try:
            with self._interrupts_told():
                if self.trainer.goes_on(config.epochs):
                    self.folder.remove_result()
                    self._measure_at_first()
                    self._keep_measured()
                    self._lines(epoch_heading(config.tested_on, config.epochs))
                    self._train()
                    self._draw(at_once=True)
                    self._conclude()
                elif self.history and not self.folder.has_result:
                    self._conclude()  # which a run stopped after its last epoch has not come to
        except TrainingError as error:
            self._keep_measured()
            self.folder.log([failure_line(error)])
            raise
        finally:
            listener.ends()
            if self._events is not None:
                self._events.close()
        self._lines(self._ending(done_before))

    def _measure_at_first(self) -> None:
        """Measure before the first step; of a run that was not measured until now, after its epochs."""
        if self.tracker is not None:
            with blamed():
                self.trainer.begin()  # a rule may prepare its feedback
                self.tracker.begin(self.trainer.progress.epoch)

    def _keep_measured(self) -> None:
        """Write what was measured, before an epoch is over: a resumed run forgets what its checkpoint has not."""
        self.folder.write_measured(self._diagnostics())

    @contextlib.contextmanager
    def _interrupts_told(self) -> Iterator[None]:
        """Say after Ctrl-C, or where nobody reads on, what the folder holds of this run, if it does."""
        try:
            yield
        except (KeyboardInterrupt, ReaderGone) as end:
            if self.folder.is_staged:
                raise
            kind = ReaderGone if isinstance(end, ReaderGone) else RunInterrupted
            raise kind(
                f"{self.folder.path} holds {counted(self._epochs_saved, 'whole epoch')}; "
                f"go on with: bdfa train --save {shlex.quote(str(self.folder.path))} --resume"
            ) from None

    def _train(self) -> None:
        config, trainer, listener = self.model.config, self.trainer, self.listener
        listener.training_begins(trainer.so_far)
        listener.epoch_begins(trainer.progress.epoch + 1, config.epochs, len(trainer.train))
        rate = trainer.optimizer.learning_rate
        for trained in self._epochs(config.epochs):
            record = self._measured(trained)
            self.history.append(record)
            self._standing.add(record)
            listener.epoch_ends(record)
            lines = [epoch_line(record, config.epochs), *self._angles(), *self._notes_of_the_rule()]
            lines = self._noted([*lines, *self._remarks(rate)])
            rate = trainer.optimizer.learning_rate
            self._stop_without_improvement()
            self._save()
            self._write_events()
            self._tell(lines)  # after it is saved: where nobody listens any longer, this is the end
            self._draw(at_once=False)
            listener.epoch_saved(record, self._figures())
            if trainer.goes_on(config.epochs):
                listener.epoch_begins(record.epoch + 1, config.epochs, len(trainer.train))

    def _epochs(self, epochs: int) -> Iterator[EpochRecord]:
        """Train epoch by epoch; a mistake in a user's rule or net is told as theirs."""
        with blamed():
            yield from self.trainer.run(epochs)

    def _measured(self, record: EpochRecord) -> EpochRecord:
        """Measure after an epoch, if it is time to; return its record without the time for what was measured in it."""
        if self.tracker is None:
            return record
        with blamed():
            self.tracker.after_epoch(record.epoch)
        return replace(record, seconds=record.seconds - self.tracker.seconds_within())

    def _figures(self) -> dict[str, float]:
        """Return what was measured last in the last epoch; nothing where that was none."""
        if self.tracker is None:
            return {}
        measured = self.tracker.diagnostics()
        row = measured.last_of_epoch(self.history[-1].epoch)
        return {} if row is None else measured.figures(row)

    def _angles(self) -> list[str]:
        if self.tracker is None:
            return []
        layers, figures = self.tracker.recording.layers, self._figures()
        why = [] if self._said_why_no_angle else missing_angle_lines(layers, figures)
        self._said_why_no_angle |= bool(why)
        return [*angle_lines(layers, figures), *why]

    def _write_events(self) -> None:
        if self._events is not None and not self.folder.is_staged:
            self._events.write(self.history, self._diagnostics())

    def _notes_of_the_rule(self) -> list[str]:
        with blamed(), self.model.network.computing():
            return rule_lines(self.model.rule.epoch_notes())

    def _remarks(self, rate: float) -> Iterator[str]:
        """Yield what is to be said after an epoch's line; ``rate`` is the learning rate before it, without decay."""
        after = self.trainer.optimizer.learning_rate
        if after == rate / 2:  # a schedule leaves it alone: what it multiplies by is no part of it
            yield halved_line(rate, after)
        if not self._said_to_learn_nothing and self._standing.learns_nothing(self._largest_share):
            self._said_to_learn_nothing = True
            yield from learns_nothing_lines(self.history[-1].test_error, self.model.config.tested_on)
        self._seconds.append(self.history[-1].seconds)
        times = slowed(self._seconds)
        if times and not self._said_to_be_slow:
            self._said_to_be_slow = True
            threads = self.model.config.threads if self.model.backend.name == "numpy" else 1
            yield from slowed_lines(times, threads, self.folder.path)

    def _stop_without_improvement(self) -> None:
        config, progress = self.model.config, self.trainer.progress
        since = progress.epoch - self._lowest_epoch
        if config.patience is not None and since >= config.patience and not progress.stop_reason:
            chosen = f", {CHOSEN_ON_TEST}" if config.on_test else ""
            progress.stop_reason = f"no lower {config.tested_on} error in {counted(since, 'epoch')}{chosen}"

    def _test_what_is_kept(self) -> None:
        """Test on the data set's own test images, once, where the epochs were tested on others."""
        config, network = self.model.config, self.model.network
        if not self._tests_at_the_end:
            return
        data = self.data.with_real_test_set()
        kept = self._lowest_epoch if config.keep_best else self.history[-1].epoch
        is_last = kept == self.history[-1].epoch
        in_place = contextlib.nullcontext() if is_last else weights_of(network, self.folder.read_best())
        with in_place, blamed():
            loss, confusion = evaluate(network, self.model.loss, data.test_batches(config.batch_size))
        self.final_test = FinalTest(kept, confusion.error_rate, loss, confusion.total)

    def _conclude(self) -> None:
        """Write what the run has come to."""
        self._test_what_is_kept()
        result = concluded(
            self.model.config,
            self.history,
            self.trainer.confusion.counts,
            backend=self.model.backend.name,
            stop_reason=self.trainer.progress.stop_reason,
            test=self.final_test,
        )
        self.folder.write_result(result)

    @property
    def _largest_share(self) -> float:
        """The share of the largest class among the samples tested on."""
        counts = self.trainer.confusion.counts
        share: float = counts.sum(axis=1).max() / max(counts.sum(), 1)
        return share

    def _lines(self, lines: Iterable[str]) -> None:
        self._tell(self._noted(lines))

    def _noted(self, lines: Iterable[str]) -> list[str]:
        """Return lines that are in the log from now on."""
        noted = list(lines)
        self.folder.log(noted)
        return noted

    def _tell(self, lines: Iterable[str]) -> None:
        for text in lines:
            self.listener.line(text)

    @property
    def _lowest_epoch(self) -> int:
        return self._standing.lowest.epoch if self._standing.lowest is not None else 0

    @interrupts_wait()  # or the epochs counted here would not be those of the checkpoint
    def _save(self) -> None:
        best = self._lowest_epoch == self.history[-1].epoch
        self.folder.write_epoch(self._checkpoint(), self.data.split.class_names, self.model.config, best=best)
        self._epochs_saved = len(self.history)

    def _draw(self, *, at_once: bool) -> None:
        if self.model.config.visualize:
            self._curves.draw(self.folder.file(CURVES), self.history, at_once=at_once)

    def _checkpoint(self) -> Checkpoint:
        return Checkpoint(
            **self.model.state(),
            progress=self.trainer.progress,
            confusion=self.trainer.confusion.counts,
            history=self.history,
            preprocessing=self._preprocessing,
            record=self._record,
            measured=self._diagnostics(),
        )

    def _ending(self, done_before: int) -> list[str]:
        reason = self.trainer.progress.stop_reason
        if len(self.history) == done_before:
            why = f"it ended since {reason}" if reason else "give a larger --epochs to go on"
            return [f"nothing to do: the run has its {counted(done_before, 'epoch')} already; {why}"]
        lines = ending(self.model.config, self.history, reason, self.final_test, self.folder.path)
        if self.tracker is not None and self.tracker.measures:
            seconds = sum(record.seconds for record in self.history[done_before:])
            last = self.tracker.diagnostics().last_of_epoch(self.history[-1].epoch) is not None
            lines += tracking_lines(self.tracker.measured, self.tracker.seconds, seconds, self.tracker.every, last=last)
        return lines

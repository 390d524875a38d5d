"""One sitting at a run: training, showing and saving until the epochs are done or somebody interrupts."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from bdfa_np.cli.display import Display
from bdfa_np.errors import RunError
from bdfa_np.model import Model
from bdfa_np.runs.checkpoint import Checkpoint
from bdfa_np.runs.curves import draw_curves
from bdfa_np.runs.folder import CURVES, RunFolder
from bdfa_np.system.interrupts import interrupts_wait
from bdfa_np.trainer import EpochRecord

if TYPE_CHECKING:
    from bdfa_np.cli.run_data import RunData


class Session:
    """Ties a model and its data to a run folder and a terminal.

    Parameters
    ----------
    folder : RunFolder
        Held by this process.
    model : Model
        As built, or as restored from the folder's checkpoint.
    data : RunData
        What it trains and tests on.
    """

    def __init__(self, folder: RunFolder, model: Model, data: "RunData") -> None:
        self.folder = folder
        self.model = model
        self.data = data
        self.display = Display(folder.log_lines.append)
        config = model.config
        self.trainer = model.trainer(
            data.train_batches(config.batch_size, model.streams, drop_last=config.const_batch_size),
            data.test_batches(config.batch_size),
            self.display.on_batch,
        )
        self.history: list[EpochRecord] = []
        self._epochs_saved = 0

    def begin(self) -> None:
        """Save the untrained net, so that a run stopped in its first epoch can be resumed."""
        self._save()

    def go_on_from(self, checkpoint: Checkpoint) -> None:
        """Take over a checkpoint's progress, and write anew the files that follow from it."""
        self.trainer.progress = checkpoint.progress
        counts = self.trainer.confusion.counts
        if checkpoint.confusion.shape != counts.shape:
            raise RunError(f"the checkpoint in {self.folder.path} is not that of its data: it has other classes")
        counts[...] = checkpoint.confusion
        self.history = checkpoint.history
        self._epochs_saved = len(self.history)
        self.folder.write_readable(checkpoint, self.data.split.class_names)

    def run(self, lines: list[str]) -> None:
        """Train until the configured epochs are done; each is saved before the next begins."""
        config, trainer, display = self.model.config, self.trainer, self.display
        done_before = len(self.history)
        self.folder.write_config(config, self.data.description(), self.model.backend.name)
        for line in [*lines, f"run folder: {self.folder.path}"]:
            display.line(line)
        try:
            display.start_epoch(trainer.progress.epoch + 1, config.epochs, len(trainer.train))
            for record in trainer.run(config.epochs):
                self.history.append(record)
                display.epoch(record, config.epochs)
                self._save()
                display.start_epoch(record.epoch + 1, config.epochs, len(trainer.train))
        except KeyboardInterrupt:
            raise KeyboardInterrupt(
                f"{self.folder.path} holds {self._epochs_saved} whole epochs; "
                f"go on with: bdfa train --save {shlex.quote(str(self.folder.path))} --resume"
            ) from None
        finally:
            display.stop()
        display.line(self._ending(done_before))
        self.folder.write_log()

    @interrupts_wait()  # or the epochs counted here would not be those of the checkpoint
    def _save(self) -> None:
        checkpoint = Checkpoint(
            **self.model.state(),
            progress=self.trainer.progress,
            confusion=self.trainer.confusion.counts,
            history=self.history,
        )
        self.folder.write_epoch(checkpoint, self.data.split.class_names)
        if self.model.config.visualize and self.history:
            config = self.model.config
            title = f"{config.dataset}, {Path(config.network).stem}, {config.gradient}"
            draw_curves(self.folder.path / CURVES, self.history, title)
        self._epochs_saved = len(self.history)

    def _ending(self, done_before: int) -> str:
        reason = self.trainer.progress.stop_reason
        if len(self.history) == done_before:
            why = f"it ended since {reason}" if reason else "give a larger --epochs to go on"
            return f"nothing to do: the run has its {done_before} epochs already; {why}"
        best = min(self.history, key=lambda record: record.test_error)
        last = self.history[-1]
        return (
            f"done{f' ({reason})' if reason else ''}: test error {last.test_error:.2%} after {last.epoch} epochs, "
            f"lowest {best.test_error:.2%} after {best.epoch}"
        )

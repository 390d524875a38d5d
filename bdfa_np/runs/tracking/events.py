"""TensorBoard's event files, which follow from what a run's folder holds; they need the extra ``tensorboard``."""

import socket
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bdfa_np.diagnostics.diagnostics import Diagnostics
from bdfa_np.errors import ConfigError
from bdfa_np.runs.store.events import EVENTS, SUFFIX, remove_events
from bdfa_np.system.extras import install_command
from bdfa_np.trainer import EpochRecord


def check_events() -> None:
    """Raise `ConfigError` unless there is something to write event files with."""
    try:
        import tensorboardX  # noqa: F401
    except ImportError:
        command = install_command("tensorboard")
        raise ConfigError(f"--tensorboard writes with tensorboardX: install it with {command}") from None


class EventWriter:
    """Writes a run's figures for TensorBoard.

    A sitting writes one file, which begins with the epochs before it and takes the place of the files before it: so no
    step is there twice, whatever a kill has left.

    Parameters
    ----------
    folder : Path
        The run folder.
    tested_on : {"test", "validation"}
        What the part is called that the run tests on.
    """

    def __init__(self, folder: Path, tested_on: str) -> None:
        self._folder = folder
        self._tested_on = tested_on
        self._file: Any = None
        self._epochs = self._measurements = 0

    def write(self, history: Sequence[EpochRecord], measured: Diagnostics | None) -> None:
        """Write what is not written yet of the epochs done and of what was measured; it is on the disk then."""
        if self._file is None:
            self._open()
        for record in history[self._epochs :]:
            for tag, value in _figures(record, self._tested_on).items():
                self._add(tag, value, record.epoch)
        self._epochs = len(history)
        if measured is not None:
            for row in range(self._measurements, len(measured)):
                for name, value in measured.figures(row).items():
                    self._add(name.replace(".", "/", 1), value, _place(measured, row))
            self._measurements = len(measured)
        self._file.flush()

    def close(self) -> None:
        """End the file."""
        if self._file is not None:
            self._file.close()

    def _open(self) -> None:
        from tensorboardX import RecordWriter
        from tensorboardX.proto.event_pb2 import Event, SessionLog

        replaces = remove_events(self._folder)
        folder = self._folder / EVENTS
        folder.mkdir(exist_ok=True)
        name = f"events.out.tfevents.{int(time.time()):010d}.{socket.gethostname()}{SUFFIX}"
        self._file = RecordWriter(str(folder / name))
        self._write(Event(file_version="brain.Event:2"))
        if replaces:  # a TensorBoard that looks on forgets what it has read
            self._write(Event(step=0, session_log=SessionLog(status=SessionLog.START)))

    def _add(self, tag: str, value: float, step: int) -> None:
        from tensorboardX.proto.event_pb2 import Event
        from tensorboardX.proto.summary_pb2 import Summary

        self._write(Event(step=step, summary=Summary(value=[Summary.Value(tag=tag, simple_value=value)])))

    def _write(self, event: Any) -> None:
        event.wall_time = time.time()
        self._file.write(event.SerializeToString())


def _figures(record: EpochRecord, tested_on: str) -> dict[str, float]:
    return {
        "loss/training": record.train_loss,
        f"loss/{tested_on}": record.test_loss,
        "error/training": record.train_error,
        f"error/{tested_on}": record.test_error,
        "lr": record.lr,
        "seconds": record.seconds,
    }


def _place(measured: Diagnostics, row: int) -> int:
    """Return where on its axis a measurement stands: at its epoch, or where steps are counted at its step."""
    of_steps = str(measured.settings.get("every", "")).endswith("steps")
    return int(measured.steps[row] if of_steps else measured.epochs[row])

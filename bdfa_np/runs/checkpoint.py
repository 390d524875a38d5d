"""Checkpoints: everything a run needs to go on, in one HDF5 file sealed with its SHA-256.

The figures of the epochs done are in a file of their own beside it, which only grows (`bdfa_np.runs.store.epochs`).
"""

import contextlib
import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from bdfa_np.diagnostics.diagnostics import Diagnostics
from bdfa_np.errors import ContentError, RunError
from bdfa_np.representation import one_line
from bdfa_np.runs.store.epochs import COLUMNS, read_epochs
from bdfa_np.runs.store.names import HISTORY
from bdfa_np.system.hdf5 import (
    array_in,
    attribute_names,
    count,
    figure,
    file_size,
    has,
    member,
    names,
    opened,
    subgroup,
    text,
    values,
)
from bdfa_np.system.interrupts import interrupts_wait
from bdfa_np.system.sealed import SEAL, problems_told, read_sealed, write_sealed
from bdfa_np.system.text import counted
from bdfa_np.trainer import EpochRecord, Progress

FORMAT = 2
"""Version of the layout below; a reader refuses any later one. In format 1 the history was in the file itself."""

Arrays = dict[str, npt.NDArray[Any]]
GROUPS = ("weights", "feedback", "layers", "optimizer")
RULE = "rule"
"""A group for what a rule has of its own; left out where it has nothing, as files written before there was one."""
RECORD = "record"
"""What ``config.toml`` said, an array of bytes: an attribute could not be as long as options may be."""


@dataclass
class Checkpoint:
    """The state of a run after a whole epoch.

    Random states are not among it: every random number is a function of the seed, the stream's name and the
    epoch (see `bdfa_np.random_streams`).

    Attributes
    ----------
    weights, feedback, layers, optimizer : dict of str to array
        Parameters, feedback matrices, what layers carry along (running statistics) and optimizer state, by name.
    rule, rule_counters : dict of str to array, dict of str to float
        What the rule carries along beside its feedback, and the rates and steps of its own optimizers, by name.
    training_passes : int
        Forward passes done in training, which dropout masks are keyed by.
    learning_rate : float
        The rate with its halvings, without decay.
    steps : int
        Optimizer steps taken.
    progress : Progress
        Epochs done, running mean, halvings, and whether the run has ended by itself.
    confusion : integer array (K, K)
        Of the last test pass.
    history : list of EpochRecord
        One for each epoch done, where it was asked for.
    history_sha256 : str
        The SHA-256 of its file up to this epoch; empty in checkpoints that hold the history themselves.
    preprocessing : str
        The SHA-256 of the run's ``preprocessing.h5``; empty in checkpoints written before there was one.
    record : str
        What ``config.toml`` said, as `bdfa_np.options.changes.record` gives it; empty in checkpoints written before.
    measured : Diagnostics or None
        What was measured of the run up to here, where that is known: it is in ``diagnostics.h5`` beside the file.
    """

    weights: Arrays
    feedback: Arrays
    layers: Arrays
    optimizer: Arrays
    training_passes: int
    learning_rate: float
    steps: int
    progress: Progress
    confusion: npt.NDArray[np.int64]
    history: list[EpochRecord] = field(default_factory=list)
    history_sha256: str = ""
    rule: Arrays = field(default_factory=dict)
    rule_counters: dict[str, float] = field(default_factory=dict)
    preprocessing: str = ""
    record: str = ""
    measured: Diagnostics | None = None

    def __repr__(self) -> str:
        """Return the epochs and steps done, and how much is held."""
        weights, feedback = (sum(array.size for array in group.values()) for group in (self.weights, self.feedback))
        done = [counted(self.progress.epoch, "epoch") + " done", counted(self.steps, "step")]
        held = [counted(weights, "weight"), counted(feedback, "feedback weight")]
        return one_line(self, [*done, *held])


@interrupts_wait()
def write_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint, replacing the one at ``path`` in one step.

    The file is put together in memory first, so that a full disk is an ordinary `OSError`.
    """
    memory = io.BytesIO()
    with h5py.File(memory, "w", userblock_size=SEAL) as file:
        file.attrs["format"] = FORMAT
        file.attrs["learning_rate"] = checkpoint.learning_rate
        file.attrs["steps"] = checkpoint.steps
        file.attrs.update({name: _fixed(value) for name, value in asdict(checkpoint.progress).items()})
        file.attrs["training_passes"] = checkpoint.training_passes
        if checkpoint.preprocessing:
            file.attrs["preprocessing_sha256"] = _fixed(checkpoint.preprocessing)
        for group in GROUPS:
            _write_arrays(file.create_group(group), getattr(checkpoint, group))
        if checkpoint.rule or checkpoint.rule_counters:
            _write_arrays(file.create_group(RULE), checkpoint.rule)
            file[RULE].attrs.update(checkpoint.rule_counters)
        arrays = {"confusion": checkpoint.confusion}
        if checkpoint.record:
            arrays[RECORD] = np.frombuffer(checkpoint.record.encode(), np.uint8)
        _write_arrays(file, arrays)
        file.create_group("history").attrs["sha256"] = _fixed(checkpoint.history_sha256)
    write_sealed(path, memory)


def _fixed(value: float | str) -> float | np.bytes_:
    """Give text a fixed length: that of any length is not read, for a damaged one sends HDF5 into endless loops."""
    return np.bytes_(value.encode()) if isinstance(value, str) else value


def _write_arrays(group: h5py.Group, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    for name, array in arrays.items():
        group.create_dataset(name, data=array, track_times=False)


@interrupts_wait()
def read_checkpoint(path: Path, *, history: bool = True) -> Checkpoint:
    """Read a checkpoint.

    Parameters
    ----------
    path : Path
        The file.
    history : bool, default True
        Whether to read the figures of the epochs done too, which are in the file beside it.

    Raises
    ------
    RunError
        If it, or the history, is missing, unreadable, damaged, or written by a later version.
    """
    with _opened(path) as file:
        rule = RULE if has(file, RULE) else None
        arrays = _read_arrays(file, [*GROUPS, *([rule] if rule else [])])
        for name in ("weights", "feedback"):
            _check_finite(arrays[name])
        inside, sha256 = _read_history(file)
        groups: dict[str, Any] = {name: arrays[name] for name in GROUPS}
        checkpoint = Checkpoint(
            **groups,
            training_passes=count(file, "training_passes"),
            learning_rate=figure(file, "learning_rate"),
            steps=count(file, "steps"),
            progress=_read_progress(file),
            confusion=values(file, "confusion", "fiu"),
            history=inside,
            history_sha256=sha256,
            rule=arrays[rule] if rule else {},
            rule_counters={name: figure(file[rule], name) for name in attribute_names(file[rule])} if rule else {},
            preprocessing=text(file, "preprocessing_sha256") if "preprocessing_sha256" in file.attrs else "",
            record=_read_record(file),
        )
    if history:
        checkpoint.history = _history(path, checkpoint.progress, inside, sha256)
    return checkpoint


@interrupts_wait()
def read_history(path: Path) -> tuple[Progress, list[EpochRecord], str]:
    """Read how far a checkpoint's run has come, and its record, without weights; raises as `read_checkpoint` does."""
    with _opened(path) as file:
        progress, record = _read_progress(file), _read_record(file)
        inside, sha256 = _read_history(file)
    return progress, _history(path, progress, inside, sha256), record


def _history(path: Path, progress: Progress, inside: list[EpochRecord], sha256: str) -> list[EpochRecord]:
    return read_epochs(path.with_name(HISTORY), progress.epoch, sha256) if sha256 else inside


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[h5py.File]:
    """Open a checkpoint; whatever is wrong with it is told in one line."""
    missing = "the run cannot be read; start it anew with --force"
    with problems_told(path, missing=missing, damaged="restore it from a copy, or start anew with --force"):
        content = read_sealed(path)
        with opened(io.BytesIO(content)) as file:
            if count(file, "format") > FORMAT:
                raise RunError(f"{path} was written by a later version of bdfa-np: use that version")
            yield file


def _read_progress(file: h5py.File) -> Progress:
    return Progress(
        epoch=count(file, "epoch"),
        train_error_mean=figure(file, "train_error_mean"),
        halvings=count(file, "halvings"),
        stop_reason=text(file, "stop_reason"),
    )


def _read_history(file: h5py.File) -> tuple[list[EpochRecord], str]:
    """Return the epochs of a file of format 1, and what any other says of the file that has them."""
    if isinstance(member(file, "history"), h5py.Group):
        return [], text(file["history"], "sha256")
    epoch, table = count(file, "epoch"), values(file, "history", "f")
    if table.shape != (epoch, len(COLUMNS)):
        raise ContentError(f"history has the shape {table.shape} after {counted(epoch, 'epoch')}")
    records = [_record(row) for row in table]
    if [record.epoch for record in records] != [*range(1, epoch + 1)]:
        raise ContentError("the epochs of its history are not in order")
    return records, ""


def _read_record(file: h5py.File) -> str:
    return values(file, RECORD, "u").tobytes().decode() if has(file, RECORD) else ""


def _read_arrays(file: h5py.File, groups: Iterable[str]) -> dict[str, Arrays]:
    """Return the arrays of some groups, of all of which it is known before that they are no larger than the file."""
    found = {
        group: {name: array_in(file, f"{group}/{name}", "f") for name in names(subgroup(file, group))}
        for group in groups
    }
    claimed, size = sum(item.nbytes for group in found.values() for item in group.values()), file_size(file)
    if claimed > size:  # nothing in a checkpoint is packed
        raise ContentError(f"it claims {claimed} bytes in a file of {size}")
    return {group: {name: item[()] for name, item in items.items()} for group, items in found.items()}


def _check_finite(arrays: Arrays) -> None:
    for name, entries in arrays.items():
        if not np.isfinite(entries).all():
            raise ContentError(f"{name} has entries that are no finite numbers")


def _record(row: npt.NDArray[np.float64]) -> EpochRecord:
    values = dict(zip(COLUMNS, map(float, row), strict=True))
    return EpochRecord(epoch=int(values.pop("epoch")), **values)

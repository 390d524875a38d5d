"""Checkpoints: everything a run needs to go on, in one HDF5 file with a checksum on every array."""

import contextlib
import io
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from bdfa_np.errors import RunError
from bdfa_np.representation import one_line
from bdfa_np.system.files import replace_file
from bdfa_np.system.interrupts import interrupts_wait
from bdfa_np.system.text import counted
from bdfa_np.trainer import EpochRecord, Progress

FORMAT = 1
"""Version of the layout below; a reader refuses any other."""

Arrays = dict[str, npt.NDArray[Any]]
GROUPS = ("weights", "feedback", "layers", "optimizer")
RULE = "rule"
"""A group for what a rule has of its own; left out where it has nothing, as files written before there was one."""
COLUMNS = tuple(item.name for item in fields(EpochRecord))


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
        One for each epoch done.
    preprocessing : str
        The SHA-256 of the run's ``preprocessing.h5``; empty in checkpoints written before there was one.
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
    rule: Arrays = field(default_factory=dict)
    rule_counters: dict[str, float] = field(default_factory=dict)
    preprocessing: str = ""

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
    # From this layout on, HDF5 keeps a checksum on its own structures too.
    with h5py.File(memory, "w", libver=("v110", "v110")) as file:
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
        history = np.array([[getattr(record, name) for name in COLUMNS] for record in checkpoint.history], dtype="f8")
        tables = {"confusion": checkpoint.confusion, "history": history.reshape(-1, len(COLUMNS))}
        _write_arrays(file, tables)
        file["history"].attrs["columns"] = np.array(COLUMNS, dtype="S")
    with replace_file(path) as out:
        out.write(memory.getbuffer())


def _fixed(value: float | str) -> float | np.bytes_:
    """Give text a fixed length: HDF5 keeps text of any length in a place without a checksum."""
    return np.bytes_(value.encode()) if isinstance(value, str) else value


def _write_arrays(group: h5py.Group, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    for name, array in arrays.items():
        # HDF5 checks sums a chunk at a time, and an empty array can have no chunks.
        checked = {"chunks": array.shape, "fletcher32": True} if array.size else {}
        group.create_dataset(name, data=array, track_times=False, **checked)


@interrupts_wait()
def read_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint.

    Raises
    ------
    RunError
        If it is missing, unreadable, damaged, or written by a later version.
    """
    with _opened(path) as file:
        size = os.path.getsize(path)
        groups = {name: _read_arrays(file[name], size, "f") for name in GROUPS}
        progress, history = _read_history(file, size)
        return Checkpoint(
            **groups,
            training_passes=int(file.attrs["training_passes"]),
            learning_rate=float(file.attrs["learning_rate"]),
            steps=int(file.attrs["steps"]),
            progress=progress,
            confusion=_read_array(file["confusion"], "confusion", size, "fi"),
            history=history,
            rule=_read_arrays(file[RULE], size, "f") if RULE in file else {},
            rule_counters={key: float(value) for key, value in file[RULE].attrs.items()} if RULE in file else {},
            preprocessing=bytes(file.attrs.get("preprocessing_sha256", b"")).decode(),
        )


@interrupts_wait()
def read_history(path: Path) -> tuple[Progress, list[EpochRecord]]:
    """Read how far a checkpoint's run has come, without its weights; raises as `read_checkpoint` does."""
    with _opened(path) as file:
        return _read_history(file, os.path.getsize(path))


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[h5py.File]:
    """Open a checkpoint; whatever is wrong with it is told in one line."""
    try:
        with h5py.File(path, "r") as file:
            if int(file.attrs["format"]) > FORMAT:
                raise RunError(f"{path} was written by a later version of bdfa-np: use that version")
            yield file
    except FileNotFoundError:
        raise RunError(f"{path} is missing: the run cannot be read; start it anew with --force") from None
    except PermissionError:
        raise RunError(f"{path} may not be read: check its permissions") from None
    except (OSError, KeyError, TypeError, ValueError, RuntimeError) as error:
        reason = str(error).strip("'\"").splitlines()[0] if str(error) else type(error).__name__
        raise RunError(f"{path} is damaged ({reason}): restore it from a copy, or start anew with --force") from error


def _read_history(file: h5py.File, size: int) -> tuple[Progress, list[EpochRecord]]:
    progress = Progress(**{key: kind(file.attrs[key]) for key, kind in _PROGRESS_TYPES.items()})
    table = _read_array(file["history"], "history", size, "fi")
    if table.shape != (progress.epoch, len(COLUMNS)):
        raise ValueError(f"history has the shape {table.shape} after {progress.epoch} epochs")
    return progress, [_record(row) for row in table]


_PROGRESS_TYPES: dict[str, Callable[[Any], Any]] = {
    "epoch": int,
    "train_error_mean": float,
    "halvings": int,
    "stop_reason": lambda text: bytes(text).decode(),
}


def _read_arrays(group: h5py.Group, file_size: int, kinds: str) -> Arrays:
    arrays: Arrays = {}
    for name in group:
        item = group[name]  # group.items() would give None for one whose description is damaged
        if isinstance(item, h5py.Dataset):
            arrays[name] = _read_array(item, name, file_size, kinds)
    return arrays


def _read_array(item: h5py.Dataset, name: str, file_size: int, kinds: str) -> npt.NDArray[Any]:
    if item.nbytes > file_size:  # nothing in a checkpoint is compressed
        raise ValueError(f"{name} claims {item.nbytes} bytes in a file of {file_size}")
    if item.dtype.kind not in kinds:
        raise ValueError(f"{name} is of the type {item.dtype}")
    array: npt.NDArray[Any] = item[()]
    return array


def _record(row: npt.NDArray[np.float64]) -> EpochRecord:
    values = dict(zip(COLUMNS, map(float, row), strict=True))
    return EpochRecord(epoch=int(values.pop("epoch")), **values)

"""How much memory a training run will take, told from a few steps on few samples before any data are read."""

import sys
import textwrap
import tracemalloc
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from bdfa_np.backend.base import Backend
from bdfa_np.backend.cpu.backend import NumpyBackend
from bdfa_np.backend.cpu.compiling import COMPILER_BYTES, can_compile, compiling_nothing
from bdfa_np.data import Batches
from bdfa_np.extensions import blamed
from bdfa_np.model import Model
from bdfa_np.optim import Optimizer
from bdfa_np.parameters import ParameterVector
from bdfa_np.system.memory import beyond_memory, resident_memory

LARGEST_TRIAL = 128 * 2**20
"""Once the buffers of a step have so many bytes, those of more samples are told from their growth."""


@dataclass(frozen=True)
class TrainingMemory:
    """What a run has in memory at its peak, in bytes.

    Attributes
    ----------
    program : int
        Python, the libraries that are used, and compiled loops; 0 where the system does not tell.
    data : int
        The prepared samples.
    weights : int
        Weights, feedback, gradients, the state of optimizers, running statistics, and what else the rule keeps.
    step : int
        Buffers of layers, rule and kernels, for a whole batch.
    saving : int
        What writing a checkpoint takes: copies of what is in it, and the file.
    """

    program: int
    data: int
    weights: int
    step: int
    saving: int

    @property
    def total(self) -> int:
        """All of it."""
        return self.program + self.data + self.weights + self.step + self.saving

    def lines(self, batch_size: int) -> list[str]:
        """Return what a person is told: the sum, its parts, and a note where there is not so much memory."""
        parts = {
            "Python and libraries": self.program,
            "data": self.data,
            "weights and what trains them": self.weights,
            f"batch of {batch_size}": self.step,
            "saving": self.saving,
        }
        text = ", ".join(f"{name} {megabytes(size)}" for name, size in parts.items() if size)
        of_parts = (f"  {line}" for line in textwrap.wrap(text, 78))
        lines = [f"memory: about {megabytes(self.total)} for training:", *of_parts]
        problem = beyond_memory(self.total)
        if problem:
            lines.append(f"note: training would {problem}: choose a smaller --batch-size or net")
        return lines


def memory_lines(model: Model, *, data: int, program: int) -> list[str]:
    """Return what a person is told of the memory that training takes; the model is of no use afterwards.

    Of a device's memory only what lasts from step to step is told: nothing is run there before there is something to
    train.
    """
    if model.backend.name == "numpy":
        return training_memory(model, data=data, program=program).lines(model.config.batch_size)
    weights = megabytes(sum(array.nbytes for array in kept_arrays(model)))
    return [f"memory: {weights} of the device for weights and what trains them; a step's buffers come on top"]


def megabytes(size: float) -> str:
    """Return an amount of memory in MB, or from a thousand on in GB."""
    if size < 1e6:
        return f"{size / 1e3:.0f} kB"
    return f"{size / 1e6:.0f} MB" if size < 999.5e6 else f"{size / 1e9:.1f} GB"


def training_memory(model: Model, *, data: int, program: int) -> TrainingMemory:
    """Tell how much memory training takes, by training on few samples of zeros: the model is of no use afterwards.

    Layers' buffers grow with the batch, and kernels' work space does up to some size. So batches are doubled until they
    are as large as the run's, or their buffers have `LARGEST_TRIAL` bytes; what more samples take follows from the
    growth at the end.

    Parameters
    ----------
    model : Model
        On NumPy, just built.
    data : int
        Bytes that the prepared samples take.
    program : int
        What `program_memory` said before the model was built.
    """
    weights = sum(array.nbytes for array in kept_arrays(model))
    sizes, buffers = trial_steps(model)
    growth = (buffers[-1] - buffers[-2]) / (sizes[-1] - sizes[-2]) if len(sizes) > 1 else 0.0
    step = buffers[-1] + round(growth * (model.config.batch_size - sizes[-1]))
    return TrainingMemory(program, data, weights, step, saving_memory(model))


def program_memory() -> int:
    """Return what Python and its libraries take, to be asked for before a model is built; 0 where nobody tells."""
    resident = resident_memory()
    if resident is None:
        return 0
    return resident + (COMPILER_BYTES if can_compile() and "numba" not in sys.modules else 0)


def kept_arrays(model: Model) -> Iterable[Any]:
    """Yield every array that lasts from step to step."""
    vectors = {id(vector): vector for vector in (model.network.weights, model.rule.feedback, *model.rule.trained)}
    for vector in vectors.values():
        yield from arrays_of(vector)
    for optimizer in (model.optimizer, *model.rule.optimizers):
        yield from state_of(optimizer)
    yield from model.network.state().values()
    yield from model.rule.buffers().values()


def arrays_of(vector: ParameterVector) -> list[Any]:
    """Return a vector's values and, where it is trained, its gradients."""
    return [vector.values, *([] if vector.gradients is None else [vector.gradients])]


def state_of(optimizer: Optimizer) -> Iterable[Any]:
    """Return the arrays that an optimizer carries from step to step."""
    return optimizer.state().values()


def saving_memory(model: Model) -> int:
    """Return what writing a checkpoint takes: the arrays that are copied for it, and the file before it is written."""
    rule = model.rule
    copied = [model.network.weights.values, rule.feedback.values, *rule.buffers().values()]
    copied += [array for optimizer in rule.optimizers for array in state_of(optimizer)]
    total: int = sum(2 * array.nbytes for array in copied) + sum(array.nbytes for array in state_of(model.optimizer))
    return total


def trial_steps(model: Model) -> tuple[list[int], list[int]]:
    """Train on ever more samples; return how many they were, and the bytes of all buffers after each step."""
    sizes: list[int] = []
    buffers: list[int] = []
    tracemalloc.start()
    try:
        while not sizes or (sizes[-1] < model.config.batch_size and buffers[-1] < LARGEST_TRIAL):
            sizes.append(min(2 * sizes[-1], model.config.batch_size) if sizes else 1)
            images = np.zeros((sizes[-1], *model.network.input_shape), np.uint8)
            batches = Batches(images, np.zeros(sizes[-1], np.int64), sizes[-1])
            trainer = model.trainer(batches, None)
            with model.backend.non_finite_allowed(), compiling_nothing(), blamed():
                for x, labels in batches.epoch(1):
                    trainer.step(x, labels)
            buffers.append(traced_arrays() + pages_held(model.backend))
    finally:
        tracemalloc.stop()
    return sizes, buffers


def pages_held(backend: Backend) -> int:
    """Return the bytes that a backend on the host has from the system itself."""
    if not isinstance(backend, NumpyBackend) or sys.platform == "win32":  # there they are arrays as all others
        return 0
    return backend.pages_held()


def traced_arrays() -> int:
    """Return the bytes of NumPy's arrays that were made since tracing began."""
    in_arrays = tracemalloc.DomainFilter(inclusive=True, domain=np.lib.tracemalloc_domain)
    found: int = sum(trace.size for trace in tracemalloc.take_snapshot().filter_traces([in_arrays]).traces)
    return found

"""The program of this project: `Trainer.step` and `Sequential.predict`, as anybody would call them."""

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
from measure.jobs import Batch, Job, build, make_batches, parameters

from bdfa_np.backend.cpu import compiling


class Source:
    """Batches as `Trainer` takes them."""

    def __init__(self, batches: list[Batch]) -> None:
        self.batches = batches

    def __len__(self) -> int:
        """Return the number of batches."""
        return len(self.batches)

    def epoch(self, number: int) -> Iterator[Batch]:
        """Yield all batches."""
        yield from self.batches


class Ours:
    """The program of a job.

    Parameters
    ----------
    job : Job
        What to do.
    **options
        Of `Config`: the backend, and what belongs to it. Batches lie where it computes.
    """

    def __init__(self, job: Job, **options: Any) -> None:
        self.model = build(job, **options)
        asarray = self.model.backend.asarray
        batches = [(asarray(x), asarray(labels)) for x, labels in make_batches(job)]
        self.rotation = itertools.cycle(batches)
        self.inference = job.work == "inference"
        self.trainer = self.model.trainer(Source(batches), Source(batches))

    def __call__(self) -> None:
        """Train on the next batch, or let it pass forward."""
        x, labels = next(self.rotation)
        if self.inference:
            self.model.network.predict(x)
        else:
            self.trainer.step(x, labels)

    def weights(self) -> dict[str, np.ndarray]:
        """Return copies of all weights and feedback weights."""
        return parameters(self.model)


def make(job: Job, **options: Any) -> Ours:
    """Make the program of a job; its loops are compiled by its first step, and not after a number of them."""
    compiling.COMPILE_AFTER = 0
    return Ours(job, **options)

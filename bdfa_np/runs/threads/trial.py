"""A few training steps of a net like the run's, timed with one number of threads or another; nothing of it stays."""

import contextlib
import io
import itertools
import random
import warnings
from collections.abc import Callable, Iterator
from time import perf_counter

import numpy as np

from bdfa_np.backend.base import Batch
from bdfa_np.batches import fed
from bdfa_np.extensions import blamed
from bdfa_np.networks import NETWORKS
from bdfa_np.options.config import Config
from bdfa_np.rules import RULES
from bdfa_np.runs.data import RunData
from bdfa_np.runs.loading import model_for
from bdfa_np.system.threads import thread_limits
from bdfa_np.trainer import Trainer

Timer = Callable[[int, int], float]
"""Trains so many steps with so many threads, ``timer(threads, steps)``, and returns the seconds that they took."""


@contextlib.contextmanager
def trial(config: Config, data: RunData) -> Iterator[Timer]:
    """Train a net like the run's, which is thrown away, on the run's first batches; yield what times its steps.

    Nothing of it stays: the run builds its own net afterwards, and draws the same numbers as if there had been none.
    """
    limits = thread_limits()
    of_package = config.network in NETWORKS and config.gradient in RULES
    with contextlib.nullcontext() if of_package else unnoticed(), blamed():
        model = model_for(config, data)
        source = data.train_batches(config.batch_size, model.streams, drop_last=config.const_batch_size)
        trainer = model.trainer(source, None)
        model.rule.before_training(itertools.islice(fed(model.network, source, 0), 1))
        batches = _endless(trainer)

        def timer(threads: int, steps: int) -> float:
            with limits(threads), model.network.computing(), model.backend.non_finite_allowed():
                begin = perf_counter()
                for x, labels in itertools.islice(batches, steps):
                    trainer.step(x, labels)
                return perf_counter() - begin

        yield timer


@contextlib.contextmanager
def unnoticed() -> Iterator[None]:
    """Drop what somebody's net or rule prints and warns of, and put back what it draws from shared generators."""
    drawn_in_python, drawn_in_numpy = random.getstate(), np.random.get_state()
    try:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        random.setstate(drawn_in_python)
        np.random.set_state(drawn_in_numpy)


def _endless(trainer: Trainer) -> Iterator[Batch]:
    """Yield batches as training has them, epoch after epoch; smaller last ones, which take less time, are left out."""
    backend, largest = trainer.network.backend, 0
    for epoch in itertools.count(1):
        for step, (x, labels) in enumerate(fed(trainer.network, trainer.train, epoch), start=1):
            largest = max(largest, len(x))
            if len(x) == largest:
                yield x if trainer.augment is None else trainer.augment(backend.asarray(x), epoch, step), labels

"""How many threads a run trains with: one, or one a core, whichever is the faster for its net here and now.

Threads of BLAS wait for one another after every product. Where other programs want the cores too, each product waits
until all its threads have had a core: a step of 2 ms on one thread then takes 10 to 130 ms on two. Alone, two may be
nearly twice as fast as one. Only a trial tells.
"""

import gc
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from math import ceil, inf
from statistics import mean
from typing import Protocol

from bdfa_np.model import configured_backend
from bdfa_np.options.config import Config
from bdfa_np.options.machine import AUTO
from bdfa_np.random_streams import Streams
from bdfa_np.runs.data import RunData
from bdfa_np.runs.threads.cores import without_training
from bdfa_np.runs.threads.trial import Timer, trial
from bdfa_np.system.threads import limited_threads

FEWEST_STEPS = 30
"""A run of fewer training steps is not worth a trial, which makes about ten."""
SHORTEST = 0.25
"""Nor is one that takes fewer seconds on one thread."""
BLOCK = 0.007
"""Seconds that are timed at once, or one step if that takes longer: less would miss how long threads wait."""
HEAVY = 0.02
"""Seconds from which a single step says enough if the two numbers lie clearly apart."""
CLEAR = 1.15
"""By which factor that is."""
WAITING = 3
"""How many times the seconds of one thread say enough of several by a single step, which may take long."""
FEWEST, MOST = 3, 6
"""Turns that are taken by each number where they do not: at least, since one may be disturbed, and at most."""
LONGEST, SHARE = 0.2, 0.03
"""Seconds, and share of the run, after which there are no more than the fewest turns."""
GAIN = 0.97
"""More threads must take less than this share of the time of one: between equals one is the safer."""


class Load(Protocol):
    """Loads a run's data, which are the same each time."""

    def __call__(self, *, note: Callable[[str], None]) -> RunData:
        """Return the data; ``note`` hears of anything out of the ordinary."""


@dataclass(frozen=True)
class Choice:
    """A number of threads, and the line that a run says of it; empty where there was nothing to choose."""

    threads: int
    line: str = ""


def settle(config: Config, load: Load, note: Callable[[str], None], done: int = 0) -> tuple[Config, RunData, list[str]]:
    """Load a run's data, and find its number of threads where that is ``auto``.

    Parameters
    ----------
    config : Config
        The resolved options.
    load : callable
        Loads the data.
    note : callable
        Hears what is out of the ordinary about them.
    done : int, default 0
        Epochs that the run has behind it.

    Returns
    -------
    Config
        With a number of threads.
    RunData
        As they are with this number: where they are whitened and not stored, they are whitened with it.
    list of str
        How the number was chosen, for the log.
    """
    prepared_with = without_training(config)
    with limited_threads(prepared_with):
        data = load(note=note)
        if config.threads != AUTO:
            return config, data, []
        choice = _choose(config, data, done, cores=prepared_with)
    gc.collect(1)  # the net of a trial, whose parts refer to one another, makes room for the run's
    config = config.replace(threads=choice.threads)
    if config.whiten and data.prepared.path is None and choice.threads != prepared_with:
        with limited_threads(choice.threads):  # or a resumed run, which whitens them again, would round otherwise
            data = load(note=lambda _: None)
    return config, data, [choice.line] if choice.line else []


def _choose(config: Config, data: RunData, done: int, cores: int) -> Choice:
    """Choose for a run; only where NumPy computes, a number of threads makes a difference."""
    if configured_backend(config).name != "numpy":
        return Choice(cores)
    batches = len(data.train_batches(config.batch_size, Streams(config.seed), drop_last=config.const_batch_size))
    steps = inf if config.epochs == -1 else max(config.epochs - done, 0) * batches
    return choose(lambda: trial(config, data), cores, steps)


def choose(opened: Callable[[], AbstractContextManager[Timer]], cores: int, steps: float) -> Choice:
    """Choose between one thread and one a core.

    Parameters
    ----------
    opened : callable
        Opens a trial, which makes a net and so is not for nothing.
    cores : int
        How many cores there are to use.
    steps : float
        Training steps that are still to be made; infinite without a bound.
    """
    if cores == 1 or steps == 0:
        return Choice(1)
    short = Choice(1, f"1 thread: the run is too short to try {cores}")
    if steps < FEWEST_STEPS:
        return short
    with opened() as timer:
        timer(1, 1)  # compiles and makes buffers, which no other step does
        first = timer(1, 1)
        if first * steps < SHORTEST:
            return short
        one, every = compare(timer, cores, first, min(LONGEST, SHARE * first * steps))
    if every < GAIN * one:
        return Choice(cores, f"{cores} threads: {_milliseconds(every)} a step now, {_milliseconds(one)} with 1")
    return Choice(1, f"1 thread: {_milliseconds(one)} a step now, {_milliseconds(every)} with {cores}")


def compare(timer: Timer, cores: int, first: float, seconds: float) -> tuple[float, float]:
    """Return the seconds that a step takes with one thread and with one a core.

    The two take turns. Of one thread the least counts, to which other programs only add; of several the mean, since
    waiting for one another is theirs, but for the largest, which something may have disturbed that happened once.

    Parameters
    ----------
    timer : callable
        Times steps; those with one thread have begun.
    cores : int
        How many threads the other number is.
    first : float
        Seconds of a step with one thread.
    seconds : float
        After how many seconds nothing is tried that can be left out.
    """
    block = max(1, ceil(BLOCK / max(first, 1e-6)))
    one, every, spent, latest = [first], list[float](), 0.0, timer(cores, 1)
    while True:
        count = 1 if latest > WAITING * min(one) else block
        took = timer(cores, count)
        latest = took / count
        every.append(latest)
        spent += took
        least = min(one)
        apart = all(value >= CLEAR * least for value in every) or all(CLEAR * value <= least for value in every)
        clear = apart and len(every) >= (1 if first >= HEAVY else 2)
        if clear or len(every) >= (FEWEST if spent >= seconds else MOST):
            return least, mean(sorted(every)[:-1] or every)
        took = timer(1, block)
        one.append(took / block)
        spent += took


def _milliseconds(seconds: float) -> str:
    return f"{1e3 * seconds:.3g} ms" if seconds < 1 else f"{seconds:.3g} s"

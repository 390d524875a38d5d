"""Learning-rate schedules: what the rate is multiplied by, as functions of the whole epochs done."""

from collections.abc import Callable, Sequence
from math import cos, pi, prod

Schedule = Callable[[int], float]
"""Takes the epochs done, 0 before the first, and returns what the rate of the next one is multiplied by."""

SCHEDULES = ("step", "multistep", "cosine")
"""The names that ``--schedule`` takes."""


def step(done: int, *, every: int, gamma: float) -> float:
    """Return ``1 / gamma`` to the power of ``done // every``."""
    return gamma ** -(done // every)


def multistep(done: int, *, milestones: Sequence[int], gamma: float) -> float:
    """Return ``1 / gamma`` to the power of how many milestones, in epochs, are reached."""
    return gamma ** -sum(milestone <= done for milestone in milestones)


def cosine(done: int, *, epochs: int) -> float:
    """Return ``(1 + cos(π done / epochs)) / 2``: 1 at the beginning, 0 after ``epochs``.

    Loshchilov and Hutter, arXiv 1608.03983, eq. 5, without restarts and with 0 for the smallest rate.
    """
    return (1 + cos(pi * min(done, epochs) / epochs)) / 2


def warmup(done: int, *, epochs: int) -> float:
    """Return ``(done + 1) / epochs``, at most 1: equal steps from epoch to epoch, the whole rate in epoch ``epochs``.

    Goyal et al., arXiv 1706.02677, section 2.2, by epochs.
    """
    return min(1.0, (done + 1) / epochs)


def product(done: int, *, schedules: Sequence[Schedule]) -> float:
    """Return the product of what several schedules say."""
    return prod(schedule(done) for schedule in schedules)

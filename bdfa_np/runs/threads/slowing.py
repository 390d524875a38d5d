"""Epochs that take many times as long as those before."""

from collections.abc import Sequence
from statistics import median

SLOW = 4
"""How many times the others' seconds an epoch takes that is remarkable."""
SLOW_SECONDS = 1.0
"""How many seconds more that must be at least."""
LOOKED_BACK = 100
"""How many epochs are looked at at most, so that the last of many costs what the first did."""
USUAL = 3
"""How many epochs before it say what is usual: the first, in which much is done once, must not."""


def slowed(seconds: Sequence[float]) -> float:
    """Return how many times the median of those before it the last epoch took where that is remarkable, else 0."""
    *before, last = seconds
    if len(before) < USUAL:
        return 0.0
    usual = median(before)
    return last / usual if last >= SLOW * usual and last - usual >= SLOW_SECONDS else 0.0

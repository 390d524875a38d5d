"""What the figures of a run's epochs say together: which epoch was best, and whether the net has learnt at all."""

from collections.abc import Sequence

from bdfa_np.runs.checkpoint import COLUMNS
from bdfa_np.trainer import EpochRecord

FIRST_JUDGED = 5
"""Nothing is said of a run before so many epochs: some nets stand still for a few and then learn."""
RECENT = 2
"""The last epochs, in which the loss must have fallen below all before."""
FALL = 5e-4
"""By how much, relatively. On a plateau the loss wavers by a tenth of it; nets that leave one fall faster before."""
CLOSE = 0.01
"""A point of error; where the largest class leaves fewer than ten points to gain, a tenth of them."""


def columns(tested_on: str) -> tuple[str, ...]:
    """Return what the figures of an epoch are called in tables.

    Parameters
    ----------
    tested_on : {"test", "validation"}
        The part that the run tests on after each epoch: ``test_error`` becomes ``validation_error``.

    Returns
    -------
    tuple of str
        A name for each field of `EpochRecord`, in their order.
    """
    return tuple(f"{tested_on}_{name.removeprefix('test_')}" if name.startswith("test_") else name for name in COLUMNS)


def lowest(history: Sequence[EpochRecord]) -> EpochRecord:
    """Return the epoch with the lowest error on the part tested on; the first of several."""
    return min(history, key=lambda record: record.test_error)


def learns_nothing(history: Sequence[EpochRecord], largest_share: float) -> bool:
    """Return whether a net is no better than a constant answer and no longer on its way to be.

    Its error judges the first, its training loss the second: the loss of a net that leaves a plateau falls before
    its error does.

    Parameters
    ----------
    history : sequence of EpochRecord
        All epochs so far.
    largest_share : float
        The share of the largest class among the samples tested on: always guessing it is wrong in the others.
    """
    if len(history) < FIRST_JUDGED or largest_share == 1:
        return False
    of_constant = 1 - largest_share
    if history[-1].test_error < of_constant - min(CLOSE, 0.1 * of_constant):
        return False
    losses = [record.train_loss for record in history]
    return min(losses[-RECENT:]) > (1 - FALL) * min(losses[:-RECENT])

"""How the process of rank 0 says what all do next, and what each may count on meanwhile.

Between two commands the others wait, and rank 0 may do what it likes, alone: save, speak, measure, end. While a command
is carried out all of them are in the same loop, and none can leave it without the others.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum, auto
from typing import Any
from zlib import crc32

from bdfa_np.errors import TrainingError
from bdfa_np.parallel.share import Array, Team


class Stage(Enum):
    """What the others of a team are doing, as rank 0 sees it."""

    WAITING = auto()
    """For the next command."""
    REPORTING = auto()
    """They make ready what a run needs, and say then how that went."""
    TOGETHER = auto()
    """They are carrying out a command."""
    GONE = auto()
    """There are no commands any more."""


END, STATE, BEGIN, EPOCH = "end", "state", "begin", "epoch"


def tell(team: Team, command: str, value: Any = None) -> None:
    """Give the others of a team a command."""
    team.copy((command, value))


def check_alike(team: Team, weights: Array, epoch: int) -> None:
    """Raise `TrainingError` where another process has come to other weights: their sums would mean nothing."""
    checksums = team.gather(crc32(weights.tobytes()))
    for rank, found in enumerate(checksums):
        if found != checksums[0]:
            raise TrainingError(
                f"rank {rank} of {team.size} has come to other weights than rank 0 in epoch {epoch}: "
                "processors of different kinds round differently: train on machines of one kind"
            )


@contextmanager
def together(team: Team | None, command: str) -> Iterator[None]:
    """Have all processes do what this context does; they leave it together, by `TrainingError` too."""
    if team is None:
        yield
        return
    if team.leads:
        tell(team, command)
    team.stage = Stage.TOGETHER
    try:
        yield
    except TrainingError:  # comes of sums, which are the same everywhere
        team.stage = Stage.WAITING
        raise
    team.stage = Stage.WAITING

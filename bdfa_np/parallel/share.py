"""What part of a batch a process has, and how what it computes is added up with what the others have."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

# Read by the backend, and so by `bdfa --help`, which must not wait for NumPy.
if TYPE_CHECKING:
    import numpy.typing as npt

    Array: TypeAlias = npt.NDArray[Any]
else:
    Array = Any


class Team(ABC):
    """The processes that train one net together; each holds all of it, and calls the same methods in the same order.

    Attributes
    ----------
    rank : int
        This process's number, from 0, which alone writes and speaks.
    size : int
        P, how many there are.
    here : int
        How many of them are on this machine.
    stage : Stage
        What the others are doing, as far as this process knows; see `bdfa_np.parallel.commands`.
    leads : bool
        Whether the others do nothing but what this process tells them; else all come to the same methods by themselves.
    """

    rank: int
    size: int
    here: int
    stage: Any = None
    leads: bool = False

    @abstractmethod
    def sum(self, array: Array) -> None:
        """Put the sum over all processes in place of an array, the same bits in each."""

    @abstractmethod
    def gather(self, value: Any) -> list[Any]:
        """Return what each process gave, by rank; the values are pickled."""

    @abstractmethod
    def copy(self, value: Any) -> Any:
        """Return what the process of rank 0 gave; the others wait for it as long as it takes."""

    @abstractmethod
    def abandon(self, code: int) -> None:
        """End all processes at once, with this exit code; what had to be said was said."""


@dataclass(frozen=True)
class Share:
    """A process's share of one batch: consecutive samples, as many as the others have, or one more.

    Attributes
    ----------
    team : Team or None
        Who has the others; None: this process has all of the batch, however large.
    samples : int
        N, of the whole batch.
    start, stop : int
        Its own samples are those from ``start`` up to ``stop``, which may be none.
    """

    team: Team | None = None
    samples: int = 0
    start: int = 0
    stop: int = 0

    @classmethod
    def of(cls, team: Team, samples: int) -> "Share":
        """Return the share that this process has of a batch of N samples."""
        start, stop = (samples * rank // team.size for rank in (team.rank, team.rank + 1))
        return cls(team, samples, start, stop)

    @property
    def is_whole(self) -> bool:
        """Whether this process has the whole batch."""
        return self.team is None

    @property
    def is_first(self) -> bool:
        """Whether what is to be added once, and not once a process, is added here."""
        return self.team is None or self.team.rank == 0

    @property
    def rows(self) -> slice:
        """Where its samples lie in the batch."""
        return slice(None) if self.is_whole else slice(self.start, self.stop)

    def whole(self, samples: int) -> int:
        """Return how many samples the batch has of which ``samples`` are this process's."""
        return samples if self.is_whole else self.samples

    def sum(self, array: Array) -> None:
        """Put the sum over all shares in place of an array; of a whole batch it is that already."""
        if self.team is not None:
            self.team.sum(array)

    def gather(self, array: Array) -> list[Array]:
        """Return what each share has in place of an array, in the order of the samples."""
        return [array] if self.team is None else self.team.gather(array)


WHOLE = Share()
"""Of who computes alone."""

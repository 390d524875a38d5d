"""What part of a batch a process has, and how what it computes is added up with what the others have."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from bdfa_np.errors import RunError

# Read by the backend, and so by `bdfa --help`, which must not wait for NumPy.
if TYPE_CHECKING:
    import numpy.typing as npt

    Array: TypeAlias = npt.NDArray[Any]
else:
    Array = Any


class Adder(Protocol):
    """Adds up over all processes of a team what lies on their devices."""

    def __call__(self, array: Array) -> None:
        """Put the sum over all processes in place of a contiguous array; nobody need wait for it."""

    def stop(self) -> None:
        """Let go whoever waits on a device for what is not to come: sums mean nothing from here."""

    def close(self) -> None:
        """Free what is held for sums, once there are no more; all processes do so at once."""


class Team(ABC):
    """The processes that train one net together; each holds all of it, and calls the same methods in the same order.

    Attributes
    ----------
    rank : int
        This process's number, from 0, which alone writes and speaks.
    size : int
        P, how many there are.
    place, here : int
        This process's number among those on its machine, and how many these are.
    stage : Stage
        What the others are doing, as far as this process knows; see `bdfa_np.parallel.commands`.
    leads : bool
        Whether the others do nothing but what this process tells them; else all come to the same methods by themselves.
    adder : Adder or None
        What adds up arrays of a device; None where all arrays are the host's.
    """

    rank: int
    size: int
    place: int
    here: int
    stage: Any = None
    leads: bool = False
    adder: Adder | None = None
    _step_since: float | None = None
    _gave_up: bool = False

    def add_up(self, array: Array) -> None:
        """Put the sum over all processes in place of an array of the backend's, the same bits in each."""
        (self.adder or self.sum)(array)

    def keep_pace(self) -> None:
        """Wait, before a batch, for all to come to it, where what adds up on a device would not notice who is missing.

        Raises
        ------
        RunError
            If the batch before was given up.
        """
        if self.adder is None:
            return
        self.meet()
        if self._gave_up and self.rank == 0:
            raise RunError("a step has taken so long on the devices that it was given up: go on with --resume")
        self._step_since = monotonic()

    def rest(self) -> None:
        """Say that the last batch is done, and its device waited for."""
        self._step_since = None

    def end_sums(self) -> None:
        """Free what is held for the sums of devices; all processes call it at once, when there are no more."""
        adder, self.adder = self.adder, None
        if adder is not None:
            adder.close()

    def give_up_after(self, seconds: float) -> None:
        """Let go of who has been at one batch for so long, and may wait on its device for somebody who hangs.

        It then comes to where all meet, and hears who does not. A thread calls this now and then.
        """
        since = self._step_since
        if self.adder is not None and since is not None and monotonic() - since > seconds:
            self._gave_up, self._step_since = True, None
            self.adder.stop()

    @abstractmethod
    def sum(self, array: Array) -> None:
        """Put the sum over all processes in place of an array of the host's, the same bits in each."""

    @abstractmethod
    def meet(self) -> None:
        """Wait until all processes are here."""

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
            self.team.add_up(array)


WHOLE = Share()
"""Of who computes alone."""

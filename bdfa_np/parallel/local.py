"""A team on one machine that this process starts itself: it adds up in memory that all share, and speaks by pipes."""

import contextlib
import mmap
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import threading
from abc import abstractmethod
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from time import monotonic, sleep
from typing import Any, BinaryIO

from bdfa_np.errors import RunError
from bdfa_np.parallel.patience import patience
from bdfa_np.parallel.share import Array, Team

PROGRAM = (
    "import os, pickle, sys; heard = os.fdopen(os.dup(0), 'rb'); said = os.fdopen(os.dup(1), 'wb'); os.dup2(2, 1); "
    "sys.path[:], sys.argv[:] = pickle.load(heard); from bdfa_np.runs.following import main; main(heard, said)"
)
"""What a member runs: it hears by what was its standard input, and speaks by what was its standard output."""
SPINS = 2000
"""How often a process looks whether the others are there before it lets others have its core."""
IN_MEMORY = Path("/dev/shm")  # noqa: S108 - in it a folder of our own is made
"""Where Linux keeps files in memory; elsewhere they are temporary ones."""
LEAVE = 5.0
"""Seconds that members have to end by themselves."""


class Neighbours(Team):
    """Processes of one machine, which meet by counters and add up in files that all of them map.

    In a sum each process adds up one part of what all have, the others by rank, and takes the other parts from those:
    so all have the same bits.

    Parameters
    ----------
    rank, size : int
        Which of them this is, and how many there are.
    folder : Path
        Where the files are.
    """

    def __init__(self, rank: int, size: int, folder: Path) -> None:
        import numpy as np

        self.rank, self.size, self.place, self.here = rank, size, rank, size
        self._folder = folder
        self._counters = np.frombuffer(mapped(folder / "counters", 8 * size), dtype=np.int64)
        self._sets: Array = np.empty((2, size, 0), np.uint8)
        self._turn = 0
        self._fence = threading.Lock()

    def sum(self, array: Array) -> None:
        """Add up in place; the array must be contiguous."""
        flat = array.view()
        flat.shape = (-1,)  # which would fail where it had to be copied
        places = self._places(flat.nbytes, flat.dtype)
        edges = [len(flat) * rank // self.size for rank in range(self.size + 1)]
        parts = [slice(start, stop) for start, stop in pairwise(edges)]
        others = [rank for rank in range(self.size) if rank != self.rank]
        own, mine = parts[self.rank], places[self.rank]
        for rank in others:
            mine[parts[rank]] = flat[parts[rank]]
        self.meet()
        for rank in others:
            flat[own] += places[rank][own]
        mine[own] = flat[own]
        self.meet()
        for rank in others:
            flat[parts[rank]] = places[rank][parts[rank]]

    def _places(self, nbytes: int, dtype: Any) -> list[Array]:
        """Return where each process writes; two sets take turns, since some read on in one while others begin anew."""
        if nbytes > self._sets.shape[2]:
            self._make_room(-(-nbytes // 64) * 64)
        self._turn = 1 - self._turn
        return [place.view(dtype) for place in self._sets[self._turn]]

    def _make_room(self, nbytes: int) -> None:
        import numpy as np

        path, whole = self._folder / f"sums-{nbytes}", 2 * self.size * nbytes
        if self.rank == 0:
            mapped(path, whole)
        self.copy(None)  # now it is there
        self._sets = np.frombuffer(mapped(path, whole), dtype=np.uint8).reshape(2, self.size, nbytes)
        self.gather(None)
        with contextlib.suppress(OSError):  # mapped by all, it is gone when they are
            path.unlink()

    def meet(self) -> None:
        """Wait until all are here."""
        with self._fence:  # who sees the counter sees what was written before it
            self._counters[self.rank] += 1
        mine, spins = int(self._counters[self.rank]), 0
        while int(self._counters.min()) < mine:
            spins += 1
            if spins > SPINS:
                sleep(0)
                self._look_around()
        with self._fence:
            pass

    @abstractmethod
    def _look_around(self) -> None:
        """Raise, or end, where those who are waited for are not to come."""


class Member(Neighbours):
    """One of those that were started: it hears the first process and answers it.

    Parameters
    ----------
    heard, said : binary file
        Where the first process is heard, and hears.
    """

    def __init__(self, heard: BinaryIO, said: BinaryIO) -> None:
        self._heard, self._said = heard, said
        rank, size, folder = pickle.load(heard)  # noqa: S301 - of the process that has started this one
        self._parent = os.getppid()
        super().__init__(rank, size, folder)
        threading.Thread(target=self._watch, daemon=True).start()

    def gather(self, value: Any) -> list[Any]:
        """Give the first process what this one has, and return what it has of all."""
        pickle.dump(value, self._said)
        self._said.flush()
        found: list[Any] = self.copy(None)
        return found

    def copy(self, value: Any) -> Any:
        """Return what the first process says next; without it there is nothing to do."""
        try:
            return pickle.load(self._heard)  # noqa: S301 - as above
        except EOFError:
            raise SystemExit(0) from None

    def abandon(self, code: int) -> None:
        """End this process, which the first one notices."""
        os._exit(code)

    def _look_around(self) -> None:
        if os.getppid() != self._parent:
            os._exit(0)

    def _watch(self) -> None:
        """Look around on behalf of who waits for a device, and not here."""
        seconds = patience()
        while True:
            sleep(min(1.0, seconds / 8))
            self._look_around()
            self.give_up_after(seconds)


class First(Neighbours):
    """The process that starts the others, and hears when one of them is lost.

    Parameters
    ----------
    size : int
        How many there are to be, with this one.
    folder : Path
        Where files may be put that all of them map.

    Raises
    ------
    RunError
        From every method, where one of them has died, or has not answered for too long: it names it.
    """

    def __init__(self, size: int, folder: Path) -> None:
        super().__init__(0, size, folder)
        self._processes = [
            subprocess.Popen(  # noqa: S603 - this very Python
                [sys.executable, "-c", PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
            for _ in range(1, size)
        ]
        self._patience = patience()
        self._since: float | None = None
        self._talks_to = 0
        self._hung: set[int] = set()
        self._closed = threading.Event()
        for rank in range(1, size):
            self._say(rank, (sys.path, sys.argv))
            self._say(rank, (rank, size, folder))
        threading.Thread(target=self._watch, daemon=True).start()

    def sum(self, array: Array) -> None:
        """Add up in place; the array must be contiguous."""
        with self._waiting():
            super().sum(array)

    def meet(self) -> None:
        """Wait until all are here."""
        with self._waiting():
            super().meet()

    def gather(self, value: Any) -> list[Any]:
        """Hear all, and tell all what was heard."""
        found = [value, *(self._hear(rank) for rank in range(1, self.size))]
        self.copy(found)
        return found

    def copy(self, value: Any) -> Any:
        """Tell all the others."""
        for rank in range(1, self.size):
            self._say(rank, value)
        return value

    def abandon(self, code: int) -> None:
        """End the others at once."""
        if self.adder is not None:
            self.adder.stop()
        for process in self._processes:
            process.kill()

    def close(self) -> None:
        """Let the others end, and end those that do not."""
        self._since = None
        self._closed.set()
        for process in self._processes:
            with contextlib.suppress(OSError):
                process.stdin.close()  # type: ignore[union-attr]
        for process in self._processes:
            try:
                process.wait(LEAVE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            process.stdout.close()  # type: ignore[union-attr]

    def _say(self, rank: int, value: Any) -> None:
        pipe = self._processes[rank - 1].stdin
        assert pipe is not None
        try:
            with self._waiting(rank):
                pickle.dump(value, pipe)
                pipe.flush()
        except OSError:
            raise self._lost(rank) from None

    def _hear(self, rank: int) -> Any:
        pipe = self._processes[rank - 1].stdout
        assert pipe is not None
        try:
            with self._waiting(rank):
                return pickle.load(pipe)  # noqa: S301 - of a process that this one has started
        except (EOFError, pickle.UnpicklingError):
            raise self._lost(rank) from None

    @contextlib.contextmanager
    def _waiting(self, rank: int = 0) -> Iterator[None]:
        """Return a context in which this process waits for one of the others, or unless it is named for all."""
        before, self._since, self._talks_to = self._since, self._since or monotonic(), rank
        try:
            yield
        finally:
            self._since, self._talks_to = before, 0

    def _watch(self) -> None:
        """End who keeps the others waiting for too long: who waits for it then hears that it is gone."""
        while not self._closed.wait(min(1.0, self._patience / 8)):
            if self.adder is not None and any(process.poll() is not None for process in self._processes):
                self.adder.stop()  # or this process could wait on its device for ever, and not come to hear of it
            self.give_up_after(self._patience)
            since = self._since
            if since is None or monotonic() - since < self._patience:
                continue
            late = [self._talks_to] if self._talks_to else self._behind()
            for rank in late:
                self._hung.add(rank)
                self._processes[rank - 1].kill()

    def _behind(self) -> list[int]:
        """Return who has not come to where this process waits."""
        return [rank for rank in range(1, self.size) if self._counters[rank] < self._counters[0]]

    def _look_around(self) -> None:
        for rank, process in enumerate(self._processes, start=1):
            if process.poll() is not None:
                raise self._lost(rank)

    def _lost(self, rank: int) -> RunError:
        process = self._processes[rank - 1]
        try:
            code = process.wait(LEAVE)
        except subprocess.TimeoutExpired:
            code = 0
        name = f"rank {rank} of {self.size} (process {process.pid})"
        if rank in self._hung:
            return RunError(f"{name} has not answered for {self._patience:g} s: go on with --resume")
        if code < 0:
            return RunError(f"{name} was ended by signal {-code} ({signal.Signals(-code).name}): go on with --resume")
        return RunError(f"{name} has ended with exit code {code}: go on with --resume")


@contextlib.contextmanager
def started(size: int) -> Iterator[Team]:
    """Start a team of so many processes, and end it at the end of this context.

    Parameters
    ----------
    size : int
        How many, with this one.
    """
    with tempfile.TemporaryDirectory(prefix="bdfa-", dir=IN_MEMORY if IN_MEMORY.is_dir() else None) as folder:
        first = First(size, Path(folder))
        try:
            yield first
        except BaseException:
            first.abandon(1)
            raise
        finally:
            first.close()


def mapped(path: Path, size: int) -> mmap.mmap:
    """Return a file's content as memory that all who map it share; one that is not there is made, of zeros."""
    with contextlib.suppress(FileExistsError), path.open("xb") as file:
        file.truncate(size)
    with path.open("r+b") as file:
        return mmap.mmap(file.fileno(), size)

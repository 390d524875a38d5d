"""A team that `mpirun` has started."""

import os
import sys
import threading
from time import monotonic, sleep
from typing import Any, NoReturn

from bdfa_np.errors import ConfigError
from bdfa_np.parallel.patience import patience
from bdfa_np.parallel.share import Array, Team
from bdfa_np.system.extras import install_command

LAUNCHED = ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MPI_LOCALNRANKS")
"""Variables by which Open MPI, MPICH and Intel MPI tell a process that they have started it, among how many."""
RANKS = ("OMPI_COMM_WORLD_RANK", "PMI_RANK", "MPI_LOCALRANKID")
READ = 0.5
"""Seconds in which mpirun can read the last line: it throws away what is on its way when a job is aborted."""
LEAD = 2.0
"""Seconds that another process than the first waits before it ends after an error: the first says what is wrong."""
STILL_HERE = 7
"""The tag of the messages of those who wait."""


def launched() -> int:
    """Return among how many processes this one was started by ``mpirun``; 1 where it was not."""
    return next((int(os.environ[name]) for name in LAUNCHED if os.environ.get(name, "").isdigit()), 1)


def launched_rank() -> int:
    """Return this process's number among them, which is known without MPI."""
    return next((int(os.environ[name]) for name in RANKS if os.environ.get(name, "").isdigit()), 0)


class MPITeam(Team):
    """The processes of ``MPI.COMM_WORLD``.

    One that waits longer for the others than half of its patience says so to all; who has said nothing by the end of
    it is dead or hangs, and the first of those who wait names it and ends the job.

    Raises
    ------
    ConfigError
        If mpi4py is not installed, or finds no MPI.
    """

    def __init__(self) -> None:
        import socket  # which every command would wait for

        try:
            from mpi4py import MPI
        except (ImportError, RuntimeError) as error:
            raise ConfigError(
                f"mpirun has started {launched()} processes, which need mpi4py to train together, and it cannot be "
                f"imported ({error}): {install_command('mpi')}, or train without mpirun"
            ) from error
        self._mpi: Any = MPI
        self._world: MPI.Intracomm = MPI.COMM_WORLD
        self._notes: MPI.Intracomm = MPI.COMM_WORLD.Dup()  # or those who wait would disturb what they wait for
        self.rank, self.size = self._world.Get_rank(), self._world.Get_size()
        self.here = self._world.Split_type(MPI.COMM_TYPE_SHARED).Get_size()
        self._names = self._world.allgather(f"{socket.gethostname()}, process {os.getpid()}")
        self._patience = patience()
        self._since: float | None = None
        self._calls = 0
        threading.Thread(target=self._watch, daemon=True).start()

    def sum(self, array: Array) -> None:
        """Add up in place, by MPI's own way for the size: the same one each time."""
        self._begin_waiting()
        self._world.Allreduce(self._mpi.IN_PLACE, array, self._mpi.SUM)
        self._since = None

    def gather(self, value: Any) -> list[Any]:
        """Gather by pickle."""
        self._begin_waiting()
        found = self._world.allgather(value)
        self._since = None
        return found

    def copy(self, value: Any) -> Any:
        """Broadcast by pickle."""
        return self._world.bcast(value, root=0)

    def abandon(self, code: int) -> NoReturn:
        """Have MPI end all processes."""
        sys.stdout.flush()
        sys.stderr.flush()
        sleep(READ)
        self._world.Abort(code)
        os._exit(code)

    def _begin_waiting(self) -> None:
        self._calls += 1
        self._since = monotonic()

    def _watch(self) -> None:
        """Look now and then whether this process has been waiting for too long."""
        said, heard, under_way = 0, dict[int, int](), list[Any]()
        pause = threading.Event()
        while not pause.wait(min(1.0, self._patience / 8)):
            while self._notes.Iprobe(tag=STILL_HERE):
                call, rank = self._notes.recv(tag=STILL_HERE)
                heard[rank] = call
            call, since = self._calls, self._since
            waited = 0.0 if since is None else monotonic() - since
            if waited > self._patience / 2 and said != call:
                said = call
                for rank in range(self.size):
                    if rank != self.rank:
                        under_way.append(self._notes.isend((call, self.rank), dest=rank, tag=STILL_HERE))
            if waited > self._patience * (1 + min(self.rank, 4) / 4):  # in turns: the first of those who wait speaks
                self._accuse(call, heard)

    def _accuse(self, call: int, heard: dict[int, int]) -> None:
        """Name those who do not answer, if this is the first of those who wait, and end the job."""
        waiting = {self.rank, *(rank for rank, at in heard.items() if at == call)}
        missing = [rank for rank in range(self.size) if rank not in waiting]
        if self.rank != min(waiting) or not missing:
            return
        named = " and ".join(f"rank {rank} of {self.size} ({self._names[rank]})" for rank in missing)
        print(
            f"bdfa: error: {named} has not answered for {self._patience:g} s: the job is ended; go on with --resume",
            file=sys.__stderr__,  # whatever a progress bar has put in its place
            flush=True,
        )
        self.abandon(2)

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

    One that waits says so to all now and then; who has neither come nor said so by the end of the others' patience is
    dead or hangs, and the first of those who wait names it and ends the job.

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
        machine = self._world.Split_type(MPI.COMM_TYPE_SHARED)
        self.place, self.here = machine.Get_rank(), machine.Get_size()
        self._names = self._world.allgather(f"{socket.gethostname()}, process {os.getpid()}")
        self._patience = patience()
        self._since: float | None = None
        """Since when it waits for the others, who should be as far."""
        self._hears: float | None = None
        """Since when it waits for rank 0 to say something, which may take as long as it likes."""
        threading.Thread(target=self._watch, daemon=True).start()

    def sum(self, array: Array) -> None:
        """Add up in place, by MPI's own way for the size: the same one each time."""
        self._since = monotonic()
        self._world.Allreduce(self._mpi.IN_PLACE, array, self._mpi.SUM)
        self._since = None

    def meet(self) -> None:
        """Wait at MPI's barrier."""
        self._since = monotonic()
        self._world.Barrier()
        self._since = None

    def gather(self, value: Any) -> list[Any]:
        """Gather by pickle."""
        self._since = monotonic()
        found = self._world.allgather(value)
        self._since = None
        return found

    def copy(self, value: Any) -> Any:
        """Broadcast by pickle."""
        if self.rank == 0:
            self._since = monotonic()
        else:
            self._hears = monotonic()
        found = self._world.bcast(value, root=0)
        self._since = self._hears = None
        return found

    def abandon(self, code: int) -> NoReturn:
        """Have MPI end all processes."""
        sys.stdout.flush()
        sys.stderr.flush()
        sleep(READ)
        self._world.Abort(code)
        os._exit(code)

    def _watch(self) -> None:
        """Look now and then whether this process has been waiting for too long."""
        said, heard, under_way = 0.0, dict[int, tuple[float, bool]](), list[Any]()
        pause = threading.Event()
        while not pause.wait(min(1.0, self._patience / 8)):
            self.give_up_after(self._patience)
            while self._notes.Iprobe(tag=STILL_HERE):
                rank, blames = self._notes.recv(tag=STILL_HERE)
                heard[rank] = (monotonic(), blames)
            now, since, hears = monotonic(), self._since, self._hears
            waits_since = hears if since is None else since
            if waits_since is not None and now - max(waits_since, said) > self._patience / 4:
                said, note = now, (self.rank, since is not None)
                others = [rank for rank in range(self.size) if rank != self.rank]
                under_way = [one for one in under_way if not one.Test()]
                under_way += [self._notes.isend(note, dest=rank, tag=STILL_HERE) for rank in others]
            # In turns: the first of those who wait speaks.
            if since is not None and now - since > self._patience * (1 + min(self.rank, 4) / 4):
                lately = {rank: blames for rank, (at, blames) in heard.items() if now - at < self._patience / 2}
                self._accuse(lately)

    def _accuse(self, waiting: dict[int, bool]) -> None:
        """Name those who do not answer, if this is the first of those who wait for them, and end the job.

        Parameters
        ----------
        waiting : dict of int to bool
            Who else has said lately that it waits, and whether it waits for others than for rank 0 to say something.
        """
        missing = [rank for rank in range(self.size) if rank not in {self.rank, *waiting}]
        if not missing or any(rank < self.rank for rank, blames in waiting.items() if blames):
            return
        named = " and ".join(f"rank {rank} of {self.size} ({self._names[rank]})" for rank in missing)
        print(
            f"bdfa: error: {named} has not answered for {self._patience:g} s: the job is ended; go on with --resume",
            file=sys.__stderr__,  # whatever a progress bar has put in its place
            flush=True,
        )
        self.abandon(2)

"""Sums over the CUDA devices of a team: by NCCL where each process has one of its own, else through the host."""

import platform
from threading import Thread
from typing import Any, Protocol

import numpy as np

from bdfa_np.backend.base import Array
from bdfa_np.backend.cuda.importing import first_line, import_nccl, nccl_version
from bdfa_np.errors import BackendError
from bdfa_np.parallel.share import Team

SECONDS = 5.0
"""How long the end of a run waits for NCCL to free what it holds, which waits for the other processes."""


class OnDevice(Protocol):
    """What is to be known of a backend that adds up.

    Attributes
    ----------
    xp : module
        CuPy.
    device : int
        Its device, which is the current one of this thread.
    cuda_graph : bool
        Whether steps, with the sums in them, are captured.
    """

    xp: Any
    device: int
    cuda_graph: bool


class ByNccl:
    """Sums by NCCL, one after the other on the current stream; they can be captured.

    Parameters
    ----------
    cupy : module
        CuPy.
    team : Team
        Who adds up; each process has made its own device the current one.

    Raises
    ------
    BackendError
        If NCCL cannot connect them.
    """

    def __init__(self, cupy: Any, team: Team) -> None:
        nccl = import_nccl()
        self._current_stream = cupy.cuda.get_current_stream
        self._types = {np.dtype("float32"): nccl.NCCL_FLOAT32, np.dtype("float64"): nccl.NCCL_FLOAT64}
        self._addition, self._error = nccl.NCCL_SUM, nccl.NcclError
        self._stopped = self._captured = False
        meeting = team.copy(nccl.get_unique_id() if team.rank == 0 else None)
        try:
            self._communicator = nccl.NcclCommunicator(team.size, meeting, team.rank)
        except nccl.NcclError as error:
            raise BackendError(
                f"NCCL cannot connect the devices ({first_line(error)}): NCCL_DEBUG=INFO makes it say why"
            ) from error
        self.means = f"NCCL {nccl_version(nccl)}"

    def __call__(self, array: Array) -> None:
        """Ask for the sum; nobody waits."""
        on_device: Any = array
        address, kind, stream = on_device.data.ptr, self._types[array.dtype], self._current_stream()
        self._captured |= stream.is_capturing()
        try:
            if not self._stopped:
                self._communicator.allReduce(address, address, array.size, kind, self._addition, stream.ptr)
        except self._error as error:
            if not self._stopped:
                raise BackendError(f"NCCL cannot add up ({first_line(error)}): go on with --resume") from error

    def stop(self) -> None:
        """Abort what NCCL has under way, in a thread of its own: to return, it waits for the others to abort too."""
        if not self._stopped:
            self._stopped = True
            Thread(target=self._communicator.abort, daemon=True).start()

    def close(self) -> None:
        """Free what NCCL holds; where graphs hold it too, that is once they are gone, and nobody waits for it."""
        if not self._stopped:
            self._stopped = True
            freeing = Thread(target=self._communicator.destroy, daemon=True)
            freeing.start()
            freeing.join(0 if self._captured else SECONDS)


class ThroughHost:
    """Sums for which each process waits until the array has come to the host, and adds up there.

    Parameters
    ----------
    team : Team
        Who adds up.
    """

    means = "the host, since some have one between them"

    def __init__(self, team: Team) -> None:
        self._team = team

    def __call__(self, array: Array) -> None:
        """Bring it to the host, add up, and bring it back."""
        on_device: Any = array
        held = on_device.get()
        self._team.sum(held)
        on_device.set(held)

    def stop(self) -> None:
        """Nothing: nobody waits on a device."""

    def close(self) -> None:
        """Nothing: nothing is held."""


def begin_adding(backend: OnDevice, team: Team) -> str:
    """Give a team what adds up on devices; all its processes call this at once, and all raise or none.

    Parameters
    ----------
    backend : CupyBackend
        This process's.
    team : Team
        The processes, each with a device.

    Returns
    -------
    str
        Over which devices they add up, and by what.

    Raises
    ------
    BackendError
        If they need NCCL and one cannot import it, or cannot connect; if sums through the host are to be captured.
    """
    problem = ""
    try:
        import_nccl()
    except BackendError as error:
        problem = str(error)
    place = (platform.node(), backend.xp.cuda.runtime.deviceGetPCIBusId(backend.device))
    found = team.gather((place, backend.device, problem))
    if len({place for place, _, _ in found}) < team.size:
        if backend.cuda_graph:
            raise BackendError(
                "--cuda-graph: processes that have one device between them add up through the host, which no graph "
                "can hold: leave it out, or give each process a device of its own by --devices"
            )
        adder: ByNccl | ThroughHost = ThroughHost(team)
    else:
        for rank, (_, _, problem) in enumerate(found):
            if problem:
                raise BackendError(f"rank {rank} of {team.size}: {problem}")
        adder = ByNccl(backend.xp, team)
    team.adder = adder
    return f"over CUDA devices {', '.join(str(device) for _, device, _ in found)} by {adder.means}"

"""NCCL for the stand-in: a communicator of processes, each with a stand-in of its own, that add up by sockets.

Names and arguments are those of CuPy's ``cupy.cuda.nccl``, which cannot be imported without the library; what is
refused, and that a sum waits for ever for a process that is dead, is of NCCL's documentation.
"""

import atexit
import ctypes
import sys
import tempfile
import time
from functools import partial
from multiprocessing.connection import Client, Connection, Listener
from pathlib import Path
from typing import Any

import numpy as np
import stand_in_device as device

available = True
NCCL_SUM = 0
NCCL_FLOAT32, NCCL_FLOAT64 = 7, 8
TYPES = {NCCL_FLOAT32: np.dtype("float32"), NCCL_FLOAT64: np.dtype("float64")}
INVALID_ARGUMENT, INVALID_USAGE = 4, 5
UNIQUE_ID_BYTES = 128


class NcclError(RuntimeError):
    """What CuPy raises."""

    def __init__(self, status: int) -> None:
        super().__init__({4: "NCCL_ERROR_INVALID_ARGUMENT", 5: "NCCL_ERROR_INVALID_USAGE"}[status])


def get_version() -> int:
    """Return NCCL's version, 2.25.1 as 22501."""
    return 22501


def get_unique_id() -> bytes:
    """Return what the processes meet by; real ones hold 128 bytes."""
    return str(Path(tempfile.mkdtemp(), "nccl")).encode().ljust(UNIQUE_ID_BYTES, b"\0")


def _entries(address: int, count: int, dtype: np.dtype[Any]) -> Any:
    """Return what lies at an address, which must be the device's memory when the sum is taken, and not before."""
    size = count * dtype.itemsize
    device.machine.block_at(address, size)
    return np.frombuffer((ctypes.c_char * size).from_address(address), dtype)


class NcclCommunicator:
    """One process's end.

    Parameters
    ----------
    ndev : int
        How many processes there are, each with a device.
    commId : bytes
        What they meet by, of `get_unique_id`.
    rank : int
        This one's number.
    """

    def __init__(self, ndev: int, commId: bytes, rank: int) -> None:
        assert isinstance(commId, bytes), "the unique id is what get_unique_id has returned"
        assert len(commId) == UNIQUE_ID_BYTES, "the unique id is what get_unique_id has returned"
        self.rank, self.size = rank, ndev
        self._gone = self._captured = False
        address, mine = commId.rstrip(b"\0").decode(), device.machine.device
        self._others: list[Connection] = []
        if rank == 0:
            with Listener(address, "AF_UNIX") as listener:
                self._others = [listener.accept() for _ in range(1, ndev)]
            found = sorted((self._hear(other), other.fileno(), other) for other in self._others)
            self._others = [other for _, _, other in found]
            devices = [mine, *(theirs for (_, theirs), _, _ in found)]
            for other in self._others:
                other.send(devices)
        else:
            while not Path(address).exists():
                time.sleep(0.01)
            self._others = [Client(address, "AF_UNIX")]
            self._others[0].send((rank, mine))
            devices = self._hear(self._others[0])
        if len(set(devices)) < ndev:
            raise NcclError(INVALID_USAGE)  # Duplicate GPU detected
        atexit.register(self._complain)

    def allReduce(self, sendbuf: int, recvbuf: int, count: int, datatype: int, op: int, stream: int) -> None:
        """Add up on a stream."""
        assert all(type(value) is int for value in (sendbuf, recvbuf, count, datatype, op, stream))
        if datatype not in TYPES or op != NCCL_SUM:
            raise NcclError(INVALID_ARGUMENT)
        work = partial(self._add_up, sendbuf, recvbuf, count, TYPES[datatype])
        queue = device.Stream._by_pointer[stream]
        self._captured |= queue.is_capturing()
        queue._issue(work)

    def abort(self) -> None:
        """Let go of what waits; then wait for ever, as NCCL does for others who do not abort."""
        self._gone = True
        while True:
            time.sleep(1)

    def destroy(self) -> None:
        """Wait for all others to do the same."""
        if self.rank:
            self._others[0].send("done")
            self._hear(self._others[0])
        else:
            for other in self._others:
                self._hear(other)
            for other in self._others:
                other.send("done")
        self._gone = True

    def _complain(self) -> None:
        if not self._gone and not self._captured:  # while there are graphs, nothing is freed
            print("a communicator was neither destroyed by all nor aborted", file=sys.stderr)

    def _add_up(self, sendbuf: int, recvbuf: int, count: int, dtype: np.dtype[Any]) -> None:
        given, out = (_entries(address, count, dtype) for address in (sendbuf, recvbuf))
        try:
            if self.rank:
                self._others[0].send_bytes(given.tobytes())
                total = np.frombuffer(self._hear_bytes(self._others[0]), dtype)
            else:
                total = given.copy()
                for other in self._others:
                    theirs = np.frombuffer(self._hear_bytes(other), dtype)
                    assert len(theirs) == count, "processes add up arrays of different sizes"
                    total = total + theirs
                for other in self._others:
                    other.send_bytes(total.tobytes())
        except (EOFError, ConnectionError):
            while not self._gone:  # as NCCL does
                time.sleep(0.01)
            total = np.full(count, np.nan, dtype)
        out[...] = total

    def _hear(self, other: Connection) -> Any:
        try:
            return other.recv()
        except (EOFError, ConnectionError):
            while True:
                time.sleep(1)

    def _hear_bytes(self, other: Connection) -> bytes:
        while not other.poll(0.01):
            if self._gone:
                raise EOFError
        return other.recv_bytes()

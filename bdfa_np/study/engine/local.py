"""A cluster on this machine: a scheduler and workers, each a process of its own."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import bdfa_np
from bdfa_np.errors import UserError
from bdfa_np.study.engine.process import LEFT_SECONDS

PACKAGE = Path(bdfa_np.__file__).resolve().parents[1]
MADE_ANEW_AT_MOST = 3
"""How many times in a row a worker's process may end before it has come to the cluster."""
START_SECONDS = 60.0
"""How long the scheduler has to start, on a machine with much else to do."""
PROGRAM = (
    "import sys; sys.path.insert(0, sys.argv[1]); import bdfa_np; del sys.path[0]; "
    "from bdfa_np.study.engine.process import main; main(*sys.argv[2:])"
)
"""Takes this very package, installed or not."""
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
GPUS = "CUDA_VISIBLE_DEVICES"


class LocalCluster:
    """A scheduler and workers on this machine, which end with this process, however that ends.

    Parameters
    ----------
    environments : sequence of mapping
        For each worker the environment variables that are its own.

    Attributes
    ----------
    address : str
        The scheduler's, once it has started.
    """

    def __init__(self, environments: Sequence[Mapping[str, str]]) -> None:
        self._environments = environments
        self._folder = tempfile.TemporaryDirectory(prefix="bdfa-cluster-", ignore_cleanup_errors=True)
        self._workers: list[subprocess.Popen[bytes]] = []
        self._ended = [0] * len(environments)
        self.address = ""

    def __enter__(self) -> "LocalCluster":
        """Start the processes; the workers wait for the scheduler themselves."""
        try:
            self._scheduler = self._start("scheduler", "scheduler", {"port": 0}, {})
            self._workers = [self._worker(number) for number in range(len(self._environments))]
            self.address = self._wait_for_address()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the processes, and remove what they have left."""
        processes = [*self._workers, *([self._scheduler] if hasattr(self, "_scheduler") else [])]
        for process in processes:
            _close_input(process)
        ends = time.monotonic() + LEFT_SECONDS + 1
        for process in processes:
            try:
                process.wait(max(0.0, ends - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._folder.cleanup()

    @property
    def has_scheduler(self) -> bool:
        """Whether the scheduler is there still."""
        return self._scheduler.poll() is None

    def tend(self, known: Collection[int]) -> list[int]:
        """Start a worker anew for each that has ended; return the processes that had.

        Parameters
        ----------
        known : collection of int
            The processes of the workers that have ever come to the cluster.

        Raises
        ------
        UserError
            If a worker's process ends each time before it has come to the cluster.
        """
        gone = []
        for number, process in enumerate(self._workers):
            if process.poll() is None:
                continue
            gone.append(process.pid)
            _close_input(process)
            self._ended[number] = 0 if process.pid in known else self._ended[number] + 1
            if self._ended[number] >= MADE_ANEW_AT_MOST:
                raise UserError(f"a worker does not start ({self._last_word(f'worker {number + 1}')}): see bdfa doctor")
            self._workers[number] = self._worker(number)
        return gone

    def _worker(self, number: int) -> "subprocess.Popen[bytes]":
        name = f"worker {number + 1}"
        return self._start("worker", name, {"name": name}, self._environments[number])

    def _start(
        self, kind: str, name: str, options: Mapping[str, Any], environment: Mapping[str, str]
    ) -> "subprocess.Popen[bytes]":
        # In a session of its own, or Ctrl-C in a terminal would end it before the client has let go of it.
        with self._log(name).open("ab") as log:
            return subprocess.Popen(  # noqa: S603 - this very Python
                [sys.executable, "-P", "-c", PROGRAM, str(PACKAGE), kind, self._folder.name, json.dumps(options)],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env={**os.environ, **environment},
                start_new_session=True,
            )

    def _wait_for_address(self) -> str:
        file = Path(self._folder.name) / "scheduler.json"
        ends = time.monotonic() + START_SECONDS
        while self.has_scheduler and time.monotonic() < ends:
            with contextlib.suppress(OSError, ValueError, KeyError):  # not there yet, or half of it
                return str(json.loads(file.read_text())["address"])
            time.sleep(0.02)
        raise UserError(f"Dask's scheduler does not start here ({self._last_word('scheduler')}): leave out --workers")

    def _log(self, name: str) -> Path:
        return Path(self._folder.name) / f"{name}.log"

    def _last_word(self, name: str) -> str:
        with contextlib.suppress(OSError):
            lines = self._log(name).read_text(errors="replace").split("\n")
            return next((line.strip() for line in reversed(lines) if line.strip()), "it says nothing")
        return "it says nothing"


def thread_environment(threads: int) -> dict[str, str]:
    """Return the variables by which a worker's libraries take no more threads than a run is to have."""
    return dict.fromkeys(THREAD_VARIABLES, str(threads))


def gpu_environments(count: int, devices: int) -> list[dict[str, str]]:
    """Return the variables by which each of some workers sees one device alone.

    Parameters
    ----------
    count : int
        How many workers.
    devices : int
        How many devices this process sees.

    Raises
    ------
    UserError
        If there are fewer devices.
    """
    if count > devices:
        there = "no CUDA device" if not devices else f"only {devices} CUDA device{'s' if devices > 1 else ''}"
        raise UserError(f"--gpu-workers {count} needs a device for each worker, and there is {there}: give fewer")
    seen = [name.strip() for name in os.environ.get(GPUS, "").split(",") if name.strip()]
    return [{GPUS: name} for name in (seen or [str(number) for number in range(devices)])[:count]]


def _close_input(process: "subprocess.Popen[bytes]") -> None:
    stream: BinaryIO | None = process.stdin  # type: ignore[assignment]
    if stream is not None:
        with contextlib.suppress(OSError):
            stream.close()

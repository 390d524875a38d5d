"""Runs on Dask's workers: several at once, on this machine or on a cluster."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from bdfa_np.errors import RunError, UserError
from bdfa_np.options.machine import AUTO, processes_of, usable_cores
from bdfa_np.study.engine.base import cores_of
from bdfa_np.study.engine.local import LocalCluster, gpu_environments, thread_environment
from bdfa_np.study.events import Outcome, Watcher
from bdfa_np.study.folder import StudyFolder
from bdfa_np.study.plan import PlannedRun
from bdfa_np.system.extras import install_command


class Cluster:
    """Carries runs out on the workers of a Dask cluster; without ``scheduler`` on one of its own, on this machine.

    A worker has one run at a time. One that vanishes has its run go on elsewhere, from the last epoch; a scheduler that
    vanishes ends it all, with nothing lost but unfinished epochs, and so does the end of this process.

    Parameters
    ----------
    scheduler : str, optional
        A scheduler's address, as ``tcp://10.0.0.1:8786``, or its scheduler file.
    workers : int, optional
        How many workers a cluster on this machine has; by default one for as many cores as a run has threads, and no
        more than there are runs.
    collect : bool, default False
        Whether each worker trains in a folder of its own, from which a run is brought back after its epochs.
    collect_every : int, default 1
        After how many epochs.
    gpu_workers : int, optional
        How many workers on this machine have a CUDA device each.

    Raises
    ------
    UserError
        If Dask is not installed, or these do not go together.
    """

    def __init__(
        self,
        scheduler: str | None = None,
        workers: int | None = None,
        collect: bool = False,
        collect_every: int = 1,
        gpu_workers: int | None = None,
    ) -> None:
        if find_spec("distributed") is None:
            raise UserError(f"several runs at once need Dask: {install_command('cluster')}")
        for flag, count in (("--workers", workers), ("--gpu-workers", gpu_workers), ("--collect-every", collect_every)):
            if count is not None and count < 1:
                raise UserError(f"{flag} {count} is too few: give 1 or more")
            if scheduler is not None and count is not None and flag != "--collect-every":
                raise UserError(f"{flag} is for a cluster on this machine; with --scheduler all its workers are used")
        if workers is not None and gpu_workers is not None:
            raise UserError("--workers and --gpu-workers exclude each other: each device has one worker")
        self.scheduler = scheduler
        self.workers = workers
        self.collect = collect
        self.collect_every = collect_every
        self.gpu_workers = gpu_workers

    def run(
        self, runs: Sequence[PlannedRun], root: Path, machine: Mapping[str, Any], watcher: Watcher
    ) -> list[Outcome]:
        """Carry out what is not finished; see `bdfa_np.study.engine.base.Engine.run`.

        Raises
        ------
        UserError
            If there is no cluster that can be used, or its scheduler is lost; the same call goes on then. If workers
            have one device each, and a run is one of several processes.
        """
        from bdfa_np.study.engine.connection import connected
        from bdfa_np.study.engine.handing import Handing

        machine = self._machine(machine)
        folder = StudyFolder(Path(root).absolute())
        outcomes = {run.folder: Outcome(run.folder, "finished") for run in runs if _is_finished(folder, run)}
        for outcome in outcomes.values():
            watcher.ends(outcome)
        left = [with_threads(run) for run in runs if run.folder not in outcomes]
        for run in left:
            if self.gpu_workers is not None and processes_of(run.options) > 1:
                raise UserError(
                    f"--gpu-workers gives each run one device, and {run.cell} asks for {processes_of(run.options)} "
                    "processes: leave out --gpu-workers, or in the study processes and devices"
                )
        if left:
            with self._cluster(left, machine) as (address, local), connected(address) as client:
                every = self.collect_every if self.collect else 0
                outcomes |= Handing(client, local, folder, machine, watcher, every).run(left)
        return [outcomes[run.folder] for run in runs]

    def _machine(self, machine: Mapping[str, Any]) -> dict[str, Any]:
        """Return the machine's options as workers take them: paths mean the same there."""
        paths = {name: str(Path(machine[name]).absolute()) for name in ("datapath", "cache_dir") if machine.get(name)}
        options = {**machine, **paths}
        if self.gpu_workers is None:
            return options
        if options.get("backend") not in (None, "auto", "cupy") or options.get("device"):
            raise UserError("--gpu-workers gives each worker a CUDA device: leave out --backend and --device")
        return {**options, "backend": "cupy", "device": 0}  # the only one that it sees

    @contextlib.contextmanager
    def _cluster(
        self, runs: Sequence[PlannedRun], machine: Mapping[str, Any]
    ) -> Iterator[tuple[str, LocalCluster | None]]:
        if self.scheduler is not None:
            yield self.scheduler, None
            return
        with LocalCluster(self._environments(runs, machine)) as local:
            yield local.address, local

    def _environments(self, runs: Sequence[PlannedRun], machine: Mapping[str, Any]) -> list[dict[str, str]]:
        """Return the environment variables of each worker on this machine."""
        given = [{**run.options, **machine} for run in runs]
        threads = max(usable_cores() if one["threads"] == AUTO else one["threads"] for one in given)
        own = thread_environment(threads)
        if self.gpu_workers is not None:
            return [{**own, **gpu} for gpu in gpu_environments(self.gpu_workers, device_count())]
        return [own] * min(len(runs), self.workers or max(1, usable_cores() // max(map(cores_of, given))))


def with_threads(run: PlannedRun) -> PlannedRun:
    """Return a run that names its number of threads: one, unless it says otherwise."""
    return replace(run, options={"threads": 1, **run.options})


def device_count() -> int:
    """Return how many CUDA devices this process sees.

    Raises
    ------
    UserError
        If CUDA does not work here.
    """
    from bdfa_np.backend.cuda.status import cupy_status, device_names

    problem = cupy_status()
    if problem is not None:
        raise UserError(f"--gpu-workers needs CUDA, which cannot be used: {problem}")
    return len(device_names())


def _is_finished(folder: StudyFolder, run: PlannedRun) -> bool:
    try:
        return folder.is_finished(run)
    except RunError:
        return False  # whoever is to go on with it says what is wrong

"""Which engine carries runs out: as somebody asks for, else what this machine and its installation have."""

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from bdfa_np.errors import ConfigError
from bdfa_np.options.machine import usable_cores
from bdfa_np.study.engine.base import Engine, cores_of
from bdfa_np.study.engine.sequential import Sequential
from bdfa_np.study.events import Outcome, Watcher
from bdfa_np.study.folder import StudyFolder
from bdfa_np.study.plan import PlannedRun
from bdfa_np.system.extras import install_command
from bdfa_np.system.text import counted

EXTRA = "cluster"


def choose_engine(
    *,
    workers: int | None = None,
    scheduler: str | None = None,
    collect: bool = False,
    collect_every: int | None = None,
    gpu_workers: int | None = None,
) -> Engine:
    """Return the engine that is asked for.

    Parameters
    ----------
    workers : int, optional
        How many runs at once on this machine; as many as there are cores unless given.
    scheduler : str, optional
        The address of a Dask scheduler, or its scheduler file: runs are trained by its workers.
    collect : bool, default False
        Whether these have no folder in common with this machine, so that run folders are brought back.
    collect_every : int, optional
        After how many epochs they are, beside the last; 1 unless given.
    gpu_workers : int, optional
        How many runs at once on this machine, each on a GPU of its own.

    Raises
    ------
    ConfigError
        If these exclude each other, or need an extra that is not installed.
    """
    if scheduler is not None and (workers is not None or gpu_workers is not None):
        given = "--workers" if workers is not None else "--gpu-workers"
        raise ConfigError(f"{given} and --scheduler exclude each other: the scheduler has workers of its own")
    if workers is not None and gpu_workers is not None:
        raise ConfigError("--workers and --gpu-workers exclude each other: give one of them")
    if collect and scheduler is None:
        raise ConfigError("--collect needs --scheduler: runs on this machine are in the study's folder already")
    if collect_every is not None and not collect:
        raise ConfigError("--collect-every needs --collect")
    if scheduler is None and gpu_workers is None:
        return Here(workers)
    needed_for = "--scheduler" if scheduler is not None else "--gpu-workers"
    if not has_cluster():
        raise ConfigError(f"{needed_for} needs Dask: {install_command(EXTRA)}")
    return _cluster(scheduler=scheduler, collect=collect, collect_every=collect_every or 1, gpu_workers=gpu_workers)


def has_cluster() -> bool:
    """Return whether the extra for several runs at once is installed."""
    return find_spec("distributed") is not None


def _cluster(**settings: Any) -> Engine:
    from bdfa_np.study.engine.cluster import Cluster  # with Dask, which is an extra

    engine: Engine = Cluster(**settings)
    return engine


class Here:
    """Carries several runs out at once on this machine, or one after another where it has no more cores or no Dask.

    Parameters
    ----------
    workers : int, optional
        How many at once; as many as there are cores for unless given.

    Raises
    ------
    ConfigError
        If several are asked for, and Dask is not installed.
    """

    def __init__(self, workers: int | None = None) -> None:
        if workers is not None and workers > 1 and not has_cluster():
            raise ConfigError(f"--workers {workers} needs Dask: {install_command(EXTRA)}, or give --workers 1")
        self.workers = workers

    def run(
        self, runs: Sequence[PlannedRun], root: Path, machine: Mapping[str, Any], watcher: Watcher
    ) -> list[Outcome]:
        """Carry out what is not finished; see `bdfa_np.study.engine.base.Engine.run`."""
        folder = StudyFolder(root)
        workers = self.at_once([run for run in runs if not folder.is_finished(run)], machine)
        if workers > 1 and not has_cluster():
            watcher.note(
                f"runs go one after another; {counted(workers, 'run')} at once, on a core each, "
                f"need Dask: {install_command(EXTRA)}"
            )
            workers = 1
        engine = Sequential() if workers <= 1 else _cluster(workers=workers)
        return engine.run(runs, root, machine, watcher)

    def at_once(self, runs: Sequence[PlannedRun], machine: Mapping[str, Any]) -> int:
        """Return how many of these runs, which are not finished, are to be trained at once.

        Unless it was said, there is a core for each of their threads, in each of their processes.
        """
        most = max((cores_of({**run.options, **machine}) for run in runs), default=1)
        return min(self.workers or max(usable_cores() // most, 1), len(runs))

"""Who trains a run together: the processes that it starts, or was started among, up to the first step."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from bdfa_np.backend.cuda.status import missing_of
from bdfa_np.errors import BackendError, ConfigError
from bdfa_np.extensions import files_held
from bdfa_np.model import Model, configured_backend
from bdfa_np.options.config import Config
from bdfa_np.options.machine import AUTO, device_of, processes_of, usable_cores
from bdfa_np.parallel.commands import Stage
from bdfa_np.parallel.leading import Errand, agree, check_batches, leading, send
from bdfa_np.parallel.local import started
from bdfa_np.parallel.share import Team
from bdfa_np.rules.adding import check_adds_up
from bdfa_np.runs.data import RunData
from bdfa_np.system.text import counted


@contextmanager
def teamed(team: Team | None, config: Config) -> Iterator[Team | None]:
    """Start as many processes as the options say, and end them at the end of this context; else keep to a team.

    Raises
    ------
    ConfigError
        If there is a team, and the options would start another.
    """
    if team is not None and config.processes > 1:
        raise ConfigError("--processes starts processes itself: under mpirun, its -n says how many")
    several = processes_of({"processes": config.processes, "devices": config.devices})
    if several == 1 or team is not None:
        yield team
        return
    with started(several) as first, leading(first):
        yield first


def sent(team: Team | None, config: Config, document: Mapping[str, Any] | None = None) -> Config:
    """Have the others make ready for a run, or for one that goes on; return its options, with a number of threads.

    That is as many as each process has a core for. Without a team the options stay as they are.
    """
    if team is None:
        return config
    if config.threads == AUTO:
        config = config.replace(threads=max(1, usable_cores() // team.here))
    backend = configured_backend(config).name
    if backend != "numpy" and config.devices is None:
        _check_devices(config, team.here)
    alike = config.replace(backend=backend)  # whatever --backend auto would come to there
    send(team, Errand(alike, dict(files_held()), document))
    return config


def _check_devices(config: Config, processes: int) -> None:
    devices = [device_of(config, place) for place in range(processes)]
    missing = missing_of(devices)
    if missing:
        raise BackendError(
            f"{processes} processes of this machine would have CUDA devices {', '.join(map(str, devices))}: {missing}: "
            "name others by --devices, or take --backend numpy"
        )


def placed(team: Team, config: Config) -> Config:
    """Return the options with which another process than the first trains along, on a device of its own."""
    if config.backend == "numpy":
        return config
    return config.replace(device=device_of(config, team.place), devices=None)


def meet(team: Team | None, model: Model, data: RunData) -> list[str]:
    """Begin to train together, if what is to be trained can be, and all have the same; return what is to be said.

    Raises
    ------
    ConfigError, RunError, BackendError
        If it cannot.
    """
    if team is None:
        return []
    config = model.config
    samples, least = len(data.split.train_labels), 2 if config.bn_local else 1
    check_batches(team, samples, config.batch_size, drop_last=bool(config.const_batch_size), least=least)
    check_adds_up(model.network, model.rule)
    agree(team, data.prepared.checksums)
    team.stage = Stage.GONE  # all leave, or none
    sums = model.backend.join(team)
    team.stage = Stage.WAITING
    return [f"{team.size} processes, each with a share of every batch" + (f"; sums {sums}" if sums else "")]


def note_of_others(team: Team | None, document: Mapping[str, Any]) -> list[str]:
    """Return a note where a run goes on with another number of processes."""
    now, before = 1 if team is None else team.size, document["run"].get("processes", 1)
    if before == now:
        return []
    return [
        f"note: {counted(before, 'process', 'processes')} trained the run until now, and {now} from here: digits "
        "may differ"
    ]

"""Options of the machine: where a run computes, and by which seed."""

import os
from collections.abc import Mapping
from typing import Any

from bdfa_np.backend import BACKENDS
from bdfa_np.declaration import Condition, Option, at_least, memory


def usable_cores() -> int:
    """Return how many processor cores this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


AUTO = "auto"
"""What ``threads`` is where the number is still to be found."""


def device_numbers(devices: str) -> list[int]:
    """Return the numbers of CUDA devices, given with commas between them.

    Raises
    ------
    ValueError
        If they are none.
    """
    numbers = [int(word) for word in str(devices).split(",")]
    if min(numbers) < 0:
        raise ValueError("not counted from 0")
    return numbers


def _not_devices(devices: str) -> str | None:
    try:
        device_numbers(devices)
    except ValueError:
        return "must be numbers of CUDA devices with commas between them, such as 0,1"
    return None


def device_of(config: Any, place: int = 0) -> int:
    """Return the CUDA device of one of the processes that train together on a machine.

    Parameters
    ----------
    config : Config
        The resolved options.
    place : int, default 0
        The process's number among those on its machine.
    """
    if config.devices is None:
        return int(config.device) + place
    numbers = device_numbers(config.devices)
    return numbers[place % len(numbers)]


def processes_of(options: Mapping[str, Any]) -> int:
    """Return how many processes a run of these options starts; those at their defaults may be left out."""
    several, devices = int(options.get("processes", 1)), options.get("devices")
    return len(device_numbers(devices)) if several == 1 and devices is not None else several


_FOR_CUDA = (
    Condition(
        "backend",
        lambda backend, _: backend != "numpy",
        message="{flag} is for CUDA, and has no part in --backend numpy: leave it out",
    ),
)
CUDA = (
    Option("device", 0, "CUDA device, counted from 0.", check=at_least(0), conditions=_FOR_CUDA),
    Option(
        "devices",
        None,
        "CUDA: train one net on several devices, such as 0,1: a process on each shares every batch.",
        kind=str,
        also=(int,),
        check=_not_devices,
        canonical=lambda devices: ",".join(map(str, device_numbers(devices))),
        conditions=(
            *_FOR_CUDA,
            Condition(
                "device",
                lambda device, _: device == 0,
                message="{flag} names all devices: leave out --device {decider}",
            ),
        ),
    ),
    Option(
        "tf32",
        False,
        "CUDA: allow TF32 in matrix products: faster, but of 3 digits in place of 7.",
        is_flag=True,
        conditions=_FOR_CUDA,
    ),
    Option(
        "cuda_graph",
        False,
        "CUDA: capture a training step as a graph and replay it: faster for small nets.",
        is_flag=True,
        conditions=_FOR_CUDA,
    ),
    Option(
        "gpu_memory",
        None,
        "CUDA: GiB of device memory that may be taken.",
        kind=float,
        check=memory,
        conditions=_FOR_CUDA,
    ),
)


def cuda_defaults() -> dict[str, Any]:
    """Return the options that are for CUDA alone, as where they are not given."""
    return {option.name: option.default for option in CUDA}


OPTIONS = (
    Option("seed", 0, "Seed of everything random.", check=at_least(0)),
    Option(
        "threads",
        AUTO,
        "CPU threads. auto: training times some steps with one and with a thread a core, and takes the faster.",
        kind=int,
        words=(AUTO,),
        torch="-threads",
        check=at_least(1, at_most=4096),
    ),
    Option(
        "processes",
        1,
        "Processes on this machine that share every batch, each with --threads, and on CUDA a device, of its own.",
        check=at_least(1, at_most=1024),
    ),
    Option(
        "bn_local",
        False,
        "With several processes: normalise batches by the statistics of each one's share, not of the whole batch.",
        is_flag=True,
    ),
    Option("backend", "auto", "Where to compute.", choices=BACKENDS),
    *CUDA,
    Option("visualize", False, "1: draw the error curves into the run folder.", torch="-visualize"),
)

WHERE = ("datapath", "cache_dir", "backend", "device", "devices", "threads", "processes")
"""Options that say where a run computes and where its data are; to a study they make no difference."""

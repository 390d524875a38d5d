"""The scheduler and the workers of a cluster on this machine: processes that end with the one that started them."""

import asyncio
import json
import os
import shutil
import threading
from pathlib import Path
from typing import Any

LEFT_SECONDS = 5.0
"""How long a worker's run has to end by itself once nobody wants it; it says how far it is every three."""
GONE_SECONDS = 30
"""After how long a worker ends that finds no scheduler."""
WATCH = {
    "distributed.worker.profile.enabled": False,
    "distributed.admin.tick.limit": "1h",  # a training thread may keep the loop from its turn; nobody reads of it
    "distributed.comm.timeouts.connect": "30s",
    "distributed.comm.timeouts.tcp": "120s",
}


def main(kind: str, place: str, options: str) -> None:
    """Be a scheduler or a worker, until the standard input ends.

    Whoever started it holds that open, and does so no longer when killed.

    Parameters
    ----------
    kind : {"scheduler", "worker"}
        Which of the two.
    place : str
        The folder that the cluster has for a while.
    options : str
        What Dask's class is given besides, in JSON.
    """
    folder = Path(place)
    threading.Thread(target=_end_with_input, args=(kind, folder), daemon=True).start()
    import dask

    with dask.config.set(WATCH):
        asyncio.run(_be(kind, folder, json.loads(options)))


def _end_with_input(kind: str, folder: Path) -> None:
    while os.read(0, 1024):
        pass
    if kind == "worker":
        _let_run_end()
    else:
        shutil.rmtree(folder, ignore_errors=True)  # of a client that was killed
    os._exit(0)


def _let_run_end() -> None:
    from bdfa_np.study.engine import worker

    worker.stopping.set()
    worker.idle.wait(LEFT_SECONDS)


async def _be(kind: str, folder: Path, options: dict[str, Any]) -> None:
    from distributed import Scheduler, Worker

    here: dict[str, Any] = {"host": "127.0.0.1", "dashboard": False, "dashboard_address": "127.0.0.1:0", **options}
    file = str(folder / "scheduler.json")
    if kind == "scheduler":
        async with Scheduler(scheduler_file=file, **here) as scheduler:
            await scheduler.finished()
    else:
        here["name"] += f" (process {os.getpid()})"  # Dask has no two of one name, not even after one was killed
        place: dict[str, Any] = {"local_directory": str(folder), "death_timeout": GONE_SECONDS}
        async with Worker(scheduler_file=file, nthreads=1, memory_limit=0, **place, **here) as worker:
            await worker.finished()

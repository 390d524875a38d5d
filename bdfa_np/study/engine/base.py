"""What every engine does: it carries runs out, wherever that is, and tells a watcher of them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from bdfa_np.options.machine import processes_of, usable_cores
from bdfa_np.study.events import Outcome, Watcher
from bdfa_np.study.plan import PlannedRun


def cores_of(options: Mapping[str, Any]) -> int:
    """Return how many cores a run keeps busy: one for each thread of each of its processes."""
    threads = options.get("threads", 1)
    each = threads if isinstance(threads, int) else usable_cores()
    return each * processes_of(options)


class Engine(Protocol):
    """Carries runs out."""

    def run(
        self, runs: Sequence[PlannedRun], root: Path, machine: Mapping[str, Any], watcher: Watcher
    ) -> list[Outcome]:
        """Carry out what is not finished, and return what became of each run, in their order.

        Parameters
        ----------
        runs : sequence of PlannedRun
            The runs; those that are finished may be among them.
        root : Path
            The study's folder.
        machine : dict
            Options of the machine that go before those of the runs and are no part of what is studied: ``datapath``,
            ``cache_dir``, ``backend``, ``device``, ``threads``.
        watcher : Watcher
            Hears of it.

        Raises
        ------
        KeyboardInterrupt
            After Ctrl-C; every run that was begun can be gone on with.
        """

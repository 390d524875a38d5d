"""Runs one after another, in this process."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bdfa_np.study.events import Outcome, Watcher
from bdfa_np.study.plan import PlannedRun
from bdfa_np.study.work import carry_out

POLL_SECONDS = 2.0
"""How often it is asked whether a run that somebody else is at work on is done."""


class Sequential:
    """Carries runs out one after another; those that others are at work on are waited for at the end."""

    def run(
        self, runs: Sequence[PlannedRun], root: Path, machine: Mapping[str, Any], watcher: Watcher
    ) -> list[Outcome]:
        """Carry out what is not finished; see `bdfa_np.study.engine.base.Engine.run`."""
        outcomes: dict[str, Outcome] = {}
        left = list(runs)
        noted: set[str] = set()
        while left:
            waiting = []
            for run in left:
                watcher.begins(run.folder, "")
                outcome = carry_out(run, root, machine, watcher.progress)
                if outcome.state != "running":
                    outcomes[run.folder] = outcome
                    watcher.ends(outcome)
                    continue
                waiting.append(run)
                if run.folder not in noted:
                    noted.add(run.folder)
                    watcher.note(f"{outcome.reason}: it is waited for")
            if waiting and len(waiting) == len(left):
                time.sleep(POLL_SECONDS)
            left = waiting
        return [outcomes[run.folder] for run in runs]

"""Runs one after another, in this process."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bdfa_np.study.events import Outcome, Progress, Watcher
from bdfa_np.study.plan import PlannedRun
from bdfa_np.study.work import carry_out

POLL_SECONDS = 3.0
"""How often it is asked whether those are done that somebody else is at work on."""


class Sequential:
    """Carries runs out one after another.

    Those that somebody else is at work on are left until all others are done, and are then waited for: whoever it is
    may be stopped, and they are gone on with here. Ctrl-C ends the waiting.
    """

    def run(
        self, runs: Sequence[PlannedRun], root: Path, machine: Mapping[str, Any], watcher: Watcher
    ) -> list[Outcome]:
        """Carry out what is not finished; see `bdfa_np.study.engine.base.Engine.run`."""
        outcomes: dict[str, Outcome] = {}
        said: dict[str, str] = {}
        left = list(runs)
        while left:
            waiting = []
            for run in left:
                outcome = carry_out(run, root, machine, Told(watcher))
                if outcome.state != "running":
                    outcomes[run.folder] = outcome
                    watcher.ends(outcome)
                    continue
                waiting.append(run)
                if said.get(run.folder) != outcome.reason:
                    said[run.folder] = outcome.reason
                    watcher.note(f"{outcome.reason}: it is waited for")
            if waiting == left:
                time.sleep(POLL_SECONDS)
            left = waiting
        return [outcomes[run.folder] for run in runs]


class Told:
    """Tells a watcher of one run: that it begins once there is anything to tell, and how far it is.

    Parameters
    ----------
    watcher : Watcher
        Who is told.
    """

    def __init__(self, watcher: Watcher) -> None:
        self._watcher = watcher
        self._has_begun = False

    def __call__(self, progress: Progress) -> None:
        """Tell how far the run is."""
        if not self._has_begun:
            self._has_begun = True
            self._watcher.begins(progress.folder, progress.where)
        self._watcher.progress(progress)

"""A client of a cluster, as a process that can be killed: it carries out a sweep and says a line of JSON an event.

Arguments: the study's folder, how many runs, and the arguments of `Cluster` in JSON.
"""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bdfa_np.errors import UserError
from bdfa_np.study.engine.cluster import Cluster
from bdfa_np.study.events import Outcome, Progress, Watcher
from bdfa_np.study.plan import PlannedRun

BASE = {"dataset": "mnist-5k", "train_limit": 200, "test_limit": 100, "num_hidden": 10, "lr": 0.01, "batch_size": 20}


def sweep(count: int, epochs: int = 3) -> list[PlannedRun]:
    """Return so many short runs of two rules that have nothing to compile."""
    rules = ("bp", "fa")
    made = []
    for number in range(count):
        rule, seed = rules[number % 2], number // 2
        options = {**BASE, "epochs": epochs, "threads": 1, "gradient": rule, "seed": seed}
        made.append(PlannedRun("sweep", rule, seed, options, f"{rule}/seed-{seed}"))
    return made


class Saying(Watcher):
    def note(self, text: str) -> None:
        say(note=text)

    def begins(self, folder: str, where: str) -> None:
        say(begins=folder, where=where)

    def progress(self, progress: Progress) -> None:
        say(progress=progress.folder, epoch=progress.epoch, where=progress.where)

    def ends(self, outcome: Outcome) -> None:
        say(ends=asdict(outcome))


def say(**event: Any) -> None:
    print(json.dumps(event), flush=True)


if __name__ == "__main__":
    root, count, settings = sys.argv[1:]
    try:
        Cluster(**json.loads(settings)).run(sweep(int(count)), Path(root), {}, Saying())
    except UserError as error:
        say(error=str(error))
        raise SystemExit(2) from None

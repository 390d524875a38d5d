"""Two runs at once on one thread each, beside one run at a time on two threads: training steps a second, in turns.

Run on a quiet machine: python benchmarks/workers.py
"""

import argparse
import tempfile
import time
from pathlib import Path

from bdfa_np.study.engine.cluster import Cluster
from bdfa_np.study.engine.sequential import Sequential
from bdfa_np.study.events import Progress, Watcher
from bdfa_np.study.plan import PlannedRun

BATCH = 100
IMAGES = 4000  # that mnist-5k has to train on
OPTIONS = {"dataset": "mnist-5k", "num_layers": 1, "num_hidden": 400, "batch_size": BATCH, "gradient": "bp"}


class Clock(Watcher):
    """Notes when the first epoch began, after data were read and processes started, and when the last one ended."""

    def __init__(self) -> None:
        self.first: float | None = None
        self.last = 0.0

    def progress(self, progress: Progress) -> None:
        """Note the time."""
        self.last = time.perf_counter()
        if self.first is None:
            self.first = self.last


def runs(count: int, epochs: int, threads: int) -> list[PlannedRun]:
    """Return runs that differ in their seeds."""
    options = [{**OPTIONS, "epochs": epochs, "threads": threads, "seed": seed} for seed in range(count)]
    return [PlannedRun("workers", "bp", seed, one, f"seed-{seed}") for seed, one in enumerate(options)]


def steps_a_second(engine: Cluster | Sequential, planned: list[PlannedRun]) -> float:
    """Return how many training steps all runs together made in a second."""
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        outcomes = engine.run(planned, Path(folder), {}, clock)
    assert {outcome.state for outcome in outcomes} == {"finished"}, outcomes
    assert clock.first is not None
    steps = sum(outcome.trained for outcome in outcomes) * (IMAGES // BATCH)
    return steps / (clock.last - clock.first)


def main() -> None:
    """Measure in turns, and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--turns", type=int, default=3)
    given = parser.parse_args()
    two, one = [], []
    for _ in range(given.turns):
        two.append(steps_a_second(Cluster(workers=2), runs(4, given.epochs, 1)))
        one.append(steps_a_second(Sequential(), runs(4, given.epochs, 2)))
        print(
            f"two workers of 1 thread: {two[-1]:7.0f} steps a second; one run of 2 threads: {one[-1]:7.0f}", flush=True
        )
    middle = given.turns // 2
    print(f"median: {sorted(two)[middle]:.0f} against {sorted(one)[middle]:.0f} steps a second")


if __name__ == "__main__":
    main()

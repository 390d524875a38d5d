"""What ``--threads auto`` costs and saves, alone and beside programs that keep every core busy.

    python benchmarks/threads.py
    python benchmarks/threads.py --networks mlp conv --epochs 3 10 --repeats 7

``bdfa train`` on the package's digits with no ``--threads``, with ``--threads 1`` and with a thread a core, each in a
process of its own, in turns, first alone and then beside one endless loop a core. Seconds are wall time of the whole
command, start and trial included; the table has medians, and what auto takes beside the better of the two numbers and
beside one thread. Nothing else may run meanwhile.
"""

import argparse
import contextlib
import itertools
import os
import subprocess
import sys
import tempfile
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from time import perf_counter, sleep

from bdfa_np.options.machine import usable_cores

LOOP = "while True: pass"
SETTLING_SECONDS = 0.5
"""How long a load runs, or the threads of the turn before spin, until a turn begins."""


@contextlib.contextmanager
def loaded(loops: int) -> Iterator[None]:
    """Keep so many cores busy."""
    running = [subprocess.Popen([sys.executable, "-c", LOOP]) for _ in range(loops)]  # noqa: S603 - the loop above
    try:
        sleep(SETTLING_SECONDS)
        yield
    finally:
        for process in running:
            process.kill()
            process.wait()


def turn(options: list[str], threads: str | None, folder: Path) -> tuple[float, int]:
    """Train once; return the seconds that it took, and the number of threads that it trained with."""
    command = [sys.executable, "-m", "bdfa_np", "train", *options, "--save", str(folder), "--force"]
    start = perf_counter()
    subprocess.run([*command, *(["--threads", threads] if threads else [])], check=True, capture_output=True)  # noqa: S603
    seconds = perf_counter() - start
    sleep(SETTLING_SECONDS)
    document = tomllib.loads((folder / "config.toml").read_text(encoding="utf-8"))
    return seconds, document["options"]["threads"]


def row(network: str, epochs: int, loops: int, repeats: int) -> str:
    """Measure one net in one situation; return its row of the table."""
    options = ["--dataset", "mnist-5k", "--backend", "numpy", "--network", network, "--epochs", str(epochs)]
    cores = str(usable_cores())
    seconds: dict[str | None, list[float]] = {None: [], "1": [], cores: []}
    chosen: Counter[int] = Counter()
    with tempfile.TemporaryDirectory() as temporary, loaded(loops):
        for number in range(repeats):
            order = list(seconds)
            for threads in order[number % len(order) :] + order[: number % len(order)]:
                took, used = turn(options, threads, Path(temporary) / "run")
                seconds[threads].append(took)
                if threads is None:
                    chosen[used] += 1
    auto, one, every = (median(of_one) for of_one in seconds.values())
    numbers = ", ".join(f"{threads}: {count}" for threads, count in sorted(chosen.items()))
    return (
        f"| {network} | {epochs} | {loops} | {auto:.2f} | {one:.2f} | {every:.2f} | {auto / one:.2f} | "
        f"{auto / min(one, every):.2f} | {numbers} |"
    )


def main() -> None:
    """Print the table, row by row."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", default=["mlp"])
    parser.add_argument("--epochs", nargs="+", type=int, default=[5, 20])
    parser.add_argument("--loops", nargs="+", type=int, default=[0, usable_cores()], help="busy loops beside a run")
    parser.add_argument("--repeats", type=int, default=5)
    asked = parser.parse_args()
    if usable_cores() == 1:
        parser.error("there is one usable core, and nothing to choose")
    load = os.getloadavg()[0]
    print(f"load before it began: {load:.1f}\n")
    print(
        f"| net | epochs | loops | auto, s | 1 thread, s | {usable_cores()} threads, s | auto / 1 | auto / better |",
        end="",
    )
    print(" chosen (threads: times) |\n|---|--:|--:|--:|--:|--:|--:|--:|---|")
    for network, epochs, loops in itertools.product(asked.networks, asked.epochs, asked.loops):
        print(row(network, epochs, loops, asked.repeats), flush=True)


if __name__ == "__main__":
    main()

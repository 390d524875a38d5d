"""Whether it pays to add up one layer's gradient while another's is computed: two processes of one thread, in turns.

Run on a quiet machine: python benchmarks/overlap.py
A direct rule knows all errors at once, so that it may take the largest layer first. That is done here by hand, with the
gradients of mlp 2x800: that of the lowest layer is added up, in shared memory, after those above are computed, or by a
thread of its own meanwhile.
"""

import argparse
import statistics
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from time import perf_counter
from typing import BinaryIO

import numpy as np

from bdfa_np.parallel import local
from bdfa_np.parallel.share import Team
from bdfa_np.system.threads import limited_threads

SIZES = (784, 800, 800, 10)
BATCHES = (64, 256, 1024)
TIMES = 200


def steps(team: Team, batch: int, pool: ThreadPoolExecutor) -> dict[str, Callable[[], None]]:
    """Return what a process of two does with its half of a batch, in both ways, and without adding up."""
    rng = np.random.default_rng(team.rank)
    h = [rng.normal(size=(batch // 2, n)).astype("f4") for n in SIZES[:-1]]
    errors = [rng.normal(size=(batch // 2, n)).astype("f4") for n in SIZES[1:]]
    gradients = [np.empty(shape, "f4") for shape in pairwise(SIZES)]

    def compute(layer: int) -> None:
        np.matmul(h[layer].T, errors[layer], out=gradients[layer])

    def alone() -> None:
        for layer in range(3):
            compute(layer)

    def after() -> None:
        alone()
        for gradient in gradients:
            team.sum(gradient)

    def meanwhile() -> None:
        compute(0)
        adding = pool.submit(team.sum, gradients[0])
        compute(1)
        compute(2)
        adding.result()
        team.sum(gradients[1])
        team.sum(gradients[2])

    return {"alone": alone, "after": after, "meanwhile": meanwhile}


def timed(team: Team) -> None:
    """Time them in turns; the first process prints."""
    with limited_threads(1), ThreadPoolExecutor(1) as pool:
        for batch in BATCHES:
            ways = steps(team, batch, pool)
            found: dict[str, list[float]] = {name: [] for name in ways}
            for _ in range(TIMES):
                for name, way in ways.items():
                    team.meet()
                    start = perf_counter()
                    way()
                    found[name].append(1e3 * (perf_counter() - start))
            if team.rank == 0:
                alone, after, meanwhile = (statistics.median(times) for times in found.values())
                print(
                    f"batch {batch:>4}: computing {alone:.2f} ms, added up after it {after:.2f} ms, meanwhile "
                    f"{meanwhile:.2f} ms, {meanwhile / after:.2f} of that"
                )


def main_of_member(heard: BinaryIO, said: BinaryIO) -> None:
    """Compute along, in a process that the first one has started."""
    timed(local.Member(heard, said))


def main() -> None:
    """Start a second process, and measure."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    following = "from bdfa_np.runs.following import main"
    local.PROGRAM = local.PROGRAM.replace(following, "from overlap import main_of_member as main")
    with local.started(2) as team:
        timed(team)


if __name__ == "__main__":
    main()

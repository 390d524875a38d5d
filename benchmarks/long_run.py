"""What an epoch costs after thousands of others: ``python benchmarks/long_run.py``.

A run of very short epochs (20 images) with everything that a run folder holds. For every thousand epochs it prints the
seconds that one of them takes, the processor's seconds, and the bytes written: as Linux counts them for the process,
terminal included. None of them is to grow. At the end it stops and goes on with the run, and says what that takes.
"""

import argparse
import re
import tempfile
from pathlib import Path
from time import perf_counter, process_time

from bdfa_np import Config
from bdfa_np.runs.events import Listener
from bdfa_np.runs.starting import resume_run, start_run

BLOCKS = 10


def written() -> int:
    """Return how many bytes this process has written so far; 0 where the system does not count them."""
    counts = Path("/proc/self/io")
    return int(re.search(r"wchar: (\d+)", counts.read_text())[1]) if counts.exists() else 0  # type: ignore[index]


class Blocks(Listener):
    """Prints what an epoch takes on average, for each tenth of a run.

    Parameters
    ----------
    epochs : int
        Of the run.
    """

    def __init__(self, epochs: int) -> None:
        self.size = max(epochs // BLOCKS, 1)
        self.before = self._now()

    @staticmethod
    def _now() -> tuple[float, float, int]:
        return perf_counter(), process_time(), written()

    def epoch_begins(self, number: int, epochs: int, steps: int) -> None:
        """Print a row where a tenth is done: an epoch begins after the one before is saved."""
        done = number - 1
        if done == 0:
            self.before = self._now()
        elif done % self.size == 0 or done == epochs - 1:
            self.row(done)

    def row(self, done: int) -> None:
        """Print the means since the last row."""
        now = self._now()
        seconds, processor, count = (b - a for a, b in zip(self.before, now, strict=True))
        first = done - self.size + 1
        print(
            f"{first:7,} to {done:7,}  {1000 * seconds / self.size:8.2f} ms  {1000 * processor / self.size:8.2f} ms"
            f"  {count / self.size:10,.0f} bytes",
            flush=True,
        )
        self.before = now


def main() -> None:
    """Train, print, and go on."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=10_000, help="how many (default 10000)")
    parser.add_argument("--visualize", action="store_true", help="draw the curves too")
    arguments = parser.parse_args()
    config = Config(
        dataset="mnist-5k",
        num_hidden=5,
        train_limit=20,
        test_limit=20,
        lr=1e-9,  # or it would end by itself once it knows its images by heart
        threads=1,
        backend="numpy",
        validate=True,
        keep_best=True,
        visualize=arguments.visualize,
        epochs=arguments.epochs + 1,
    )
    with tempfile.TemporaryDirectory() as temporary:
        run = Path(temporary) / "run"
        print(f"{'epochs':>18}  {'each':>11}  {'processor':>11}  {'written':>16}")
        start_run(config, run, listener=Blocks(arguments.epochs))
        sizes = {path.name: path.stat().st_size for path in run.iterdir()}
        print("  ".join(f"{name} {size:,}" for name, size in sorted(sizes.items()) if size))
        start = perf_counter()
        resume_run(run, {"epochs": arguments.epochs + 2}, listener=Listener())
        print(f"going on for one more epoch takes {perf_counter() - start:.2f} s")


if __name__ == "__main__":
    main()

"""Kill ``bdfa train`` at random moments, over all rules: ``python tests/kills/random_kills.py``.

A run is killed (SIGKILL) after a random time, gone on with by ``--resume``, killed again, and so on; after every kill a
copy is gone on with for one more epoch and compared, bit for bit, with a run of as many epochs that nobody disturbed:
weights, feedback, what optimizers and rules carry along, ``metrics.csv`` without its seconds, ``confusion.csv``,
``ErrorRate.log``, the epochs of ``Log.txt``, ``best.h5``. The exit code is 1 if anything differs.
"""

import argparse
import random
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path
from time import perf_counter
from typing import Any

from killing import call, call_and_kill, left_behind, outcome, warm_up

from bdfa_np.rules import RULES

NET = ["--dataset", "mnist-5k", "--num-hidden", 8, "--train-limit", 60, "--test-limit", 20, "--threads", 1]
NET += ["--backend", "numpy", "--batch-size", 16, "--dropout", 1, "--batchnorm", 1, "--seed", 3]
OPTIONS: list[list[Any]] = [["--optimization", "adam"], ["--validate", "--keep-best"], ["--epoch-step", 0]]
OPTIONS += [["--augment", "crop-flip", "--normalization", "image"], ["--optimization", "nag", "--momentum", 0.5]]
"""Taken in turns, so that not all rules are tried with the same state to carry along."""
MEASURED = 6
"""Epochs; a kill comes within the seconds that a run of so many takes."""


class Trial:
    """A run that is killed again and again, and what it would have come to.

    Parameters
    ----------
    options : list
        Of ``bdfa train``.
    folder : Path
        An empty folder to work in.
    moments : random.Random
        When to kill.
    """

    def __init__(self, options: list[Any], folder: Path, moments: random.Random) -> None:
        self.start = ["train", *options, "--save", "run", "--resume"]
        self.folder, self.moments = folder, moments
        self.place = folder / "killed"
        self.place.mkdir()
        self.undisturbed: dict[int, Any] = {}
        begun = perf_counter()
        self.whole(MEASURED)
        self.longest = perf_counter() - begun

    def whole(self, epochs: int) -> Any:
        """Return what a run of so many epochs comes to that nobody disturbs."""
        if epochs not in self.undisturbed:
            place = self.folder / f"whole{epochs}"
            place.mkdir()
            assert call([*self.start, "--epochs", epochs], place).code == 0
            self.undisturbed[epochs] = outcome(place / "run")
        return self.undisturbed[epochs]

    def kill(self) -> tuple[int, list[str]]:
        """Kill the run once more; return the epochs it has by now, and what is wrong with it."""
        ending = call_and_kill([*self.start, "--epochs", -1], self.place, self.moments.uniform(0, self.longest))
        if ending.code == 0:  # its rate was halved so often that it came to its own end: another run is killed
            shutil.rmtree(self.place)
            self.place.mkdir()
            return self.kill()
        if ending.code != -9:
            return 0, [f"it ended by itself: {ending.err}"]
        copy = Path(shutil.copytree(self.place, self.folder / "copy"))
        try:
            log = copy / "run" / "history.bin"
            epochs = log.stat().st_size // 64 + 1 if log.exists() else 1  # it may have one that was not saved
            ending = call([*self.start, "--epochs", epochs], copy)
            if ending.code:
                return epochs, [ending.err]
            found, wanted = outcome(copy / "run"), self.whole(epochs)
            wrong = [f"{name} differs" for name in wanted if found[name] != wanted[name]]
            return epochs, [*wrong, *(f"{name} is left" for name in left_behind(copy))]
        finally:
            shutil.rmtree(copy)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100, help="how many, over all rules")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    chosen = parser.parse_args()
    moments, broken, done = random.Random(chosen.seed), 0, Counter[str]()
    with tempfile.TemporaryDirectory(prefix="kills") as temporary:
        warm_up(Path(temporary), ["train", *NET, "--epochs", 1, "--save", "warm"])
        for number, rule in enumerate(RULES):
            options = [*NET, "--gradient", rule, *OPTIONS[number % len(OPTIONS)]]
            folder = Path(temporary) / rule
            folder.mkdir()
            trial = Trial(options, folder, moments)
            kills = chosen.kills // len(RULES) + (number < chosen.kills % len(RULES))
            epochs = 0
            for kill in range(1, kills + 1):
                epochs, wrong = trial.kill()
                done[rule] += 1
                for line in wrong:
                    print(f"  BROKEN {rule}, kill {kill}: {' '.join(line.split())[:300]}")
                broken += bool(wrong)
            print(f"{rule:6} {' '.join(map(str, options[len(NET) :]))}: {kills} kills, {epochs - 1} epochs", flush=True)
    print(f"{done.total()} kills over {len(done)} rules, {broken} of them lost a bit")
    return int(broken > 0)


if __name__ == "__main__":
    sys.exit(main())

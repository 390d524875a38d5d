"""Kill ``bdfa`` at each of its writes, and see that nothing is lost: ``python tests/kills/kill_at_each_write.py``.

For every event of the file system at which a command changes a file or folder of its own (opening to write, renaming,
removing, making a folder), a child is ended just before it, and once more with the file that was written last cut to
half of what was written. From what is then on the disk three commands go on, each on a copy:

- the plain command, given again, works, or says that there is a run, and there is one;
- ``--resume`` comes to the bits of a run that nobody disturbed, the old one or the new one;
- ``evaluate`` evaluates the old or the new run, as it was after some epoch, or says that there is none.

The table says how often each came about. The exit code is 1 if any promise was broken.
"""

import argparse
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from killing import KILLED, WHOLE, Ending, call, left_behind, outcome, warm_up

NET = ["--dataset", "mnist-5k", "--num-hidden", 4, "--train-limit", 40, "--test-limit", 10, "--threads", 1]
NET += ["--backend", "numpy", "--lr", 1e-2]
TRAIN = ["train", *NET, "--save", "run"]
RESUME = ["train", "--save", "run", "--resume"]
OLD = [*TRAIN, "--epochs", 2, "--seed", 1, "--validate", "--keep-best"]
NEW = [*TRAIN, "--epochs", 2, "--seed", 2]
LONGER = [*RESUME, "--epochs", 3]
MEASURED = [*NEW, "--track", "weights,alignment", "--init", "uniform", "--tensorboard"]


@dataclass(frozen=True)
class Scenario:
    """A command that is killed, what was in its folder before, and what may go on from what it leaves.

    Attributes
    ----------
    killed : list
        The command.
    before : callable
        Prepares the folder that it is called in.
    resume : list
        How its run is gone on with.
    wanted : dict
        Undisturbed runs, as commands, of which ``resume`` may come to one.
    plain : list of str
        Names of those which the command itself may come to when it is given again.
    """

    killed: list[Any]
    before: Callable[[Path], None]
    resume: list[Any]
    wanted: dict[str, list[list[Any]]]
    plain: list[str]


def nothing(_: Path) -> None:
    pass


def other_files(folder: Path) -> None:
    (folder / "run").mkdir()
    (folder / "run" / "notes.txt").write_text("mine")


def old_run(folder: Path) -> None:
    assert call(OLD, folder).code == 0
    (folder / "run" / "net.onnx").write_text("exported")


def new_run(folder: Path) -> None:
    assert call(NEW, folder).code == 0


def measured_run(folder: Path) -> None:
    assert call(MEASURED, folder).code == 0


def taken_by_half(folder: Path) -> None:
    """Leave a new run that had just begun to take the folder of an old one."""
    old_run(folder)
    for number in range(1, 1000):
        copy = folder.with_name("taken")
        shutil.copytree(folder, copy)
        call([*NEW, "--force"], copy, (number, False))
        found = (copy / "run" / ".taking").exists()
        if found:
            shutil.rmtree(folder)
            copy.rename(folder)
            return
        shutil.rmtree(copy)
    raise AssertionError("no new run ever takes the folder")


def written_before(folder: Path) -> None:
    kept = Path(__file__).parents[1] / "runs" / "written_before" / "runs" / "bdfa"
    shutil.copytree(kept, folder / "run")


SCENARIOS = {
    "start": Scenario(NEW, nothing, [*NEW, "--resume"], {"new": [NEW]}, ["new"]),
    "start with --resume, beside other files": Scenario(
        [*NEW, "--resume"], other_files, [*NEW, "--resume"], {"new": [NEW]}, ["new"]
    ),
    "--force": Scenario([*NEW, "--force"], old_run, RESUME, {"new": [NEW], "old": [OLD]}, ["new"]),
    "--resume": Scenario(LONGER, new_run, LONGER, {"new": [NEW, LONGER]}, ["new"]),
    "--resume, --keep-best": Scenario(LONGER, old_run, LONGER, {"old": [OLD, LONGER]}, ["old"]),
    "--force, measured": Scenario([*MEASURED, "--force"], old_run, RESUME, {"new": [MEASURED], "old": [OLD]}, ["new"]),
    "--force, over one that was measured": Scenario(
        [*NEW, "--force"], measured_run, RESUME, {"new": [NEW], "measured": [MEASURED]}, ["new"]
    ),
    "--resume, measured": Scenario(LONGER, measured_run, LONGER, {"measured": [MEASURED, LONGER]}, ["measured"]),
    "evaluate, the folder half taken": Scenario(["evaluate", "run"], taken_by_half, RESUME, {"new": [NEW]}, []),
    "--resume of a run of 0.1.0": Scenario(LONGER, written_before, LONGER, {"before": []}, ["before"]),
}


@dataclass
class Figures:
    """What came about after the kills of a scenario."""

    points: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)


class Trial:
    """A scenario with what its undisturbed runs come to.

    Parameters
    ----------
    scenario : Scenario
        What is tried.
    folder : Path
        An empty folder to work in.
    """

    def __init__(self, scenario: Scenario, folder: Path) -> None:
        self.scenario, self.folder = scenario, folder
        self.start = self._made("start")
        scenario.before(self.start)
        self.undisturbed: dict[str, Any] = {}
        self.evaluated: set[str] = set()
        for name, commands in scenario.wanted.items():
            place = self._made(f"whole {name}")
            if not commands:
                scenario.before(place)
                self.evaluated.add(_loss(call(["evaluate", "run"], place)))
            for command in commands or [scenario.killed]:
                epochs = command[command.index("--epochs") + 1]
                for epoch in range(1, epochs + 1):  # its net after each epoch
                    shorter = [epochs if item is epochs else item for item in command]
                    shorter[shorter.index("--epochs") + 1] = epoch
                    part = self._made("part")
                    if "--resume" in command:
                        shutil.copytree(place, part, dirs_exist_ok=True)
                    call(shorter, part)
                    self.evaluated.add(_loss(call(["evaluate", "run"], part)))
                    shutil.rmtree(part)
                assert call(command, place).code == 0
            self.undisturbed[name] = outcome(place / "run")
        self.untrained = "after 0 epochs"

    def _made(self, name: str) -> Path:
        place = self.folder / name
        place.mkdir()
        return place

    def points(self) -> Iterator[tuple[int, bool]]:
        """Yield the points at which the command can be killed, until it ends by itself."""
        number = 1
        while True:
            for half in (False, True):
                yield number, half
            number += 1

    def kill(self, point: tuple[int, bool], figures: Figures) -> bool:
        """Kill the command at a point and see what goes on from there; return whether it came to that point."""
        place = Path(shutil.copytree(self.start, self.folder / "killed"))
        try:
            code = call(self.scenario.killed, place, point).code
            if code != KILLED:
                return code == WHOLE
            figures.points += 1
            for check in (self._plain, self._resume, self._evaluate):
                copy = Path(shutil.copytree(place, self.folder / "copy"))
                try:
                    found = check(copy)
                    figures.counts[f"{check.__name__[1:]}: {found}"] += 1
                except AssertionError as error:
                    figures.broken.append(f"{check.__name__[1:]} after a kill at {point}: {error}")
                finally:
                    shutil.rmtree(copy)
        finally:
            shutil.rmtree(place)
        return True

    def _others_kept(self, place: Path) -> None:
        for path in (self.start / "run").glob("n*t*"):
            if path.suffix in (".txt", ".onnx"):
                assert (place / "run" / path.name).read_bytes() == path.read_bytes(), f"{path.name} was touched"

    def _plain(self, place: Path) -> str:
        ending = call(self.scenario.killed, place)
        self._others_kept(place)
        if not self.scenario.plain:
            assert ending.code == 0, ending.err
            return "works"
        if ending.code == 2:
            assert "holds a run already" in ending.err, ending.err
            assert call(self.scenario.resume, place).code == 0
            said = "says that a run is there"
        else:
            assert ending.code == 0, ending.err
            said = "works"
        assert not left_behind(place), f"left {left_behind(place)}"
        self._same(place, self.scenario.plain)
        return said

    def _resume(self, place: Path) -> str:
        ending = call(self.scenario.resume, place)
        assert ending.code == 0, ending.err
        assert not left_behind(place), f"left {left_behind(place)}"
        self._others_kept(place)
        return f"the bits of the {self._same(place, list(self.undisturbed))} run"

    def _same(self, place: Path, names: list[str]) -> str:
        found = outcome(place / "run")
        for name in names:
            if found == self.undisturbed[name]:
                return name
        differing = [key for key in found if found[key] != self.undisturbed[names[0]][key]]
        raise AssertionError(f"it differs from the {names[0]} run in {', '.join(differing)}")

    def _evaluate(self, place: Path) -> str:
        ending = call(["evaluate", "run"], place)
        if ending.code == 2:
            none = ("there is no run in run", "Directory 'run' does not exist", "there is no folder")
            assert any(text in ending.err for text in none), ending.err
            return "says that there is none"
        assert ending.code == 0, ending.err
        if self.untrained not in ending.out:
            assert _loss(ending) in self.evaluated, ending.out
        return "an old or a new net"


def _loss(ending: Ending) -> str:
    return next((line for line in ending.out.splitlines() if line.startswith("error ")), ending.err)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=SCENARIOS, help="one scenario")
    only = parser.parse_args().only
    broken = 0
    with tempfile.TemporaryDirectory() as temporary:
        warm_up(Path(temporary), OLD, LONGER, ["evaluate", "run"])
    for name, scenario in SCENARIOS.items():
        if only not in (None, name):
            continue
        figures = Figures()
        with tempfile.TemporaryDirectory(prefix="kills") as temporary:
            trial = Trial(scenario, Path(temporary))
            for point in trial.points():
                if not trial.kill(point, figures):
                    break
        print(f"{name}: {figures.points} kills, {len(figures.broken)} promises broken")
        for count in sorted(figures.counts):
            print(f"  {figures.counts[count]:4} {count}")
        for line in figures.broken:
            print(f"  BROKEN {' '.join(line.split())[:300]}")
        sys.stdout.flush()
        broken += len(figures.broken)
    return int(broken > 0)


if __name__ == "__main__":
    sys.exit(main())

"""Runs of ``bdfa`` in forked children that end at a chosen event of the file system, or at any moment."""

import os
import re
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bdfa_np import Diagnostics
from bdfa_np.cli.group import bdfa as group
from bdfa_np.cli.outcome import run
from bdfa_np.runs.checkpoint import read_checkpoint

KILLED, WHOLE = 137, 138
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_TRUNC
CHANGING = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "os.link", "os.symlink", "shutil.rmtree"}
GROUPS = ("weights", "feedback", "layers", "optimizer", "rule")


@dataclass(frozen=True)
class Ending:
    """How a child ended, and what it printed."""

    code: int
    out: str
    err: str


class Point:
    """Ends the process at the so many-th event at which a file or folder of the current folder is changed.

    Parameters
    ----------
    number : int
        Counted from 1.
    half : bool
        Whether a file that the event before it opened has only half of what was written to it since, as a process
        that is killed in the middle of a write, or a disk that lost power, leaves it.
    """

    def __init__(self, number: int, *, half: bool) -> None:
        self.number, self.half = number, half
        self.done = 0
        self.base = os.getcwd()
        self.opened: tuple[str, int] | None = None

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Hear of an event, as `sys.addaudithook` tells it."""
        changes = event in CHANGING or (event == "open" and arguments[2] & WRITING)
        if not changes or isinstance(arguments[0], int):
            return
        path = os.path.join(self.base, os.fsdecode(arguments[0]))
        if not path.startswith(self.base):
            return
        self.done += 1
        if self.done == self.number:
            if self.half:
                if self.opened is None or not os.path.isfile(self.opened[0]):
                    os._exit(WHOLE)  # there is nothing to cut
                name, before = self.opened
                os.truncate(name, (before + os.path.getsize(name)) // 2)
            os._exit(KILLED)
        fresh = event == "open" and not arguments[2] & os.O_TRUNC and os.path.exists(path)
        self.opened = (path, os.path.getsize(path) if fresh else 0) if event == "open" else None


def warm_up(folder: Path, *calls: Sequence[object]) -> None:
    """Call ``bdfa`` in this process, so that children need not import anything."""
    before, output = os.getcwd(), sys.stdout
    os.chdir(folder)
    try:
        with open(os.devnull, "w") as sys.stdout:
            for arguments in calls:
                assert run(group, [str(argument) for argument in arguments]) == 0
    finally:
        sys.stdout = output
        os.chdir(before)


def start(arguments: Sequence[object], folder: Path, point: tuple[int, bool] | None = None) -> int:
    """Call ``bdfa`` in a forked child whose current folder is ``folder``; return its number."""
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child:
        return child
    code = KILLED
    try:
        for stream, descriptor in ((".out", 1), (".err", 2)):
            file = os.open(f"{folder}{stream}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(file, descriptor)
        sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
        os.chdir(folder)
        if point is not None:
            sys.addaudithook(Point(point[0], half=point[1]))
        code = run(group, [str(argument) for argument in arguments])
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


def ended(child: int, folder: Path) -> Ending:
    """Wait for a child, and return how it ended."""
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    files = [Path(f"{folder}{stream}") for stream in (".out", ".err")]
    out, err = (file.read_text() if file.exists() else "" for file in files)  # it may end before it has opened them
    return Ending(status, out, err)


def call(arguments: Sequence[object], folder: Path, point: tuple[int, bool] | None = None) -> Ending:
    """Call ``bdfa`` in a child and wait for its end."""
    return ended(start(arguments, folder, point), folder)


def call_and_kill(arguments: Sequence[object], folder: Path, seconds: float) -> Ending:
    """Call ``bdfa`` in a child and kill it after so many seconds, if it has not ended by then."""
    child = start(arguments, folder)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    return ended(child, folder)


def outcome(run: Path) -> dict[str, Any]:
    """Return all that a run has come to, down to the bits; what tells of time is left out."""
    checkpoint = read_checkpoint(run / "checkpoint.h5")
    log = (run / "Log.txt").read_text().splitlines()
    return {
        "arrays": {(g, name): array.tobytes() for g in GROUPS for name, array in getattr(checkpoint, g).items()},
        "counts": (checkpoint.learning_rate, checkpoint.steps, checkpoint.training_passes, checkpoint.rule_counters),
        "progress": asdict(checkpoint.progress),
        "history": [asdict(record) | {"seconds": 0} for record in checkpoint.history],
        "metrics": [
            line.split(",")[:7] + line.split(",")[8:] for line in (run / "metrics.csv").read_text().splitlines()
        ],
        "error rate": (run / "ErrorRate.log").read_text(),
        "confusion": (run / "confusion.csv").read_text(),
        "log": [re.sub(r"/\d+:", ":", line).split()[:-1] for line in log if re.match(r"epoch +\d", line)],
        "measured": measured(run),
        "events": [path.parent.name for path in run.rglob("events.out.tfevents.*")],
        "best": read_checkpoint(run / "best.h5").weights["linear1.W"].tobytes() if (run / "best.h5").exists() else None,
    }


def measured(run: Path) -> dict[str, object] | None:
    """Return all that was measured of a run, down to the bits; None where nothing was."""
    if not (run / "diagnostics.h5").exists():
        return None
    found = vars(Diagnostics.read(run))
    of_arrays = {f"{of}.{name}": one for of in ("values", "snapshots") for name, one in found[of].items()}
    arrays = {name: found[name] for name in ("epochs", "steps", "snapshot_rows")} | of_arrays
    return {name: array.tobytes() for name, array in arrays.items()} | {"settings": found["settings"]}


def left_behind(folder: Path) -> list[str]:
    """Return what ought to be gone once a command has ended."""
    return [path.name for path in folder.rglob(".*") if path.name != ".lock"]

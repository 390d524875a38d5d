"""Runs mutated inputs through a reader in children, and tells how each ended."""

from __future__ import annotations

import contextlib
import faulthandler
import json
import os
import random
import resource
import signal
import socket
import sys
import tempfile
import traceback
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import ClassVar, NamedTuple, NoReturn

from bdfa_np.backend.cpu import compiling
from bdfa_np.errors import UserError

SECONDS = 10
"""Processor time that an input may take."""
CLOCK_SECONDS = 100
"""Time by the clock that it may take, which is more on a busy machine, and less than one that waits would."""
MEGABYTES = 256
"""Memory that an input may take beside what the base file takes."""
_ADDRESSES = 4 * 2**30
_LONGEST_LINE = 2000
_BATCH = 1000
_ENDS = ("exit 0", "exit 2", "other", "crash", "silent")
_OUT_OF_MEMORY = ("Unable to allocate", "MemoryError", "ut of memory", "ot enough memory")


class Mutated(NamedTuple):
    """An input: its content, and whether every checksum that vouches for it was made anew, so that it is another's."""

    content: bytes
    resealed: bool = False


class Result(NamedTuple):
    """What became of an input: 0 or 2 as the command line would end, or what is wrong; and what was read."""

    kind: str
    detail: str = ""
    megabytes: float = 0
    seconds: float = 0


class Reader(ABC):
    """What reads files of one kind, with valid files to begin with.

    Parameters
    ----------
    folder : Path
        A folder of its own, empty.
    """

    name: ClassVar[str]
    protected: ClassVar[bool] = False
    """Whether a checksum promises that other content than what was written is noticed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.seeds = self.make()
        self.expected = [self.read(seed) for seed in self.seeds]

    @abstractmethod
    def make(self) -> list[bytes]:
        """Make what the reader needs around the file, and return contents of files that are valid."""

    @abstractmethod
    def change(self, rng: random.Random, content: bytes) -> bytes | Mutated:
        """Return an input made of a valid one."""

    @abstractmethod
    def read(self, content: bytes) -> str:
        """Have an input read; return what was read in short, which differs where anything of it does.

        Raises
        ------
        UserError
            If it is refused.
        """

    def input(self, seed: int, number: int) -> tuple[int, Mutated]:
        """Return which valid file an input is made of, and the input; the same for the same numbers everywhere."""
        rng = random.Random(f"{seed} {self.name} {number}")
        place = rng.randrange(len(self.seeds))
        changed = self.change(rng, self.seeds[place])
        return place, changed if isinstance(changed, Mutated) else Mutated(changed)

    def outcome(self, seed: int, number: int) -> tuple[str, str]:
        """Have an input read, and return how that ended and a word on it."""
        place, made = self.input(seed, number)
        try:
            found = self.read(made.content)
        except UserError as error:
            return _told(str(error))
        except BaseException as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            return "other", f"{type(error).__name__}: {str(error)[:300]} ({where.filename}:{where.lineno})"
        if found == self.expected[place]:
            return "exit 0", "the same"
        if self.protected and not made.resealed:
            return "silent", "taken for good, and other than what was written"
        return "exit 0", "another"


def _told(message: str) -> tuple[str, str]:
    """Return how an input ended that was refused in these words."""
    if len(message.splitlines()) != 1 or len(message) > _LONGEST_LINE or not message.isprintable():
        return "other", f"no plain line ({len(message)} characters): {message[:300]!r}"
    if any(word in message for word in _OUT_OF_MEMORY):
        return "other", f"memory was asked for that is not there: {message}"
    return "exit 2", message


@dataclass
class Report:
    """How all inputs of a reader ended.

    Attributes
    ----------
    faults : list of tuple
        The number of each input that ended as none should, how, and a word on it.
    """

    reader: str
    inputs: int = 0
    ends: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(("exit 0", "exit 2", "other", "crash", "silent"), 0)
    )
    same: int = 0
    peak: float = 0
    slowest: float = 0
    seconds: float = 0
    faults: list[tuple[int, str, str]] = field(default_factory=list)

    def add(self, number: int, result: Result) -> None:
        """Count an input."""
        self.inputs += 1
        kind = result.kind
        if kind in ("exit 0", "exit 2") and result.megabytes > MEGABYTES:
            kind, result = "other", result._replace(detail=f"{result.megabytes:.0f} MB: {result.detail}")
        self.ends[kind] += 1
        self.same += result.detail == "the same"
        self.peak, self.slowest = max(self.peak, result.megabytes), max(self.slowest, result.seconds)
        if kind not in ("exit 0", "exit 2"):
            self.faults.append((number, kind, result.detail))

    def row(self) -> list[str]:
        """Return the figures as a row of a table under `HEADINGS`."""
        figures = (f"{self.peak:.0f}", f"{self.slowest:.2f}", f"{self.seconds:.0f}")
        counts = (self.inputs, self.ends["exit 0"], self.same, *list(self.ends.values())[1:])
        return [self.reader, *(f"{count:,}" for count in counts), *figures]


HEADINGS = (
    "reader",
    "inputs",
    "exit 0",
    "same",
    "exit 2",
    "other",
    "crashes",
    "silent",
    "peak MB",
    "slowest s",
    "total s",
)


def fuzz(kind: type[Reader], numbers: range, seed: int = 0) -> Report:
    """Run inputs through a reader.

    Parameters
    ----------
    kind : type of Reader
        The reader.
    numbers : range
        Which inputs.
    seed : int, default 0
        From which, with a number, an input is drawn.
    """
    report = Report(kind.name)
    with tempfile.TemporaryDirectory() as folder:
        reader = kind(Path(folder))
        start = perf_counter()
        left = numbers
        while left:
            left = _batch(reader, left, seed, report)
        report.seconds = perf_counter() - start
    return report


def _batch(reader: Reader, numbers: range, seed: int, report: Report) -> range:
    """Run some inputs in a child, which one of them may end; return those that are left."""
    ours, theirs = os.pipe()
    with warnings.catch_warnings(action="ignore"):  # that other threads, which are BLAS's, are not copied
        child = os.fork()
    if child == 0:
        os.close(ours)
        _run(reader, numbers[:_BATCH], seed, theirs)
    os.close(theirs)
    done = 0
    with os.fdopen(ours) as lines:
        for line in lines:
            if not line.endswith("\n"):
                break
            report.add(numbers[done], Result(*json.loads(line)))
            done += 1
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        name = signal.Signals(os.WTERMSIG(status)).name
        hung = name in ("SIGPROF", "SIGALRM")
        report.add(numbers[done], Result("crash", f"no end within its time ({name})" if hung else name))
        done += 1
    elif os.WEXITSTATUS(status):
        raise RuntimeError(f"{reader.name}: input {numbers[done]} cannot be made or measured")
    return numbers[done:]


def _run(reader: Reader, numbers: range, seed: int, out: int) -> None:
    """Run inputs, and write a line on each; never returns."""
    try:
        faulthandler.disable()
        null, told = os.open(os.devnull, os.O_RDWR), os.dup(2)
        for stream in (0, 1, 2):
            os.dup2(null, stream)
        socket.getaddrinfo = _no_network
        compiling.COMPILE_AFTER = sys.maxsize  # in one process there is an end to what is a short run
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_AS, (_addresses() + _ADDRESSES,) * 2)
        with os.fdopen(out, "w") as lines:
            for number in numbers:
                with _limited(), _measured() as measured:
                    kind, detail = reader.outcome(seed, number)
                lines.write(json.dumps([kind, detail[:500], *measured]) + "\n")
                lines.flush()
    except BaseException:  # of the fuzzer itself
        os.write(told, traceback.format_exc().encode())
        os._exit(1)
    os._exit(0)


def _no_network(*_: object, **__: object) -> NoReturn:
    raise socket.gaierror(socket.EAI_NONAME, "there is no network here")


@contextlib.contextmanager
def _limited() -> Iterator[None]:
    """End the process where an input takes too long, in native code too: nobody catches these signals."""
    for number, timer, seconds in (
        (signal.SIGPROF, signal.ITIMER_PROF, SECONDS),
        (signal.SIGALRM, signal.ITIMER_REAL, CLOCK_SECONDS),
    ):
        signal.signal(number, signal.SIG_DFL)
        signal.setitimer(timer, seconds)
    yield
    for timer in (signal.ITIMER_PROF, signal.ITIMER_REAL):
        signal.setitimer(timer, 0)


@contextlib.contextmanager
def _measured() -> Iterator[list[float]]:
    """Give what will hold the megabytes that were taken at most, and the seconds."""
    measured: list[float] = []
    before, start = _reset_peak(), perf_counter()
    yield measured
    measured += [round((_status("VmHWM") - before) / 1024, 1), round(perf_counter() - start, 4)]


def _reset_peak() -> int:
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    return _status("VmHWM")


def _addresses() -> int:
    return 1024 * _status("VmSize")


def _status(name: str) -> int:
    """Return one of the process's figures in kilobytes; where there are none, the most that it ever had."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak // 1024 if sys.platform == "darwin" else peak
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))

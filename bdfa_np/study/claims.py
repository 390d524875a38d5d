"""A run is worked on by one process at a time, wherever in a network that is, without locks of files.

Beside a run's folder ``seed-1`` there is a folder ``.seed-1.claim`` with a file for each time that the run was claimed:
``1``, ``2`` and so on. Whoever creates the next file holds the claim, for a file is created exclusively on every file
system, network ones among them. The file with the highest number is never removed: what is created after it has a
higher one, so that nobody can take a claim that was released and claimed again meanwhile for the one that they saw.

The holder rewrites its file every few seconds. A claim is stale where its process is gone, which can be seen on the
same machine alone, or where its file has not changed for a minute by the watch of whoever waits: clocks of two
machines are never compared.
"""

import contextlib
import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from bdfa_np.errors import InUseError, RunError
from bdfa_np.system.files import refusal
from bdfa_np.system.interrupts import interrupts_wait
from bdfa_np.system.processes import Process

BEAT_SECONDS = 4.0
"""How often a holder rewrites its claim."""
STALE_SECONDS = 60.0
"""After how long without a change a claim is nobody's."""
SIZE = 600
"""Bytes of a claim, padded: one that is rewritten is never shorter or longer while somebody reads it."""
RELEASED = "released"


class ClaimLostError(RunError):
    """Stood still for so long that the claim on a run is another process's by now, or found that it was removed."""


@dataclass(frozen=True)
class Holder:
    """Who holds a claim.

    Attributes
    ----------
    host : str
        The machine's name.
    process : Process
        The process there.
    token : str
        Nobody else's.
    """

    host: str
    process: Process
    token: str

    @classmethod
    def here(cls) -> "Holder":
        """Return this process as a holder."""
        return cls(socket.gethostname(), Process.this(), uuid.uuid4().hex)

    def __str__(self) -> str:
        """Return the process and its machine."""
        return f"process {self.process.pid} on {self.host}" if self.host else "another process"


NOBODY_YET = Holder("", Process("", "", 0, ""), "")
"""Of a claim that is just being written."""
_SEEN: dict[Path, tuple[bytes | None, float]] = {}
"""What each claim said when this process last saw it change, and when that was by its own watch."""


class Claim:
    """A claim that this process holds.

    Parameters
    ----------
    path : Path
        Its file.
    file : int
        The number under which this process has the file open for writing.
    """

    def __init__(self, path: Path, file: int) -> None:
        self.path = path
        self._file = file
        self._holder = Holder.here()
        self._beats = 0
        self._released = threading.Event()
        self._thread = threading.Thread(target=self._beat, name=f"claim {path}", daemon=True)

    def begin(self) -> None:
        """Write who holds it, and begin to rewrite it every few seconds."""
        self._write()
        self._thread.start()

    def check(self) -> None:
        """See that this process holds it still, which is to be done before anything is saved.

        Raises
        ------
        ClaimLostError
            If it does not.
        RunError
            If that cannot be found out.
        """
        folder = self.path.parent
        try:
            held = str(_last(folder)) == self.path.name and _holder_in(self.path.read_bytes()) == self._holder
        except FileNotFoundError:
            held = False
        except OSError as error:
            raise RunError(refusal(self.path, error)) from error
        if not held:
            raise ClaimLostError(
                f"{_run_of(folder)} is no longer this process's to go on with, which stood still for a while or whose "
                f"claim {self.path} was removed: this epoch was not saved"
            )

    def release(self) -> None:
        """Let others have the run; where that cannot be written, they find the claim stale in a minute."""
        self._released.set()
        if self._thread.is_alive():
            self._thread.join()
        with contextlib.suppress(OSError):
            self._write()
        with contextlib.suppress(OSError):
            os.close(self._file)

    def _beat(self) -> None:
        while not self._released.wait(BEAT_SECONDS):
            with contextlib.suppress(OSError):  # whether it is still held is asked before anything is saved
                self._write()

    def _write(self) -> None:
        """Write the claim in the place of what it said; whoever reads it meanwhile sees other digits, and no others."""
        self._beats += 1
        said = {"beat": f"{self._beats:012}", **asdict(self._holder), RELEASED: self._released.is_set()}
        os.lseek(self._file, 0, os.SEEK_SET)
        os.write(self._file, json.dumps(said).ljust(SIZE).encode())
        os.fsync(self._file)


@contextlib.contextmanager
def claimed(run: Path) -> Iterator[Claim]:
    """Hold the claim on a run folder meanwhile, so that nobody else works on the run.

    Parameters
    ----------
    run : Path
        The run folder, there or not.

    Yields
    ------
    Claim
        Of which `Claim.check` is to be called before anything is saved.

    Raises
    ------
    InUseError
        If somebody else holds it.
    RunError
        If no file can be written there.
    """
    folder = _folder(run)
    claim = None
    try:
        with interrupts_wait():  # or a claim that says nothing yet would keep others waiting for a minute
            claim = _claim(folder, run)
        yield claim
    finally:
        if claim is not None:
            claim.release()


def _claim(folder: Path, run: Path) -> Claim:
    """Take the claim on a run; what it raises is told by `claimed`."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        number, there = _latest(folder)
        if there is not None:
            raise InUseError(f"{there} is at work on {run}")
        return _create(folder / str(number + 1), run)
    except OSError as error:
        raise RunError(refusal(folder, error, "cannot be written")) from error


def holder(run: Path) -> Holder | None:
    """Return who is at work on a run; None where nobody is, as far as can be known by now.

    A claim that is not rewritten is somebody's until this process has seen it unchanged for a minute: it is to be asked
    for again.

    Raises
    ------
    RunError
        If it cannot be read.
    """
    folder = _folder(run)
    try:
        return _latest(folder)[1]
    except OSError as error:
        raise RunError(refusal(folder, error)) from error


def _create(path: Path, run: Path) -> Claim:
    """Create a claim that nobody else has created, and see that there is none after it."""
    busy = InUseError(f"another process has just begun to work on {run}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    try:
        claim = Claim(path, os.open(path, flags, 0o666))
    except FileExistsError:
        raise busy from None
    try:
        claim.begin()
        claim.check()
    except BaseException as error:
        claim.release()
        path.unlink(missing_ok=True)  # there is one before it or after it, as there has to be
        if isinstance(error, ClaimLostError):  # others have come and gone since its number was the next
            raise busy from None
        raise
    for number in _numbers(path.parent):
        if number < int(path.name):
            (path.parent / str(number)).unlink(missing_ok=True)
    return claim


def _latest(folder: Path) -> tuple[int, Holder | None]:
    """Return the number of the latest claim, 0 where there was none, and who holds it, if anybody does."""
    number = _last(folder)
    if number == 0:
        return 0, None
    path = folder / str(number)
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return number, NOBODY_YET  # another one has come after it
    found = _holder_in(content)
    if found is not None and (json.loads(content).get(RELEASED) is True or found.process.is_gone()):
        return number, None
    return number, None if _is_still(path, content) else found or NOBODY_YET


def _is_still(path: Path, content: bytes) -> bool:
    """Return whether this process has seen nothing else in a claim for a minute."""
    before, since = _SEEN.get(path, (None, 0.0))
    now = time.monotonic()
    if content != before:
        _SEEN[path] = content, now
        return False
    return now - since > STALE_SECONDS


def _folder(run: Path) -> Path:
    return run.with_name(f".{run.name}.claim")


def _run_of(folder: Path) -> Path:
    return folder.with_name(folder.name.removeprefix(".").removesuffix(".claim"))


def _numbers(folder: Path) -> list[int]:
    try:
        return [int(name) for name in os.listdir(folder) if name.isdecimal()]
    except FileNotFoundError:
        return []


def _last(folder: Path) -> int:
    """Return the highest number of a claim, 0 where there is none."""
    return max(_numbers(folder), default=0)


def _holder_in(content: bytes) -> Holder | None:
    """Return who a claim's file names; None of one that is just being written."""
    try:
        said = json.loads(content)
        return Holder(said["host"], Process(**said["process"]), said["token"])
    except (ValueError, KeyError, TypeError):
        return None

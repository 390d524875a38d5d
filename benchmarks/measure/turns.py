"""The processes that are measured, and how they take turns.

Every program lives in a process of its own. Only one works at a time, and after each turn there is a pause: threads of
a BLAS library go on spinning for a while when their work is done, and would slow down the next program.
"""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from time import sleep
from types import TracebackType
from typing import Any

from measure.cases import Case, Turn
from report.figures import Row
from report.machine import core_seconds

WORKER = Path(__file__).with_name("worker.py")
SPIN_SECONDS = 0.12
"""How long to wait after a turn: NumPy's OpenBLAS has its idle threads spin for 2^28 cycles, 0.1 s at 2.6 GHz."""
WATCH_SECONDS = 0.03
"""The rest of a pause, in which nobody here works: what keeps cores busy then is a program of somebody else."""
THREAD_VARIABLES = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


class ChildError(Exception):
    """A child ended instead of answering; the message is the last line that it wrote."""


class Child:
    """A process that answers requests, one line of JSON each.

    Parameters
    ----------
    module : str
        The module, as named from the folder above, whose ``answer(request)`` answers.
    environment : mapping
        The process's environment.
    """

    def __init__(self, module: str, environment: Mapping[str, str]) -> None:
        # A pipe that nobody empties could block the child.
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 -- closed by `close`
        self._process = subprocess.Popen(  # noqa: S603 -- a script of this folder
            [sys.executable, str(WORKER), module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=dict(environment),
            text=True,
            start_new_session=True,  # Ctrl-C is for the parent alone, who then ends its children
        )

    def ask(self, request: Mapping[str, Any]) -> dict[str, float]:
        """Send a request and wait for the answer.

        Raises
        ------
        ChildError
            If the child ended.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps(dict(request)) + "\n")
            self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line.endswith("\n"):
            raise ChildError(self._last_words())
        answer: dict[str, float] = json.loads(line)
        return answer

    def _last_words(self) -> str:
        code = self._process.wait()
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").split("\n")
        said = [line.strip() for line in lines if line.strip()]
        return said[-1] if said else f"it ended with code {code} and said nothing"

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        with contextlib.suppress(BrokenPipeError):
            self._process.communicate()
        self._errors.close()


class Children:
    """The processes of a run of the suite; each starts when it is first needed.

    Parameters
    ----------
    threads : int
        How many each may use.
    folder : Path
        Where they keep prepared data and temporary files.
    """

    def __init__(self, threads: int, folder: Path) -> None:
        settings = dict.fromkeys(THREAD_VARIABLES, str(threads))
        self._environment = {**os.environ, **settings, "BDFA_CACHE_DIR": str(folder), "TMPDIR": str(folder)}
        self._running: dict[tuple[str, str], Child] = {}
        self._busy = self._watched = 0.0

    def __enter__(self) -> "Children":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for name in list(self._running):
            self.end(name)

    def end(self, name: tuple[str, str]) -> None:
        """End a process, if it runs."""
        child = self._running.pop(name, None)
        if child is not None:
            child.close()

    def ask(self, turn: Turn, request: Mapping[str, Any]) -> dict[str, float]:
        """Put a request to the process of a turn, and pause.

        Raises
        ------
        ChildError
            If it ended; the next request starts it anew.
        """
        name = (turn.module, turn.child)
        if name not in self._running:
            self._running[name] = Child(turn.module, self._environment)
        alive = False
        try:
            answer = self._running[name].ask(request)
            alive = not turn.fresh
        finally:
            if not alive:
                self.end(name)
        self._pause()
        return answer

    def _pause(self) -> None:
        sleep(SPIN_SECONDS)
        busy, total = core_seconds()
        sleep(WATCH_SECONDS)
        busy_later, total_later = core_seconds()
        self._busy += busy_later - busy
        self._watched += total_later - total

    def disturbance(self) -> float | None:
        """Return which part of the cores others used in the pauses since the last call; None if that is unknown."""
        share = self._busy / self._watched if self._watched else None
        self._busy = self._watched = 0.0
        return share


def take_turns(case: Case, children: Children, missing: Callable[[str], str]) -> Row:
    """Measure a case: everybody has a turn in every round, always in the same order.

    Parameters
    ----------
    case : Case
        What to measure.
    children : Children
        Who measures.
    missing : callable
        Says of a package or a data set why it is not there; the empty text if it is.

    Returns
    -------
    Row
        With an error for every child that died; the others go on.
    """
    reasons = [next(filter(None, map(missing, turn.needs)), "") for turn in case.turns]
    turns = [turn for turn, reason in zip(case.turns, reasons, strict=True) if not reason]
    left_out = [
        f"{turn.request['figure']}: {reason}" for turn, reason in zip(case.turns, reasons, strict=True) if reason
    ]
    dead: dict[str, str] = {}

    def ask(turn: Turn, request: Mapping[str, Any]) -> dict[str, float]:
        """Put a request to a child; one that died is asked no more."""
        if turn.child in dead:
            return {}
        try:
            return children.ask(turn, request)
        except ChildError as error:
            dead[turn.child] = str(error)
            return {}

    for turn in turns:
        if turn.prepare is not None:
            ask(turn, turn.prepare)
    rounds: list[dict[str, float]] = []
    for number in range(case.rounds + case.warm_up):
        figures: dict[str, float] = {}
        for turn in turns:
            figures |= ask(turn, turn.request)
        if figures and number >= case.warm_up:
            rounds.append(figures)
    errors = [f"{child}: {last_words}" for child, last_words in dead.items()]
    return Row.of_case(case, rounds, left_out, errors, children.disturbance())

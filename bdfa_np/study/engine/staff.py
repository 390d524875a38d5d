"""Which of a cluster's workers can be used: they have this very package, and see the study's folder."""

import contextlib
import pickle
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bdfa_np.errors import RunError, UserError, plain_line
from bdfa_np.study.engine.worker import Call, Found, Return, look
from bdfa_np.study.events import Outcome
from bdfa_np.study.versions import differences, refusal, versions
from bdfa_np.system.files import refusal as system_refusal

ANSWER_SECONDS = 20.0
"""How long it is waited for the workers that are there from the start."""
RESULT_SECONDS = 120.0
"""How long the last of a run may take to come from its worker."""


@dataclass
class Worker:
    """One of the cluster's workers.

    Attributes
    ----------
    address : str
        As Dask has it.
    asked : Future or None
        Of what it says of itself; None once that is known.
    found : Found or None
        What it said.
    refused : str
        Why it is not used; empty where it is.
    busy : str
        The errand that it is on; empty where it is idle.
    rests_until : float
        Until when it is handed nothing, by the monotonic clock.
    """

    address: str
    asked: Any
    found: Found | None = None
    refused: str = ""
    busy: str = ""
    rests_until: float = 0.0

    @property
    def is_idle(self) -> bool:
        """Whether it can be handed a run."""
        return self.asked is None and not self.refused and not self.busy and time.monotonic() >= self.rests_until

    @property
    def label(self) -> str:
        """What people call it."""
        name = self.address if self.found is None else self.found.name
        return (
            name if name.startswith("worker ") else f"worker {name}" + (f" on {self.found.host}" if self.found else "")
        )


class Staff:
    """The workers of a cluster, each of which is looked at before it is used.

    Parameters
    ----------
    client : distributed.Client
        Connected.
    tell : callable
        Is called with an address, from any thread, when a worker has said what it is.
    root : Path or None
        The folder that all have to see.
    note : callable
        Hears of workers that are not used, and of what differs with those that are.
    """

    def __init__(
        self, client: Any, tell: Callable[[str], None], root: Path | None, note: Callable[[str], None]
    ) -> None:
        self._client = client
        self._tell = tell
        self._token = None if root is None else _left_token(root)
        self._note = note
        self._noted: set[str] = set()
        self.workers: dict[str, Worker] = {}
        self.processes: set[int] = set()

    def close(self) -> None:
        """Remove what was written to be looked for."""
        if self._token is not None:
            with contextlib.suppress(OSError):
                self._token.unlink()

    def are_now(self, threads: dict[str, int]) -> list[Worker]:
        """Take in which workers there are, with their threads, and return those that are gone."""
        gone = [self.workers.pop(address) for address in list(self.workers) if address not in threads]
        for address in threads:
            if address not in self.workers:
                self.workers[address] = Worker(address, self._ask(address))
        if any(count > 1 for count in threads.values()):
            self._note_once("a worker's process has one run at a time, whatever its --nthreads: start more --nworkers")
        return gone

    def idle(self) -> list[Worker]:
        """Return the workers that can be handed a run."""
        return [worker for worker in self.workers.values() if worker.is_idle]

    def usable(self) -> list[Worker]:
        """Return the workers that are used, idle or not."""
        return [worker for worker in self.workers.values() if worker.asked is None and not worker.refused]

    def hear(self, address: str) -> None:
        """Take in what a worker has said of itself."""
        worker = self.workers.get(address)
        if worker is None or worker.asked is None or not worker.asked.done():
            return
        asked, worker.asked = worker.asked, None
        try:
            worker.found = asked.result(timeout=ANSWER_SECONDS)
        except Exception as error:
            worker.refused = _why(error)
        if worker.found is not None:
            self.processes.add(worker.found.pid)
            worker.refused = self._why_not(worker.found)
            different = "; ".join(differences(worker.found.versions, versions()))
            if different and not worker.refused:
                self._note_once(f"{worker.label} has {different}: the last digits may differ")
        if worker.refused:
            self._note_once(f"{worker.label} {worker.refused}: it is not used")

    def check(self) -> None:
        """Raise `UserError` if a worker has to be refused."""
        for worker in self.workers.values():
            if worker.refused:
                raise UserError(f"{worker.label} {worker.refused}")

    @property
    def is_being_asked(self) -> bool:
        """Whether a worker has still to say what it is."""
        return any(worker.asked is not None for worker in self.workers.values())

    def _ask(self, address: str) -> Any:
        call = Call(look, (self._token,)).pickled()
        asked = submitted(self._client, call, f"bdfa-look-{uuid.uuid4().hex}", address)
        asked.add_done_callback(lambda _: self._tell(address))
        return asked

    def _why_not(self, found: Found) -> str:
        why = refusal(found.versions, versions())
        if why:
            return f"{why}: install the same one there"
        if not found.sees:
            assert self._token is not None
            return (
                f"does not see the study's folder {self._token.parent}: name one that all machines share by --save, "
                "or let the runs be brought back by --collect"
            )
        return ""

    def _note_once(self, text: str) -> None:
        if text not in self._noted:
            self._noted.add(text)
            self._note(text)


def submitted(client: Any, call: bytes, key: str, address: str) -> Any:
    """Return the future of a call that one worker is to make, and no other."""
    where = {"workers": [address], "allow_other_workers": False}
    return client.submit(pickle.loads, call, key=key, pure=False, retries=0, **where)


def returned(future: Any, folder: str) -> Return | None:
    """Return what a worker has returned of a run; None where Dask has given up on it, with the worker or the scheduler.

    What the call itself has raised is the run's failure.
    """
    if future.status not in ("finished", "error"):
        return None
    on_its_way = future.status == "finished"
    try:
        back: Return = future.result(timeout=RESULT_SECONDS)
    except Exception as error:
        lost = type(error).__name__ in ("KilledWorker", "FutureCancelledError", "CancelledError")
        if lost or (on_its_way and isinstance(error, OSError)):
            return None
        reason = plain_line(" ".join(f"{type(error).__name__}: {error}".split()))
        return Return(Outcome(folder, "failed", reason))
    return back


def _left_token(root: Path) -> Path:
    """Write a file for workers to look for."""
    token = root / f".seen-{uuid.uuid4().hex}"
    try:
        root.mkdir(parents=True, exist_ok=True)
        token.write_text(f"{time.time()}\n")
    except OSError as error:
        raise RunError(system_refusal(root, error, "cannot be written")) from error
    return token


def _why(error: Exception) -> str:
    """Return why a worker could not even say what it is."""
    if isinstance(error, (ImportError, AttributeError)):
        return f"has no bdfa-np, or an older one ({plain_line(str(error))}): install the same one as here"
    return f"cannot be asked ({plain_line(' '.join(f'{type(error).__name__}: {error}'.split()))})"

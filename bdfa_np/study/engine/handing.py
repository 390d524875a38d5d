"""Handing a study's runs to the workers of a cluster, one at a time to each that is idle.

Dask carries messages and calls, and never decides what is trained where: the queue is here. A worker that vanishes
takes nothing with it but its run's unfinished epoch; the run is handed to the next one.
"""

import contextlib
import errno
import os
import queue
import time
import uuid
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from bdfa_np.errors import InUseError, RunError, UserError
from bdfa_np.study.engine.collecting import Collected
from bdfa_np.study.engine.local import LocalCluster
from bdfa_np.study.engine.parcel import Parcel
from bdfa_np.study.engine.staff import ANSWER_SECONDS, Staff, Worker, returned, submitted
from bdfa_np.study.engine.worker import Call, Errand, Return, last_saved, run_errand
from bdfa_np.study.events import Outcome, Progress, Watcher
from bdfa_np.study.folder import StudyFolder
from bdfa_np.study.plan import PlannedRun
from bdfa_np.system.text import counted

POLL_SECONDS = 0.5
"""How often it is looked which workers there are."""
ANSWERS_SECONDS = 10.0
"""How long the scheduler may take to say so."""
HELD_SECONDS = 2.0
"""How often a run is asked for again that somebody else is at work on."""
LOST_AT_MOST = 5
"""How many workers may vanish at a run, one after the other, before it has another epoch done."""
FULL_SECONDS = 60.0
"""How long a worker is handed nothing after its disk was full."""


@dataclass
class Waiting:
    """A run that is still to be carried out.

    Attributes
    ----------
    run : PlannedRun
        The run.
    since : float
        Not before this, by the monotonic clock.
    not_on : frozenset of str
        Addresses of workers that have had no room for it.
    is_held : bool
        Whether somebody else was at work on it.
    """

    run: PlannedRun
    since: float = 0.0
    not_on: frozenset[str] = frozenset()
    is_held: bool = False


@dataclass
class Handed:
    """A run that a worker has.

    Attributes
    ----------
    waiting : Waiting
        What was handed out.
    worker : Worker
        To whom.
    future : Future
        Of what it comes to.
    collected : Collected or None
        Where the run is brought back to, held meanwhile.
    begun : bool
        Whether the watcher has heard that it begins.
    """

    waiting: Waiting
    worker: Worker
    future: Any
    collected: Collected | None
    begun: bool = False

    @property
    def run(self) -> PlannedRun:
        """The run."""
        return self.waiting.run


@dataclass(frozen=True)
class Losses:
    """How many workers have vanished at a run since it last had an epoch done, and how many epochs it had."""

    epoch: int = 0
    count: int = 0

    def one_more(self) -> "Losses":
        """Return what they come to with another worker."""
        return replace(self, count=self.count + 1)


class Handing:
    """One sitting at a study.

    Parameters
    ----------
    client : distributed.Client
        Connected.
    local : LocalCluster or None
        The cluster's processes, where they are this one's own.
    folder : StudyFolder
        The study's.
    machine : dict
        Options of the machine.
    watcher : Watcher
        Hears of it, always from the thread that calls `run`.
    collect_every : int
        After how many epochs a run is brought back; 0 where all see the study's folder.
    """

    def __init__(
        self,
        client: Any,
        local: LocalCluster | None,
        folder: StudyFolder,
        machine: Mapping[str, Any],
        watcher: Watcher,
        collect_every: int,
    ) -> None:
        self._client = client
        self._local = local
        self._folder = folder
        self._machine = machine
        self._watcher = watcher
        self._collect_every = collect_every
        self._heard: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._topic = f"bdfa-{uuid.uuid4().hex}"
        self._staff = Staff(client, self._has_looked, None if collect_every else folder.path, watcher.note)
        self._left: deque[Waiting] = deque()
        self._handed: dict[str, Handed] = {}
        self._outcomes: dict[str, Outcome] = {}
        self._losses: dict[str, Losses] = {}
        self._noted: set[str] = set()
        self._fetching = ThreadPoolExecutor(4, thread_name_prefix="bdfa-fetch")
        self._looked = 0.0

    def run(self, runs: Sequence[PlannedRun]) -> dict[str, Outcome]:
        """Have all runs carried out; return what became of each, by their folders.

        Raises
        ------
        UserError
            If a worker must not be used, or the scheduler is gone.
        """
        self._left.extend(Waiting(run) for run in runs)
        try:
            self._client.subscribe_topic(self._topic, lambda event: self._heard.put(lambda: self._hear(event[1])))
            self._wait_for_staff()
            while self._left or self._handed:
                self._look()
                self._hand_out()
                self._listen()
        finally:
            self._let_go()
        return self._outcomes

    def _wait_for_staff(self) -> None:
        """Look at the workers that are there from the start, before anything is trained."""
        ends = time.monotonic() + ANSWER_SECONDS
        self._look()
        if not self._staff.workers and self._local is None:
            self._watcher.note("the scheduler has no workers yet: waiting for some")
        while (self._staff.is_being_asked or not self._staff.workers) and time.monotonic() < ends:
            self._listen()
            self._look()
        self._staff.check()

    def _listen(self) -> None:
        """Take in what was heard, or wait a little."""
        with contextlib.suppress(queue.Empty):
            self._heard.get(timeout=POLL_SECONDS)()
            while True:
                self._heard.get_nowait()()

    def _look(self) -> None:
        """See which workers there are; have back the runs of those that are gone."""
        if time.monotonic() - self._looked < POLL_SECONDS:
            return
        if self._client.status == "closed" or (self._local is not None and not self._local.has_scheduler):
            raise self._scheduler_gone()
        if self._client.status != "running":
            return  # it tries to reach the scheduler again, for some seconds
        if self._local is not None:
            self._local.tend(self._staff.processes)
        try:
            threads = self._client.sync(self._client.scheduler.ncores, callback_timeout=ANSWERS_SECONDS)
        except OSError:
            return
        self._looked = time.monotonic()
        gone = {worker.address for worker in self._staff.are_now(threads)}
        for key in [key for key, handed in self._handed.items() if handed.worker.address in gone]:
            self._take_back(key)
        if not self._handed and self._staff.workers and not self._staff.is_being_asked and not self._staff.usable():
            self._staff.check()

    def _hand_out(self) -> None:
        if self._client.status != "running":
            return
        for worker in self._staff.idle():
            now = time.monotonic()
            there = [w for w in self._left if w.since <= now and self._may_have(w, worker)]
            fitting = next((w for w in there if not w.is_held), next(iter(there), None))
            if fitting is not None:
                self._left.remove(fitting)
                self._hand(fitting, worker)

    def _may_have(self, waiting: Waiting, worker: Worker) -> bool:
        """Return whether a worker can be handed a run: one that had no room for it can where there is no other."""
        others = {other.address for other in self._staff.usable()} - waiting.not_on
        return worker.address not in waiting.not_on or not others

    def _hand(self, waiting: Waiting, worker: Worker) -> None:
        run, collected = waiting.run, None
        try:
            if self._collect_every:
                collected = Collected(self._folder, run)
                if collected.is_finished:
                    self._end(collected, Outcome(run.folder, "finished"))
                    return
            parcel = None if collected is None else collected.parcel()
        except InUseError as error:
            self._wait_for_another(waiting, str(error))
            return
        except RunError as error:
            self._end(collected, Outcome(run.folder, "failed", str(error)))
            return
        key = f"bdfa-run-{uuid.uuid4().hex}"
        errand = Errand(key, self._topic, run, self._folder.path, self._machine, parcel, self._collect_every)
        future = submitted(self._client, Call(run_errand, (errand,)).pickled(), key, worker.address)
        self._handed[key] = Handed(waiting, worker, future, collected)
        worker.busy = key
        if not waiting.is_held:
            self._begins(self._handed[key])
        future.add_done_callback(lambda _: self._heard.put(lambda: self._is_back(key)))

    def _begins(self, handed: Handed) -> None:
        if not handed.begun:
            handed.begun = True
            self._watcher.begins(handed.run.folder, handed.worker.label)

    def _has_looked(self, address: str) -> None:
        self._heard.put(lambda: self._staff.hear(address))

    def _hear(self, said: Mapping[str, Any]) -> None:
        """Take in how far a run is."""
        handed = self._handed.get(said["key"])
        if handed is None:
            return
        if "saved" in said:
            self._fetching.submit(self._fetch, said["key"], handed.worker.address)
            return
        self._begins(handed)
        progress = replace(Progress(**said["progress"]), where=handed.worker.label)
        if progress.epoch > self._losses.get(progress.folder, Losses()).epoch:
            self._losses[progress.folder] = Losses(progress.epoch)
        self._watcher.progress(progress)

    def _fetch(self, key: str, address: str) -> None:
        """Fetch a run as it was last saved; whatever is in the way, it comes with the next epoch or at the end."""
        with contextlib.suppress(Exception):
            parcel = self._client.run(last_saved, key, workers=[address])[address]
            self._heard.put(lambda: self._keep(key, parcel))

    def _keep(self, key: str, parcel: Parcel | None) -> None:
        """Keep a run as it has come from its worker in the meantime."""
        handed = self._handed.get(key)
        if handed is None or handed.collected is None or not parcel:
            return
        try:
            handed.collected.take(parcel)
        except RunError as error:
            self._note_once(f"{error} (a run that came from {handed.worker.label})")

    def _is_back(self, key: str) -> None:
        """Take in that an errand is over."""
        handed = self._handed.get(key)
        if handed is None:
            return
        back = returned(handed.future, handed.run.folder)
        if back is None:
            self._take_back(key)
            return
        self._close(key)
        if back.outcome.state == "unfinished":  # its worker is about to end
            self._wait(handed, handed.waiting)
        elif self._has_room_elsewhere(handed, back.outcome):
            handed.worker.rests_until = time.monotonic() + FULL_SECONDS
            self._watcher.note(f"{handed.worker.label}: {back.outcome.reason}; {handed.run.folder} goes on elsewhere")
            self._wait(handed, replace(handed.waiting, not_on=frozenset([handed.worker.address])))
        else:
            self._take_in(handed, back)

    def _take_in(self, handed: Handed, back: Return) -> None:
        """Take in what became of a run."""
        outcome = back.outcome
        if outcome.state == "failed" and self._local is None:
            outcome = replace(outcome, reason=f"{outcome.reason} ({handed.worker.label})")
        if handed.collected is not None:
            outcome = handed.collected.end(replace(back, outcome=outcome))
        _release(handed)
        if outcome.state == "running":
            self._wait_for_another(handed.waiting, outcome.reason)
        else:
            self._end(None, outcome)

    def _has_room_elsewhere(self, handed: Handed, outcome: Outcome) -> bool:
        """Return whether a run that has failed for a worker's full disk can be handed to another one, once."""
        if outcome.state != "failed" or handed.collected is None or handed.waiting.not_on:
            return False
        others = {worker.address for worker in self._staff.usable()} - {handed.worker.address}
        return bool(others) and any(os.strerror(number) in outcome.reason for number in (errno.ENOSPC, errno.EDQUOT))

    def _take_back(self, key: str) -> None:
        """Have a run back whose worker has vanished."""
        handed = self._close(key)
        folder = handed.run.folder
        losses = self._losses[folder] = self._losses.get(folder, Losses()).one_more()
        self._watcher.note(f"{handed.worker.label} is gone: {folder} goes on elsewhere, from its last epoch")
        if losses.count < LOST_AT_MOST:
            self._wait(handed, handed.waiting)
            return
        reason = f"{losses.count} workers vanished at it, one after the other: do they have the memory for it?"
        if handed.collected is None:
            self._folder.keep_failure(handed.run, reason)
            self._end(None, Outcome(folder, "failed", reason))
        else:
            self._end(handed.collected, handed.collected.end(Return(Outcome(folder, "failed", reason))))

    def _close(self, key: str) -> Handed:
        """Forget an errand, and have its worker idle."""
        handed = self._handed.pop(key)
        handed.worker.busy = ""
        handed.future.release()
        return handed

    def _wait(self, handed: Handed, waiting: Waiting) -> None:
        _release(handed)
        self._left.appendleft(waiting)

    def _wait_for_another(self, waiting: Waiting, reason: str) -> None:
        self._note_once(f"{reason}: it is waited for")
        self._left.append(replace(waiting, since=time.monotonic() + HELD_SECONDS, is_held=True))

    def _end(self, collected: Collected | None, outcome: Outcome) -> None:
        if collected is not None:
            collected.release()
        self._outcomes[outcome.folder] = outcome
        self._watcher.ends(outcome)

    def _note_once(self, text: str) -> None:
        if text not in self._noted:
            self._noted.add(text)
            self._watcher.note(text)

    def _scheduler_gone(self) -> UserError:
        total = len(self._outcomes) + len(self._left) + len(self._handed)
        done = sum(outcome.state == "finished" for outcome in self._outcomes.values())
        return UserError(
            f"Dask's scheduler is gone: {done} of {counted(total, 'run')} finished here, and nothing of the others but "
            "their unfinished epochs is lost; the same command goes on with them"
        )

    def _let_go(self) -> None:
        """Let go of the runs that are handed out: their workers end them after their next step."""
        for key in list(self._handed):
            _release(self._handed[key])
            self._close(key)
        self._fetching.shutdown(wait=False, cancel_futures=True)
        self._staff.close()


def _release(handed: Handed) -> None:
    if handed.collected is not None:
        handed.collected.release()

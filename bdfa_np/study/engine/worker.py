"""What is done in a Dask worker's process: looked at what is there, and one run at a time carried out."""

import contextlib
import os
import pickle
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from bdfa_np.errors import UserError, plain_line
from bdfa_np.runs.folder import LOG
from bdfa_np.study.engine.parcel import Parcel, packed, saved_at, unpack
from bdfa_np.study.events import Outcome, Progress
from bdfa_np.study.folder import StudyFolder
from bdfa_np.study.plan import PlannedRun
from bdfa_np.study.versions import versions
from bdfa_np.study.work import carry_out
from bdfa_np.system.files import encoded, refusal
from bdfa_np.system.variables import WORKER_DIR

SEEN_SECONDS = 5.0
"""How long a new file may take to be seen through a network's file system, which remembers what a folder held."""

stopping = threading.Event()
"""Set where this process is to end: its run then ends at the next word of its progress."""
_saved: dict[str, Parcel] = {}
"""Of each errand in this process, the run as it was last saved, until it has been fetched."""
_one_at_a_time = threading.Lock()
idle = threading.Event()
"""Set while no run is carried out in this process."""
idle.set()


@dataclass(frozen=True)
class Call:
    """A call that is made by whoever unpickles this.

    Dask's scheduler reads what it hands on to a worker, and would need this package for it. What it finds is a call of
    `pickle.loads` and bytes.
    """

    function: Callable[..., Any]
    arguments: tuple[Any, ...]

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        """Return what unpickling does."""
        return self.function, self.arguments

    def pickled(self) -> bytes:
        """Return it as `pickle.loads` takes it."""
        return pickle.dumps(self)


@dataclass(frozen=True)
class Found:
    """What a worker says of itself.

    Attributes
    ----------
    host : str
        Its machine.
    name : str
        What Dask calls it.
    pid : int
        Its process.
    versions : dict of str
        See `bdfa_np.study.versions.versions`.
    sees : bool
        Whether it sees the study's folder.
    """

    host: str
    name: str
    pid: int
    versions: Mapping[str, str]
    sees: bool


@dataclass(frozen=True)
class Errand:
    """One run, handed to a worker.

    Attributes
    ----------
    key : str
        What Dask calls it.
    topic : str
        Of which the client hears how far it is.
    run : PlannedRun
        The run.
    root : Path
        The study's folder, which the worker sees unless it is to bring the run back.
    machine : dict
        Options of the machine.
    parcel : Parcel or None
        The run as it is, where the worker is to bring it back; None where it sees the folder.
    collect_every : int
        After how many epochs it is brought back.
    """

    key: str
    topic: str
    run: PlannedRun
    root: Path
    machine: Mapping[str, Any]
    parcel: Parcel | None = None
    collect_every: int = 1


@dataclass(frozen=True)
class Return:
    """What a worker has to say at the end of an errand.

    Attributes
    ----------
    outcome : Outcome
        What became of the run; ``"unfinished"`` where nobody wants it any longer.
    parcel : Parcel
        The run, where it is brought back.
    failure : str
        What is kept of a failed one.
    """

    outcome: Outcome
    parcel: Parcel = field(default_factory=dict)
    failure: str = ""


class NoLongerWanted(KeyboardInterrupt):
    """Whoever handed a run out is gone, or has let go of it."""


def look(token: Path | None) -> Found:
    """Say what is here; ``token`` is a file that was just written into the study's folder."""
    worker = _worker()
    return Found(socket.gethostname(), str(worker.name), os.getpid(), versions(), token is None or _is_seen(token))


def _is_seen(token: Path) -> bool:
    ends = time.monotonic() + SEEN_SECONDS
    while not token.exists():
        if time.monotonic() > ends or not token.parent.exists():
            return False
        time.sleep(0.1)
    return True


def run_errand(errand: Errand) -> Return:
    """Carry a run out, here or in the folder that all see."""
    wanted = _wanted(errand.key)
    with _one_at_a_time:  # BLAS has one number of threads for the whole process
        idle.clear()
        try:
            if errand.parcel is None:
                return Return(carry_out(errand.run, errand.root, errand.machine, _Telling(errand, wanted)))
            return _brought_back(errand, wanted)
        except KeyboardInterrupt:
            return Return(Outcome(errand.run.folder, "unfinished"))
        finally:
            _saved.pop(errand.key, None)
            idle.set()


def last_saved(key: str) -> Parcel | None:
    """Return an errand's run as it was last saved, once."""
    return _saved.pop(key, None)


def _brought_back(errand: Errand, wanted: Callable[[], bool]) -> Return:
    """Carry a run out in a folder of this worker's own, and return it; what is in the way of that is its failure."""
    try:
        with _own_folder() as root:
            return _trained_in(root, errand, wanted)
    except UserError as error:
        return Return(Outcome(errand.run.folder, "failed", str(error)))
    except OSError as error:
        reason = plain_line(refusal(error.filename or _base(), error, "cannot be used"))
        return Return(Outcome(errand.run.folder, "failed", reason))


def _trained_in(root: Path, errand: Errand, wanted: Callable[[], bool]) -> Return:
    assert errand.parcel is not None
    folder = StudyFolder(root)
    path = folder.run(errand.run)
    unpack(errand.parcel, path)
    outcome = carry_out(errand.run, root, errand.machine, _Collecting(errand, root, wanted))
    parcel = _sent_home(path, root, errand.root)
    failure = ""
    with contextlib.suppress(OSError):
        failure = folder.failure_file(errand.run).read_text(errors="replace")
    said = "(the traceback is in "  # in a file that comes back too
    reason = outcome.reason.replace(f"{said}{root}", f"{said}{errand.root}")
    outcome = replace(outcome, reason=reason)
    return Return(outcome, parcel, failure)


def _sent_home(path: Path, root: Path, home: Path) -> Parcel:
    """Return a run's folder with a log that names the folder it is kept in, and not the one it was trained in."""
    parcel = packed(path)
    if LOG in parcel:
        parcel[LOG] = parcel[LOG].replace(encoded(str(root)), encoded(str(home)))
    return parcel


class _Telling:
    """Tells the client how far a run is, and ends the run where nobody wants it any longer."""

    def __init__(self, errand: Errand, wanted: Callable[[], bool]) -> None:
        self._errand = errand
        self._wanted = wanted
        self._worker = _worker()

    def __call__(self, progress: Progress) -> None:
        if not self._wanted():
            raise NoLongerWanted
        self._tell({"progress": asdict(progress)})

    def _tell(self, said: Mapping[str, Any]) -> None:
        self._worker.log_event(self._errand.topic, {"key": self._errand.key, **said})


class _Collecting(_Telling):
    """Says with the progress when the run was saved, and keeps it as it then was until it is fetched."""

    def __init__(self, errand: Errand, root: Path, wanted: Callable[[], bool]) -> None:
        super().__init__(errand, wanted)
        self._root = root
        self._path = StudyFolder(root).run(errand.run)
        self._before = saved_at(self._path)

    def __call__(self, progress: Progress) -> None:
        saved = saved_at(self._path)
        # An epoch's end is told before it is saved, and the next one's beginning after.
        if progress.epoch and progress.epoch % self._errand.collect_every == 0 and saved != self._before:
            self._before = saved
            _saved[self._errand.key] = _sent_home(self._path, self._root, self._errand.root)
            self._tell({"saved": progress.epoch})
        super().__call__(progress)


@contextlib.contextmanager
def _own_folder() -> Iterator[Path]:
    """Make a folder of this worker's own for a run, and remove it at the end, with those that killed workers left."""
    from distributed.diskutils import WorkSpace

    space: Any = WorkSpace(_base())
    place = space.new_work_dir(prefix="bdfa-")
    try:
        yield Path(place.dir_path)
    finally:
        place.release()


def _base() -> str:
    return WORKER_DIR.value() or str(_worker().local_directory)


def _wanted(key: str) -> Callable[[], bool]:
    """Return what says whether the client still wants an errand of this worker's."""
    worker = _worker()

    def wanted() -> bool:
        task = worker.state.tasks.get(key)
        return not stopping.is_set() and worker.status.name in {"running", "paused"} and _is_kept(task)

    return wanted


def _is_kept(task: Any) -> bool:
    """Return whether the scheduler has not taken a task back from its worker: its client left, or has let go of it."""
    return task is not None and task.state not in {"cancelled", "released", "forgotten"}


def _worker() -> Any:
    from distributed import get_worker

    return get_worker()

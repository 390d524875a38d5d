"""Clusters of processes, some of which are killed."""

import contextlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("distributed")
import psutil  # which distributed needs

from bdfa_np.runs.store.lock import is_held
from bdfa_np.study.engine.sequential import Sequential
from bdfa_np.study.events import Watcher
from bdfa_np.study.folder import StudyFolder

HERE = Path(__file__).parent
PATIENCE = 300
"""Seconds within which anything happens, or the test fails."""


def _client():
    spec = importlib.util.spec_from_file_location("study_cluster_client", HERE / "client.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def sweep():
    """Return the function that makes the runs of a sweep."""
    return _client().sweep


@pytest.fixture(scope="session")
def undisturbed(sweep, tmp_path_factory):
    """Return a folder in which as many runs of the sweep as are asked for were trained one after another."""
    root = tmp_path_factory.mktemp("undisturbed")

    def trained(count):
        outcomes = Sequential().run(sweep(count), root, {}, Watcher())
        assert {outcome.state for outcome in outcomes} == {"finished"}
        return root

    return trained


def kill(pid):
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


class Client:
    """A client in a process of its own, and what it says."""

    def __init__(self, root, count, settings, environment, where):
        command = [sys.executable, str(HERE / "client.py"), str(root), str(count), json.dumps(settings)]
        self.errors = (where / "client.stderr").open("ab+")
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=self.errors, env={**os.environ, **environment}, cwd=where, text=True
        )
        self.events = []

    def next(self):
        """Return the next event; None after the last one."""
        line = self.process.stdout.readline()
        if not line:
            return None
        event = json.loads(line)
        self.events.append(event)
        return event

    def until(self, says):
        """Read on until an event is of a kind, and return it."""
        while (event := self.next()) is not None:
            if says in event:
                return event
        raise AssertionError(f"no {says!r} in {self.events}")

    def drain(self):
        while self.next() is not None:
            pass

    def ends(self):
        """Read what is left, and return the exit code and what was written to standard error."""
        self.drain()
        self.process.wait(PATIENCE)
        self.process.stdout.close()
        self.errors.seek(0)
        said = self.errors.read().decode()
        self.errors.close()
        return self.process.returncode, said

    def children(self, kind):
        """Return the processes of its own cluster that are a scheduler or workers."""
        found = []
        for process in psutil.Process(self.process.pid).children():
            with contextlib.suppress(psutil.Error):
                if kind in process.cmdline():
                    found.append(process.pid)
        return sorted(found)


@pytest.fixture
def client(tmp_path):
    """Start clients; those that are left are killed, and their clusters with them."""
    started = []

    def start(root, count, settings, **environment):
        started.append(Client(root, count, settings, environment, tmp_path))
        return started[-1]

    yield start
    for one in started:
        one.process.kill()
        one.process.wait()
        one.process.stdout.close()
        one.errors.close()


class Cluster:
    """A scheduler and workers as a user starts them, in other folders than the study's."""

    def __init__(self, folder, workers=2, preload=""):
        self.folder = folder
        self.preload = preload
        self.workers_count = workers
        self.processes = []
        self.start()

    @property
    def file(self):
        return self.folder / "scheduler.json"

    def start(self):
        self.file.unlink(missing_ok=True)
        self._dask("scheduler", "--port", "0", "--no-dashboard", "--dashboard-address", "127.0.0.1:0")
        for number in range(self.workers_count):
            self.add_worker(f"node{number}", self.preload)

    def add_worker(self, name, preload=""):
        """Start a worker that runs something before all else."""
        options = ["--nthreads", "1", "--no-dashboard", "--memory-limit", "0", "--name", name]
        if preload:
            (self.folder / f"before-{name}.py").write_text(preload)
            options += ["--preload", str(self.folder / f"before-{name}.py")]
        self._dask("worker", *options)

    def _dask(self, kind, *arguments):
        command = [sys.executable, "-P", "-m", "dask", kind, "--host", "127.0.0.1", *arguments]
        place = ["--local-directory", str(self.folder / "local")] if kind == "worker" else []
        environment = {**os.environ, "BDFA_WORKER_DIR": str(self.folder / "runs"), "OMP_NUM_THREADS": "1"}
        with (self.folder / f"{kind}.log").open("ab") as log:
            process = subprocess.Popen(
                [*command, "--scheduler-file", str(self.file), *place],
                stdout=log,
                stderr=log,
                env=environment,
                cwd=self.folder,
                start_new_session=True,
            )
        self.processes.append(process)

    def workers(self):
        """Return the processes of the workers, without the nannies that start them anew."""
        found = []
        for nanny in self.processes[1:]:
            with contextlib.suppress(psutil.Error):
                children = psutil.Process(nanny.pid).children()
                found += [child.pid for child in children if "resource_tracker" not in " ".join(child.cmdline())]
        return sorted(found)

    def kill_scheduler(self):
        kill(self.processes[0].pid)

    def stop(self):
        for pid in [*(process.pid for process in self.processes), *self.workers()]:
            kill(pid)
        for process in self.processes:
            process.wait()
        self.processes = []


@pytest.fixture
def by_hand(tmp_path, request):
    """Return a cluster that was started by hand; a parameter is what its workers run first, and how many."""
    folder = tmp_path / "elsewhere"
    (folder / "runs").mkdir(parents=True)
    preload, workers = param if isinstance(param := getattr(request, "param", ("", 2)), tuple) else (param, 1)
    cluster = Cluster(folder, workers, preload)
    yield cluster
    cluster.stop()


class Disturbed:
    """Carries a sweep out to its end, however often somebody is killed, and looks at every run that is finished."""

    def __init__(self, root, count, settings, start, sweep, by_hand=None):
        self.root = root
        self.settings = settings
        self.count = count
        self.runs = sweep(count)
        self.start = start
        self.by_hand = by_hand
        self.finished = {}
        self.said = []

    def run(self, plan, random_state):
        """Kill by a plan: after so many events somebody of a kind; go on until all runs are finished."""
        client = self.start(self.root, self.count, self.settings)
        for events, victim in [*plan, (0, None)]:
            self._read(client, events)
            if victim is None:
                break
            self.said.append((victim, events))
            self._kill(client, victim, random_state)
            if victim != "worker":
                code, errors = client.ends()
                assert errors == ""
                if victim == "scheduler":
                    said = [event["error"] for event in client.events if "error" in event]
                    assert (code, len(said)) == (2, 1), client.events
                    assert "the same command goes on" in said[0]
                self.look()
                client = self.start(self.root, self.count, self.settings)
        code, errors = client.ends()
        assert (code, errors) == (0, ""), client.events[-3:]
        self.look()
        return client

    def _read(self, client, events):
        for _ in range(events):
            if client.next() is None:
                raise AssertionError(f"the sweep ended before all were killed: {client.events[-3:]}")

    def _kill(self, client, victim, random_state):
        if victim == "client":
            kill(client.process.pid)
        elif victim == "scheduler" and self.by_hand is not None:
            self.by_hand.kill_scheduler()
            client.drain()
            self.by_hand.stop()
            self.by_hand.start()
        elif victim == "scheduler":
            kill(client.children("scheduler")[0])
        else:
            workers = client.children("worker") if self.by_hand is None else self.by_hand.workers()
            if workers:
                kill(random_state.choice(workers))

    def look(self):
        """See that no run that was finished has been touched since, and which ones are now."""
        folder = StudyFolder(self.root)
        for name, before in self.finished.items():
            assert self._state(folder, name) == before, name
        for run in self.runs:
            # A worker whose scheduler is gone may be at a run's last files: what it still writes is no second training.
            if folder.is_finished(run) and not is_held(folder.run(run)):
                folder.history(run)  # which completes what a killed process has left half-written
                self.finished[run.folder] = self._state(folder, run.folder)

    @staticmethod
    def _state(folder, name):
        place = folder.path / name
        return {file: ((place / file).stat().st_mtime_ns, (place / file).stat().st_ino) for file in os.listdir(place)}


@pytest.fixture
def disturbed(tmp_path, client, sweep):
    """Return what carries a sweep out while it is disturbed."""

    def made(count, by_hand=None, **settings):
        return Disturbed(tmp_path / "study", count, settings, client, sweep, by_hand)

    return made


def digits(root, run):
    """Return what a run has come to: weights and all else of its checkpoint, and its figures without the seconds."""
    import h5py

    found = {}

    def keep(name, thing):
        found.update({f"{name}@{key}": str(value) for key, value in thing.attrs.items()})
        if name == "record":
            record = json.loads(thing[()].tobytes())
            del record["options"]["models_folder"]  # of the folder in which a process was started
            found[name] = record
        elif isinstance(thing, h5py.Dataset):
            found[name] = thing[()].tobytes() if thing.dtype != object else str(thing[()])

    with h5py.File(root / run.folder / "checkpoint.h5") as file:
        found.update({f"@{key}": str(value) for key, value in file.attrs.items()})
        file.visititems(keep)
    rows = [line.rpartition(",")[0] for line in (root / run.folder / "metrics.csv").read_text().splitlines()]
    return found, rows


@pytest.fixture(scope="session")
def same_digits():
    """Return what asserts that two folders hold the same runs, bit for bit, each trained once to its end."""

    def check(root, other, runs):
        for run in runs:
            (mine, rows), (theirs, other_rows) = digits(root, run), digits(other, run)
            assert rows == other_rows, run.folder
            assert mine.keys() ^ theirs.keys() == set()
            assert {name for name in mine if mine[name] != theirs[name]} <= {"history@sha256"}, run.folder  # of seconds
            log = (root / run.folder / "Log.txt").read_text()
            assert log.count("done: ") <= 1, log  # none where a kill came after the last epoch was saved
            for epoch in range(1, run.options["epochs"] + 1):
                assert log.count(f"epoch {epoch}/") == 1, log

    return check

"""A full disk: one clear line, the run goes on where there is room, and nothing is lost or half-written."""

import os
import subprocess
import sys

import pytest

from bdfa_np.study.engine.handing import Handing, Waiting
from bdfa_np.study.engine.staff import Worker, returned
from bdfa_np.study.engine.worker import Return
from bdfa_np.study.events import Outcome, Watcher
from bdfa_np.study.folder import StudyFolder

FILLS = """
import builtins, errno, os, time
from pathlib import Path

def dask_setup(worker):
    real, begun, written = open, Path("begun"), 0

    def opened(file, mode="r", *arguments, **named):
        nonlocal written
        if str(file).endswith("checkpoint.h5.partial"):
            written += 1
            if worker.name != "node0":
                begun.touch()
            elif written >= 3:  # after an epoch, and not before another worker is there
                while not begun.exists():
                    time.sleep(0.01)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(file))
        return real(file, mode, *arguments, **named)

    builtins.open = opened
"""
"""Has the disk of node0 full from its third checkpoint on."""
IS_FULL = """
import errno, os
from distributed.diskutils import WorkSpace

def full(self, **_):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), self.base_dir)

WorkSpace.new_work_dir = full
"""


def worker_notes(client):
    """Return what a client was told of its workers."""
    return [event["note"] for event in client.events if event.get("note", "").startswith("worker ")]


@pytest.mark.parametrize("by_hand", [(FILLS, 2)], indirect=True)
def test_a_run_on_a_worker_whose_disk_fills_goes_on_elsewhere_from_its_last_epoch(
    by_hand, client, tmp_path, undisturbed, sweep, same_digits
):
    root = tmp_path / "study"
    started = client(root, 3, {"scheduler": str(by_hand.file), "collect": True})
    assert started.ends() == (0, "")
    (said,) = worker_notes(started)
    assert said.startswith("worker node0 on ")
    assert "No space left on device: make room" in said
    assert said.endswith(" goes on elsewhere")
    assert {event["ends"]["state"] for event in started.events if "ends" in event} == {"finished"}
    same_digits(root, undisturbed(3), sweep(3))
    assert [path.name for path in (by_hand.folder / "runs").iterdir() if path.is_dir()] == []
    for run in sweep(3):
        log = (root / run.folder / "Log.txt").read_text()
        assert f"run folder: {root / run.folder}\n" in log
        assert str(by_hand.folder / "runs") not in log


@pytest.mark.slow
@pytest.mark.parametrize("by_hand", [IS_FULL], indirect=True)
def test_where_no_worker_has_room_every_run_fails_by_name_and_can_be_gone_on_with(by_hand, client, tmp_path, sweep):
    root = tmp_path / "study"
    settings = {"scheduler": str(by_hand.file), "collect": True}
    started = client(root, 2, settings)
    assert started.ends() == (0, "")
    outcomes = [event["ends"] for event in started.events if "ends" in event]
    assert [outcome["state"] for outcome in outcomes] == ["failed", "failed"]
    for outcome in outcomes:
        assert "No space left on device: make room (worker node0 on " in outcome["reason"]
        assert str(by_hand.folder / "runs") in outcome["reason"]
    assert worker_notes(started) == []
    assert all(StudyFolder(root).failure(run) for run in sweep(2))
    by_hand.stop()
    by_hand.preload = ""
    by_hand.start()
    again = client(root, 2, settings)
    assert again.ends()[0] == 0
    assert [event["ends"]["state"] for event in again.events if "ends" in event] == ["finished", "finished"]
    assert not any(StudyFolder(root).failure(run) for run in sweep(2))


@pytest.fixture
def small_disk(tmp_path):
    """Return a file system of 200 kB, and what makes it larger; only an administrator can mount one."""
    place = tmp_path / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o"]
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        pytest.skip("needs an administrator of Linux")
    if subprocess.run([*mount, "size=200k", "tmpfs", str(place)], check=False, capture_output=True).returncode:
        pytest.skip("nothing can be mounted here")
    yield place, lambda: subprocess.run([*mount, "remount,size=8m", "tmpfs", str(place)], check=True)
    subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.mark.slow
def test_a_shared_folder_that_is_full_fails_runs_by_name_and_they_go_on_once_there_is_room(
    small_disk, client, undisturbed, sweep, same_digits
):
    place, enlarge = small_disk
    root = place / "study"
    started = client(root, 4, {"workers": 2})
    assert started.ends() == (0, "")
    failed = [event["ends"] for event in started.events if "ends" in event and event["ends"]["state"] == "failed"]
    assert failed
    assert all("No space left on device: make room" in outcome["reason"] for outcome in failed)
    assert not list(place.rglob("*.partial"))
    enlarge()
    again = client(root, 4, {"workers": 2})
    assert again.ends() == (0, "")
    assert {event["ends"]["state"] for event in again.events if "ends" in event} == {"finished"}
    same_digits(root, undisturbed(4), sweep(4))


class Future:
    """What a call has come to, as a client of Dask has it."""

    def __init__(self, status, result=None, error=None):
        self.status = status
        self._result = result
        self._error = error

    def result(self, timeout):
        if self._error is not None:
            raise self._error
        return self._result


def test_what_a_call_raises_is_its_run_s_failure_and_what_is_lost_on_the_way_is_a_lost_worker():
    back = Return(Outcome("a", "finished"))
    assert returned(Future("finished", back), "a") == back
    assert returned(Future("finished", error=OSError("Timed out")), "a") is None
    assert returned(Future("lost"), "a") is None
    assert returned(Future("cancelled"), "a") is None
    failed = returned(Future("error", error=OSError(28, "No space left on device")), "a")
    assert failed == Return(Outcome("a", "failed", "OSError: [Errno 28] No space left on device"))


def test_a_run_goes_back_to_the_worker_that_had_no_room_only_where_no_other_is_left(tmp_path, sweep):
    handing = Handing(None, None, StudyFolder(tmp_path), {}, Watcher(), collect_every=1)
    full, other = Worker("a", None), Worker("b", None)
    handing._staff.workers = {"a": full, "b": other}
    waiting = Waiting(sweep(1)[0], not_on=frozenset(["a"]))
    assert [handing._may_have(waiting, worker) for worker in (full, other)] == [False, True]
    del handing._staff.workers["b"]
    assert handing._may_have(waiting, full)

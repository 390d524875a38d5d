"""Claims on runs: never two processes at once, and none that is gone keeps a run to itself."""

import contextlib
import errno
import json
import multiprocessing
import os
import signal
import threading
import time

import pytest

from bdfa_np.errors import InUseError, RunError
from bdfa_np.study import claims
from bdfa_np.study.claims import ClaimLostError, claimed, holder
from bdfa_np.system.processes import Process

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="children are forked")

FORK = multiprocessing.get_context("fork") if hasattr(os, "fork") else None


@pytest.fixture
def quick(monkeypatch):
    """Let claims be rewritten and grow stale in parts of a second, in children too."""
    monkeypatch.setattr(claims, "BEAT_SECONDS", 0.01)
    monkeypatch.setattr(claims, "STALE_SECONDS", 0.3)


class Child:
    """A forked process that does what a function says, which is given a pipe."""

    def __init__(self, work, *arguments):
        self.pipe, there = FORK.Pipe()
        self.process = FORK.Process(target=work, args=(there, *arguments), daemon=True)
        self.process.start()

    def says(self):
        assert self.pipe.poll(20), "nothing was said"
        return self.pipe.recv()

    def tell(self, what="go on"):
        self.pipe.send(what)

    def signal(self, number):
        os.kill(self.process.pid, number)

    def ends(self):
        self.process.join(20)
        assert self.process.exitcode is not None


@pytest.fixture
def child():
    children = []

    def start(work, *arguments):
        children.append(Child(work, *arguments))
        return children[-1]

    yield start
    for one in children:
        one.process.kill()
        one.process.join()


def hold(pipe, run):
    """Hold a claim until told to go on, then say whether it is held still."""
    with claimed(run) as claim:
        pipe.send(os.getpid())
        pipe.recv()
        try:
            claim.check()
            pipe.send("held")
        except ClaimLostError as error:
            pipe.send(str(error))


def free_within(run, seconds=20):
    """Return whether a claim becomes free in time, asked again and again as whoever waits does."""
    end = time.monotonic() + seconds
    while holder(run) is not None:
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


@pytest.fixture
def run(tmp_path):
    return tmp_path / "cell" / "seed-1"


def files(run):
    return sorted(path.name for path in run.with_name(".seed-1.claim").iterdir())


def test_a_claim_is_held_by_one_and_free_before_and_after(run):
    assert holder(run) is None
    with claimed(run) as claim:
        claim.check()
        assert holder(run).process.pid == os.getpid()
        with pytest.raises(InUseError, match=rf"process {os.getpid()} on .+ is at work on {run}"), claimed(run):
            pass
        claim.check()
    assert holder(run) is None
    with claimed(run) as claim:
        claim.check()


def test_an_error_or_ctrl_c_lets_it_go(run):
    for error in (ValueError, KeyboardInterrupt):
        with pytest.raises(error), claimed(run):
            raise error
        assert holder(run) is None


def test_claims_leave_one_small_hidden_file_however_often_a_run_was_claimed(run):
    for _ in range(5):
        with claimed(run):
            pass
    assert files(run) == ["5"]
    assert [path.name for path in run.parent.iterdir()] == [".seed-1.claim"]


def test_another_process_is_kept_out_while_it_lives_and_no_longer(run, child):
    other = child(hold, run)
    pid = other.says()
    with pytest.raises(InUseError, match=f"process {pid} on "), claimed(run):
        pass
    other.tell()
    assert other.says() == "held"
    other.ends()
    with claimed(run):
        pass


def test_a_process_killed_meanwhile_holds_nothing_any_longer_and_is_not_waited_for(run, child):
    other = child(hold, run)
    other.says()
    assert holder(run) is not None
    other.signal(signal.SIGKILL)
    os.waitid(os.P_PID, other.process.pid, os.WEXITED | os.WNOWAIT)  # it is a zombie now: its parent has not asked
    assert holder(run) is None
    other.ends()
    with claimed(run) as claim:
        claim.check()


def race(pipe, run, rounds):
    """Claim as often as can be; say how often, and whether anybody else held it meanwhile."""
    inside = run.with_name("inside")
    held = disturbed = 0
    pipe.send("ready")
    pipe.recv()
    while held < rounds:
        try:
            with claimed(run) as claim:
                claim.check()
                try:
                    os.close(os.open(inside, os.O_CREAT | os.O_EXCL))
                    claim.check()
                    os.unlink(inside)
                except (FileExistsError, ClaimLostError):
                    disturbed += 1
                held += 1
        except InUseError:
            continue
    pipe.send((held, disturbed))


def test_of_several_at_once_never_two_hold_it(run, child):
    run.parent.mkdir()
    racers = [child(race, run, 15) for _ in range(4)]
    for racer in racers:
        racer.says()
    for racer in racers:
        racer.tell()
    assert [racer.says() for racer in racers] == [(15, 0)] * 4


def test_of_several_that_find_it_stale_one_takes_it(run, child, quick):
    keeper = child(hold, run)
    keeper.says()
    keeper.signal(signal.SIGSTOP)

    def take(pipe, run):
        free_within(run)
        pipe.send("stale")
        pipe.recv()
        try:
            with claimed(run) as claim:
                claim.check()
                pipe.send("taken")
                pipe.recv()
                claim.check()
                pipe.send("held")
        except InUseError:
            pipe.send("in use")

    takers = [child(take, run) for _ in range(4)]
    assert [taker.says() for taker in takers] == ["stale"] * 4
    for taker in takers:
        taker.tell()
    said = [taker.says() for taker in takers]
    assert sorted(said) == ["in use", "in use", "in use", "taken"]
    winner = takers[said.index("taken")]
    keeper.signal(signal.SIGCONT)
    keeper.tell()
    assert "is no longer this process's to go on with" in keeper.says()
    keeper.ends()  # what it does on its way out leaves the other's claim alone
    assert holder(run).process.pid == winner.process.pid
    winner.tell()
    assert winner.says() == "held"


def test_a_process_that_stood_still_for_less_than_that_has_it_still(run, child, quick, monkeypatch):
    monkeypatch.setattr(claims, "STALE_SECONDS", 60)
    other = child(hold, run)
    other.says()
    other.signal(signal.SIGSTOP)
    assert not free_within(run, 0.1)
    other.signal(signal.SIGCONT)
    other.tell()
    assert other.says() == "held"


def test_a_claim_that_is_rewritten_is_never_stale_however_long_it_is_watched(run, child, monkeypatch):
    monkeypatch.setattr(claims, "BEAT_SECONDS", 0.01)
    other = child(hold, run)
    other.says()
    now = [1e6]
    monkeypatch.setattr(claims.time, "monotonic", lambda: now[0])
    path = run.with_name(".seed-1.claim") / "1"
    for _ in range(3):
        before = path.read_bytes()
        assert holder(run) is not None
        while path.read_bytes() == before:
            pass
        now[0] += 61
        assert holder(run) is not None


@pytest.mark.parametrize("others", [0, 2])
def test_whoever_claims_after_a_slow_one_has_looked_is_not_robbed(run, monkeypatch, others):
    with claimed(run):
        pass
    seen = claims._latest

    def slow(folder):
        found = seen(folder)
        monkeypatch.setattr(claims, "_latest", seen)
        for _ in range(others):  # they claim it and let it go meanwhile, and another one holds it
            with claimed(run):
                pass
        held.append(stack.enter_context(claimed(run)))
        return found

    held = []
    with contextlib.ExitStack() as stack:
        monkeypatch.setattr(claims, "_latest", slow)
        with pytest.raises(InUseError, match="has just begun"), claimed(run):
            pass
        assert files(run) == [str(others + 2)]
        held[0].check()


def elsewhere(run, number="1", **changes):
    """Write a claim as another machine's process does, which nobody here can look for."""
    folder = run.with_name(".seed-1.claim")
    folder.mkdir(parents=True, exist_ok=True)
    process = {"boot": "another", "namespace": "1", "pid": os.getpid(), "started": "1"}
    said = {"beat": "1", "host": "node7", "process": process, "token": "t", "released": False, **changes}
    (folder / number).write_text(json.dumps(said))


def test_another_machines_claim_counts_until_it_was_seen_unchanged_for_a_minute(run, monkeypatch):
    now = [1e6]
    monkeypatch.setattr(claims.time, "monotonic", lambda: now[0])
    elsewhere(run)
    assert str(holder(run)) == f"process {os.getpid()} on node7"
    now[0] += 59
    assert holder(run) is not None
    elsewhere(run, beat="2")
    now[0] += 2
    assert holder(run) is not None  # it has changed: seen now for the first time
    now[0] += 59
    assert holder(run) is not None
    now[0] += 2
    assert holder(run) is None
    with claimed(run) as claim:
        claim.check()


@pytest.mark.parametrize("age", [-3e8, 3e8])
def test_clocks_of_other_machines_play_no_part(run, age, quick):
    elsewhere(run)
    path = run.with_name(".seed-1.claim") / "1"
    os.utime(path, (time.time() + age, time.time() + age))
    assert holder(run) is not None
    assert free_within(run)


@pytest.mark.parametrize("content", [b"", b'{"beat": "1", "ho', b"[]", b"\xff\x00", b'{"host": 1}'])
def test_half_a_claim_is_somebodys_for_as_long_as_any_other_and_then_nobodys(run, content, quick):
    folder = run.with_name(".seed-1.claim")
    folder.mkdir(parents=True)
    (folder / "7").write_bytes(content)
    assert str(holder(run)) == "another process"
    assert free_within(run)
    with claimed(run):
        pass
    assert files(run) == ["8"]


def test_what_else_lies_there_is_no_claim(run):
    folder = run.with_name(".seed-1.claim")
    folder.mkdir(parents=True)
    (folder / ".nfs0001").write_text("")
    (folder / "notes.txt").write_text("")
    with claimed(run) as claim:
        assert claim.path.name == "1"


def test_a_claim_that_somebody_removed_is_lost(run):
    with claimed(run) as claim:
        claim.path.unlink()
        with pytest.raises(ClaimLostError, match="seed-1 is no longer this process's"):
            claim.check()


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.EROFS, "Read-only file system: this file system is read-only: use a folder on another one"),
        (errno.EACCES, "Permission denied: check its permissions"),
    ],
)
def test_a_folder_that_cannot_be_written_is_told_in_one_line(run, monkeypatch, number, said):
    def refuse(path, *_):
        raise OSError(number, os.strerror(number), path)

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(RunError, match=rf"seed-1\.claim cannot be written: {said}$"), claimed(run):
        pass


def test_a_full_disk_is_told_in_one_line_and_leaves_nothing(run, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RunError, match=r"cannot be written: No space left on device: make room"), claimed(run):
        pass
    assert files(run) == []
    monkeypatch.undo()
    with claimed(run):
        pass


def test_a_disk_that_is_full_later_costs_nothing_but_the_claim(run, monkeypatch, quick):
    def full(*_):
        raise OSError(28, "No space left on device")

    with claimed(run) as claim:
        monkeypatch.setattr(os, "write", full)
        claim.check()
    monkeypatch.undo()
    monkeypatch.setattr(claims, "STALE_SECONDS", 0.1)
    assert free_within(run)


def test_threads_of_one_process_are_kept_apart_as_processes_are(run):
    found = []

    def work():
        try:
            with claimed(run):
                found.append("claimed")
        except InUseError:
            found.append("in use")

    with claimed(run):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert found == ["in use"]


def test_a_process_is_known_by_its_start_too_since_numbers_are_given_anew():
    this = Process.this()
    if not this.boot:
        pytest.skip("the system tells nothing of processes")
    assert not this.is_gone()
    assert Process(this.boot, this.namespace, this.pid, "1").is_gone()


def test_of_a_process_in_another_boot_or_namespace_nothing_is_known(monkeypatch):
    this = Process.this()
    gone = Process(this.boot, this.namespace, 2**22 + 1, "1")
    assert gone.is_gone() == bool(this.boot)
    assert not Process("another", this.namespace, gone.pid, "1").is_gone()
    assert not Process(this.boot, "another", gone.pid, "1").is_gone()


def test_where_others_processes_are_hidden_one_that_is_not_seen_is_not_taken_for_gone(monkeypatch):
    this = Process.this()
    if not this.boot:
        pytest.skip("the system tells nothing of processes")

    def may_not(pid, number):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "kill", may_not)
    assert not Process(this.boot, this.namespace, 2**22 + 1, "1").is_gone()


def test_an_interrupt_while_a_claim_is_made_leaves_the_run_to_others(tmp_path, monkeypatch):
    here = claims.Holder.here

    def interrupted():
        signal.raise_signal(signal.SIGINT)
        return here()

    monkeypatch.setattr(claims.Holder, "here", interrupted)
    run = tmp_path / "seed-1"
    with pytest.raises(KeyboardInterrupt), claimed(run):
        raise AssertionError("it begins to work")
    assert holder(run) is None

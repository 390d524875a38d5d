"""``--processes P``: the same without an MPI, from the command line, from Python and in a study."""

import os
import random
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import processes
import pytest
from comparing import same
from processes import IN_PROC, PATIENT, member_ends_with, member_of

from bdfa_np import train
from bdfa_np.errors import ConfigError, RunError
from bdfa_np.parallel.local import Neighbours, mapped, started

SMALL = {"dataset": "mnist-5k", "num_hidden": 20, "train_limit": 300, "test_limit": 100, "threads": 1}
SMALL |= {"backend": "numpy", "lr": 1e-2, "optimization": "sgd", "progress": False}
WORDS = ["--dataset", "mnist-5k", "--num-hidden", "20", "--train-limit", "300", "--threads", "1", "--backend", "numpy"]


@pytest.mark.parametrize("size", [2, 3])
@pytest.mark.parametrize("rule", ["bp", "bdfa", "ebd"])
def test_python_trains_in_several_processes_to_what_one_comes_to(tmp_path, rule, size):
    one = train(**SMALL, gradient=rule, epochs=2)
    several = train(**SMALL, gradient=rule, epochs=2, processes=size)
    for ours, theirs in zip(several.history, one.history, strict=True):
        assert ours.train_loss == pytest.approx(theirs.train_loss, rel=1e-4)
        assert ours.test_loss == pytest.approx(theirs.test_loss, rel=1e-4)
        assert ours.train_error == pytest.approx(theirs.train_error, abs=0.01)
        assert ours.test_error == pytest.approx(theirs.test_error, abs=0.02)
    W, expected = several.model.network.weights.values, one.model.network.weights.values
    np.testing.assert_allclose(W, expected, rtol=0, atol=1e-5)


def test_twice_the_same_bits_and_a_resumed_run_has_those_of_one_that_was_not_stopped(tmp_path):
    for name in ("first", "second"):
        train(**SMALL, epochs=2, processes=2, save=tmp_path / name)
    train(**SMALL, epochs=1, processes=2, save=tmp_path / "stopped")
    resumed = train(epochs=2, save=tmp_path / "stopped", resume=True, progress=False)
    assert len(resumed.history) == 2
    assert same(tmp_path / "first", tmp_path / "second")
    assert same(tmp_path / "first", tmp_path / "stopped")
    assert resumed.config.processes == 2


def test_a_resumed_run_may_have_another_number_of_processes_and_says_so(tmp_path):
    train(**SMALL, epochs=1, processes=2, save=tmp_path / "run")
    resumed = train(epochs=2, processes=1, save=tmp_path / "run", resume=True, progress=False)
    assert len(resumed.history) == 2
    log = (tmp_path / "run" / "Log.txt").read_text(encoding="utf-8")
    assert "note: 2 processes trained the run until now, and 1 from here: digits may differ" in log


def test_no_process_and_no_file_is_left_behind(tmp_path, monkeypatch):
    monkeypatch.setattr("bdfa_np.parallel.local.IN_MEMORY", tmp_path)
    with started(3) as team:
        pids = [process.pid for process in team._processes]
        assert list(tmp_path.iterdir())
    assert list(tmp_path.iterdir()) == []
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


@pytest.mark.parametrize("size", [2, 3, 5])
def test_sums_of_any_size_and_type_are_those_of_numpy_and_the_same_in_all(tmp_path, size):
    class Threads(Neighbours):
        def gather(self, value):
            self.meet()
            return [value] * self.size

        def copy(self, value):
            self.meet()
            return value

        def abandon(self, code):
            raise AssertionError

        def _look_around(self):
            pass

    rng = np.random.default_rng(0)
    shapes = (1,), (7,), (3, 5), (1000,)
    cases = [rng.normal(size=(size, *shape)).astype(kind) for kind in ("f4", "f8") for shape in shapes]
    cases.append((2**40 + rng.integers(0, 9, size=(size, 4))).astype("i8"))

    def add(team):
        found = [case[team.rank].copy() for case in cases]
        for array in found:
            team.sum(array)
        return found

    teams = [Threads(rank, size, tmp_path) for rank in range(size)]
    with ThreadPoolExecutor(size) as pool:
        everybody = list(pool.map(add, teams))
    for number, case in enumerate(cases):
        expected = case.sum(axis=0)
        np.testing.assert_allclose(
            everybody[0][number], expected, rtol=0, atol=4 * size * np.spacing(np.abs(case).max())
        )
        assert all((found[number] == everybody[0][number]).all() for found in everybody)


def test_memory_is_shared_by_all_who_map_a_file(tmp_path):
    one, other = (np.frombuffer(mapped(tmp_path / "file", 16), dtype=np.int64) for _ in range(2))
    one[1] = 7
    assert other.tolist() == [0, 7]


def test_what_the_others_cannot_do_is_refused_by_the_first(tmp_path):
    with pytest.raises(ConfigError, match=r"a batch of 2 cannot be cut over 3 processes"):
        train(**SMALL, epochs=1, batch_size=2, processes=3)
    with pytest.raises(ConfigError, match=r"processes"):
        train(**SMALL, epochs=1, processes=0)


def begun(run, *words, **more):
    return processes.begun(run, *WORDS, "--processes", "2", *words, **more)


@IN_PROC
class TestDeaths:
    """A process that dies or hangs, and the first one itself."""

    def test_a_process_that_is_killed_is_named_in_one_line_and_resume_comes_to_the_same_bits(self, tmp_path):
        rng = random.Random(0)
        undisturbed = begun(tmp_path / "undisturbed", "--epochs", "8")
        assert undisturbed.wait(PATIENT) == 0
        process = begun(tmp_path / "run", "--epochs", "1000")
        time.sleep(rng.random() * 0.3)
        member = member_of(process.pid)
        os.kill(member, signal.SIGKILL)
        _, err = process.communicate(timeout=PATIENT)
        assert process.returncode == 2
        assert err == (
            f"bdfa: error: rank 1 of 2 (process {member}) was ended by signal 9 (SIGKILL): go on with --resume\n"
        )
        long = begun(tmp_path / "long", "--epochs", "1000")
        time.sleep(0.2)
        long.send_signal(signal.SIGINT)
        _, err = long.communicate(timeout=PATIENT)
        assert long.returncode == 130, err
        for name in ("run", "long"):
            done = len((tmp_path / name / "metrics.csv").read_text().splitlines()) - 1
            again = begun(tmp_path / name, "--resume", "--epochs", str(done + 2))
            _, err = again.communicate(timeout=PATIENT)
            assert (again.returncode, err) == (0, "")
            whole = begun(tmp_path / f"{name}-whole", "--epochs", str(done + 2))
            assert whole.wait(PATIENT) == 0
            whole.stderr.close()
            assert same(tmp_path / name, tmp_path / f"{name}-whole")
        undisturbed.stderr.close()

    def test_a_process_that_hangs_is_named_and_ended(self, tmp_path):
        process = begun(tmp_path / "run", "--epochs", "100000", BDFA_PATIENCE="10")
        member = member_of(process.pid)
        os.kill(member, signal.SIGSTOP)
        _, err = process.communicate(timeout=PATIENT)
        assert process.returncode == 2
        assert err == (f"bdfa: error: rank 1 of 2 (process {member}) has not answered for 10 s: go on with --resume\n")

    def test_when_the_first_is_killed_the_others_end_too(self, tmp_path):
        process = begun(tmp_path / "run", "--epochs", "100000")
        assert member_ends_with(process)


@IN_PROC
@pytest.mark.parametrize(
    "speak", [lambda team: team.copy(bytes(10**6)), lambda team: team.gather(None)], ids=["to", "of"]
)
def test_a_process_that_does_not_hear_or_does_not_answer_is_named(monkeypatch, speak):
    monkeypatch.setenv("BDFA_PATIENCE", "1")
    with started(2) as team:
        (member,) = team._processes
        os.kill(member.pid, signal.SIGSTOP)
        with pytest.raises(RunError, match=rf"rank 1 of 2 \(process {member.pid}\) has not answered for 1 s"):
            speak(team)


@IN_PROC
def test_a_lost_process_raises_in_python_and_the_session_goes_on(tmp_path):
    killed = []

    def kill_once(record, measured):
        if not killed:
            killed.append(member_of(os.getpid()))
            os.kill(killed[0], signal.SIGKILL)

    with pytest.raises(RunError, match=r"rank 1 of 2 \(process \d+\) was ended by signal 9"):
        train(**SMALL, epochs=3, processes=2, save=tmp_path / "run", callbacks=kill_once)
    assert killed
    again = train(epochs=3, save=tmp_path / "run", resume=True, progress=False)
    assert len(again.history) == 3

"""``mpirun -n P bdfa train``: real processes, what they come to, and how they end."""

import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from comparing import figures, same
from processes import PATIENT, ranks_of, wait_for_epoch

from bdfa_np.runs.folder import RunFolder

pytest_plugins = ["mpi_fixtures"]

SMALL = ["--dataset", "mnist-5k", "--num-hidden", "20", "--train-limit", "300", "--test-limit", "100"]
SMALL += ["--threads", "1", "--backend", "numpy"]
SAYING = """
import os, signal, time
from bdfa_np.parallel.joining import joined

team = joined()
team.meet()
if team.rank == 1:
    print(os.getpid(), flush=True)
    os.kill(os.getpid(), signal.SIGSTOP)
if team.rank == 0:
    time.sleep(1)
team.copy(bytes(10**8) if team.rank == 0 else None)
"""
EPOCHS = 60
"""So many that a process can be killed before they are done."""


def ended(process):
    """Wait for the end, and return the exit code, standard output and standard error."""
    out, err = process.communicate(timeout=PATIENT)
    return process.returncode, out, err


def alone(*words):
    done = subprocess.run(
        [sys.executable, "-m", "bdfa_np", *map(str, words)], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_two_processes_come_to_what_one_does_and_twice_to_the_same_bits(mpirun, tmp_path):
    for name in ("first", "second"):
        code, out, err = ended(mpirun("-n", 2, "bdfa", "train", *SMALL, "--epochs", 2, "--save", tmp_path / name))
        assert (code, err) == (0, "")
        assert out.count("2 processes, each with a share of every batch") == 1
        assert out.count("done: test error") == 1
    alone("train", *SMALL, "--epochs", 2, "--save", tmp_path / "alone")
    assert same(tmp_path / "first", tmp_path / "second")
    for ours, theirs in zip(figures(tmp_path / "first"), figures(tmp_path / "alone"), strict=True):
        assert ours == pytest.approx(theirs, rel=1e-4)
    assert "processes = 2\n" in (tmp_path / "first" / "config.toml").read_text()
    assert "processes = 2" not in (tmp_path / "alone" / "config.toml").read_text()


def test_measuring_and_validation_and_the_best_net_are_the_first_ones_alone(mpirun, tmp_path):
    words = ["--gradient", "dfa", "--validate", "--keep-best", "--track", "all", "--track-every", 2, "--epochs", 2]
    code, _, err = ended(mpirun("-n", 3, "bdfa", "train", *SMALL, *words, "--save", tmp_path / "run"))
    assert (code, err) == (0, "")
    alone("train", *SMALL, *words, "--save", tmp_path / "alone")
    measured, expected = (RunFolder(tmp_path / name).read_diagnostics() for name in ("run", "alone"))
    assert measured.steps.tolist() == expected.steps.tolist()
    angles, alike = measured.values["signal_angle"], expected.values["signal_angle"]
    np.testing.assert_allclose(angles, alike, rtol=1e-3)


@pytest.mark.parametrize("size", [1, 3])
def test_another_number_of_processes_goes_on_and_the_log_says_so(mpirun, tmp_path, size):
    run = tmp_path / "run"
    assert ended(mpirun("-n", 2, "bdfa", "train", *SMALL, "--epochs", 1, "--save", run))[0] == 0
    resumed = mpirun("-n", size, "bdfa", "train", "--save", run, "--resume", "--epochs", 2)
    code, out, err = ended(resumed)
    assert (code, err) == (0, "")
    assert f"2 processes trained the run until now, and {size} from here" in " ".join(out.split())
    assert len(figures(run)) == 2


RULE = """
from bdfa_np import DFA


class Slow(DFA):
    name = "slow"

    def train_feedback(self, result):
        with self.steps() as steps:
            for site in self.sites:
                steps[site.name][...] += 1e-4 * result.error.T @ site.h

    across_processes = True
"""


def test_a_rule_of_ones_own_trains_along_and_goes_on(mpirun, tmp_path):
    rule, run = tmp_path / "slow.py", tmp_path / "run"
    rule.write_text(RULE)
    words = [*SMALL, "--gradient", rule, "--epochs"]
    assert ended(mpirun("-n", 2, "bdfa", "train", *words, 1, "--save", run))[::2] == (0, "")
    assert ended(mpirun("-n", 2, "bdfa", "train", "--save", run, "--resume", "--epochs", 2))[::2] == (0, "")
    alone("train", *words, 2, "--save", tmp_path / "alone")
    for ours, theirs in zip(figures(run), figures(tmp_path / "alone"), strict=True):
        assert ours == pytest.approx(theirs, rel=1e-4)


def refused(process, message):
    code, _, err = ended(process)
    assert code != 0
    assert [" ".join(line.split()) for line in err.splitlines() if line.startswith("bdfa: error")] == [message]


def test_what_rank_0_refuses_is_said_once_and_ends_all(mpirun, tmp_path):
    alone("train", *SMALL, "--epochs", 1, "--save", tmp_path / "run")
    code, _, err = ended(mpirun("-n", 2, "bdfa", "train", *SMALL, "--epochs", 1, "--save", tmp_path / "run"))
    assert code == 2
    assert err.count("bdfa: error") == 1
    assert "--force" in err


def test_an_option_that_does_not_exist_is_said_once(mpirun):
    code, _, err = ended(mpirun("-n", 2, "bdfa", "train", "--no-such-option"))
    assert code != 0
    assert err.count("no-such-option") == 1


def test_too_few_samples_for_so_many_processes_are_refused(mpirun, tmp_path):
    refused(
        mpirun("-n", 3, "bdfa", "train", *SMALL, "--batch-size", 2, "--save", tmp_path / "run"),
        "bdfa: error: a batch of 2 cannot be cut over 3 processes: take larger batches, or fewer processes",
    )
    assert not (tmp_path / "run").exists()


def test_processes_with_other_options_are_refused_before_the_first_step(mpirun, tmp_path):
    common = ["bdfa", "train", *SMALL, "--save", tmp_path / "run"]
    code, _, err = ended(mpirun("-n", 1, *common, "--lr", "1e-3", ":", "-n", 1, *common, "--lr", "1e-4"))
    assert code != 0
    assert "bdfa: error: rank 1 of 2 has another command line" in err
    assert not (tmp_path / "run").exists()


def test_without_the_extra_mpirun_is_answered_by_one_line(tmp_path):
    hidden = tmp_path / "hidden" / "mpi4py"
    hidden.mkdir(parents=True)
    (hidden / "__init__.py").write_text("raise ImportError('not here')")
    done = subprocess.run(
        [sys.executable, "-m", "bdfa_np", "train", *SMALL, "--save", str(tmp_path / "run")],
        env={**os.environ, "OMPI_COMM_WORLD_SIZE": "4", "OMPI_COMM_WORLD_RANK": "0", "PYTHONPATH": str(hidden.parent)},
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("bdfa: error: mpirun has started 4 processes, which need mpi4py")
    assert 'pip install "' in line
    assert "[mpi]" in line


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="processes are found in /proc")
class TestDeaths:
    """A process that dies or hangs, at any moment."""

    def begun(self, mpirun, run, size=2, **more):
        process = mpirun("-n", size, "bdfa", "train", *SMALL, "--epochs", EPOCHS, "--save", run, **more)
        wait_for_epoch(run, process)
        return process

    def killed(self, mpirun, run, rng):
        process = self.begun(mpirun, run)
        time.sleep(rng.random())
        ranks = ranks_of(run)
        if len(ranks) == 2:  # else it was done before
            os.kill(rng.choice(ranks), signal.SIGKILL)
        return ended(process)

    def check_killed(self, mpirun, folder, seed):
        rng = random.Random(seed)
        undisturbed = folder / "undisturbed"
        if not undisturbed.exists():
            assert ended(mpirun("-n", 2, "bdfa", "train", *SMALL, "--epochs", EPOCHS, "--save", undisturbed))[0] == 0
        run = folder / f"run{seed}"
        code, _, err = self.killed(mpirun, run, rng)
        died = code != 0
        if died:
            assert "rank" in err
            assert "signal 9" in " ".join(err.split())
        code, _, err = ended(mpirun("-n", 2, "bdfa", "train", "--save", run, "--resume", "--epochs", EPOCHS))
        assert (code, err) == (0, "")
        assert same(run, undisturbed)
        assert figures(run) == figures(undisturbed)
        return died

    def test_a_process_that_is_killed_ends_the_job_and_resume_comes_to_the_same_bits(self, mpirun, tmp_path):
        self.check_killed(mpirun, tmp_path, seed=0)

    @pytest.mark.slow
    def test_so_it_is_at_ten_random_moments(self, mpirun, tmp_path):
        assert sum(self.check_killed(mpirun, tmp_path, seed) for seed in range(1, 11)) >= 8

    def test_a_process_that_hangs_is_named_and_the_job_ended(self, mpirun, tmp_path):
        run = tmp_path / "run"
        process = mpirun("-n", 3, "bdfa", "train", *SMALL, "--epochs", 1000, "--save", run, BDFA_PATIENCE="10")
        wait_for_epoch(run, process)
        stopped = ranks_of(run)[1]
        os.kill(stopped, signal.SIGSTOP)
        try:
            code, _, err = ended(process)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(stopped, signal.SIGKILL)
        assert code != 0
        (line,) = [line for line in err.splitlines() if line.startswith("bdfa: error")]
        assert "rank 1 of 3 (" in line
        assert f"process {stopped}) has not answered for 10 s: the job is ended; go on with --resume" in line

    def test_a_process_that_does_not_hear_what_the_first_one_says_is_named(self, mpirun, tmp_path):
        (tmp_path / "saying.py").write_text(SAYING)
        process = mpirun("-n", 3, sys.executable, tmp_path / "saying.py", BDFA_PATIENCE="4")
        code, out, err = ended(process)
        stopped = int(out.split()[0])
        assert code != 0
        assert f"bdfa: error: rank 1 of 3 ({socket.gethostname()}, process {stopped}) has not answered for 4 s" in err

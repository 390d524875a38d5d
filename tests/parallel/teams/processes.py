"""Runs in processes of their own, and those that they start: to be watched, and killed."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

PATIENT = 120
IN_PROC = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are found in /proc")


def begun(run, *words, **more):
    """Begin ``bdfa train`` in a folder; return when it has trained an epoch, or has ended."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bdfa_np", "train", "--save", str(run), *words],
        env={**os.environ, **more},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_for_epoch(run, process)
    return process


def wait_for_epoch(run, process):
    """Wait until a run's first epoch is done, or the process has ended."""
    until = time.monotonic() + PATIENT
    while not (run / "metrics.csv").exists() and time.monotonic() < until and process.poll() is None:
        time.sleep(0.02)


def member_of(first):
    """Return the process number of the member that a first process, of this number, has started."""
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            words = (entry / "stat").read_text().rpartition(")")[2].split()
            if int(words[1]) == first and b"following" in (entry / "cmdline").read_bytes():
                return int(entry.name)
    return None


def ranks_of(run):
    """Return the process numbers of the ranks that train into a run folder, the first one first."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
                rank = [word for word in (entry / "environ").read_bytes().split(b"\0") if b"COMM_WORLD_RANK=" in word]
            except OSError:
                continue
            if str(run).encode() in words and rank and b"mpirun" not in words[0] and b"prterun" not in words[0]:
                found.append((int(rank[0].split(b"=")[1]), int(entry.name)))
    return [pid for _, pid in sorted(found)]


def alive(pid):
    """Return whether there is such a process, and it is not a dead one that nobody has asked for yet."""
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def member_ends_with(process):
    """Kill a first process; return whether the member that it has started ends in time, and kill one that does not."""
    member = member_of(process.pid)
    process.kill()
    process.wait(PATIENT)
    until = time.monotonic() + PATIENT / 4
    while alive(member) and time.monotonic() < until:
        time.sleep(0.05)
    ended = not alive(member)
    if not ended:
        os.kill(member, signal.SIGKILL)
    process.stderr.close()
    return ended

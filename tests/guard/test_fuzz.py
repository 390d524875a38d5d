"""Readers of mutated files read them or refuse them in one line, and do nothing else."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from fuzz_files import READERS, outcomes

SHORT, LONG = 40, 10_000


@pytest.mark.parametrize("name", READERS)
def test_good_files_are_read(name, tmp_path):
    for content in READERS[name].good:
        READERS[name].read(content, tmp_path)


@pytest.mark.parametrize("name", READERS)
def test_mutated_files_are_read_or_refused_in_one_line(name, tmp_path):
    came_to = outcomes(name, range(SHORT), tmp_path)
    assert came_to["refused"] > SHORT / 5
    assert set(came_to) <= {"read", "refused", "slowest"}
    assert name != "checkpoint" or "read" not in came_to


@pytest.mark.slow
@pytest.mark.parametrize("name", READERS)
def test_ten_thousand_mutated_files_take_little_memory_and_crash_nothing(name):
    command = [sys.executable, str(Path(__file__).with_name("fuzz_files.py")), name, "1000", str(LONG)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=3600)
    assert done.returncode == 0, f"after seed {done.stderr[-3000:]}"
    came_to = json.loads(done.stdout)
    print(came_to)
    assert came_to["peak MiB"] < 300

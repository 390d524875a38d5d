"""The machine's memory, beside what Linux itself says of it."""

import math
import os
import re
from pathlib import Path

import pytest

from bdfa_np.system import memory
from bdfa_np.system.memory import beyond_memory, physical_memory


@pytest.mark.skipif(not Path("/proc/meminfo").exists(), reason="only Linux says so in /proc/meminfo")
def test_it_is_what_linux_says():
    found = re.search(r"^MemTotal: +(\d+) kB$", Path("/proc/meminfo").read_text(), re.MULTILINE)
    assert physical_memory() == pytest.approx(int(found[1]) * 1024, rel=0.01)


def test_where_the_system_does_not_tell_everything_fits(monkeypatch):
    monkeypatch.delattr(os, "sysconf")
    assert physical_memory() == math.inf
    assert beyond_memory(10**30) is None


def test_what_is_needed_may_be_all_there_is_and_no_more(monkeypatch):
    monkeypatch.setattr(memory, "physical_memory", lambda: 8 * 10**9)
    assert beyond_memory(8 * 10**9) is None
    assert beyond_memory(64 * 10**9) == "need 64.0 GB of memory, and this machine has 8.0 GB"
    assert beyond_memory(8 * 10**9 + 1) is not None

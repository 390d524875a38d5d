"""How much memory there is: the machine's, a container's, or what ulimit leaves."""

import resource

import pytest

from bdfa_np.system import memory
from bdfa_np.system.memory import beyond_memory, container_memory

GIB = 2**30

GROUPS = {
    "version 2, its own limit": ("0::/app\n", {"app/memory.max": GIB}, GIB),
    "version 2, a limit of what it is in": (
        "0::/a/b/c\n",
        {"a/memory.max": 2 * GIB, "a/b/c/memory.max": "max"},
        2 * GIB,
    ),
    "version 2, the least of several": ("0::/a/b\n", {"a/memory.max": GIB, "a/b/memory.max": 2 * GIB}, GIB),
    "version 2, seen from within": ("0::/\n", {"memory.max": GIB}, GIB),
    "version 2, a root outside": ("0::/../../x\n", {"memory.max": GIB}, GIB),
    "version 2, no limit": ("0::/app\n", {"app/memory.max": "max"}, float("inf")),
    "version 1": ("5:cpu:/x\n4:memory:/docker/ab\n", {"memory/docker/ab/memory.limit_in_bytes": GIB}, GIB),
    "version 1, seen from within": ("4:memory:/docker/ab\n", {"memory/memory.limit_in_bytes": GIB}, GIB),
    "version 1, no limit": ("4:memory:/\n", {"memory/memory.limit_in_bytes": 2**63 - 4096}, float("inf")),
    "version 1, with others": ("4:cpu,memory:/x\n", {"memory/x/memory.limit_in_bytes": GIB}, GIB),
    "both": ("4:memory:/\n0::/a\n", {"memory/memory.limit_in_bytes": 3 * GIB, "a/memory.max": 2 * GIB}, 2 * GIB),
    "none": ("", {}, float("inf")),
    "nonsense": ("what\n0::/a\n:::\n", {"a/memory.max": "a lot"}, float("inf")),
}


@pytest.fixture
def groups(tmp_path, monkeypatch):
    """Give the function that makes a system's tree of control groups."""

    def make(own, files):
        for name, value in files.items():
            (tmp_path / "cgroup" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "cgroup" / name).write_text(f"{value}\n")
        (tmp_path / "self").write_text(own)
        monkeypatch.setattr(memory, "_CGROUPS", tmp_path / "cgroup")
        monkeypatch.setattr(memory, "_OWN_CGROUPS", tmp_path / "self")

    return make


@pytest.mark.parametrize(("own", "files", "limit"), GROUPS.values(), ids=GROUPS)
def test_a_containers_limit_is_found(groups, own, files, limit):
    groups(own, files)
    assert container_memory() == limit


def test_without_control_groups_there_is_no_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "_OWN_CGROUPS", tmp_path / "none")
    assert container_memory() == float("inf")


def test_the_least_limit_counts_and_is_named(groups, monkeypatch):
    groups("0::/\n", {"memory.max": 3 * 10**9})
    monkeypatch.setattr(memory, "physical_memory", lambda: 8e9)
    monkeypatch.setattr(memory, "address_space", lambda: 9e9)
    assert beyond_memory(3 * 10**9) is None
    assert beyond_memory(4 * 10**9) == "need 4.0 GB of memory, and this container has 3.0 GB"
    monkeypatch.setattr(memory, "address_space", lambda: 2e9)
    assert beyond_memory(4 * 10**9) == "need 4.0 GB of memory, and ulimit -v allows 2.0 GB"
    monkeypatch.setattr(memory, "physical_memory", lambda: 1e9)
    assert beyond_memory(4 * 10**9) == "need 4.0 GB of memory, and this machine has 1.0 GB"


def test_ulimit_is_asked(monkeypatch):
    monkeypatch.setattr(
        resource, "getrlimit", lambda which: (5 * GIB, 7 * GIB) if which == resource.RLIMIT_AS else None
    )
    assert memory.address_space() == 5 * GIB
    monkeypatch.setattr(resource, "getrlimit", lambda _: (resource.RLIM_INFINITY, 7 * GIB))
    assert memory.address_space() == float("inf")

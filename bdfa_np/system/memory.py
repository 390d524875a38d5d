"""The memory there is for this process, which what a header or an option promises is compared with beforehand."""

import contextlib
import math
import os
import sys
from collections.abc import Iterator
from pathlib import Path

_CGROUPS, _OWN_CGROUPS = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")
_NO_LIMIT = 2**60  # version 1 writes the largest number there is, or one a little smaller


def physical_memory() -> float:
    """Return the machine's memory in bytes, infinity where the system does not tell."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf; another system may not have these names
        return math.inf


def container_memory() -> float:
    """Return how much the control groups of this process, as containers have them, let it use; infinity without any."""
    return min(_cgroup_limits(), default=math.inf)


def _cgroup_limits() -> Iterator[float]:
    with contextlib.suppress(OSError, UnicodeDecodeError):
        for line in _OWN_CGROUPS.read_text().splitlines():
            # Such as "0::/user.slice" in version 2, "4:memory:/docker/0a1b" in version 1.
            _, _, rest = line.partition(":")
            controllers, _, own = rest.partition(":")
            if not controllers:
                yield from _limits(_CGROUPS, own, "memory.max")
            elif "memory" in controllers.split(","):
                yield from _limits(_CGROUPS / "memory", own, "memory.limit_in_bytes")


def _limits(root: Path, own: str, name: str) -> Iterator[float]:
    """Yield the limits of a group and of those it is in; a container may see its own as the root."""
    group = root / own.lstrip("/")
    for folder in (group, *group.parents):
        if folder != root and root not in folder.parents:
            return
        with contextlib.suppress(OSError, ValueError):  # no such file, or the text "max"
            limit = int((folder / name).read_text())
            if limit < _NO_LIMIT:
                yield limit


def address_space() -> float:
    """Return how much memory the process may have altogether (``ulimit -v``), infinity without a limit."""
    try:
        import resource
    except ImportError:  # Windows
        return math.inf
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    return math.inf if limit == resource.RLIM_INFINITY else limit


def resident_memory() -> int | None:
    """Return the bytes of this process that are in memory; their peak where no more is known, else None."""
    with contextlib.suppress(OSError, ValueError, IndexError, AttributeError):
        pages = Path("/proc/self/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # macOS counts bytes


def beyond_memory(nbytes: int) -> str | None:
    """Say how much memory is needed and how much there is, where there is not enough.

    Parameters
    ----------
    nbytes : int
        How many bytes are needed.

    Returns
    -------
    str or None
        A part of a sentence, such as "need 64.0 GB of memory, and this machine has 8.0 GB", which says what sets the
        limit if that is a container or ``ulimit -v``; None where they fit.
    """
    limits = {
        "this machine has": physical_memory(),
        "this container has": container_memory(),
        "ulimit -v allows": address_space(),
    }
    who, memory = min(limits.items(), key=lambda item: item[1])
    if nbytes <= memory:
        return None
    return f"need {nbytes / 1e9:,.1f} GB of memory, and {who} {memory / 1e9:,.1f} GB"

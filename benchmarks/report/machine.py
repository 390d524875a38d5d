"""Where figures come from: the machine, and the versions of what was measured."""

import os
import platform
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = ("bdfa-np", "numpy", "scipy", "torch")


def cpu_model() -> str:
    """Return the processor's name as the system gives it."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def caches() -> dict[str, str]:
    """Return the sizes of the first core's caches, where the system tells them."""
    found = {}
    for folder in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        with suppress(OSError):
            level, kind, size = ((folder / name).read_text().strip() for name in ("level", "type", "size"))
            found[f"L{level} {kind.lower()}"] = size
    return found


def memory_bytes() -> int | None:
    """Return how much memory the machine has, or None where the system does not tell."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def describe_machine() -> dict[str, object]:
    """Return the processor, its cores and caches, the memory, the system, and how busy it is."""
    return {
        "cpu": cpu_model(),
        "cores": os.cpu_count(),
        "caches": caches(),
        "memory": memory_bytes(),
        "system": platform.platform(),
        "load": list(os.getloadavg()) if hasattr(os, "getloadavg") else None,
    }


def describe_versions() -> dict[str, str | None]:
    """Return the versions of Python, the packages (None: not installed) and the BLAS library of NumPy."""
    import numpy  # noqa: F401 -- so that its BLAS is among the libraries found
    from threadpoolctl import threadpool_info

    found: dict[str, str | None] = {"python": platform.python_version()}
    for name in PACKAGES:
        found[name] = None
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    blas = [library for library in threadpool_info() if library["user_api"] == "blas"]
    for library in blas[:1]:
        found["blas"] = f"{library['internal_api']} {library['version']} {library.get('architecture', '')}".strip()
    return found


def core_seconds() -> tuple[float, float]:
    """Return the seconds, added up over all cores, that they have been busy and that have passed; else zeros."""
    try:
        line = Path("/proc/stat").read_text(encoding="ascii").partition("\n")[0]
    except OSError:
        return 0.0, 0.0
    ticks = [int(word) for word in line.split()[1:9]]  # user, nice, system, idle, waiting, interrupts (2), stolen
    total = sum(ticks) / os.sysconf("SC_CLK_TCK")
    return total - (ticks[3] + ticks[4]) / os.sysconf("SC_CLK_TCK"), total

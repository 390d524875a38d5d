"""In a child that does nothing else: the most memory that it ever had resident.

The peak is of training: it counts from the moment the program is made, where the system lets it be set back. PyTorch's
programs take their first weights from this project; what importing that has added to their process is taken off.
"""

import gc
import importlib
import resource
import sys
from pathlib import Path
from typing import Any

STATUS = Path("/proc/self/status")
RESET_PEAK = "5"


def _status_bytes(name: str) -> int | None:
    """Return a figure of Linux's account of this process, or None elsewhere."""
    if not STATUS.exists():
        return None
    for line in STATUS.read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1]) * 1024
    return None


def peak_bytes() -> int:
    """Return the largest resident memory so far.

    Linux's ``ru_maxrss`` of a process begins with what its parent had, ``VmHWM`` does not.
    """
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return _status_bytes("VmHWM") or largest


def reset_peak() -> None:
    """Let the peak count from now on, where that can be done."""
    try:
        Path("/proc/self/clear_refs").write_text(RESET_PEAK)
    except OSError:
        return


def answer(request: dict[str, Any]) -> dict[str, float]:
    """Import, or train for some steps, and return the peak in bytes."""
    figure = request["figure"]
    if "imports" in request:
        importlib.import_module(request["imports"])
        return {figure: peak_bytes()}
    borrowed = 0
    if figure not in ("ours", "plain"):
        importlib.import_module("torch")
        before = _status_bytes("VmRSS") or 0
        importlib.import_module("measure.jobs")
        borrowed = (_status_bytes("VmRSS") or 0) - before
    from measure.steps import make_program

    program = make_program(request["program"], request["job"])
    gc.collect()
    reset_peak()
    for _ in range(request["steps"]):
        program()
    return {figure: peak_bytes() - borrowed, f"{figure}: project's modules": borrowed}

"""The machine's memory, which what a header or an option promises is compared with before any of it is taken."""

import math
import os


def physical_memory() -> float:
    """Return the machine's memory in bytes, infinity where the system does not tell."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf; another system may not have these names
        return math.inf


def beyond_memory(nbytes: int) -> str | None:
    """Say how much memory is needed and how much there is, where there is not enough.

    Parameters
    ----------
    nbytes : int
        How many bytes are needed.

    Returns
    -------
    str or None
        A part of a sentence, such as "need 64.0 GB of memory, and this machine has 8.0 GB"; None where they fit.
    """
    memory = physical_memory()
    if nbytes <= memory:
        return None
    return f"need {nbytes / 1e9:,.1f} GB of memory, and this machine has {memory / 1e9:,.1f} GB"

"""What values of an option are checked by: each returns what is wrong, or None."""

import math
from collections.abc import Callable

from bdfa_np.data.sources.find import is_own
from bdfa_np.data.sources.registry import dataset_names, find_entry
from bdfa_np.errors import DataError


def positive(value: float) -> str | None:
    """Say what is wrong unless the value is a finite number above 0."""
    return None if math.isfinite(value) and value > 0 else "must be a finite number greater than 0"


def not_negative(value: float) -> str | None:
    """Say what is wrong unless the value is a finite number of 0 or more."""
    return None if math.isfinite(value) and value >= 0 else "must be a finite number of 0 or more"


def magnitude(value: float) -> str | None:
    """Say what is wrong unless the value lies within 0 and a million, well inside what float32 holds."""
    return None if 0 <= value <= 1e6 else "must be at least 0 and at most 1e6"


def memory(value: float) -> str | None:
    """Say what is wrong unless the value is an amount of memory in GiB; 0 bytes would mean no limit to CuPy."""
    return None if 1e-3 <= value <= 1e6 else "must be at least 0.001 and at most 1e6"


def fraction(value: float) -> str | None:
    """Say what is wrong unless the value lies within 0 (included) and 1 (excluded)."""
    return None if 0 <= value < 1 else "must be at least 0 and less than 1"


def at_least(lowest: int, *, at_most: int | None = None) -> Callable[[int], str | None]:
    """Return a check for whole numbers from ``lowest`` up to ``at_most``."""

    def check(value: int) -> str | None:
        if at_most is not None and not lowest <= value <= at_most:
            return f"must be a whole number from {lowest} to {at_most}"
        return None if value >= lowest else f"must be a whole number of {lowest} or more"

    return check


def known_dataset(name: str) -> str | None:
    """Say what is wrong unless the name is a known data set's, or a path."""
    if is_own(name):
        return None
    try:
        find_entry(name)
    except DataError:
        return f"must be one of {', '.join(dataset_names())}, or a path: name.npz, name.h5 or ./folder"
    return None

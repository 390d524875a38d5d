"""Several seeds as one line: their mean, and a band around it."""

import warnings

import numpy as np
from numpy.typing import NDArray

SPREADS = {"range": "range of the seeds", "sd": "± sd of the seeds"}
"""What a band can be, and what is said of it."""


def mean_of(found: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean over runs (R, ...) of those that have a number there; NaN where none has."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        mean: NDArray[np.float64] = np.nanmean(found, axis=0)
    return mean


def band_of(found: NDArray[np.float64], spread: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the lower and the upper edge of a band over runs (R, ...); NaN where fewer than two have a number."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        if spread == "range":
            low, high = np.nanmin(found, axis=0), np.nanmax(found, axis=0)
        else:
            mean, deviation = np.nanmean(found, axis=0), np.nanstd(found, axis=0, ddof=1)
            low, high = mean - deviation, mean + deviation
    few = np.isfinite(found).sum(axis=0) < 2
    return np.where(few, np.nan, low), np.where(few, np.nan, high)

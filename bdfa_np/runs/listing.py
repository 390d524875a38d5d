"""Several runs at a glance: what differs among them, and how far each has come."""

import csv
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bdfa_np.options.catalogue import OPTIONS
from bdfa_np.runs.folder import CHECKPOINT, CONFIG, METRICS

NOT_TOLD = ("epochs", "threads", "backend", "datapath", "cache_dir", "models_folder")
"""Options that say where a run computes, or that have a column of their own."""


@dataclass(frozen=True)
class Summary:
    """A run in a row.

    Attributes
    ----------
    path : Path
        Its folder.
    options : dict
        Its options, by name.
    errors : list of float
        After each epoch, as fractions, on the part tested on.
    state : str
        ``"done"``, ``"unfinished"`` or ``"damaged"``.
    """

    path: Path
    options: dict[str, Any]
    errors: list[float]
    state: str

    @property
    def tested_on(self) -> str:
        """Which part the errors are of."""
        return "validation" if self.options.get("validate") else "test"


def find_runs(folder: Path) -> list[Summary]:
    """Return the runs directly inside a folder, sorted by name; their weights are not read."""
    inside = sorted(path for path in folder.iterdir() if (path / CONFIG).is_file() or (path / CHECKPOINT).is_file())
    return [summary(path) for path in inside]


def summary(path: Path) -> Summary:
    """Return what a run's ``config.toml`` and ``metrics.csv`` say of it."""
    try:
        options = tomllib.loads((path / CONFIG).read_text(encoding="utf-8"))["options"]
        with (path / METRICS).open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        name = next(name for name in ("validation_error", "test_error", "") if not rows or name in rows[0])
        errors = [float(row[name]) for row in rows]
        if not (path / CHECKPOINT).is_file() or not isinstance(options, dict):
            return Summary(path, {}, [], "damaged")
        done = len(errors) >= options["epochs"] > 0
    except (OSError, ValueError, KeyError, TypeError, RecursionError, csv.Error):
        return Summary(path, {}, [], "damaged")
    return Summary(path, options, errors, "done" if done else "unfinished")


def differing(runs: Sequence[Summary]) -> list[str]:
    """Return the names of the options that are not the same in all runs that can be read."""
    read = [run.options for run in runs if run.state != "damaged"]
    return [name for name in OPTIONS if name not in NOT_TOLD and len({repr(options.get(name)) for options in read}) > 1]

"""What a picture or a report is of: runs, by themselves or the seeds of a study's cell together."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bdfa_np.options.config import Config
from bdfa_np.trainer import EpochRecord


@dataclass(frozen=True, eq=False)
class RunView:
    """A run folder, read without loading its net or its data.

    Attributes
    ----------
    path : Path
        The folder.
    config : Config
        Its options.
    history : list of EpochRecord
        The epochs done.
    """

    path: Path
    config: Config
    history: list[EpochRecord]


@dataclass(frozen=True, eq=False)
class Subject:
    """A line of a picture: one run, or those of one setting that differ in their seed.

    Attributes
    ----------
    label : str
        What it is called in a legend: a cell's name, or what tells a run from the others.
    runs : tuple of RunView
        By seed.
    """

    label: str
    runs: tuple[RunView, ...]

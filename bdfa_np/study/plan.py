"""Which runs a study comes to: every cell with every seed, each a configuration and a folder."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class PlannedRun:
    """One run of a study; plain values alone, so that it can be sent to another machine.

    Attributes
    ----------
    study : str
        The study's name.
    cell : str
        The cell's name.
    seed : int
        The seed.
    options : dict
        All options of the run that are given, by name, the seed and the epochs among them.
    folder : str
        Its run folder as seen from the study's, with slashes: ``1x400/bdfa/seed-1``.
    whole_epochs : int or None
        How many epochs the study asks for, where this run is a shortened one.
    final_test : bool
        Whether a run with ``validate`` is tested on the test images at its end; a trial of a search is not.
    """

    study: str
    cell: str
    seed: int
    options: Mapping[str, Any]
    folder: str
    whole_epochs: int | None = None
    final_test: bool = True

    @property
    def is_shortened(self) -> bool:
        """Whether it has fewer epochs than the study asks for."""
        return self.whole_epochs is not None

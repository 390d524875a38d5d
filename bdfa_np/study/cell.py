"""A cell of a study: one configuration of a run, and what was published for it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Cell:
    """One configuration of a study.

    Attributes
    ----------
    labels : tuple of str
        What it is called along each of the study's axes, for example ``("1x400", "bdfa")``.
    options : dict
        All its options that are given, those of the base among them, by their names as in a ``config.toml``, but for
        the seed.
    published : float or None
        The published mean, in percent, as the source prints it.
    published_sd : float or None
        Its standard deviation, where the source has one.
    note : str
        What is to be said of this cell alone.
    """

    labels: tuple[str, ...]
    options: Mapping[str, Any]
    published: float | None = None
    published_sd: float | None = None
    note: str = ""

    @property
    def name(self) -> str:
        """The labels, joined by slashes."""
        return "/".join(self.labels)

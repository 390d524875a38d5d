"""What a study is: cells, each a configuration of a run with what was published for it, and seeds."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

FIGURES = ("last", "best", "test")
"""What a run's error can be taken from: the last epoch, the epoch of the lowest error on the part tested on, or
the data set's own test images, of a run with ``validate`` by the net that it keeps."""
MEASURES = ("error", "accuracy")
"""As what figures are published, in percent, and shown beside them."""


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


@dataclass(frozen=True)
class Study:
    """A sweep: every cell is trained with every seed.

    Attributes
    ----------
    name : str
        What it is called: the file's name without ``.toml``.
    axes : tuple of str
        The headings of the cells' labels.
    cells : tuple of Cell
        In their order, with names that differ.
    seeds : tuple of int
        The seeds of each cell.
    title, source : str
        A line on what it is, and where its published numbers are from.
    notes : tuple of str
        What the source leaves open and how it was settled here, a sentence each.
    report : tuple of {"last", "best", "test"}
        What a run's error is taken from; the first is set beside the published number.
    measure : {"error", "accuracy"}
        As what figures are published and shown.
    search : dict
        The table ``[search]``, checked; empty without a search.
    """

    name: str
    axes: tuple[str, ...]
    cells: tuple[Cell, ...]
    seeds: tuple[int, ...]
    title: str = ""
    source: str = ""
    notes: tuple[str, ...] = ()
    report: tuple[str, ...] = ("last",)
    measure: str = "error"
    search: Mapping[str, Any] = field(default_factory=dict)

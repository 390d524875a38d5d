"""What a page is made of: sections of paragraphs, facts, tables, pictures and charts; `page.html` shows each kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar


@dataclass(frozen=True)
class Paragraph:
    """A sentence or more.

    Attributes
    ----------
    text : str
        Plain text.
    kind : {"", "note", "warning"}
        How it stands out.
    """

    name: ClassVar[str] = "paragraph"
    text: str
    kind: str = ""


@dataclass(frozen=True)
class Items:
    """Sentences as a list."""

    name: ClassVar[str] = "items"
    texts: Sequence[str]


@dataclass(frozen=True)
class Facts:
    """Names and what belongs to them."""

    name: ClassVar[str] = "facts"
    pairs: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Code:
    """What is to be typed or read as it stands.

    Attributes
    ----------
    text : str
        The lines.
    label : str
        What it is, for whoever hears the page.
    """

    name: ClassVar[str] = "code"
    text: str
    label: str


@dataclass(frozen=True)
class Cell:
    """A cell of a table.

    Attributes
    ----------
    text : str
        What is shown.
    value : float or None
        What it is sorted by; its text where there is none.
    shade : int or None
        From 0 to 9: how dark it is.
    """

    text: str
    value: float | None = None
    shade: int | None = None


@dataclass(frozen=True)
class PageTable:
    """A table, whose first column names the rows.

    Attributes
    ----------
    caption : str
        What it is a table of.
    columns : sequence of str
        The headings.
    rows : sequence of sequence of Cell
        A cell for each heading.
    right : sequence of int
        The columns that stand at the right.
    sortable : bool
        Whether a reader may sort it.
    kind : {"", "matrix"}
        A matrix has narrow cells.
    """

    name: ClassVar[str] = "table"
    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    right: Sequence[int] = ()
    sortable: bool = True
    kind: str = ""


@dataclass(frozen=True)
class Picture:
    """A picture in the page itself.

    Attributes
    ----------
    address : str
        A ``data:`` address.
    text : str
        What it shows, for whoever does not see it.
    caption : str
        What stands below it.
    width, height : int
        In pixels.
    """

    name: ClassVar[str] = "picture"
    address: str
    text: str
    caption: str
    width: int
    height: int


@dataclass(frozen=True)
class Chart:
    """A chart of Vega-Lite's, which `page.js` draws.

    Attributes
    ----------
    key : str
        Its place on the page, different from all others'.
    text : str
        What it shows, for whoever does not see it.
    caption : str
        What stands below it.
    specification : dict
        Vega-Lite's, with its data.
    panels : sequence of (int, str, bool)
        Where it is drawn several times: the number of a layer, its name, and whether it is shown at first.
    choices : sequence of Choice
        What a reader may choose.
    """

    name: ClassVar[str] = "chart"
    key: str
    text: str
    caption: str
    specification: dict[str, Any]
    panels: Sequence[tuple[int, str, bool]] = ()
    choices: Sequence[Choice] = ()


@dataclass(frozen=True)
class Choice:
    """One of several values of a chart's parameter.

    Attributes
    ----------
    parameter : str
        The parameter; ``scale`` is that of the vertical axis.
    title : str
        What is chosen.
    values : sequence of (str, str)
        Each value and what it is called; the first is chosen at first.
    """

    parameter: str
    title: str
    values: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Folded:
    """Blocks that are seen when they are asked for, and in print."""

    name: ClassVar[str] = "folded"
    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True)
class Unscripted:
    """Blocks for a browser that runs no scripts."""

    name: ClassVar[str] = "unscripted"
    blocks: Sequence[Block]


Block = Paragraph | Items | Facts | Code | PageTable | Picture | Chart | Folded | Unscripted


@dataclass(frozen=True)
class Section:
    """A part of the page under a heading.

    Attributes
    ----------
    key : str
        Its address on the page.
    title : str
        The heading.
    blocks : sequence
        What is in it.
    """

    key: str
    title: str
    blocks: Sequence[Block] = field(default_factory=tuple)

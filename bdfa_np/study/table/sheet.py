"""A table of a study in every format: for a terminal, a notebook, CSV, Markdown and LaTeX."""

import csv
import io
import textwrap
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from bdfa_np.study.table import latex
from bdfa_np.tables import WIDTH, Table

NOTE = "note"
"""The heading of the column that says of a row what is to be known of it."""


@dataclass(frozen=True)
class Sheet:
    """What a table shows, as text.

    Attributes
    ----------
    title : str
        A line above.
    heading : str
        What the figures are, a sentence above too.
    columns : sequence of str
        The headings.
    rows : sequence of sequence of str
        A cell for each heading.
    right : sequence of str
        The headings of columns that stand at the right.
    lines : sequence of str
        What is to be said below, a sentence each.
    groups : int
        How many of the first columns name a row's group, which other formats set apart.
    """

    title: str
    heading: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    right: Sequence[str] = ()
    lines: Sequence[str] = field(default_factory=tuple)
    groups: int = 0

    def without_notes(self) -> "tuple[Sheet, list[str]]":
        """Return it without the column of notes, and these as lines: once where every row has the same."""
        at = list(self.columns).index(NOTE)
        rows = [[*row[:at], *row[at + 1 :]] for row in self.rows]
        columns = [*self.columns[:at], *self.columns[at + 1 :]]
        names = ["/".join(row[: max(self.groups, 1)]) for row in self.rows]
        notes = [row[at] for row in self.rows]
        if len(set(notes)) == 1 and len(notes) > 1:
            said = [f"every row: {notes[0]}"] if notes[0] else []
        else:
            said = [f"{name}: {note}" for name, note in zip(names, notes, strict=True) if note]
        sheet = Sheet(self.title, self.heading, columns, rows, self.right, self.lines, self.groups)
        return sheet, said


class StudyTable(ABC):
    """A table of a study."""

    @abstractmethod
    def sheet(self) -> Sheet:
        """Return what it shows, as text."""

    @abstractmethod
    def records(self) -> list[dict[str, Any]]:
        """Return its rows by names that say the unit, with every digit; None for what there is not."""

    @abstractmethod
    def warnings(self) -> list[str]:
        """Return what was left out though it is there, a sentence each."""

    def text(self, width: int = WIDTH) -> str:
        """Return it as plain text.

        Parameters
        ----------
        width : int, default 80
            How wide it may be; numbers are never folded.
        """
        sheet = self.sheet()
        table, notes = _table(sheet), list[str]()
        if NOTE in sheet.columns:
            bare, said = sheet.without_notes()
            same = said[:1] == [f"every row: {sheet.rows[0][-1]}"] if sheet.rows else False
            if same or not said or _width(table, width) > width:
                table, notes = _table(bare), said
        above = [*textwrap.wrap(sheet.title, width), *textwrap.wrap(sheet.heading, width)]
        below = [line for text in [*notes, *sheet.lines] for line in textwrap.wrap(text, width, subsequent_indent="  ")]
        return "\n".join([*above, "", table.to_text(width), *(["", *below] if below else [])])

    def csv(self) -> str:
        """Return it as CSV, with every digit; what its text says below the table is not in it."""
        records, text = self.records(), io.StringIO()
        names = list(dict.fromkeys(name for record in records for name in record))
        writer = csv.DictWriter(text, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(records)
        return text.getvalue()

    def markdown(self) -> str:
        """Return it as Markdown, with what is to be said below as a list."""
        sheet = self.sheet()
        rule = ["--:" if title in sheet.right else ":--" for title in sheet.columns]
        rows = [_markdown_row(row) for row in (sheet.columns, *sheet.rows)]
        table = [rows[0], f"| {' | '.join(rule)} |", *rows[1:]]
        above = [f"**{_markdown(sheet.title)}**", "", _markdown(sheet.heading), ""]
        below = ["", *(f"- {_markdown(line)}" for line in sheet.lines)] if sheet.lines else []
        return "\n".join([*above, *table, *below]) + "\n"

    def latex(self) -> str:
        """Return it as LaTeX, for the package booktabs; every character that LaTeX obeys is escaped."""
        sheet = self.sheet()
        caption = ". ".join(text.rstrip(".") for text in (sheet.title, sheet.heading) if text)
        columns = [(title, title in sheet.right) for title in sheet.columns]
        return latex.table(f"{caption}.", columns, sheet.rows, sheet.lines, groups=sheet.groups)

    def __str__(self) -> str:
        return self.text()

    __repr__ = __str__

    def _repr_html_(self) -> str:
        """Return what a notebook shows."""
        from html import escape

        sheet = self.sheet()
        below = "".join(f"<p>{escape(line)}</p>" for line in (sheet.heading, *sheet.lines))
        return _table(sheet, title=sheet.title).to_html() + below


def _table(sheet: Sheet, title: str = "") -> Table:
    return Table(sheet.columns, sheet.rows, title=title, right=sheet.right, whole=sheet.columns[: sheet.groups])


def _width(table: Table, width: int) -> int:
    """Return how wide a table is where it is to be as wide as ``width`` at most."""
    return max(map(len, table.to_text(width).splitlines()))


def _markdown_row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(_markdown(' '.join(cell.split())) for cell in cells)} |"


_OBEYED = str.maketrans({sign: f"\\{sign}" for sign in r"\`*_{}[]<>|~#$&"})


def _markdown(text: str) -> str:
    """Return a text of which Markdown takes every character as it is."""
    return text.translate(_OBEYED)

"""A table of a study in every format: for a terminal, a notebook, CSV, Markdown and LaTeX."""

import csv
import io
import textwrap
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
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

    def notes(self) -> list[str]:
        """Return the column of notes as lines, one where every row has the same."""
        if NOTE not in self.columns:
            return []
        at = list(self.columns).index(NOTE)
        notes = [row[at] for row in self.rows]
        if self.is_same_for_all:
            return [f"every row: {notes[0]}"]
        names = ["/".join(row[: self.groups]) for row in self.rows]
        return [f"{name}: {note}" for name, note in zip(names, notes, strict=True) if note]

    @property
    def is_same_for_all(self) -> bool:
        """Whether there are several rows, and all have the same note."""
        at = list(self.columns).index(NOTE)
        return len(self.rows) > 1 and len({row[at] for row in self.rows}) == 1

    def of_columns(self, names: Sequence[str]) -> "Sheet":
        """Return it with some of its columns alone."""
        places = [i for i, name in enumerate(self.columns) if name in names]
        rows = [[row[i] for i in places] for row in self.rows]
        return replace(self, columns=[self.columns[i] for i in places], rows=rows)


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
        tables, notes = fitting(sheet, width)
        above = [line for text in (sheet.title, sheet.heading) for line in textwrap.wrap(text, width)]
        below = [line for text in (*notes, *sheet.lines) for line in folded(text, width)]
        return "\n\n".join(filter(None, ["\n".join(above), *tables, "\n".join(below)]))

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
        above = [f"**{literal(sheet.title)}**", "", literal(sheet.heading), ""]
        below = ["", *(f"- {literal(line)}" for line in sheet.lines)] if sheet.lines else []
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


def fitting(sheet: Sheet, width: int) -> tuple[list[str], list[str]]:
    """Return a table as text, and its notes as lines where they have no column.

    Where it is wider than it may be, the notes leave it first, and then the last columns, for a table below.
    """
    if NOTE in sheet.columns and not sheet.is_same_for_all:
        whole = _table(sheet).to_text(width)
        if _width(whole) <= width:
            return [whole], []
    names = [name for name in sheet.columns if name != NOTE]
    named, figures = names[: sheet.groups], names[sheet.groups :]
    tables: list[str] = []
    while figures:
        count = len(figures)
        while count > 1 and _width(_table(sheet.of_columns([*named, *figures[:count]])).to_text(width)) > width:
            count -= 1
        tables.append(_table(sheet.of_columns([*named, *figures[:count]])).to_text(width))
        figures = figures[count:]
    return tables, sheet.notes()


def folded(text: str, width: int) -> list[str]:
    """Return a sentence as lines; blanks before it are kept."""
    indent = " " * (len(text) - len(text.lstrip()))
    return textwrap.wrap(text.strip(), width, initial_indent=indent, subsequent_indent=f"{indent}  ")


def _table(sheet: Sheet, title: str = "") -> Table:
    return Table(sheet.columns, sheet.rows, title=title, right=sheet.right, whole=sheet.columns[: sheet.groups])


def _width(text: str) -> int:
    return max(map(len, text.splitlines()))


def _markdown_row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(literal(' '.join(cell.split())) for cell in cells)} |"


_OBEYED = str.maketrans({sign: f"\\{sign}" for sign in r"\`*_{}[]<>|~#$&"})


def literal(text: str) -> str:
    """Return a text of which Markdown takes every character as it is."""
    return text.translate(_OBEYED)

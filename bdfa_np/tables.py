"""Tables of a few rows: as plain text for a terminal, as HTML for a notebook."""

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, TypeAlias

Cell: TypeAlias = object
"""Text, a number of Python's or NumPy's, or None for nothing; anything else is shown as its ``str``."""

WIDTH = 80
"""The columns of a terminal that a table's text fits into, as far as its numbers let it."""
_GAP = "  "
_NARROWEST = 8


@dataclass(frozen=True, repr=False)
class Table:
    """Rows under headings.

    Text stands at the left of its column, numbers at the right. A whole number has commas between its thousands,
    another one four significant digits; whoever wants them otherwise hands over text, and names its column in
    ``right``. None is an empty cell.

    Parameters
    ----------
    columns : sequence of str
        The headings.
    rows : sequence of sequence of str, int, float or None
        A cell for each heading.
    title : str, default ""
        A line above.
    footer : sequence, optional
        A last row, for example of sums.
    right : sequence of str, default ()
        The headings of columns whose text stands at the right.
    whole : sequence of str, default ()
        The headings of columns that are folded only where folding the others is not enough.

    Raises
    ------
    ValueError
        If a row has not a cell for each heading.

    Examples
    --------
    >>> print(Table(["rule", "error", "weights"], [["bp", 1.5, 1200], ["dfa", 12.25, None]], title="after 5 epochs"))
    after 5 epochs
    rule  error  weights
    bp      1.5    1,200
    dfa   12.25
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    title: str = ""
    footer: Sequence[Cell] | None = None
    right: Sequence[str] = ()
    whole: Sequence[str] = ()

    def __post_init__(self) -> None:
        for row in self._all_rows():
            if len(row) != len(self.columns):
                raise ValueError(f"a row of {len(row)} cells under {len(self.columns)} headings: {row!r}")

    def _all_rows(self) -> list[Sequence[Cell]]:
        return [*self.rows, *([self.footer] if self.footer is not None else [])]

    def text_rows(self) -> list[list[str]]:
        """Return every row, the footer last, as it is printed."""
        return [[shown(cell) for cell in row] for row in self._all_rows()]

    def at_right(self) -> list[bool]:
        """Return for each column whether it stands at the right: what holds numbers and no text, or is named so."""
        return [
            title in self.right or any(is_number(row[i]) for row in self._all_rows())
            for i, title in enumerate(self.columns)
        ]

    def to_text(self, width: int = WIDTH) -> str:
        """Return the table as lines of plain text.

        Parameters
        ----------
        width : int, default 80
            How wide it may be: the widest columns of text are folded until it fits. Numbers never are.
        """
        rows, right = self.text_rows(), self.at_right()
        widths = [max(map(len, cells)) for cells in zip(self.columns, *rows, strict=True)]
        while sum(widths) + len(_GAP) * (len(widths) - 1) > width:
            wide = [i for i, at_right in enumerate(right) if not at_right and widths[i] > _NARROWEST]
            if not wide:
                break
            wide = [i for i in wide if self.columns[i] not in self.whole] or wide
            widths[max(wide, key=widths.__getitem__)] -= 1
        lines = [self.title] if self.title else []
        for row in (self.columns, *rows):
            cells = [textwrap.wrap(cell, max(size, 1)) or [""] for cell, size in zip(row, widths, strict=True)]
            for number in range(max(map(len, cells))):
                parts = [cell[number] if number < len(cell) else "" for cell in cells]
                lines.append(_GAP.join(map(_aligned, parts, widths, right)).rstrip())
        return "\n".join(lines)

    __str__ = to_text
    __repr__ = to_text

    def to_html(self) -> str:
        """Return the table as HTML, in which whatever a cell holds is text."""
        from html import escape  # as in `_html_row`: nobody who wants text waits for it

        right = self.at_right()
        foot = 1 if self.footer is not None else 0
        rows = self.text_rows()
        body = [_html_row(row, "td", right) for row in rows[: len(rows) - foot]]
        parts = [
            f"<caption>{escape(self.title)}</caption>" if self.title else "",
            f"<thead>{_html_row(self.columns, 'th', right)}</thead>",
            f"<tbody>{''.join(body)}</tbody>",
            f"<tfoot>{_html_row(rows[-1], 'th', right)}</tfoot>" if foot else "",
        ]
        return f"<table>{''.join(parts)}</table>"

    def _repr_html_(self) -> str:
        """Return what a notebook shows."""
        return self.to_html()


def shown(cell: Any) -> str:
    """Return a cell as text: whole numbers with commas, others with four significant digits, nothing for None."""
    if cell is None:
        return ""
    if is_number(cell):
        return f"{cell:,}" if isinstance(cell, Integral) else f"{cell:.4g}"
    return str(cell)


def is_number(cell: object) -> bool:
    """Return whether a cell is a number, one of NumPy's too; a truth value is none."""
    return isinstance(cell, Real) and not isinstance(cell, bool)


def _aligned(text: str, width: int, right: bool) -> str:
    return text.rjust(width) if right else text.ljust(width)


def _html_row(cells: Iterable[str], tag: str, right: Iterable[bool]) -> str:
    from html import escape

    sides = ("right" if at_right else "left" for at_right in right)
    # An empty cell heads nothing: a screen reader would announce it.
    kinds = [(cell, tag if cell else "td", side) for cell, side in zip(cells, sides, strict=True)]
    inside = "".join(f'<{kind} style="text-align: {side}">{escape(cell)}</{kind}>' for cell, kind, side in kinds)
    return f"<tr>{inside}</tr>"

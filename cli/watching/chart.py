"""Curves as characters, drawn by plotext; needs the extra ``plot``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, floor, isfinite, log10
from typing import Any

from rich.text import Text

from bdfa_np.errors import ConfigError
from bdfa_np.system.extras import install_command

_PLAIN = str.maketrans("┌┐└┘├┤┬┴┼─│┈·●…", "++++||-++-|-.o~")
_MOST_TICKS = 8
_MOST_NAME_ROWS = 3
"""Rows that the curves' names take at most, and of a low chart a quarter of its rows."""


@dataclass(frozen=True)
class Line:
    """A curve.

    Attributes
    ----------
    label : str
        What it is called.
    x, y : sequence of float
        Its points; those that are no finite numbers are left out.
    marker : str
        The character that it is drawn with, so that it is told from others without colours too.
    colour : str
        One of a terminal's own, which are legible on its background.
    short : str, optional
        What it is called where there is no room for ``label``.
    drawn : bool, default True
        Whether it is drawn, or only named.
    """

    label: str
    x: Sequence[float]
    y: Sequence[float]
    marker: str
    colour: str
    short: str = ""
    drawn: bool = True


def check_drawing() -> None:
    """Raise `ConfigError` unless there is something to draw with."""
    try:
        import plotext
    except ImportError:
        plotext = None
    if not hasattr(plotext, "figure"):  # as before version 6
        command = install_command("plot")
        raise ConfigError(f"bdfa watch draws with plotext, from version 6 on: install it with {command}")


def chart(
    title: str,
    lines: Sequence[Line],
    width: int,
    height: int,
    *,
    limits: tuple[float, float] | None = None,
    mark: float | None = None,
    log: bool = False,
    note: str = "",
    ascii_only: bool = False,
) -> Text:
    """Draw curves over epochs.

    Parameters
    ----------
    title : str
        What is drawn; the curves' names and markers follow it.
    lines : sequence of Line
        The curves; a later one is drawn over an earlier one.
    width, height : int
        Of the whole, in characters.
    limits : tuple of float, optional
        Where the y axis begins and ends; by default at 0 and at the highest value.
    mark : float, optional
        A value at which a line is drawn across, where the y axis has it.
    log : bool, default False
        Whether the y axis is logarithmic, and begins at the lowest value above 0.
    note : str, default ""
        What is said after the curves' names.
    ascii_only : bool, default False
        Whether no other characters can be shown.

    Returns
    -------
    rich.text.Text
        ``height`` lines.
    """
    rows = min(_MOST_NAME_ROWS, max(height // 4, 1))
    head = _head(title, lines, note, width, rows, ascii_only=ascii_only)
    room = height - len(head)
    drawn = Text.from_ansi(_drawn([line for line in lines if line.drawn], width, room, limits, mark, log=log))
    whole = Text("\n").join([*head, *drawn.split("\n")[:room]])
    return _in_ascii(whole) if ascii_only else whole


def _head(title: str, lines: Sequence[Line], note: str, width: int, rows: int, *, ascii_only: bool) -> list[Text]:
    """Return what is drawn and the names of its curves in so many rows at most, the names short if they have to be."""
    for short in (False, True):
        parts = [Text(title, "bold")]
        for line in lines:
            parts.append(Text.assemble((f"{line.marker} ", line.colour), (line.short if short else "") or line.label))
        found = list(_filled([*parts, *([Text(note)] if note else [])], width))
        if len(found) <= rows:
            break
    if len(found) > rows:
        found[rows - 1 :] = [Text("  ").join(found[rows - 1 :])]
    for row in found:
        row.truncate(width, overflow="crop" if ascii_only else "ellipsis")
    return found


def _filled(parts: Sequence[Text], width: int) -> Iterator[Text]:
    """Yield rows with as many parts each as there is room for."""
    row = parts[0]
    for part in parts[1:]:
        if row.cell_len + 2 + part.cell_len > width:
            yield row
            row = Text("  ").append_text(part)
        else:
            row = Text.assemble(row, "  ", part)
    yield row


def _drawn(
    lines: Sequence[Line],
    width: int,
    height: int,
    limits: tuple[float, float] | None,
    mark: float | None,
    *,
    log: bool,
) -> str:
    import plotext

    plotext.terminal.limit(False, False)  # the size is what is asked for, and not what it takes the terminal's to be
    figure = plotext.figure
    figure.clear()
    figure.theme("colorless")
    figure.plot_size(width, height)
    xs: list[float] = []
    ys: list[float] = [] if log else list(limits or [0.0])
    mark = mark if mark is not None and (limits is None or limits[0] <= mark <= limits[1]) else None
    if mark is not None and lines:
        ends = [lines[0].x[0], lines[0].x[-1]]
        figure.draw(figure.signal(ends, [mark, mark], marker=plotext.marker("┈", plotext.pixel())).lines(True))
    for line in lines:
        drawn = [number for number, y in enumerate(line.y) if isfinite(y) and not (log and y <= 0)]
        if drawn:
            x, y = [line.x[number] for number in drawn], [line.y[number] for number in drawn]
            y = [log10(value) for value in y] if log else y
            marker = plotext.marker(line.marker, plotext.pixel(line.colour))
            signal = figure.signal(x, y, marker=marker).lines(True)
            for place, (one, other) in enumerate(pairwise(drawn), start=1):
                signal.line(place, other == one + 1)  # nothing is drawn over what is not known
            figure.draw(signal)
            xs += x
            ys += y
    _set_axis(figure.ruler("x"), xs, width // 10, whole=True)
    _set_axis(figure.ruler("y"), ys, height // 2, mark, log=log)
    text: str = figure.build().string()
    return text


def _set_axis(
    ruler: Any,
    values: Sequence[float],
    most: int,
    mark: float | None = None,
    *,
    log: bool = False,
    whole: bool = False,
) -> None:
    """Give an axis the range of its values, of which it has the logarithms if it is so, and ticks, one at its mark.

    A whole one, which counts something, has ticks at whole numbers alone.
    """
    lowest, highest = min(values, default=0.0), max(values, default=1.0)
    if lowest == highest:
        lowest, highest = lowest - 0.5, highest + 0.5
    if log:
        tens = range(floor(lowest), ceil(highest) + 1)
        decades = [(log10(digit) + power, digit * 10.0**power) for power in tens for digit in (1, 3)]
        named = {position: value for position, value in decades if lowest <= position <= highest}
    else:
        if whole and ceil(lowest) > floor(highest):
            lowest, highest = floor(lowest), ceil(highest)
        step = _round_step((highest - lowest) / max(min(most, _MOST_TICKS), 1))
        named = {position: position for position in ticks(lowest, highest, max(step, 1.0) if whole else step)}
        if mark is not None:
            named = {position: value for position, value in named.items() if abs(value - mark) >= step / 2}
            named[mark] = mark
    ruler.lim(lowest, highest).ticks(list(named), [f"{value:g}" for value in named.values()])


def ticks(lowest: float, highest: float, step: float) -> list[float]:
    """Return the multiples of a step in a range."""
    first, last = ceil(lowest / step - 1e-9), floor(highest / step + 1e-9)
    return [round(number * step, 10) for number in range(first, last + 1)]


def _round_step(least: float) -> float:
    """Return the smallest of 1, 2 or 5 by a power of ten that is no less."""
    power: float = 10.0 ** floor(log10(least))
    return next(power * digit for digit in (1, 2, 5, 10) if power * digit >= least * (1 - 1e-9))


def _in_ascii(text: Text) -> Text:
    """Return the same in characters that every terminal has."""
    plain = text.plain.translate(_PLAIN).encode("ascii", "replace").decode()
    return Text(plain, spans=text.spans, no_wrap=True)

"""Curves as characters, drawn by plotext; needs the extra ``plot``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, floor, isfinite, log10
from typing import Any

from rich.text import Text

from bdfa_np.errors import ConfigError
from bdfa_np.system.extras import install_command

_PLAIN = str.maketrans("┌┐└┘├┤┬┴┼─│┈·●…", "++++||-++-|-.o~")
_MOST_TICKS = 8


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
    """

    label: str
    x: Sequence[float]
    y: Sequence[float]
    marker: str
    colour: str


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
    top: float | None = None,
    mark: float | None = None,
    step: float | None = None,
    log: bool = False,
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
    top : float, optional
        What the y axis, which begins at 0, reaches at least.
    mark : float, optional
        A value at which a line is drawn across.
    step : float, optional
        From tick to tick of the y axis; round numbers by default.
    log : bool, default False
        Whether the y axis is logarithmic, and begins at the lowest value above 0.
    ascii_only : bool, default False
        Whether no other characters can be shown.

    Returns
    -------
    rich.text.Text
        ``height`` lines.
    """
    drawn = Text.from_ansi(_drawn(lines, width, height - 1, top, mark, step, log=log))
    head = Text.assemble((title, "bold"))
    for line in lines:
        head.append(f"  {line.marker} ", line.colour).append(line.label)
    head.truncate(width, overflow="crop" if ascii_only else "ellipsis")
    whole = Text("\n").join([head, *drawn.split("\n")[: height - 1]])
    return _in_ascii(whole) if ascii_only else whole


def _drawn(
    lines: Sequence[Line],
    width: int,
    height: int,
    top: float | None,
    mark: float | None,
    step: float | None,
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
    ys: list[float] = [] if log else [0.0, *([top] if top else [])]
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
    _set_axis(figure.ruler("x"), xs, width // 10)
    _set_axis(figure.ruler("y"), ys, height // 2, step, log=log)
    text: str = figure.build().string()
    return text


def _set_axis(ruler: Any, values: Sequence[float], most: int, step: float | None = None, *, log: bool = False) -> None:
    """Give an axis the range of its values, of which it has the logarithms if it is so, and ticks."""
    lowest, highest = min(values, default=0.0), max(values, default=1.0)
    if lowest == highest:
        lowest, highest = lowest - 0.5, highest + 0.5
    if log:
        tens = range(floor(lowest), ceil(highest) + 1)
        decades = [(log10(digit) + power, digit * 10.0**power) for power in tens for digit in (1, 3)]
        named = {position: value for position, value in decades if lowest <= position <= highest}
    else:
        chosen = step or _round_step((highest - lowest) / max(min(most, _MOST_TICKS), 1))
        named = {position: position for position in ticks(lowest, highest, chosen)}
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

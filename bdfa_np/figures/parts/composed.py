"""How panels stand side by side in one picture, under a title that says of which runs it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bdfa_np.figures.headings import settings_title
from bdfa_np.figures.parts.panels import LINE, Panel
from bdfa_np.figures.style import TEXT, WIDTH, broken, figure, usual_width
from bdfa_np.figures.views import Subject

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PAGE_WIDTH = 2 * WIDTH + 0.2
"""Inches: both columns of a page, which several panels share; one alone fills a column."""
MOST_PANELS = 8
_EDGE, _BETWEEN = 0.08, 0.2
_MOST_LINES = 9


def shown(subjects: Sequence[Subject]) -> tuple[list[Subject], int]:
    """Return the subjects that there is room for, and how many are left out."""
    return list(subjects[:MOST_PANELS]), max(0, len(subjects) - MOST_PANELS)


def named(panels: Sequence[Panel], subjects: Sequence[Subject]) -> Sequence[Panel]:
    """Return panels, each with its subject's name before its title where there are several."""
    if len(panels) > 1:
        for panel, subject in zip(panels, subjects, strict=True):
            panel.title = f"{subject.short_legend}: {panel.title}" if panel.title else subject.short_legend
    return panels


def heading(what: str, subjects: Sequence[Subject], left_out: int = 0) -> str:
    """Return what stands over a picture: what is drawn, of which runs, and what is left out.

    Parameters
    ----------
    what : str
        What is drawn.
    subjects : sequence of Subject
        Those that are drawn.
    left_out : int, default 0
        How many more there are.
    """
    several = any(len(subject.runs) > 1 for subject in subjects)
    first = sorted({subject.config.seed for subject in subjects if len(subject.runs) > 1})
    which = "" if len(subjects) == 1 else f" seeds: {', '.join(map(str, first))}"  # the settings have the seed of one
    notes = [f"the first of several{which}"] if several else []
    notes += [f"{left_out} more left out"] if left_out else []
    notes += [subjects[0].unfinished] if len(subjects) == 1 and subjects[0].unfinished else []
    settings = settings_title(*(subject.config for subject in subjects))
    return f"{what}\n{settings}" + (f" ({'; '.join(notes)})" if notes else "")


def compose(panels: Sequence[Panel], title: str, axes: Axes | None = None, foot: Panel | None = None) -> Figure | Axes:
    """Put panels side by side, in rows of as many as can be read.

    Parameters
    ----------
    panels : sequence of Panel
        The panels.
    title : str
        What stands over all of them.
    axes : Axes, optional
        Where the only panel goes instead.
    foot : Panel, optional
        What stands below all of them.

    Returns
    -------
    Figure or Axes
        A new figure, or the axes that were given.

    Raises
    ------
    ValueError
        If there are several panels for the axes.
    """
    if axes is not None:
        if len(panels) > 1:
            raise ValueError(f"one run is drawn into axes, not {len(panels)}: leave axes out for a figure of all")
        return _into(axes, panels[0])
    if len(panels) == 1:
        title = f"{title}\n{panels[0].title}"
    columns = _columns(len(panels))
    usual = usual_width()
    whole = PAGE_WIDTH if usual == WIDTH and len(panels) > 1 else usual
    width = (whole - 2 * _EDGE - (columns - 1) * _BETWEEN) / columns
    titles = [broken(panel.title, width, TEXT, _MOST_LINES) if len(panels) > 1 else "" for panel in panels]
    over = broken(title, whole - 2 * _EDGE, TEXT, _MOST_LINES)
    rows = [range(start, min(start + columns, len(panels))) for start in range(0, len(panels), columns)]
    above = [max(_lines(titles[number]) for number in row) + 0.06 for row in rows]
    below = [max(_height(panels[number], width) for number in row) + 0.1 for row in rows]
    top = _EDGE + _lines(over)
    last = 0.0 if foot is None else foot.height(whole - 2 * _EDGE)
    high = top + sum(above) + sum(below) + last + _EDGE
    made = figure(whole, high)
    made.set_layout_engine("none")  # every place is known
    made.suptitle(over, x=0.5, y=1 - _EDGE / high, va="top", size=TEXT, parse_math=False)
    for row, title_room, room in zip(rows, above, below, strict=True):
        top += title_room
        for place, number in enumerate(row):
            panel = panels[number]
            left, _ = panel.margins()
            start = _EDGE + place * (width + _BETWEEN) + left
            inner = panel.height(width - left)
            box = (start / whole, 1 - (top + inner) / high, (width - left) / whole, inner / high)
            into = made.add_axes(box)
            panel.draw(into, width - left)
            made.text(
                *((start - left + width / 2) / whole, 1 - (top - 0.04) / high, titles[number]),
                ha="center",
                va="bottom",
                size=TEXT,
                parse_math=False,
            )
        top += room
    if foot is not None:
        foot.draw(made.add_axes((_EDGE / whole, _EDGE / high, 1 - 2 * _EDGE / whole, last / high)), whole - 2 * _EDGE)
    return made


def _height(panel: Panel, width: float) -> float:
    left, below = panel.margins()
    return panel.height(width - left) + below


def _lines(text: str) -> float:
    """Return how many inches a title takes."""
    return (text.count("\n") + 1) * TEXT * LINE if text else 0.0


def _columns(count: int) -> int:
    return count if count <= 3 else min(4, -(-count // 2))


def _into(axes: Axes, panel: Panel) -> Axes:
    """Draw a panel into somebody's axes, no wider than lets it be as high as they are."""
    box, dpi = axes.get_window_extent(), axes.figure.dpi
    width, high = box.width / dpi, box.height / dpi
    fitting = width
    while panel.height(fitting) > high and fitting > 0.2 * width:
        fitting *= 0.98
    panel.draw(axes, fitting)
    axes.set_title(broken(panel.title, width, TEXT, _MOST_LINES), size=TEXT, parse_math=False)
    return axes

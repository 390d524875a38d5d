"""Confusion matrices: for which class samples of each class were taken."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bdfa_np.errors import RunError
from bdfa_np.figures import style
from bdfa_np.figures.drawn import of_runs
from bdfa_np.figures.headings import heading, legends
from bdfa_np.figures.parts.names import REPLACED, legible
from bdfa_np.figures.parts.shortening import shortened_name
from bdfa_np.figures.views import Subject

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NUMBER = 5.0
"""Points: the smallest size of numbers in cells; where they would be smaller, there are none."""
NAME = 5.0
"""Points: the smallest size of class names; where they would be smaller, some classes have their numbers."""
POWER = 0.35
"""By which shares are coloured: a mistake of one in a hundred is seen beside the diagonal."""
LONGEST = 0.75
"""Inches of a class's name; of a longer one the end is left out."""
_LINE = 0.13
"""Inches."""
_Named = tuple[NDArray[np.int64], tuple[str, ...]]
MOST_NAMED = 4
"""Confusions that are named below a matrix without numbers."""


@of_runs
def confusion(subjects: list[Subject], *, axes: Axes | None = None) -> Figure | Axes:
    """Draw what share of each true class was taken for which class, after the last epoch, over all seeds together.

    Parameters
    ----------
    subjects : list of Subject
        Or run folders and studies; each has a matrix of its own.
    axes : matplotlib.axes.Axes, optional
        Where to draw a single subject; a figure of its own unless given.

    Returns
    -------
    matplotlib.figure.Figure or matplotlib.axes.Axes

    Raises
    ------
    RunError
        If the seeds of a subject have other classes, or a run was kept in no folder.
    """
    found, replaced = _legible([counts_of(subject) for subject in subjects])
    samples = {_samples(subject, counts) for subject, (counts, _) in zip(subjects, found, strict=True)}
    told = f"{heading(subjects)}\n{samples.pop() if len(samples) == 1 else ''}".rstrip()
    told = f"{told}, {_error(found[0][0])}" if len(subjects) == 1 else told
    told = f"{told}\n{REPLACED}" if replaced else told
    if axes is not None:
        _matrix(axes, *found[0], side=_side(axes))
        style.title(axes, told)
        return axes
    width = style.usual_width()
    columns = min(len(subjects), max(int(width / style.WIDTH), 1))
    rows = -(-len(subjects) // columns)
    side = width / columns
    lines = (2 if len(subjects) > 1 else 0) + (1 if samples else 0)
    named = 0 if all(_has_numbers(side, names) for _, names in found) else MOST_NAMED
    longer = max(style.lines_of_title(told, width) - 2, 0)
    drawn = style.figure(width, rows * (side - 0.5 + _LINE * (lines + named)) + 0.4 + _LINE * longer)
    places = drawn.subplots(rows, columns, squeeze=False)
    for place, subject, legend, (counts, names) in zip(places.flat, subjects, legends(subjects), found, strict=False):
        _matrix(place, counts, names, side=side)
        if len(subjects) > 1:
            own = f"\n{_samples(subject, counts)}" if samples else ""
            style.title(place, f"{legend}\n{_error(counts)}{own}", size=style.SMALL)
    for place in places.flat[len(subjects) :]:
        place.remove()
    style.title(drawn, told)
    layout = drawn.get_layout_engine()
    if named and layout is not None:
        for _ in range(2):  # squares move the lines below them, which is heeded the next time
            layout.execute(drawn)
    return drawn


def counts_of(subject: Subject) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Return the counts (K, K) of a subject's runs together, rows true classes, and the classes' names.

    Raises
    ------
    RunError
        If they have other classes.
    """
    counts, names = subject.runs[0].confusion()
    for run in subject.runs[1:]:
        others, also = run.confusion()
        if also != names:
            raise RunError(f"{run.name} has other classes than {subject.runs[0].name}: draw one of them")
        counts = counts + others
    return counts, names


def _legible(found: list[_Named]) -> tuple[list[_Named], bool]:
    """Return matrices with the names of classes as they can be drawn, and whether some are replaced."""
    shown = [(counts, *legible(names)) for counts, names in found]
    return [(counts, tuple(names)) for counts, names, _ in shown], any(replaced for *_, replaced in shown)


def shares(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return counts as shares of their rows, from 0 to 1; NaN in the row of a class without samples."""
    sums = counts.sum(axis=1, keepdims=True)
    found: NDArray[np.float64] = np.divide(counts, sums, out=np.full(counts.shape, np.nan), where=sums > 0)
    return found


def _error(counts: NDArray[np.int64]) -> str:
    total = int(counts.sum())
    return f"error {100 * (1 - np.trace(counts) / total):.2f} %" if total else "no samples"


def _samples(subject: Subject, counts: NDArray[np.int64]) -> str:
    """Return how many samples were tested, and after which epoch."""
    runs, total = len(subject.runs), int(counts.sum())
    each = f"{runs} × {total // runs:,}" if runs > 1 and total % runs == 0 else f"{total:,}"
    epochs = sorted({len(run.history) for run in subject.runs})
    after = "-".join(map(str, dict.fromkeys((epochs[0], epochs[-1]))))
    return f"{each} {subject.config.tested_on} samples after epoch {after}"


def _side(axes: Axes) -> float:
    """Return about how many inches wide somebody's axes are."""
    return float(axes.get_position().width * style.figure_of(axes).get_figwidth()) + 0.8


def _cell(side: float, names: tuple[str, ...]) -> float:
    """Return how wide a cell is, in points, where a matrix has so many inches with all that stands around it."""
    longest = max(style.text_width(name, style.SMALL) for name in names)
    return 72 * (side - 0.95 - min(longest, LONGEST)) / len(names)


def _has_numbers(side: float, names: tuple[str, ...]) -> bool:
    """Return whether numbers in the cells could be read."""
    return _cell(side, names) / 2.6 >= NUMBER


def _matrix(axes: Axes, counts: NDArray[np.int64], names: tuple[str, ...], *, side: float) -> None:
    """Draw one matrix into about so many inches."""
    from matplotlib.colors import PowerNorm

    found = shares(counts)
    shown = axes.imshow(np.nan_to_num(found), cmap="Blues", norm=PowerNorm(POWER, 0, 1), interpolation="nearest")
    room = _cell(side, names)
    size = min(style.SMALL, room / 2.6)
    if _has_numbers(side, names):
        for true, predicted in zip(*np.nonzero(counts), strict=True):
            dark = found[true, predicted] > 0.3
            share = 100 * found[true, predicted]
            text = "100" if share > 99.95 else f"{share:.1f}"  # which would be wider than a cell
            axes.text(predicted, true, text, ha="center", va="center", size=size, color="white" if dark else "black")
    _names(axes, names, min(style.SMALL, room / 1.1))
    often = "" if _has_numbers(side, names) else f"\n{_most_often(counts, names)}"
    axes.set_xlabel(f"taken for{often}", fontsize=style.SMALL, parse_math=False)
    axes.set_ylabel("true class", fontsize=style.SMALL)
    axes.tick_params(length=0 if room / 1.1 >= NAME else 2)
    for spine in axes.spines.values():
        spine.set_visible(True)
    bar = style.figure_of(axes).colorbar(shown, ax=axes, shrink=0.75, pad=0.02, aspect=30)
    bar.set_label("share of the true class, %", size=style.SMALL)
    bar.set_ticks([0, 0.01, 0.1, 0.3, 0.6, 1], labels=["0", "1", "10", "30", "60", "100"])
    bar.ax.tick_params(labelsize=style.SMALL, width=0.6)


def _most_often(counts: NDArray[np.int64], names: tuple[str, ...]) -> str:
    """Return the commonest mistakes, a line each."""
    wrong = counts.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:MOST_NAMED]
    pairs = [divmod(int(place), len(names)) for place in order if wrong.flat[place]]
    short = [shortened_name(name, LONGEST, style.SMALL) for name in names]
    said = [f"{short[true]} → {short[taken]}: {shares(counts)[true, taken]:.0%}" for true, taken in pairs]
    return "\n".join(said) if said else "no mistake"


def _names(axes: Axes, names: tuple[str, ...], size: float) -> None:
    """Write the classes beside the matrix: all of their names, or of many the numbers of some."""
    K = len(names)
    if size < NAME:
        step = next(step for step in (5, 10, 20, 50, 100, 200, 500, 1000, K) if K / step <= 12)
        places = range(0, K, step)
        axes.set_xticks(places)
        axes.set_yticks(places)
        return
    shown = [shortened_name(name, LONGEST, size) for name in names]
    longest = max(style.text_width(name, size) for name in shown)
    turned = 90 if longest > size * 1.05 / 72 else 0
    axes.set_xticks(range(K), labels=shown, rotation=turned, fontsize=size, parse_math=False)
    axes.set_yticks(range(K), labels=shown, fontsize=size, parse_math=False)

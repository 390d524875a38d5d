"""Error curves: the training error and that on the part tested on, epoch by epoch, with a band over seeds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bdfa_np.errors import ConfigError
from bdfa_np.figures import style
from bdfa_np.figures.drawn import of_runs
from bdfa_np.figures.headings import heading, legends
from bdfa_np.figures.spread import SPREADS, band_of, mean_of
from bdfa_np.figures.views import Subject

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

SQUASHED = 3
"""How many times as high as all later ones the first errors must be for an axis to be logarithmic."""
MOST_WITH_TRAINING = 3
"""Of more subjects the training errors would hide the others."""
_MOST_MARKERS = 12


@of_runs
def curves(
    subjects: list[Subject],
    *,
    axes: Axes | None = None,
    spread: str = "range",
    training: bool | None = None,
    log: bool | None = None,
    published: float | None = None,
) -> Axes:
    """Draw errors by epoch, the mean over seeds, and mark where the error on the part tested on is lowest.

    Parameters
    ----------
    subjects : list of Subject
        Or run folders, studies and results of training, one after another.
    axes : matplotlib.axes.Axes, optional
        Where to draw; a figure of its own unless given.
    spread : {"range", "sd"}, default "range"
        What the band over seeds is: from the lowest to the highest, or a standard deviation to either side of the mean.
    training : bool, optional
        Whether training errors are drawn too, thin and hollow; of up to three subjects unless given.
    log : bool, optional
        Whether the axis is logarithmic; where the first epochs would squash the others unless given.
    published : float, optional
        A published error in percent, which a level line is drawn at.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ConfigError
        If there is no such spread.
    """
    if spread not in SPREADS:
        raise ConfigError(f"spread is {spread!r}: choose from {', '.join(map(repr, SPREADS))}")
    below = axes is None
    if axes is None:
        axes = style.figure().add_subplot()
    parts = list(dict.fromkeys(subject.config.tested_on for subject in subjects))
    training = len(subjects) <= MOST_WITH_TRAINING if training is None else training
    faint = 0.18 if len(subjects) <= MOST_WITH_TRAINING else 0.08
    entries: list[Artist] = []
    shown = []
    called = legends(subjects)
    for number, (subject, look, legend) in enumerate(zip(subjects, style.STYLES, called, strict=False)):
        part = f", {subject.config.tested_on}" if len(parts) > 1 else ""
        shown.append(_draw(axes, subject, look, number, training=training, spread=spread, faint=faint))
        label = parts[0] if len(subjects) == 1 else f"{legend}{part}"
        entries.append(_entry(label, color=look.colour, marker=look.marker, linestyle=look.dash))
    banded = any(len(subject.runs) > 1 for subject in subjects)
    entries += _explained(subjects, parts, shown, training=training, banded=spread if banded else "")
    if published is not None:
        level = axes.axhline(published, color="0.4", linewidth=0.9, linestyle=(0, (1, 1)), zorder=1)
        level.set_label(f"published, {published:g}")
        entries.append(level)
    _scale(axes, shown, log=log, also=published)
    part = f"{parts[0]} " if len(parts) == 1 and not training else ""
    axes.set(xlabel="epoch", ylabel=f"{part}error, %")
    style.epoch_axis(axes, 1, max(len(one) for lines in shown for one in lines.values()))
    axes.grid(axis="y")
    style.legend(axes, entries, below=below)
    style.title(style.figure_of(axes) if below else axes, heading(subjects))
    return axes


def together(subject: Subject, name: str) -> NDArray[np.float64]:
    """Return a figure of each run in percent (R, E), NaN after a run's last epoch."""
    length = max(len(run.history) for run in subject.runs)
    found = np.full((len(subject.runs), length), np.nan)
    for row, run in zip(found, subject.runs, strict=True):
        row[: len(run.history)] = [100 * getattr(record, name) for record in run.history]
    found[~np.isfinite(found)] = np.nan
    return found


def _draw(
    axes: Axes, subject: Subject, look: style.Style, number: int, *, training: bool, spread: str, faint: float
) -> dict[str, NDArray[np.float64]]:
    """Draw a subject's lines, and return the means that they are of."""
    names = ["test_error", *(["train_error"] if training else [])]
    means = {}
    for name in names:
        found = together(subject, name)
        mean = means[name] = mean_of(found)
        epochs = np.arange(1, len(mean) + 1)
        thin = name == "train_error"
        axes.plot(
            epochs,
            mean,
            color=look.colour,
            linestyle=look.dash,
            linewidth=0.7 if thin else 1.3,
            marker=look.marker,
            markersize=2.5 if thin else 3.5,
            markerfacecolor="white" if thin else look.colour,
            markeredgewidth=0.6,
            markevery=_some(len(mean), number),
            label=f"{subject.label}, {'training' if thin else subject.config.tested_on}",
            zorder=2 if thin else 3,
        )
        if len(found) > 1 and not thin:
            low, high = band_of(found, spread)
            axes.fill_between(epochs, np.maximum(low, 0), high, color=look.colour, alpha=faint, linewidth=0)
    tested = means["test_error"]
    if len(tested) > 1:
        axes.plot([_best(tested) + 1], [tested[_best(tested)]], **_star(look.colour))
    return means


def _best(mean: NDArray[np.float64]) -> int:
    """Return where a mean is lowest, the first of several; 0 where it has no number."""
    return int(np.nanargmin(mean)) if np.isfinite(mean).any() else 0


def _some(length: int, number: int) -> int | tuple[int, int]:
    """Return which points have markers: all of a few; of many some, not the same ones of each subject."""
    if length <= _MOST_MARKERS:
        return 1
    step = -(-length // _MOST_MARKERS)
    return (number * max(step // 5, 1)) % step, step


def _star(colour: str) -> dict[str, Any]:
    return {
        "marker": "*",
        "markersize": 8,
        "markerfacecolor": "white",
        "markeredgecolor": colour,
        "markeredgewidth": 0.9,
        "linestyle": "none",
        "zorder": 4,
    }


def _entry(label: str, **look: Any) -> Artist:
    """Return an entry of a legend that stands for no line in particular."""
    from matplotlib.lines import Line2D

    return Line2D([], [], label=label, **look)


def _explained(
    subjects: list[Subject],
    parts: list[str],
    shown: list[dict[str, NDArray[np.float64]]],
    *,
    training: bool,
    banded: str,
) -> list[Artist]:
    """Return what the legend says of lines, marks and bands that all subjects have."""
    from matplotlib.patches import Patch

    single = len(subjects) == 1
    colour = style.STYLES[0].colour if single else style.NEUTRAL
    hollow: dict[str, Any] = {"color": colour, "markerfacecolor": "white", "markeredgewidth": 0.6, "linewidth": 0.7}
    found: list[Artist] = []
    if training:
        if not single:
            told = " or ".join(parts)
            found.append(_entry(told, color=colour, marker="o"))
        found.append(_entry("training", marker="o", markersize=2.5, **hollow))
    mean = shown[0]["test_error"]
    if any(len(means["test_error"]) > 1 for means in shown):
        text = "lowest mean" if banded else "lowest"
        found.append(
            _entry(f"{text}: {mean[_best(mean)]:.2f} % at epoch {_best(mean) + 1}" if single else text, **_star(colour))
        )
    if banded:
        found.append(Patch(color=colour, alpha=0.25, linewidth=0, label=SPREADS[banded]))
    return found


def _scale(
    axes: Axes, shown: list[dict[str, NDArray[np.float64]]], *, log: bool | None, also: float | None = None
) -> None:
    """Make the axis of errors logarithmic where the first epochs would squash the others, else begin it at 0."""
    lines = [line for means in shown for line in means.values()]
    numbers = np.concatenate([*lines, [] if also is None else [also]])
    numbers = numbers[np.isfinite(numbers)]
    if not (numbers > 0).any() or not (squashed(lines) if log is None else log):
        axes.set_ylim(0, max(axes.get_ylim()[1], 1.05 * numbers.max(initial=0)) if (numbers > 0).any() else 1)
        return
    positive = numbers[numbers > 0]
    scaled = style.log_axis_from_0 if (numbers == 0).any() else style.log_axis
    scaled(axes, positive.min(), positive.max())


def squashed(lines: list[NDArray[np.float64]]) -> bool:
    """Return whether the first epochs' errors would leave the later ones a small part of an axis from 0."""
    first = [line[0] for line in lines if np.isfinite(line[0])]
    later = [line[max(len(line) // 3, 1) :] for line in lines]
    rest = np.concatenate(later)
    rest = rest[np.isfinite(rest)]
    return bool(first and len(rest) and max(first) > SQUASHED * rest.max())

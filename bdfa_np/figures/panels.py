"""What was measured of runs while they trained, by layer over time: a panel a quantity or a subject, a line a layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from bdfa_np.diagnostics.diagnostics import Diagnostics
from bdfa_np.diagnostics.quantities import QUANTITIES
from bdfa_np.errors import ConfigError, RunError
from bdfa_np.figures import style
from bdfa_np.figures.headings import heading, legends
from bdfa_np.figures.spread import band_of, mean_of
from bdfa_np.figures.views import RunView, Subject

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TITLES = {quantity.name: quantity.title for quantity in QUANTITIES}
APPLIES = {quantity.name: quantity.applies for quantity in QUANTITIES}
UNITS = {quantity.name: quantity.unit for quantity in QUANTITIES}
PANEL = 1.55
"""Inches that a panel is high."""
NARROWEST = 1.5
"""Inches that a panel is wide at least."""
ANGLES = ("signal_angle", "gradient_angle", "feedback_angle")
MEANINGLESS = "exact gradient below the floor"
DIVERGED = 1e3
"""How many times their median norms reach where an axis from 0 would leave nothing of the others."""
_MOST_MARKERS = 8


def measured(subject: Subject, groups: Sequence[str]) -> list[Diagnostics]:
    """Return what was measured of each run of a subject.

    Parameters
    ----------
    subject : Subject
        The runs.
    groups : sequence of str
        What must have been tracked: one of these at least.

    Raises
    ------
    RunError
        If a run was not tracked, or not for any of these; it says how to.
    """
    return [_of_run(run, groups) for run in subject.runs]


def _of_run(run: RunView, groups: Sequence[str]) -> Diagnostics:
    found = run.diagnostics()
    names = [quantity.name for quantity in QUANTITIES if quantity.group in groups]
    if found is not None and len(found.steps) and any(name in found.values for name in names):
        return found
    track = ",".join(groups) if len(groups) == 1 else "all"
    what = "nothing was measured of it" if found is None else f"{', '.join(groups)} was not measured of it"
    raise RunError(f"{run.name}: {what} while it trained: train one with bdfa train ... --track {track}")


def grid(
    subjects: Sequence[Subject], names: Sequence[str], groups: Sequence[str], *, axes: Axes | None = None
) -> Figure | Axes:
    """Draw quantities by layer over the epochs.

    Parameters
    ----------
    subjects : sequence of Subject
        Tracked runs.
    names : sequence of str
        Which quantities; those that were measured of none are left out.
    groups : sequence of str
        What must have been tracked for them.
    axes : matplotlib.axes.Axes, optional
        Where to draw the only quantity of the only subject; a figure of panels unless given.

    Returns
    -------
    matplotlib.figure.Figure or matplotlib.axes.Axes

    Raises
    ------
    RunError
        If a run was not tracked.
    """
    groups = _groups(names, groups)
    found = [measured(subject, groups) for subject in subjects]
    asked = names
    names = [name for name in names if any(_has(one, name) for several in found for one in several)]
    if not names:
        why = f": {APPLIES[asked[0]]}" if len(asked) == 1 and APPLIES[asked[0]] else ""
        raise RunError(f"{', '.join(asked)}: it has a number in no layer of {subjects[0].runs[0].name}{why}")
    layers = list(dict.fromkeys(layer for several in found for one in several for layer in one.layers))
    looks = dict(zip(layers, _looks(len(layers)), strict=True))
    if axes is not None:
        _panel(axes, found[0], names[0], looks)
        _scale(axes, names[0])
        style.title(axes, heading(subjects))
        style.legend(axes, _entries(looks, found, names), below=False)
        return axes
    rows, columns = _layout(len(subjects), len(names))
    width = max(style.usual_width(), NARROWEST * columns + 0.3)
    drawn = style.figure(width, rows * PANEL + 0.4)
    shared: Literal["row"] | bool = len(names) == 1 or ("row" if len(subjects) > 1 else False)
    places = drawn.subplots(rows, columns, squeeze=False, sharex=True, sharey=shared)
    panels = [(number, name) for name in names for number in range(len(subjects))]
    kept, rest = places.flat[: len(panels)], places.flat[len(panels) :]
    for place in rest:
        place.remove()
    for (number, name), place in zip(panels, kept, strict=True):
        _panel(place, found[number], name, looks)
    for (_, name), place in zip(panels, kept, strict=True):
        _scale(place, name)
    _say(places, panels, names, legends(subjects))
    for place in kept[-columns:]:
        place.tick_params(labelbottom=True)
    what = f"\n{TITLES[names[0]]}" if len(names) == 1 else ""
    style.title(drawn, f"{heading(subjects)}{what}")
    style.legend(places.flat[0], _entries(looks, found, names))
    return drawn


def _say(places: Any, panels: Sequence[tuple[int, str]], names: Sequence[str], called: Sequence[str]) -> None:
    """Write over each panel, or beside its row, what it shows, where the picture's title does not."""
    for (number, name), place in zip(panels, places.flat, strict=False):
        if len(called) > 1 and name == names[0]:
            style.title(place, called[number], size=style.SMALL)
        elif len(called) == 1 and len(names) > 1:
            style.title(place, TITLES[name], size=style.SMALL)
    for row, place in enumerate(places[:, 0]):
        if len(names) == 1:
            place.set_ylabel(_axis(names[0]))
        elif len(called) > 1:
            place.set_ylabel(style.broken(TITLES[names[row]], PANEL - 0.3, style.SMALL), fontsize=style.SMALL)
    for place in places[-1]:
        place.set_xlabel("epoch")


def _groups(names: Sequence[str], groups: Sequence[str]) -> Sequence[str]:
    """Return what must have been tracked: of one quantity its own group, whatever the picture shows otherwise."""
    if len(names) > 1:
        return groups
    found = [quantity.group for quantity in QUANTITIES if quantity.name == names[0]]
    if not found:
        raise ConfigError(f"there is no quantity {names[0]!r}: choose from {', '.join(TITLES)}")
    return found


def _has(found: Diagnostics, name: str) -> bool:
    return bool(_with_numbers(found, name))


def _layout(subjects: int, names: int) -> tuple[int, int]:
    """Return rows and columns of panels: a row a quantity where there are several subjects too."""
    if subjects > 1 and names > 1:
        return names, subjects
    count = max(subjects, names)
    columns = min(count, max(int(style.usual_width() / NARROWEST), 1))
    return -(-count // columns), columns


def _looks(count: int) -> list[style.Style]:
    """Return how layers are drawn, from input to output: of many from light to dark, as they are in an order."""
    if count <= len(style.COLOURS):
        return list(style.STYLES[:count])
    from matplotlib import colormaps, colors

    shades = colormaps["cividis"](np.linspace(0.85, 0.0, count))
    return [
        style.Style(colors.to_hex(shade), look.marker, look.dash)
        for shade, look in zip(shades, style.STYLES, strict=False)
    ]


def _panel(axes: Axes, found: Sequence[Diagnostics], name: str, looks: dict[str, style.Style]) -> None:
    """Draw a quantity of a subject's runs."""
    shortest = min(len(one.epochs) for one in found)
    epochs = found[0].epochs[:shortest]
    for layer, look in looks.items():
        columns = [_column(one, name, layer, shortest) for one in found]
        raw = np.stack([column for column, _ in columns])
        kept = np.stack([column for _, column in columns])
        if not np.isfinite(raw).any():
            continue
        mean = mean_of(kept)
        every = max(-(-len(epochs) // _MOST_MARKERS), 1)
        line: dict[str, Any] = {"color": look.colour, "marker": look.marker}
        axes.plot(epochs, mean, linestyle=look.dash, label=layer, markevery=every, **line, markersize=2.8, linewidth=1)
        if len(found) > 1:
            axes.fill_between(epochs, *band_of(kept, "range"), color=look.colour, alpha=0.15, linewidth=0)
        meaningless = np.where(np.isfinite(mean), np.nan, mean_of(raw))
        axes.plot(epochs, meaningless, linestyle="none", markerfacecolor="none", markeredgewidth=0.6, **line)
    style.epoch_axis(axes, epochs[0], epochs[-1], ticks=5)
    axes.grid(axis="y")


def _scale(axes: Axes, name: str) -> None:
    """Scale the vertical axis, once all that has it in common is drawn."""
    numbers = _numbers(axes)
    if not len(numbers):
        return
    lowest, highest = numbers.min(), numbers.max()
    if name in ANGLES:
        axes.axhline(90, color=style.NEUTRAL, linewidth=0.8, linestyle=(0, (2, 2)), zorder=1)
        axes.set_yticks(range(0, 181, 30))
        axes.set_ylim(-4, max(100, min(highest + 5, 184)))
    elif UNITS[name] == "share":
        axes.set_ylim(-0.03, 1.03)
    elif UNITS[name] == "singular values":
        axes.set_ylim(0, 1.06 * highest)
    elif lowest > 0 and highest > 2 * lowest:
        style.log_axis(axes, lowest, highest)
    elif lowest == 0 and highest > DIVERGED * np.median(numbers[numbers > 0]):
        style.log_axis_from_0(axes, numbers[numbers > 0].min(), highest)
    elif lowest >= 0 and highest > 0:
        axes.set_ylim(0, 1.06 * highest)


def _column(found: Diagnostics, name: str, layer: str, length: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return a layer's numbers (length,), and the same without those that mean nothing."""
    if name not in found.values or layer not in found.layers:
        nothing = np.full(length, np.nan)
        return nothing, nothing
    number = found.layers.index(layer)
    raw = np.array(found.values[name][:length, number], dtype=np.float64)
    kept = np.array(found.angles(name)[:length, number] if name in ANGLES else raw, dtype=np.float64)
    raw[~np.isfinite(raw)] = kept[~np.isfinite(kept)] = np.nan
    return raw, kept


def _numbers(axes: Axes) -> NDArray[np.float64]:
    """Return all numbers that are drawn in axes, and in those that have their vertical axis in common."""
    shared = axes.get_shared_y_axes().get_siblings(axes)
    lines = [np.asarray(line.get_ydata(), dtype=np.float64) for one in shared for line in one.lines]
    bands = [path.vertices[:, 1] for one in shared for band in one.collections for path in band.get_paths()]
    numbers: NDArray[np.float64] = np.concatenate([*lines, *bands, np.zeros(0)])
    return numbers[np.isfinite(numbers)]


def _axis(name: str) -> str:
    unit = UNITS[name]
    return "angle, °" if unit == "degrees" else unit or "norm"


def _entries(
    looks: dict[str, style.Style], found: Sequence[Sequence[Diagnostics]], names: Sequence[str]
) -> list[Artist]:
    """Return the legend: the layers from input to output, and what bands and hollow marks are."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    angles = [name for name in names if name in ANGLES]
    drawn = {layer for several in found for one in several for name in names for layer in _with_numbers(one, name)}
    without = "no angle" if len(angles) == len(names) else "nothing measured"
    said = {layer: layer if layer in drawn else f"{layer}: {without}" for layer in looks}
    entries: list[Artist] = [
        Line2D([], [], label=said[layer], color=look.colour, marker=look.marker, linestyle=look.dash, linewidth=1)
        for layer, look in looks.items()
    ]
    if angles:
        entries.append(Line2D([], [], label="90°", color=style.NEUTRAL, linestyle=(0, (2, 2)), linewidth=0.8))
    if any(len(several) > 1 for several in found):
        entries.append(Patch(color=style.NEUTRAL, alpha=0.25, linewidth=0, label="range of the seeds"))
    hollow: dict[str, Any] = {"linestyle": "none", "markerfacecolor": "none", "color": style.NEUTRAL}
    if any(_is_meaningless(one, name) for several in found for one in several for name in angles):
        entries.append(Line2D([], [], label=MEANINGLESS, marker="o", **hollow))
    return entries


def _with_numbers(found: Diagnostics, name: str) -> list[str]:
    """Return the layers of which a quantity has a number at some time."""
    if name not in found.values:
        return []
    there = np.isfinite(found.values[name])
    return [layer for number, layer in enumerate(found.layers) if there[:, number].any()]


def _is_meaningless(found: Diagnostics, name: str) -> bool:
    if name not in found.values:
        return False
    raw, kept = np.isfinite(found.values[name]), np.isfinite(found.angles(name))
    return bool((raw & ~kept).any())

"""What is where in a film: each run's features and angles, and the errors of all."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bdfa_np.data.preprocess.yuv import WEIGHTS
from bdfa_np.diagnostics.diagnostics import Diagnostics
from bdfa_np.figures import style
from bdfa_np.figures.curves import curves
from bdfa_np.figures.film.moving import Changing, Epoch, Growing, Moving, Revealed
from bdfa_np.figures.headings import heading
from bdfa_np.figures.panels import TITLES, grid
from bdfa_np.figures.parts.panels import Matrix, Panel, Tiles
from bdfa_np.figures.parts.scale import BAR, Scale
from bdfa_np.figures.parts.weights import columns_for, drawable
from bdfa_np.figures.views import Subject
from bdfa_np.system.text import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ANGLES = {"signal_angle": "alignment", "feedback_angle": "feedback"}
"""The first of them that was measured of a run is shown; by it, the group that it belongs to."""
SIDE, BESIDE, CURVES, TITLE = 2.6, 3.6, 1.75, 0.55
"""Inches: of a run's features in width, of curves beside them in width, of curves in height, and of the heading."""
_STAR = "*"
"""The marker of the lowest error."""


def laid_out(subjects: Sequence[Subject], found: Sequence[Diagnostics]) -> tuple[Figure, list[Moving]]:
    """Draw all there is, find a place for everything, at which it stays, and return what moves.

    Parameters
    ----------
    subjects : sequence of Subject
        Each of one run.
    found : sequence of Diagnostics
        What was measured of them.
    """
    angles = [next((name for name in ANGLES if name in one.values), None) for one in found]
    has_features = any("features" in one.snapshots for one in found)
    whole, of_features, of_angles, of_errors = _places(len(subjects), features=has_features, angles=any(angles))
    moving: list[Moving] = []
    for axes, subject, one in zip(of_features, subjects, found, strict=False):
        moving += _features(axes, subject, one, named=len(subjects) > 1)
    for axes, subject, name in zip(of_angles, subjects, angles, strict=False):
        moving += _angles(axes, subject, name)
    curves(list(subjects), axes=of_errors)
    of_errors.set_title("")
    last = max(float(one.epochs[-1]) for one in found)
    for axes in (*of_angles, of_errors):
        style.epoch_axis(axes, 0, last, ticks=5)
    style.title(whole, f"{heading(subjects)}\nepoch {last:g}")
    _settle(whole)
    lowest = _lowest(of_errors) if len(subjects) == 1 else []
    return whole, [*moving, *lowest, Growing(of_errors), Epoch(whole.texts[-1], last)]


def _places(runs: int, *, features: bool, angles: bool) -> tuple[Figure, list[Axes], list[Axes], Axes]:
    """Return an empty figure, the axes of each run's features, those of its angles, and those of all errors."""
    if runs == 1:
        width, height = (SIDE if features else 0.0) + BESIDE, CURVES * (1 + angles)
        whole = style.figure(width, max(height, SIDE + BAR + 0.3 if features else 0.0) + TITLE)
        sides = [SIDE, BESIDE] if features else [BESIDE]
        grid = whole.add_gridspec(1 + angles, len(sides), width_ratios=sides)
        left = [whole.add_subplot(grid[:, 0])] if features else []
        return whole, left, [whole.add_subplot(grid[0, -1])] if angles else [], whole.add_subplot(grid[-1, -1])
    rows = [SIDE + BAR] * features + [CURVES] * angles + [CURVES + 0.2]
    whole = style.figure(runs * SIDE + 0.3, sum(rows) + TITLE)
    grid = whole.add_gridspec(len(rows), runs, height_ratios=rows)
    above = [[whole.add_subplot(grid[row, column]) for column in range(runs)] for row in range(len(rows) - 1)]
    of_features, of_angles = (above.pop(0) if there else [] for there in (features, angles))
    return whole, of_features, of_angles, whole.add_subplot(grid[-1, :])


def _features(axes: Axes, subject: Subject, found: Diagnostics, *, named: bool) -> list[Moving]:
    """Draw the weights of the lowest layer."""
    weights = found.snapshots.get("features")
    if weights is None:
        axes.set_axis_off()
        return []
    if subject.config.format == "yuv" and weights.ndim == 5:
        weights = weights @ WEIGHTS  # of y, u and v: those of red, green and blue
    scale = Scale.signed(weights[np.isfinite(weights)], "weight")
    images = partial(_images, weights, scale)
    name = f"W of {found.layers[0]}, the first {counted(weights.shape[1], 'unit')}"
    panel: Panel
    if weights.ndim == 3:
        panel = Matrix(name, images(-1)[0], scale, rows="unit")
    else:
        panel = Tiles(name, images(-1), columns_for(weights.shape[1]), scale=scale)
    panel.draw(axes, SIDE - 0.1)
    axes.set_title(style.broken(f"{subject.label}: {name}" if named else name, SIDE - 0.1, style.TEXT))
    return [Changing(axes, found.epochs[found.snapshot_rows], images)]


def _images(weights: NDArray[Any], scale: Scale, number: int) -> list[NDArray[Any]]:
    """Return the pictures of one snapshot: a matrix of vectors, or an image a unit."""
    return [weights[number]] if weights.ndim == 3 else drawable(weights[number], scale)


def _angles(axes: Axes, subject: Subject, name: str | None) -> list[Moving]:
    """Draw angles by layer."""
    if name is None:
        axes.set_axis_off()
        return []
    grid([subject], [name], [ANGLES[name]], axes=axes)
    axes.set_title(style.broken(f"{TITLES[name]}, °", BESIDE, style.SMALL), fontsize=style.SMALL)
    axes.set_xlabel("epoch")
    return [Growing(axes)]


def _lowest(axes: Axes) -> list[Moving]:
    """Return what a legend says of the lowest error of one run, which no frame is to tell beforehand."""
    legend, stars = axes.get_legend(), [line for line in axes.lines if line.get_marker() == _STAR]
    if legend is None or not stars:
        return []
    at = float(np.asarray(stars[0].get_xdata())[0])
    [entry] = [number for number, text in enumerate(legend.get_texts()) if text.get_text().startswith("lowest")]
    return [Revealed(legend, entry, at)]


def _settle(whole: Figure) -> None:
    """Find a place for everything, legends too, and leave it there from then on."""
    whole.draw_without_rendering()
    whole.set_layout_engine("none")
    for axes in whole.axes:
        legend = axes.get_legend()
        if legend is not None:
            corner = legend.get_window_extent().transformed(axes.transAxes.inverted())
            legend.set_loc((corner.x0, corner.y0))

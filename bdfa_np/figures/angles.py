"""Angles between a rule's signal and the exact gradient, by layer over time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bdfa_np.figures.drawn import of_runs
from bdfa_np.figures.panels import grid
from bdfa_np.figures.views import Subject

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@of_runs
def angles(subjects: list[Subject], *, axes: Axes | None = None, quantity: str = "signal_angle") -> Figure | Axes:
    """Draw angles by layer over the epochs, a panel a subject; below 90° a step descends along the exact gradient too.

    Parameters
    ----------
    subjects : list of Subject
        Or run folders, studies and results of training; of runs that were trained with ``track``.
    axes : matplotlib.axes.Axes, optional
        Where to draw a single subject; a figure of its own unless given.
    quantity : {"signal_angle", "gradient_angle", "feedback_angle"}, default "signal_angle"
        Which: of δ to the exact gradient, of dW to it, or of B to the weights that it stands for.

    Returns
    -------
    matplotlib.figure.Figure or matplotlib.axes.Axes

    Raises
    ------
    RunError
        If a run was trained without ``--track alignment``, or ``feedback`` for the angle of B.
    """
    return grid(subjects, [quantity], ["alignment"], axes=axes)

"""Norms of activations, signals, weights, feedback and updates, by layer over time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bdfa_np.figures.drawn import of_runs
from bdfa_np.figures.panels import grid
from bdfa_np.figures.views import Subject

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

QUANTITIES = ("activity_norm", "signal_norm", "weight_norm", "feedback_norm", "update_ratio")


@of_runs
def norms(subjects: list[Subject], *, axes: Axes | None = None, quantity: str | None = None) -> Figure | Axes:
    """Draw norms by layer over the epochs: of h, δ, W and B, and of a step's update over that of W.

    Parameters
    ----------
    subjects : list of Subject
        Or run folders, studies and results of training; of runs that were trained with ``track``.
    axes : matplotlib.axes.Axes, optional
        Where to draw a single quantity of a single subject; a figure of its own unless given.
    quantity : str, optional
        One of ``activity_norm``, ``signal_norm``, ``weight_norm``, ``feedback_norm`` and ``update_ratio``; all of those
        that were measured unless given.

    Returns
    -------
    matplotlib.figure.Figure or matplotlib.axes.Axes

    Raises
    ------
    RunError
        If a run was trained without ``--track``.
    """
    groups = ["activity", "alignment", "weights", "feedback"]
    return grid(subjects, QUANTITIES if quantity is None else [quantity], groups, axes=axes)

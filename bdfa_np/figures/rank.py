"""Effective rank of signals and activations, by layer over time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bdfa_np.figures.drawn import of_runs
from bdfa_np.figures.panels import grid
from bdfa_np.figures.views import Subject

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

QUANTITIES = ("signal_rank", "activity_rank")


@of_runs
def rank(subjects: list[Subject], *, axes: Axes | None = None, quantity: str | None = None) -> Figure | Axes:
    """Draw by layer over the epochs along how many directions the signals δ and the activations h spread.

    Parameters
    ----------
    subjects : list of Subject
        Or run folders, studies and results of training; of runs that were trained with ``track``.
    axes : matplotlib.axes.Axes, optional
        Where to draw a single quantity of a single subject; a figure of its own unless given.
    quantity : {"signal_rank", "activity_rank"}, optional
        Both unless given.

    Returns
    -------
    matplotlib.figure.Figure or matplotlib.axes.Axes

    Raises
    ------
    RunError
        If a run was trained without ``--track rank``.
    """
    return grid(subjects, QUANTITIES if quantity is None else [quantity], ["rank"], axes=axes)

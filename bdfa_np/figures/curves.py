"""Error curves: the training error and that on the part tested on, epoch by epoch, with a band over seeds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bdfa_np.figures import style
from bdfa_np.figures.drawn import of_runs
from bdfa_np.figures.views import Subject

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@of_runs
def curves(subjects: list[Subject], *, axes: Axes | None = None) -> Axes:
    """Draw the errors by epoch.

    Parameters
    ----------
    subjects : list of Subject
        Or run folders, studies and results of training, one after another.
    axes : matplotlib.axes.Axes, optional
        Where to draw; a figure of its own unless given.

    Returns
    -------
    matplotlib.axes.Axes
    """
    if axes is None:
        axes = style.figure().add_subplot()
    for subject, look in zip(subjects, style.STYLES, strict=False):
        epochs, tested = together(subject, "test_error")
        axes.plot(epochs, np.nanmean(tested, axis=0), color=look.colour, marker=look.marker, label=subject.legend)
    axes.set(xlabel="epoch", ylabel="error, %")
    style.legend(axes, below=len(subjects) > 4)
    style.title(axes, style.settings_title(*(run.config for subject in subjects for run in subject.runs)))
    return axes


def together(subject: Subject, name: str) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the epochs (E,) of the longest run, and a figure of each run in percent (R, E), NaN after its last one."""
    length = max(len(run.history) for run in subject.runs)
    found = np.full((len(subject.runs), length), np.nan)
    for row, run in zip(found, subject.runs, strict=True):
        row[: len(run.history)] = [100 * getattr(record, name) for record in run.history]
    return np.arange(1, length + 1), found

"""A run as a film: features, angles and errors, epoch by epoch."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bdfa_np.errors import ConfigError
from bdfa_np.figures import style
from bdfa_np.figures.drawn import of_runs
from bdfa_np.figures.film.layout import laid_out
from bdfa_np.figures.film.moving import Moving
from bdfa_np.figures.film.reels import check_reel, save_gif, save_reel
from bdfa_np.figures.panels import measured
from bdfa_np.figures.views import Subject
from bdfa_np.representation import one_line
from bdfa_np.system.paths import check_output
from bdfa_np.system.text import counted

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from bdfa_np.diagnostics.diagnostics import Diagnostics

DPI = 100
"""Pixels an inch, unless a width is asked for, which then has as many."""
MOST_FRAMES = 100
"""Of a longer run so many are taken, evenly, so that a GIF has a few MB at most."""
MOST_RUNS = 4
SECONDS = 10
"""How long a film lasts, as far as `SLOWEST` to `FASTEST` frames a second allow it."""
SLOWEST, FASTEST = 1.0, 10.0


class Film:
    """Frames of runs, drawn one after the other into one figure.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        What is drawn into.
    moving : sequence of Moving
        What changes from frame to frame.
    times : sequence of float
        What each frame shows, in epochs.
    fps : float
        Frames a second.
    dpi : float, default 100
        Pixels an inch.

    Attributes
    ----------
    moving : list of matplotlib.artist.Artist
        What is another from frame to frame.
    """

    def __init__(
        self, figure: Figure, moving: Sequence[Moving], times: Sequence[float], fps: float, dpi: float = DPI
    ) -> None:
        self.figure = figure
        self.times = tuple(times)
        self.fps = fps
        self.dpi = dpi
        self.moving: Sequence[Artist] = [artist for one in moving for artist in one.artists]
        self._moving = tuple(moving)

    def __len__(self) -> int:
        """Return the number of frames."""
        return len(self.times)

    def __repr__(self) -> str:
        """Return how many frames there are, of when, and how fast they follow."""
        when = f"epochs {self.times[0]:g} to {self.times[-1]:g}"
        return one_line(self, [counted(len(self), "frame"), when, f"{self.fps:g} a second"])

    def draw(self, number: int) -> Figure:
        """Draw a frame, the first one's number being 0, and return the figure."""
        for one in self._moving:
            one.show(self.times[number])
        return self.figure

    def save(self, path: str | Path, *, progress: bool = False) -> None:
        """Write the film as GIF, MP4 or WebP by the file's suffix, whole or not at all.

        Parameters
        ----------
        path : str or path
            Where it goes.
        progress : bool, default False
            Whether to draw a bar on standard error.

        Raises
        ------
        ConfigError
            If the suffix is another one, nothing is there that writes MP4, or no file can be written there.
        """
        save_reel(self, check_reel(check_output(path, "the film")), progress=progress)

    def _repr_html_(self) -> str:
        """Return what a notebook shows."""
        file = io.BytesIO()
        save_gif(self, file)
        return f'<img alt="a film" src="data:image/gif;base64,{base64.b64encode(file.getvalue()).decode()}">'


@of_runs
def film(subjects: list[Subject], *, fps: float | None = None, frames: int = MOST_FRAMES) -> Film:
    """Make a film of runs that were trained with ``track``: features, angles by layer, and errors, epoch by epoch.

    Axes and colours mean the same in all frames.

    Parameters
    ----------
    subjects : list of Subject
        Or run folders, studies and results of training, four at most; they stand side by side. Of several seeds the
        first is shown.
    fps : float, optional
        Frames a second; such that the film takes about ten seconds, from 1 to 10, unless given.
    frames : int, default 100
        How many there are at most.

    Returns
    -------
    Film

    Raises
    ------
    RunError
        If a run was not tracked.
    ConfigError
        If there are more than four.
    """
    if len(subjects) > MOST_RUNS:
        raise ConfigError(f"a film shows {MOST_RUNS} runs at most, and {len(subjects)} are named: name fewer")
    firsts = [Subject(subject.label, subject.runs[:1]) for subject in subjects]
    found = [measured(subject, ("weights", "alignment", "feedback"))[0] for subject in firsts]
    times = _thinned(np.unique(np.concatenate([_times(one) for one in found])), frames)
    figure, moving = laid_out(firsts, found)
    usual = style.usual_width() == style.WIDTH
    dpi = DPI if usual else DPI * style.usual_width() / figure.get_figwidth()
    return Film(figure, moving, times.tolist(), fps or _usual_speed(len(times)), dpi)


def _usual_speed(count: int) -> float:
    """Return how many frames a second so many of them have."""
    return min(max(count / SECONDS, SLOWEST), FASTEST)


def _times(found: Diagnostics) -> NDArray[np.float64]:
    """Return when something is to be seen anew: where weights were kept, else at every measurement."""
    return found.epochs[found.snapshot_rows] if len(found.snapshot_rows) else found.epochs


def _thinned(times: NDArray[np.float64], most: int) -> NDArray[np.float64]:
    """Return so many times at most, evenly chosen, the first and the last among them."""
    chosen: NDArray[np.float64] = times[
        np.unique(np.linspace(0, len(times) - 1, min(len(times), most)).round().astype(int))
    ]
    return chosen

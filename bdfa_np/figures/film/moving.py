"""What moves in a film: curves that grow, weights that change, the epoch. Axes and the meaning of colours stay."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.legend import Legend
    from matplotlib.text import Text

_WIDE = "\N{FIGURE SPACE}"


class Moving(Protocol):
    """Something that shows what was the case at a time.

    Attributes
    ----------
    artists : list of Artist
        What is drawn of it.
    """

    artists: list[Artist]

    def show(self, time: float) -> None:
        """Show what was the case after so many epochs."""


class Growing:
    """The curves of axes in which all of them are drawn, up to a time.

    Parameters
    ----------
    axes : Axes
        Their limits stay as they are.
    """

    def __init__(self, axes: Axes) -> None:
        axes.set(xlim=axes.get_xlim(), ylim=axes.get_ylim())
        curves = [line for line in axes.lines if line.get_transform() == axes.transData]  # not a line right across
        self._curves = [(line, np.asarray(line.get_xdata()), np.asarray(line.get_ydata())) for line in curves]
        self.artists: list[Artist] = [*sorted(curves, key=lambda line: line.get_zorder())]
        legend = axes.get_legend()
        if legend is not None:
            self.artists.append(legend)  # it stands before them

    def show(self, time: float) -> None:
        """Let the curves end there."""
        for line, x, y in self._curves:
            line.set_data(x[x <= time], y[x <= time])


class Revealed:
    """An entry of a legend that tells an outcome, and is seen from then on.

    Parameters
    ----------
    legend : Legend
        Its other entries are always seen, and all stay in their places.
    number : int
        Which of its entries it is.
    time : float
        From when on it is seen, in epochs.
    """

    def __init__(self, legend: Legend, number: int, time: float) -> None:
        self._shown = legend.legend_handles[number], legend.get_texts()[number]
        self._time = time
        self.artists: list[Artist] = []  # the legend is drawn with the curves

    def show(self, time: float) -> None:
        """Show the entry, or leave its place empty."""
        for artist in self._shown:
            if artist is not None:
                artist.set_alpha(1 if time >= self._time else 0)


class Changing:
    """Images that are others from time to time.

    Parameters
    ----------
    axes : Axes
        The images of one time are in it.
    times : ndarray, shape (S,)
        From when on each of the others is shown.
    images : callable
        Called with a number below S; returns that time's images in the order of those in the axes.
    """

    def __init__(self, axes: Axes, times: NDArray[np.float64], images: Callable[[int], list[NDArray[Any]]]) -> None:
        self._shown = list(axes.images)
        self.artists: list[Artist] = [*axes.images]
        self._times = times
        self._images = images

    def show(self, time: float) -> None:
        """Show the newest images."""
        number = max(int(np.searchsorted(self._times, time, side="right")) - 1, 0)
        for image, values in zip(self._shown, self._images(number), strict=True):
            image.set_data(values)


class Epoch:
    """A heading that says which epoch is shown.

    Parameters
    ----------
    text : Text
        It keeps its lines but for the last.
    last : float
        The last epoch, whose number has as many digits as any.
    """

    def __init__(self, text: Text, last: float) -> None:
        self._text = text
        self.artists: list[Artist] = [text]
        self._above = text.get_text().rpartition("\n")[0]
        self._digits = len(str(int(last)))

    def show(self, time: float) -> None:
        """Write the epoch, always as wide, so that it does not waver."""
        whole, _, part = f"{time:.2f}".partition(".")
        said = f"epoch {whole.rjust(self._digits, _WIDE)}" + (f".{part}" if part != "00" else "")
        self._text.set_text(f"{self._above}\n{said}")

"""What the colours of numbers mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bdfa_np.figures.style import SMALL

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIGNED = "cividis"
"""Colours of what has a sign: blue below 0, grey at 0, yellow above, perceptually uniform (Nuñez, Anderton and Renslow,
PLOS ONE 2018). Its lightness grows throughout, so that signs can be told apart in greyscale, as they cannot where both
ends are equally dark."""
BAR = 0.46
"""Inches that a bar takes with its numbers and its label."""
_PERCENT = 99.5


@dataclass
class Scale:
    """What colours mean.

    Attributes
    ----------
    lowest, highest : float
        What the ends of the colour map stand for; beyond them is drawn as at them.
    label : str
        What the numbers are.
    colours : str, default "gray"
        A colour map's name.
    cut : bool, default False
        Whether some numbers are beyond the ends.
    """

    lowest: float
    highest: float
    label: str
    colours: str = "gray"
    cut: bool = False

    @classmethod
    def signed(cls, values: NDArray[Any], label: str) -> Scale:
        """Return one with 0 in the middle; outliers, half a per cent of all entries, are beyond its ends."""
        sizes = np.abs(values)
        largest = float(sizes.max(initial=0.0))
        limit = float(np.percentile(sizes, _PERCENT)) or largest or 1.0
        return cls(-limit, limit, label, SIGNED, cut=largest > limit)

    @property
    def arguments(self) -> dict[str, Any]:
        """What ``imshow`` takes."""
        return {"vmin": self.lowest, "vmax": self.highest, "cmap": self.colours}

    def bar(self, axes: Axes, place: tuple[float, float, float, float], *, in_colours: bool) -> None:
        """Draw the colours with their numbers and the label.

        Parameters
        ----------
        axes : Axes
            Below whose content it stands.
        place : tuple of float
            Left, bottom, width and height of the whole of it, as shares of the axes; it is `BAR` inches high.
        in_colours : bool
            Whether what is drawn are colours themselves, of three channels from dark to light.
        """
        from matplotlib.cm import ScalarMappable
        from matplotlib.colors import Normalize

        left, bottom, width, height = place
        thin = (left, bottom + 0.62 * height, width, 0.16 * height)
        colours = "gray" if in_colours else self.colours
        shown = ScalarMappable(Normalize(self.lowest, self.highest), colours)
        bar = axes.figure.colorbar(
            shown,
            cax=axes.inset_axes(thin),
            orientation="horizontal",
            extend="both" if self.cut else "neither",
        )
        ticks = [self.lowest, 0.0, self.highest] if self.lowest == -self.highest else [self.lowest, self.highest]
        bar.set_ticks(ticks, labels=[f"{value:.3g}".replace("-", "−") for value in ticks])
        bar.ax.tick_params(labelsize=SMALL, length=2, pad=1)
        bar.set_label(self.label, size=SMALL, labelpad=1)

"""Points of classes in a plane, and what tells the classes apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bdfa_np.figures.parts.panels import LINE, Panel
from bdfa_np.figures.parts.shortening import shortened_name
from bdfa_np.figures.style import SMALL, STYLES, shortened, text_width

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_IN_LEGEND = 10
_LONGEST = 1.2
"""Inches that a name may take."""
_SIZE = 7.0
_MARK = 0.02
"""Inches that a mean's mark reaches to each side."""


@dataclass(repr=False)
class Points(Panel):
    """Samples as points.

    Attributes
    ----------
    title : str
        What they are.
    places : ndarray, shape (N, 2)
        Where they are.
    labels : ndarray of int, shape (N,)
        Their classes.
    names : sequence of str
        The names of the K classes; more than ten have no styles of their own, but their means have names.
    axes_names : tuple of str
        What the two axes are called.
    """

    title: str
    places: NDArray[np.float64]
    labels: NDArray[np.int64]
    names: Sequence[str]
    axes_names: tuple[str, str]

    def margins(self) -> tuple[float, float]:
        """Return the room for the axes' names."""
        return SMALL * LINE + 0.08, SMALL * LINE + 0.08

    def height(self, width: float) -> float:
        """Return a little less than the width."""
        return 0.9 * width

    def draw(self, axes: Axes, width: float) -> None:
        """Draw the points."""
        axes.set_xlabel(shortened(self.axes_names[0], width, SMALL), size=SMALL, labelpad=3)
        axes.set_ylabel(shortened(self.axes_names[1], 0.9 * width, SMALL), size=SMALL, labelpad=3)
        axes.set(xticks=[], yticks=[])
        axes.margins(0.06)
        x, y = self.places.T
        if len(self.names) <= MOST_IN_LEGEND:
            for label, (name, look) in enumerate(zip(self.names, STYLES, strict=False)):
                of_class = self.labels == label
                look_of: dict[str, Any] = {
                    "c": look.colour,
                    "marker": look.marker,
                    "linewidths": 0,
                    "alpha": 0.75,
                    "label": name,
                }
                axes.scatter(x[of_class], y[of_class], s=_SIZE, **look_of)
        else:
            axes.scatter(x, y, s=2, c="#bbbbbb", linewidths=0)
            self._means(axes, width, x, y)
        axes.set_aspect("equal", adjustable="datalim")

    def _means(self, axes: Axes, width: float, x: NDArray[np.float64], y: NDArray[np.float64]) -> None:
        """Draw each class's mean, with its name beside it where nothing else stands yet."""
        classes = [label for label in range(len(self.names)) if (self.labels == label).any()]
        means = np.array([self.places[self.labels == label].mean(axis=0) for label in classes])
        axes.scatter(means[:, 0], means[:, 1], s=10, c=STYLES[0].colour, marker="D", linewidths=0)
        # Inches from the lower left, when the data fill the axes as they will.
        scale = min(width / (1.12 * np.ptp(x) or 1.0), self.height(width) / (1.12 * np.ptp(y) or 1.0))
        middle = np.array([x.min() + x.max(), y.min() + y.max()]) / 2
        found = (means - middle) * scale + np.array([width, self.height(width)]) / 2
        taken: list[tuple[float, float, float, float]] = []
        # The outermost first: where classes part, a name tells most.
        for place in np.argsort(-np.linalg.norm(means - means.mean(axis=0), axis=1), kind="stable"):
            name = shortened_name(self.names[classes[place]], 0.8, SMALL)
            across, up = text_width(name, SMALL) + 0.03, SMALL * LINE
            left, bottom = found[place] + (0.05, -up / 2)
            box = (left, bottom, left + across, bottom + up)
            others = np.delete(found, place, axis=0)
            marks = (others > (box[0] - _MARK, box[1] - _MARK)) & (others < (box[2] + _MARK, box[3] + _MARK))
            if box[2] > width or marks.all(axis=1).any() or any(_overlap(box, other) for other in taken):
                continue
            taken.append(box)
            axes.annotate(
                name,
                means[place],
                (0.05 * 72, 0),
                textcoords="offset points",
                va="center",
                size=SMALL,
                parse_math=False,
            )


def _overlap(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


@dataclass(repr=False)
class Legend(Panel):
    """What tells up to ten classes apart.

    Attributes
    ----------
    names : sequence of str
        The names of the classes.
    title : str
        None, as a panel's title.
    """

    names: Sequence[str]
    title: str = ""

    def _entry(self) -> float:
        """Return how wide an entry is, in inches."""
        return max(text_width(shortened_name(name, _LONGEST, SMALL), SMALL) for name in self.names) + 0.3

    def _columns(self, width: float) -> int:
        return max(1, min(len(self.names), int(width / self._entry())))

    def height(self, width: float) -> float:
        """Return a line for each row of entries."""
        return -(-len(self.names) // self._columns(width)) * (SMALL * LINE + 0.03)

    def draw(self, axes: Axes, width: float) -> None:
        """Draw the entries, row by row."""
        columns, high = self._columns(width), self.height(width)
        text: dict[str, Any] = {"size": SMALL, "va": "center", "parse_math": False, "color": "black"}
        start = (width - columns * self._entry()) / 2
        for number, (name, look) in enumerate(zip(self.names, STYLES, strict=False)):
            row, column = divmod(number, columns)
            x, y = start + column * self._entry() + 0.1, high - (row + 0.5) * (SMALL * LINE + 0.03)
            axes.scatter([x], [y], s=2 * _SIZE, c=look.colour, marker=look.marker, linewidths=0)
            axes.text(x + 0.08, y, shortened_name(name, _LONGEST, SMALL), **text)
        axes.set(xlim=(0, width), ylim=(0, high))
        axes.set_axis_off()

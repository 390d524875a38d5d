"""Panels of a picture that shows images or weights: what each holds, and how much room it takes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bdfa_np.figures.parts.names import REPLACED, legible
from bdfa_np.figures.parts.scale import BAR, Scale
from bdfa_np.figures.parts.shortening import shortened_name
from bdfa_np.figures.style import SMALL, TEXT, broken, text_width
from bdfa_np.representation import one_line

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LINE = 1.25 / 72
"""Inches that a line of text takes, a point of its size."""
_GAP = 0.12
"""Between images, in widths of one."""
_CLASSES, _CLASSES_IN_A_ROW = 10, 5


class Panel(ABC):
    """What stands under one title, in axes of its own.

    Attributes
    ----------
    title : str
        What is drawn.
    """

    title: str

    def __repr__(self) -> str:
        """Return what is drawn, by its title."""
        return one_line(self, [self.title])

    def margins(self) -> tuple[float, float]:
        """Return the inches that texts take to the left of the axes and below them."""
        return 0.0, 0.0

    @abstractmethod
    def height(self, width: float) -> float:
        """Return how high the axes are if they are so wide, in inches."""

    @abstractmethod
    def draw(self, axes: Axes, width: float) -> None:
        """Draw into axes that are so wide, in inches."""


@dataclass(repr=False)
class Message(Panel):
    """A panel in which there is nothing to draw, and which says why."""

    title: str
    text: str

    def height(self, width: float) -> float:
        """Return the height of the text."""
        return (broken(self.text, width, TEXT).count("\n") + 1) * TEXT * LINE + 0.1

    def draw(self, axes: Axes, width: float) -> None:
        """Write the text at the top."""
        axes.set_axis_off()
        text = broken(self.text, width, TEXT)
        axes.text(0.5, 1, text, transform=axes.transAxes, ha="center", va="top", size=TEXT, parse_math=False)


@dataclass(repr=False)
class Tiles(Panel):
    """Images in rows, each with a caption under it.

    Attributes
    ----------
    title : str
        What they are.
    images : sequence of ndarray, shape (h, w) or (h, w, 3), or None
        Numbers that are drawn by a colour map, or colours within 0..1; all of one size. None leaves a place empty.
    columns : int
        Images of a row.
    captions : sequence of str, optional
        Of each image. A line is broken at its tabulators where one of the captions needs it, and cut with an ellipsis
        where it is still wider than there is room.
    row_names : sequence of str, optional
        Of each row, before it.
    scale : Scale, optional
        What the numbers' colours mean.
    """

    title: str
    images: Sequence[NDArray[Any] | None]
    columns: int
    captions: Sequence[str] = ()
    row_names: Sequence[str] = ()
    scale: Scale | None = None

    def _tile(self, width: float) -> float:
        """Return how wide an image is drawn, in inches."""
        names = max((text_width(name, SMALL) + 0.08 for name in self.row_names), default=0.0)
        return (width - names) / (self.columns * (1 + _GAP) - _GAP)

    def _captions(self, tile: float) -> list[str]:
        """Return the captions as they fit under images so wide, in inches."""
        room = tile * (1 + _GAP) - 0.03
        whole = [caption.replace("\t", " ") for caption in self.captions]
        if any(text_width(line, SMALL) > room for caption in whole for line in caption.split("\n")):
            whole = [caption.replace("\t", "\n") for caption in self.captions]
        return ["\n".join(shortened_name(line, room, SMALL) for line in caption.split("\n")) for caption in whole]

    def _measured(self, width: float) -> tuple[float, float, float, list[str]]:
        """Return an image's width in inches, its height and that of a row, in its width, and the captions."""
        tile = self._tile(width)
        h, w = next(image.shape[:2] for image in self.images if image is not None)
        captions = self._captions(tile)
        lines = max((caption.count("\n") + 1 for caption in captions), default=0)
        return tile, h / w, h / w + lines * SMALL * LINE / tile + _GAP, captions

    def _rows(self) -> int:
        return -(-len(self.images) // self.columns)

    def height(self, width: float) -> float:
        """Return the height of the rows and of the bar of the scale."""
        tile, _, down, _ = self._measured(width)
        return tile * (self._rows() * down - _GAP) + (0.0 if self.scale is None else BAR)

    def draw(self, axes: Axes, width: float) -> None:
        """Draw the images in the unit of one's width, with the first at the top left."""
        tile, high, down, captions = self._measured(width)
        across = 1 + _GAP
        limits: dict[str, Any] = {} if self.scale is None else self.scale.arguments
        text: dict[str, Any] = {"size": SMALL, "parse_math": False}
        for number, image in enumerate(self.images):
            if image is None:
                continue
            left, top = number % self.columns * across, number // self.columns * down
            axes.imshow(image, extent=(left, left + 1, top + high, top), interpolation="nearest", **limits)
            if captions:
                below = top + high + 0.1 * SMALL * LINE / tile
                axes.text(left + 0.5, below, captions[number], ha="center", va="top", linespacing=1.05, **text)
        for number, name in enumerate(self.row_names):
            axes.text(-0.08 / tile, number * down + high / 2, name, ha="right", va="center", **text)
        right, room = self.columns * across - _GAP, width / tile
        axes.set(xlim=(right - room, right), ylim=(self.height(width) / tile, 0), aspect="equal")
        axes.set_anchor("N")
        axes.set_axis_off()
        if self.scale is not None:
            place = (1 - 0.9 * right / room, 0, 0.8 * right / room, BAR / self.height(width))
            self.scale.bar(axes, place, in_colours=any(image is not None and image.ndim == 3 for image in self.images))


@dataclass(repr=False)
class Matrix(Panel):
    """Numbers as one picture, for samples that are vectors: a row each.

    Attributes
    ----------
    title : str
        What they are.
    values : ndarray, shape (rows, entries)
        The numbers.
    scale : Scale
        What their colours mean.
    rows, entries : str
        What the two axes are called.
    names : sequence of str, optional
        Of each row; its number unless given.
    """

    title: str
    values: NDArray[Any]
    scale: Scale
    rows: str = "unit"
    entries: str = "entry of the input"
    names: Sequence[str] = ()

    def _names(self) -> list[str]:
        return [shortened_name(name, 1.1, SMALL) for name in self.names]

    def margins(self) -> tuple[float, float]:
        """Return the room for names and labels, and for the bar of the scale."""
        ticks = self._names() or [str(len(self.values))]
        return max(text_width(name, SMALL) for name in ticks) + SMALL * LINE + 0.12, 0.34 + BAR

    def height(self, width: float) -> float:
        """Return a line of text a row where rows have names, else less; within bounds."""
        line = SMALL * LINE if self.names else 0.07
        return min(max(len(self.values) * line, 0.6), 8.0)

    def draw(self, axes: Axes, width: float) -> None:
        """Draw the matrix."""
        from matplotlib.ticker import MaxNLocator

        axes.imshow(self.values, aspect="auto", interpolation="nearest", **self.scale.arguments)
        axes.set_xlabel(self.entries, size=SMALL, labelpad=1)
        axes.set_ylabel(self.rows, size=SMALL, labelpad=2)
        axes.tick_params(labelsize=SMALL, length=2, pad=2)
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        if self.names:
            axes.set_yticks(range(len(self.names)), self._names(), parse_math=False)
        else:
            axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
        high = axes.get_window_extent().height / axes.figure.dpi
        place = (0.1, -(0.34 + BAR) / high, 0.8, BAR / high)
        self.scale.bar(axes, place, in_colours=False)


def some_classes(count: int) -> list[int]:
    """Return the classes that are drawn of K: ten, evenly chosen, where there are more."""
    return sorted({int(place) for place in np.linspace(0, count - 1, min(count, _CLASSES)).round()})


def by_class(
    title: str,
    rows: Sequence[Sequence[NDArray[Any]]],
    labels: Sequence[int],
    class_names: Sequence[str],
    states: Sequence[str] = ("",),
    scale: Scale | None = None,
) -> Tiles:
    """Return images of classes, several of each below one another.

    Parameters
    ----------
    title : str
        What they are.
    rows : sequence of R sequences of images
        The first has the first image of each of the classes, and so on.
    labels : sequence of int
        Which classes.
    class_names : sequence of str
        The names of all K classes.
    states : sequence of R str
        What stands before a row.
    scale : Scale, optional
        As of `Tiles`.
    """
    columns = min(_CLASSES_IN_A_ROW, len(labels))
    names, replaced = legible(class_names)
    images: list[NDArray[Any] | None] = []
    captions: list[str] = []
    row_names: list[str] = []
    for start in range(0, len(labels), columns):
        some = labels[start : start + columns]
        for row, state in zip(rows, states, strict=True):
            left = columns - len(some)
            images += [*row[start : start + columns], *[None] * left]
            captions += [*(names[label] for label in some), *[""] * left]
            row_names.append(state)
    title = f"{title} ({REPLACED})" if replaced else title
    return Tiles(title, images, columns, captions, row_names if any(states) else (), scale)

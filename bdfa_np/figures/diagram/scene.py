"""What diagrams are made of: boxes, matrices, lines with heads, and symbols as the papers print them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from math import hypot
from typing import TYPE_CHECKING, Any

from bdfa_np.figures.parts.names import plain
from bdfa_np.figures.style import COLOURS

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

Point = tuple[float, float]

BOX = (0.44, 0.3)
"""Inches, as all lengths here: the box of an activity or a signal."""
MATRIX = (0.38, 0.26)
_HEAD, _HEAD_WIDTH = 0.09, 0.075
_SYMBOL, _NOTE = 9.0, 7.5
"""Points."""


@dataclass(frozen=True)
class Line:
    """How a line looks, told apart from the others in black and white too.

    Attributes
    ----------
    label : str
        What the legend says of it.
    colour : str
        In hexadecimal.
    dash : str or tuple
        As matplotlib has it.
    filled : bool
        Whether its head is.
    above : int
        What is drawn over what.
    """

    label: str
    colour: str
    dash: Any
    filled: bool
    above: int


FORWARD = Line("forward", "#000000", "-", True, 3)
ERROR = Line("error", COLOURS[1], (0, (4, 1.6)), True, 2)
FEEDBACK = Line("what feedback learns from", COLOURS[0], (0, (1, 1.3)), False, 1)


@dataclass(frozen=True)
class Face:
    """How a box or a matrix looks.

    Attributes
    ----------
    label : str
        What the legend says of it.
    colour : str
        In hexadecimal.
    edge : float
        Width of its edge in points.
    dash, form : str or tuple
        Of its edge, as matplotlib has them.
    """

    label: str
    colour: str
    edge: float
    dash: Any
    form: str


PLAIN = Face("", "#ffffff", 0.8, "-", "square,pad=0")
FACES = {
    "trained": Face("trained", "#ffffff", 1.6, "-", "round,pad=0,rounding_size=0.1"),
    "fixed": Face("fixed", "#d0d0d0", 0.8, "-", "square,pad=0"),
    "signs": Face("made of W's signs", "#ffffff", 0.9, (0, (2, 1)), "square,pad=0"),
    "": PLAIN,
}
"""By the kind of a matrix."""

_PRINTED = re.compile(r"[\w\u0302ᵀ(){}+\-' ]+")


def symbol(text: str, index: int | None = None) -> tuple[str, bool]:
    """Return a symbol as it is printed, and whether it is a formula; what cannot be one stays as it is.

    Parameters
    ----------
    text : str
        Letters with or without a circumflex, a transpose, and words.
    index : int, optional
        The layer's number, which stands below.
    """
    apart = unicodedata.normalize("NFD", text)
    if not _PRINTED.fullmatch(apart) or plain(apart) != apart:
        return plain(text if index is None else f"{text} {index}"), False
    below = "" if index is None else f"_{{{index}}}"
    printed = re.sub("(\\w)\u0302", r"\\hat{\1}", apart)
    printed = re.sub(r"(?<![A-Za-z\\])[A-Za-z]{3,}", r"\\mathrm{\g<0>}", printed)
    last = printed.removesuffix("ᵀ")
    printed = last + below + ("ᵀ" if last != printed else "")
    return f"${printed}$".replace("ᵀ", r"^{\mathrm{T}}"), True


class Scene:
    """Axes in inches, into which a diagram is drawn.

    Parameters
    ----------
    axes : Axes
        Where to draw.
    scale : float
        How large the diagram is drawn: texts and lines become as much larger.
    """

    def __init__(self, axes: Axes, scale: float) -> None:
        self.axes = axes
        self.scale = scale
        self.corners: list[Point] = []
        self.lines: dict[str, Line] = {}
        self.faces: list[str] = []

    def box(self, at: Point, text: str, index: int | None = None) -> Point:
        """Draw an activity or a signal; return where it is."""
        self._patch(at, BOX, PLAIN, FORWARD.colour)
        self._text(at, *symbol(text, index))
        return at

    def matrix(self, at: Point, text: str, index: int, kind: str, *, colour: str, width: float = MATRIX[0]) -> Point:
        """Draw a matrix; return where it is."""
        if kind not in self.faces:
            self.faces.append(kind)
        self._patch(at, (width, MATRIX[1]), FACES[kind], colour)
        self._text(at, *symbol(text, index))
        return at

    def note(self, at: Point, text: str, index: int | None = None, *, beside: str = "center") -> None:
        """Write a few letters beside a line."""
        self._text(at, *symbol(text, index), size=_NOTE, align=beside)

    def line(self, points: Sequence[Point], line: Line, *, head: bool = True, tail: bool = False) -> None:
        """Draw a line through points, with a head where it ends, and at its tail where it goes both ways."""
        self.lines.setdefault(line.label, line)
        shown = list(points)
        if head:
            shown[-1] = self._head(shown[-2], shown[-1], line)
        if tail:
            shown[0] = self._head(shown[1], shown[0], line)
        self.axes.plot(
            *zip(*shown, strict=True),
            color=line.colour,
            linestyle=line.dash,
            linewidth=1.2 * self.scale,
            solid_capstyle="butt",
            zorder=line.above,
        )
        self.corners += points

    def legend_handles(self) -> list[Artist]:
        """Return what stands for the lines and the kinds of matrices that were drawn."""
        from matplotlib.lines import Line2D
        from matplotlib.patches import Patch

        drawn = [line for line in (FORWARD, ERROR, FEEDBACK) if line.label in self.lines]
        handles: list[Artist] = [
            Line2D([], [], color=line.colour, linestyle=line.dash, linewidth=1.2, label=line.label) for line in drawn
        ]
        for kind, face in FACES.items():
            if kind and kind in self.faces:
                look = {"facecolor": face.colour, "linewidth": face.edge, "linestyle": face.dash}
                handles.append(Patch(edgecolor="#000000", label=face.label, **look))
        return handles

    def limits(self) -> tuple[float, float, float, float]:
        """Return left, right, bottom and top of what was drawn."""
        across, up = zip(*self.corners, strict=True)
        return min(across), max(across), min(up), max(up)

    def _patch(self, at: Point, size: tuple[float, float], face: Face, edge: str) -> None:
        from matplotlib.patches import FancyBboxPatch

        corner = at[0] - size[0] / 2, at[1] - size[1] / 2
        look = {"facecolor": face.colour, "edgecolor": edge, "linestyle": face.dash, "zorder": 4}
        patch = FancyBboxPatch(corner, *size, boxstyle=face.form, linewidth=face.edge * self.scale, **look)
        self.axes.add_patch(patch)
        self.corners += [corner, (corner[0] + size[0], corner[1] + size[1])]

    def _text(self, at: Point, text: str, is_formula: bool, *, size: float = _SYMBOL, align: str = "center") -> None:
        self.axes.text(
            *at,
            text,
            size=size * self.scale,
            ha=align,
            va="center_baseline" if align != "center" else "center",
            parse_math=is_formula,
            zorder=5,
        )

    def _head(self, before: Point, end: Point, line: Line) -> Point:
        """Draw a head at the end of a line that comes from a point before; return where the line stops."""
        from matplotlib.patches import Polygon

        length = hypot(end[0] - before[0], end[1] - before[1])
        along = (end[0] - before[0]) / length, (end[1] - before[1]) / length
        base = end[0] - _HEAD * along[0], end[1] - _HEAD * along[1]
        across = -along[1] * _HEAD_WIDTH / 2, along[0] * _HEAD_WIDTH / 2
        self.axes.add_patch(
            Polygon(
                [end, (base[0] + across[0], base[1] + across[1]), (base[0] - across[0], base[1] - across[1])],
                facecolor=line.colour if line.filled else "#ffffff",
                edgecolor=line.colour,
                linewidth=0.8 * self.scale,
                zorder=line.above + 0.5,
            )
        )
        return base

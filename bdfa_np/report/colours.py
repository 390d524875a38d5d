"""Colours of a page, light and dark, with the contrast that WCAG 2.2 asks for."""

from __future__ import annotations

from dataclasses import dataclass

LIGHT, DARK = "#ffffff", "#14181d"
"""The papers that charts are drawn on."""
GRAPHIC, ON_DARK = 3.0, 4.5
"""The contrast of a line to a light paper (WCAG 2.2, success criterion 1.4.11), and to a dark one, where lines fade."""
SHAPES = {
    "o": "M1,0A1,1,0,1,1,-1,0A1,1,0,1,1,1,0Z",
    "s": "M-0.9,-0.9H0.9V0.9H-0.9Z",
    "^": "M0,-1L1,0.8H-1Z",
    "v": "M0,1L1,-0.8H-1Z",
    "<": "M-1,0L0.8,1V-1Z",
    ">": "M1,0L-0.8,1V-1Z",
    "D": "M0,-1.1L1.1,0L0,1.1L-1.1,0Z",
    "P": "M-0.35,-1H0.35V-0.35H1V0.35H0.35V1H-0.35V0.35H-1V-0.35H-0.35Z",
    "X": "M-0.6,-1L0,-0.4L0.6,-1L1,-0.6L0.4,0L1,0.6L0.6,1L0,0.4L-0.6,1L-1,0.6L-0.4,0L-1,-0.6Z",
    "*": "M0,-1.1L0.26,-0.36L1.05,-0.34L0.43,0.14L0.65,0.89L0,0.45L-0.65,0.89L-0.43,0.14L-1.05,-0.34L-0.26,-0.36Z",
    "h": "M0,-1L0.87,-0.5V0.5L0,1L-0.87,0.5V-0.5Z",
}
"""Matplotlib's markers."""
_STEPS = 100
_DARKEST, _BRIGHTEST = "#08306b", "#9ecae1"
_SHADES = 10


@dataclass(frozen=True)
class Look:
    """How a line is told from the others.

    Attributes
    ----------
    light, dark : str
        Its colour on either paper, in hexadecimal.
    shape : str
        Its marker, a path of SVG's within a circle of radius 1.
    dash : tuple of float
        In pixels; empty for an unbroken line.
    """

    light: str
    dark: str
    shape: str
    dash: tuple[float, ...]


def look(colour: str, marker: str, dash: object, width: float = 2.0) -> Look:
    """Return a line's look on the page from that in pictures, whose dashes are in widths of a line."""
    lengths = tuple(width * length for length in dash[1]) if isinstance(dash, tuple) else ()
    return Look(readable(colour, LIGHT), readable(colour, DARK, ON_DARK), SHAPES.get(marker, SHAPES["o"]), lengths)


def readable(colour: str, paper: str, ratio: float = GRAPHIC) -> str:
    """Return the colour nearest to one that stands out from a paper: mixed with black or with white."""
    end = "#000000" if _luminance(paper) > 0.18 else "#ffffff"
    mixed = (mix(colour, end, step / _STEPS) for step in range(_STEPS + 1))
    return next((found for found in mixed if contrast(found, paper) >= ratio), end)


def shades(*, dark: bool) -> list[tuple[str, str]]:
    """Return ten colours of cells from that of the paper on, each with that of its text."""
    paper, end = (DARK, _BRIGHTEST) if dark else (LIGHT, _DARKEST)
    backs = [mix(paper, end, number / (_SHADES - 1)) for number in range(_SHADES)]
    return [
        (back, "#000000" if contrast("#000000", back) >= contrast("#ffffff", back) else "#ffffff") for back in backs
    ]


def mix(first: str, second: str, share: float) -> str:
    """Return a colour between two, ``share`` of the way to the second."""
    parts = zip(_parts(first), _parts(second), strict=True)
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in parts)


def contrast(first: str, second: str) -> float:
    """Return the contrast of two colours, from 1 to 21 (WCAG 2.2)."""
    low, high = sorted((_luminance(first), _luminance(second)))
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: str) -> float:
    parts = [part / 255 for part in _parts(colour)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _parts(colour: str) -> list[int]:
    return [int(colour[start : start + 2], 16) for start in (1, 3, 5)]

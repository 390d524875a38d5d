"""Colours of a page, light and dark, with the contrast that WCAG 2.2 asks for."""

from __future__ import annotations

from dataclasses import dataclass

LIGHT, DARK = "#ffffff", "#14181d"
"""The papers that charts are drawn on."""
GRAPHIC, ON_DARK = 3.0, 4.5
"""The contrast of a line to its paper at least (WCAG 2.2, success criterion 1.4.11), and what looks well on a dark one."""
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
    marker : str
        As matplotlib has it.
    dash : tuple of float
        In pixels; empty for an unbroken line.
    """

    light: str
    dark: str
    marker: str
    dash: tuple[float, ...]


def look(colour: str, marker: str, dash: object, width: float = 2.0) -> Look:
    """Return a line's look on the page from that in pictures, whose dashes are in widths of a line."""
    lengths = tuple(width * length for length in dash[1]) if isinstance(dash, tuple) else ()
    return Look(readable(colour, LIGHT), readable(colour, DARK, ON_DARK), marker, lengths)


def readable(colour: str, paper: str, ratio: float = GRAPHIC) -> str:
    """Return the colour nearest to one that stands out from a paper: mixed with black or with white."""
    end = "#000000" if _luminance(paper) > 0.18 else "#ffffff"
    mixed = (mix(colour, end, step / _STEPS) for step in range(_STEPS + 1))
    return next((found for found in mixed if contrast(found, paper) >= ratio), end)


def shades(*, dark: bool) -> list[tuple[str, str]]:
    """Return ten colours of cells from that of the paper on, each with that of its text."""
    paper, end = (DARK, _BRIGHTEST) if dark else (LIGHT, _DARKEST)
    backs = [mix(paper, end, number / (_SHADES - 1)) for number in range(_SHADES)]
    return [(back, max(("#000000", "#ffffff"), key=lambda front, back=back: contrast(front, back))) for back in backs]


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

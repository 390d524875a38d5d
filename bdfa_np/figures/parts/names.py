"""Names of classes as a picture can show them: in letters that the font has, and no longer than there is room."""

from collections.abc import Sequence
from functools import cache

ELLIPSIS = "…"


@cache
def _glyphs(family: str) -> frozenset[int]:
    from matplotlib.font_manager import FontProperties, findfont, get_font

    return frozenset(get_font(findfont(FontProperties(family=family))).get_charmap())


def _family() -> str:
    from matplotlib import rcParams

    return str(rcParams["font.sans-serif"][0])


def legible(names: Sequence[str]) -> tuple[list[str], bool]:
    """Return names as the font can draw them, and whether it could not draw some.

    Parameters
    ----------
    names : sequence of str
        The names of the K classes.

    Returns
    -------
    names : list of str
        A name with a letter that the font lacks is ``class 3``, its number counted from 0, in place of boxes.
    replaced : bool
        Whether there is such a name: a picture says what stands for it.
    """
    known = _glyphs(_family())
    found = [name if all(ord(letter) in known for letter in name) else None for name in names]
    shown = [f"class {number}" if name is None else name for number, name in enumerate(found)]
    return shown, None in found


REPLACED = "a class whose name the font has no letters for is named by its number"
"""What is said under a picture in which `legible` has replaced a name."""


def width_of(text: str, size: float) -> float:
    """Return the width of one line of text, in inches, at a size in points."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    properties = FontProperties(family=_family(), size=size)
    width, _, _ = text_to_path.get_text_width_height_descent(text, properties, ismath=False)
    return float(width) / 72


def shortened(text: str, width: float, size: float) -> str:
    """Return a text, cut with an ellipsis where it is wider than a width in inches at a size in points."""
    if width_of(text, size) <= width:
        return text
    kept = text
    while kept and width_of(kept.rstrip() + ELLIPSIS, size) > width:
        kept = kept[:-1]
    return kept.rstrip() + ELLIPSIS


def wrapped(text: str, width: float, size: float) -> str:
    """Return a text with line breaks between words, each line within a width in inches at a size in points."""
    lines = []
    for paragraph in text.split("\n"):
        line = ""
        for word in paragraph.split(" "):
            longer = f"{line} {word}" if line else word
            if line and width_of(longer, size) > width:
                lines.append(shortened(line, width, size))
                line = word
            else:
                line = longer
        lines.append(shortened(line, width, size))
    return "\n".join(lines)

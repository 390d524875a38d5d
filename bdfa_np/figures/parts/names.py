"""Names of classes in letters that the font has."""

from collections.abc import Sequence
from functools import cache


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


def plain(text: str) -> str:
    """Return a text with a question mark for each letter that the font lacks, in place of a box."""
    known = _glyphs(_family())
    return "".join(letter if ord(letter) in known else "?" for letter in text)


REPLACED = "a class whose name the font has no letters for is named by its number"
"""What is said under a picture in which `legible` has replaced a name."""

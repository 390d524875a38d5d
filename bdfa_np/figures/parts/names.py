"""Names of classes in letters that the font has."""

from collections.abc import Sequence
from functools import cache

from bdfa_np.system.text import legible_names


@cache
def _glyphs(family: str) -> frozenset[int]:
    from matplotlib.font_manager import FontProperties, findfont, get_font

    return frozenset(get_font(findfont(FontProperties(family=family))).get_charmap())


def _family() -> str:
    from matplotlib import rcParams

    return str(rcParams["font.sans-serif"][0])


def _is_known(letter: str) -> bool:
    return ord(letter) in _glyphs(_family())


def legible(names: Sequence[str]) -> tuple[list[str], bool]:
    """Return names as the font can draw them, and whether it could not draw some: see `legible_names`."""
    return legible_names(names, _is_known)


def plain(text: str) -> str:
    """Return a text with a question mark for each letter that the font lacks, in place of a box."""
    return "".join(letter if _is_known(letter) else "?" for letter in text)


REPLACED = "a class whose name the font has no letters for is named by its number"
"""What is said under a picture in which `legible` has replaced a name."""

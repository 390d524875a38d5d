"""Texts of a picture by Pillow's own font: which letters it has, and what fits into how many pixels."""

from collections.abc import Sequence
from functools import cache

from PIL import ImageFont

SIZE = 12
REPLACED = "A class whose name the font has no letters for is named by its number, counted from 0."
"""What is said in a picture in which `legible` has replaced a name."""


@cache
def font(size: int = SIZE) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Return the font that comes with Pillow."""
    return ImageFont.load_default(size)


@cache
def _is_known(letter: str) -> bool:
    """Return whether the font has a letter: else it draws what it draws for U+FFFF, which is none."""
    drawn, missing = (font().getmask(one) for one in (letter, "\uffff"))
    return (drawn.size, bytes(drawn)) != (missing.size, bytes(missing))


def legible(names: Sequence[str]) -> tuple[list[str], bool]:
    """Return names as the font can draw them, and whether it could not draw some.

    Parameters
    ----------
    names : sequence of str
        The names of the K classes.

    Returns
    -------
    names : list of str
        One with a letter that the font lacks, or that is not printable, is ``class 3``, its number counted from 0.
    replaced : bool
        Whether there is such a name.
    """
    known = [name.isprintable() and all(map(_is_known, name)) for name in names]
    shown = [name if good else f"class {number}" for number, (name, good) in enumerate(zip(names, known, strict=True))]
    return shown, not all(known)


def plain(text: str) -> str:
    """Return a text with a question mark for each letter that the font lacks."""
    return "".join(letter if letter.isprintable() and _is_known(letter) else "?" for letter in text)


UNKNOWN = "A question mark stands for a letter that the font does not have."
"""What is said in a picture in which `plain` has replaced one."""


def width(text: str, size: int = SIZE) -> int:
    """Return the pixels that a line takes."""
    return int(-(-font(size).getlength(text) // 1))


def shortened(text: str, pixels: int, size: int = SIZE) -> str:
    """Return a line, cut with an ellipsis where it is wider than so many pixels."""
    if width(text, size) <= pixels:
        return text
    while text and width(f"{text.rstrip()}…", size) > pixels:
        text = text[:-1]
    return f"{text.rstrip()}…"


def shortened_name(name: str, pixels: int, size: int = SIZE) -> str:
    """Return the name of a class without its middle where it is wider: many begin alike, and differ in their ends."""
    if width(name, size) <= pixels:
        return name
    for kept in range(len(name) - 1, 1, -1):
        start = kept // 2
        short = f"{name[:start].rstrip()}…{name[start - kept :].lstrip()}"
        if width(short, size) <= pixels:
            return short
    return f"…{name[-1]}"


def broken(text: str, pixels: int, size: int = SIZE) -> list[str]:
    """Return the lines of a text that is broken between words, each at most so many pixels wide."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".lstrip()
        if lines[-1] and width(longer, size) > pixels:
            lines.append(word)
        else:
            lines[-1] = longer
    return [shortened(line, pixels, size) for line in lines]

"""Texts of a picture by Pillow's own font: which letters it has, and what fits into how many pixels."""

from collections.abc import Sequence
from functools import cache

from PIL import ImageFont

from bdfa_np.system.text import legible_names, without_middle

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


def _is_drawn(letter: str) -> bool:
    return letter.isprintable() and _is_known(letter)


def legible(names: Sequence[str]) -> tuple[list[str], bool]:
    """Return names as the font can draw them, and whether it could not draw some: see `legible_names`."""
    return legible_names(names, _is_drawn)


def plain(text: str) -> str:
    """Return a text with a question mark for each letter that the font lacks."""
    return "".join(letter if _is_drawn(letter) else "?" for letter in text)


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
    """Return the name of a class, without its middle where it is wider than so many pixels."""
    return without_middle(name, lambda text: width(text, size) <= pixels)


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

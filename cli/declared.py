"""What commands that explain nets and rules show of declared options, and how they write what is long."""

import re
import textwrap
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from bdfa_np.declaration import Option, flag

if TYPE_CHECKING:
    from bdfa_np.tables import Table

_DEFAULT = re.compile(r"\s*\[default: (.*)\]$", re.DOTALL)
"""How a help says what an option is where it is not given."""


def options_table(options: Iterable[Option], owner: str, spelled: Callable[[str], str] = flag) -> "Table":
    """Return a row an option: its spelling, what it may be, its default, and what it means.

    Parameters
    ----------
    options : iterable of Option
        As their owner declares them.
    owner : str
        Its name.
    spelled : callable, optional
        How an option of a name is given.
    """
    from bdfa_np.tables import Table

    rows = [
        [
            spelled(option.name),
            "0, 1" if option.type is bool else ", ".join(map(str, option.choices)) or option.wanted,
            default_text(option),
            _meaning(option, owner),
        ]
        for option in options
    ]
    return Table(["option", "values", "default", "meaning"], rows, whole=("option",))


def default_text(option: Option) -> str:
    """Return what an option is where it is not given, as its owner declares it."""
    if option.default is not None:
        return str(int(option.default) if option.type is bool else option.default)
    said = _DEFAULT.search(option.help)
    if said is not None and "{" not in said[1]:
        return " ".join(said[1].split())
    return option.said_default if option.follows is not None or option.default_text else ""


def _meaning(option: Option, owner: str) -> str:
    text = " ".join(_DEFAULT.sub("", option.help).split())
    text = text.replace("{owners}", owner).removeprefix(f"{owner}: ")
    return text[:1].upper() + text[1:] if text[:1].isascii() else text


def wrapped(text: str, width: int, begin: str = "", indent: str | None = None) -> str:
    """Return a text in lines of at most a width, the first after ``begin``, the others after ``indent``."""
    indent = " " * len(begin) if indent is None else indent
    return textwrap.fill(text, width, initial_indent=begin, subsequent_indent=indent, break_on_hyphens=False)

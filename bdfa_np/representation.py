"""What objects show of themselves: one line each, in one style, with no array, no memory address."""

from __future__ import annotations

import inspect
import os
from collections.abc import Container, Iterable, Mapping, Sequence
from numbers import Integral, Real
from typing import Any

LONGEST = 100
"""The characters that an object shows of itself; what does not fit is counted."""


def one_line(shown: object, parts: Iterable[str]) -> str:
    """Return ``Class(part, part)``; parts at the end are left out, and counted, where they do not fit.

    Parameters
    ----------
    shown : object
        Whose class is named.
    parts : iterable of str
        What is said of it, the most telling first; empty ones are dropped.

    Examples
    --------
    >>> one_line([], ["3 entries", "", "the largest 7"])
    'list(3 entries, the largest 7)'
    """
    kind = type(shown).__name__
    # Names and texts of a user's own may hold line breaks.
    said = [" ".join(part.split()) for part in parts if part]
    for kept in range(len(said), 0, -1):
        rest = [f"… {len(said) - kept} more"] if kept < len(said) else []
        line = f"{kind}({', '.join([*said[:kept], *rest])})"
        if len(line) <= LONGEST:
            return line
    line = f"{kind}({', '.join(said)})"
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 2]}…)"


def settings(
    shown: object, *, always: Container[str] = (), leave_out: Container[str] = (), all_named: bool = False
) -> list[str]:
    """Return the arguments of an object's constructor that are not at their defaults, as one would write them.

    An argument is read from the attribute of its name; one that is kept under another name, or not at all, is passed
    over. An argument without a default and not by keyword alone is shown without its name.

    Parameters
    ----------
    shown : object
        The object.
    always : container of str, optional
        Arguments that are shown at their defaults too.
    leave_out : container of str, optional
        Arguments that are not shown.
    all_named : bool, default False
        Whether those without a default have their name before them too.
    """
    held, found = vars(shown), []
    _, *arguments = inspect.signature(type(shown).__init__).parameters.items()
    for name, one in arguments:
        if name in leave_out or name not in held or one.kind in (one.VAR_POSITIONAL, one.VAR_KEYWORD):
            continue
        value, demanded = held[name], one.default is one.empty
        if demanded or name in always or not _same(value, one.default):
            named = all_named or not demanded or one.kind is one.KEYWORD_ONLY
            found.append(f"{name}={value_text(value)}" if named else value_text(value))
    return found


def _same(value: Any, default: Any) -> bool:
    return value is default or (not _is_array(value) and bool(value == default))


def _is_array(value: Any) -> bool:
    return isinstance(getattr(value, "shape", None), tuple) and hasattr(value, "dtype")


def value_text(value: Any) -> str:
    """Return a value as one would write it; an array as its shape and type, an object of another kind as its class."""
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if value is None or isinstance(value, (str, bool)):
        return repr(value)
    if isinstance(value, Real):
        return str(value) if isinstance(value, Integral) else f"{value:.6g}"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{key!r}: {value_text(one)}' for key, one in value.items())}}}"
    if isinstance(value, (tuple, list)):
        return f"[{', '.join(map(value_text, value))}]"
    if _is_array(value):
        return f"{shape_text(value.shape)} {value.dtype}".lstrip()
    return str(getattr(value, "__name__", type(value).__name__))


def shape_text(shape: Sequence[int]) -> str:
    """Return a shape as in ``28x28x1``."""
    return "x".join(map(str, shape))


def passage_text(before: Sequence[int], after: Sequence[int]) -> str:
    """Return the shapes of what goes in and what comes out, once where they are the same."""
    into, out = shape_text(before), shape_text(after)
    return into if into == out else f"{into} → {out}"

"""What a study's file says of the study as a whole, checked: every key but those of its cells."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from bdfa_np.declaration import too_long
from bdfa_np.errors import StudyError
from bdfa_np.options.catalogue import OPTIONS
from bdfa_np.options.hints import meant

FIGURES = ("last", "best", "test")
"""What a run's error can be taken from.

``"last"`` is the error after the last epoch, and ``"best"`` that of the epoch with the lowest one, both on the part
tested on: the validation images of a run with ``validate``, else the data set's own test images. ``"test"`` is the
error on the test images of the net that the run keeps: what a run with ``validate`` measures once at its end; without
it the last epoch's, which was measured on them.
"""
MEASURES = ("error", "accuracy")
"""As what figures are published, in percent, and shown beside them."""
KEYS = (
    *("name", "title", "source", "notes", "seeds", "report", "measure", "axes"),
    *("base", "grid", "cells", "published", "search"),
)
"""Whatever may stand at the top of a study's file."""
MOST_SEEDS = 10_000


def check_keys(found: Mapping[str, Any], known: Sequence[str], where: str) -> None:
    """Refuse a key that means nothing.

    Parameters
    ----------
    found : mapping
        A table of the file.
    known : sequence of str
        The keys that it may have.
    where : str
        What to say of the place, for example ``"in [search]"``; empty for the top of the file.

    Raises
    ------
    StudyError
        Naming the key, and what may have been meant.
    """
    for key in found:
        if key in known:
            continue
        if not where and key.replace("-", "_") in OPTIONS:
            raise StudyError(f"'{key}' is an option of a run: move it into the table [base]")
        question = meant(key, {}, {one: one for one in known}) or f" there is {', '.join(known)}"
        raise StudyError(f"unknown key '{key}'{f' {where}' if where else ''}.{question}")


def one_text(found: Mapping[str, Any], key: str, where: str = "") -> str:
    """Return a text in one line, empty where it is not given.

    Raises
    ------
    StudyError
        If it is no text, or holds what no terminal shows.
    """
    return _plain(found.get(key, ""), f"{key}{f' {where}' if where else ''}")


def texts(found: Mapping[str, Any], key: str) -> tuple[str, ...]:
    """Return a list of texts, each in one line.

    Raises
    ------
    StudyError
        If it is no such list.
    """
    value = found.get(key, [])
    if not isinstance(value, list):
        raise StudyError(f"{key} is {_shown(value)}: write a list of texts, as in {key} = ['a sentence', 'another']")
    return tuple(_plain(one, f"each of {key}") for one in value)


def _plain(value: object, what: str) -> str:
    if not isinstance(value, str):
        raise StudyError(f"{what} must be a text in quotes, not {_shown(value)}")
    line = " ".join(value.split())
    if not line.isprintable():
        raise StudyError(f"{what} holds a character that cannot be shown: {line!a}: leave it out")
    return line


def seeds_of(value: object) -> tuple[int, ...]:
    """Return the seeds that a number of them, or a list, stands for.

    Parameters
    ----------
    value : int or list of int
        A number n stands for 0 to n - 1.

    Raises
    ------
    StudyError
        If it is neither, a seed is negative, or one is given twice.
    """
    advice = "write how many, as in seeds = 3, or which, as in seeds = [0, 1, 2]"
    if isinstance(value, int) and not isinstance(value, bool):
        if not 1 <= value <= MOST_SEEDS:
            raise StudyError(f"seeds = {_shown(value)}: a study has from 1 to {MOST_SEEDS:,}: {advice}")
        return tuple(range(value))
    if not isinstance(value, list | tuple) or not value or len(value) > MOST_SEEDS:
        raise StudyError(f"seeds is {_shown(value)}: {advice}")
    for number, seed in enumerate(value):
        if not isinstance(seed, int) or isinstance(seed, bool) or seed < 0 or too_long(seed):
            raise StudyError(f"seeds holds {_shown(seed)}: a seed is a whole number of 0 or more")
        if seed in value[:number]:
            raise StudyError(f"seeds has {seed} twice: the two would be the same run: leave one out")
    return tuple(value)


def chosen(value: object, known: Collection[str], key: str) -> str:
    """Return a word that is one of those that are known.

    Raises
    ------
    StudyError
        If it is not.
    """
    if not isinstance(value, str) or value not in known:
        raise StudyError(f"{key} is {_shown(value)}: choose from {', '.join(map(repr, known))}")
    return value


def report_of(value: object) -> tuple[str, ...]:
    """Return what is reported.

    Raises
    ------
    StudyError
        If it is no list of `FIGURES`, is empty or repeats one.
    """
    if not isinstance(value, list) or not value:
        raise StudyError(f"report is {_shown(value)}: write a list, as in report = ['last'], of {', '.join(FIGURES)}")
    found = tuple(chosen(one, FIGURES, "one of report") for one in value)
    if len(set(found)) < len(found):
        raise StudyError(f"report names one twice: {', '.join(found)}: leave one out")
    return found


def percent(value: object, what: str, *, lowest: float = 0.0) -> float:
    """Return a published figure.

    Raises
    ------
    StudyError
        If it is no number from 0 to 100.
    """
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not lowest <= value <= 100:  # type: ignore[operator]
        raise StudyError(f"{what} is {_shown(value)}: write a number of percent, from 0 to 100")
    return float(value)  # type: ignore[arg-type]


def table(found: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Return a table, empty where it is not given.

    Raises
    ------
    StudyError
        If it is no table.
    """
    value = found.get(key, {})
    if not isinstance(value, dict):
        raise StudyError(f"[{key}] is {_shown(value)}: write a table, [{key}] and its keys below")
    return value


def _shown(value: object) -> str:
    """Return a value as a message quotes it."""
    if isinstance(value, bool):
        return str(value).lower()
    if too_long(value):
        return "a number of too many digits"
    text = "a table" if isinstance(value, dict) else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."

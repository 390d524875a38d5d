"""Folders of cells: labels made safe for every file system, and still distinct."""

import hashlib
import re
from collections.abc import Iterable, Sequence

LONGEST = 60
"""Characters of a label that a folder's name keeps: two of them and a run's own files fit Windows' 260."""
SEARCH = "search"
"""The folder of a search's trials, beside those of the cells."""

_UNSAFE = re.compile(r"[^A-Za-z0-9_=.,+-]+")
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
"""Names that Windows has for devices, with any suffix."""


def folders(cells: Iterable[Sequence[str]]) -> dict[tuple[str, ...], str]:
    """Return the folder of every cell, with slashes, by its labels.

    A label that every file system takes is a folder's name as it is, with ``_`` for spaces. Of another one its harmless
    characters are kept, with ``~`` and a part of its SHA-256 after them. That is added too where two labels would
    differ by nothing but their case, or a space, to those that are not all in lower case without spaces.

    Parameters
    ----------
    cells : iterable of sequence of str
        The labels of each cell; all have as many.
    """
    kept = [tuple(labels) for labels in cells]
    names = [_distinct({labels[axis] for labels in kept}) for axis in range(len(kept[0]))] if kept else []
    return {labels: "/".join(names[axis][label] for axis, label in enumerate(labels)) for labels in kept}


def folder_of(study: str) -> str:
    """Return the name of a study's folder, by its own name."""
    return _name(study)


def _distinct(labels: set[str]) -> dict[str, str]:
    """Return a name for each label; no two are equal where capitals do not count."""
    names = {label: _name(label) for label in labels}
    counts: dict[str, int] = {}
    for name in names.values():
        counts[name.lower()] = counts.get(name.lower(), 0) + 1
    return {
        label: _marked(name, label) if counts[name.lower()] > 1 and label != name.lower() else name
        for label, name in names.items()
    }


def _name(label: str) -> str:
    name = label.replace(" ", "_") if label == label.strip() else label
    unsafe = (
        not name
        or _UNSAFE.search(name)
        or name[:1] in (".", "-")
        or name.endswith(".")
        or len(name) > LONGEST
        or _RESERVED.fullmatch(name)
        or name.lower() == SEARCH
    )
    return _marked(name, label) if unsafe else name


def _marked(name: str, label: str) -> str:
    if "~" in name:  # it has its mark already
        return name
    harmless = _UNSAFE.sub("-", name)[:LONGEST].strip(".-_ ")
    return f"{harmless}~{hashlib.sha256(label.encode(errors='surrogatepass')).hexdigest()[:10]}"

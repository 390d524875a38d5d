"""Folders of cells: labels made safe for every file system, and still distinct."""

import hashlib
import re
from collections import Counter
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
    return study.replace(" ", "_") if _is_safe(study) else _marked(study)


def _distinct(labels: set[str]) -> dict[str, str]:
    """Return a name for each label; no two are equal where capitals do not count."""
    plain = {label: label.replace(" ", "_") for label in labels if _is_safe(label)}
    counts = Counter(name.lower() for name in plain.values())
    kept = {label: name for label, name in plain.items() if counts[name.lower()] == 1 or label == name.lower()}
    return {label: kept.get(label) or _marked(label) for label in labels}


def _is_safe(label: str) -> bool:
    """Return whether every file system takes a label, with ``_`` for its spaces."""
    name = label.replace(" ", "_")
    return (
        0 < len(name) <= LONGEST
        and label == label.strip()
        and not _UNSAFE.search(name)
        and name[0] not in ".-"
        and name[-1] != "."
        and not _RESERVED.fullmatch(name)
        and name.lower() != SEARCH
    )


def _marked(label: str) -> str:
    """Return what is harmless in a label, and a mark that no safe label has."""
    harmless = _UNSAFE.sub("-", label[:LONGEST]).replace(".", "-").strip("-_")
    return f"{harmless}~{hashlib.sha256(label.encode(errors='surrogatepass')).hexdigest()[:10]}"

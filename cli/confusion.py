"""A confusion matrix as text, in as many columns as there are."""

from collections.abc import Sequence
from math import isnan
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bdfa_np.metrics import ConfusionMatrix

MOST_FREQUENT = 15
"""Confusions that are listed where the matrix is too wide."""
LISTED_CLASSES = 100
LONGEST_NAME = 24


def confusion_lines(confusion: "ConfusionMatrix", class_names: Sequence[str], width: int) -> list[str]:
    """Return the matrix with each class's error in the last column, or what matters of it where it is too wide.

    Parameters
    ----------
    confusion : ConfusionMatrix
        Of K classes.
    class_names : sequence of str
        Their names.
    width : int
        Columns that there are. A matrix with the names over its columns is taken if it fits, else one with the classes'
        numbers there, else lists.
    """
    numbered = [f"{number} {_short(name)}" for number, name in enumerate(class_names)]
    for rows_named, columns_named in ((class_names, class_names), (numbered, map(str, range(len(class_names))))):
        lines = matrix(confusion, rows_named, list(columns_named))
        if max(map(len, lines)) <= width:
            return lines
    return [*class_errors(confusion, class_names, width), "", *most_frequent(confusion, class_names)]


def matrix(confusion: "ConfusionMatrix", rows_named: Sequence[str], columns_named: Sequence[str]) -> list[str]:
    """Return a row a true class: how often each class was predicted, and the class's error."""
    from bdfa_np.metrics import percent

    header = ["true \\ predicted", *columns_named, "error"]
    rows = [
        [name, *map(str, counts), percent(rate)]
        for name, counts, rate in zip(rows_named, confusion.counts.tolist(), confusion.class_error_rates(), strict=True)
    ]
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    return ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in [header, *rows]]


def class_errors(confusion: "ConfusionMatrix", class_names: Sequence[str], width: int) -> list[str]:
    """Return each class's error, the worst first and those without images last, several a line."""
    from bdfa_np.metrics import percent

    rates = list(zip(confusion.class_error_rates(), class_names, strict=True))
    rates.sort(key=lambda found: 1.0 if isnan(found[0]) else -found[0])
    shown = rates[:LISTED_CLASSES]
    longest = max(len(_short(name)) for _, name in shown)
    cells = [f"{_short(name):<{longest}} {percent(rate):>7}" for rate, name in shown]
    a_line = max(1, (width - 2 + 3) // (longest + 8 + 3))
    left_out = f", {len(shown)} of {len(rates):,}" if len(rates) > len(shown) else ""
    title = f"error of each class, worst first{left_out} (--csv FILE: all)"
    return [title, *("  " + "   ".join(cells[at : at + a_line]) for at in range(0, len(cells), a_line))]


def most_frequent(confusion: "ConfusionMatrix", class_names: Sequence[str]) -> list[str]:
    """Return the confusions that occur most often, a line each: how many of a class were taken for which other."""
    found = [
        (count, true, predicted)
        for true, row in enumerate(confusion.counts.tolist())
        for predicted, count in enumerate(row)
        if count and true != predicted
    ]
    found.sort(key=lambda one: -one[0])
    of_class = confusion.counts.sum(axis=1)
    lines = ["most frequent confusions (images, true class: predicted class)"]
    for count, true, predicted in found[:MOST_FREQUENT]:
        names = f"{_short(class_names[true])}: {_short(class_names[predicted])}"
        lines.append(f"  {count:>5} of {of_class[true]:<5}  {names}")
    return lines if found else ["no confusions"]


def _short(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"

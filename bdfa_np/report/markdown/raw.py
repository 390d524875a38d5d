"""Raw tables of a study, as CSV: its cells, its runs, their epochs, and what was measured of their layers."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from bdfa_np.errors import RunError
from bdfa_np.system.outputs import write_output

Row = dict[str, str]
"""A row by its columns; an empty text where there is no number."""
OPTION = "option."
"""What stands before the name of an option in a column of cells."""
COLUMNS = {
    "cells": ["study", "cell"],
    "runs": ["cell", "seed"],
    "epochs": ["cell", "seed", "epoch"],
    "layers": ["cell", "seed", "epoch", "layer"],
}
"""The first columns of each table, which it has without any row."""
AXIS = "axis."
"""What stands before the heading of an axis there."""


@dataclass(frozen=True)
class RawTables:
    """What pages are filled from.

    Attributes
    ----------
    cells : list of dict
        A row a cell: what was published, what is planned, its options, those chosen by a search among them.
    runs : list of dict
        A row a run, finished or not: its figures in percent, its seconds, its versions.
    epochs : list of dict
        A row a run and epoch.
    layers : list of dict
        A row a run, epoch measured and layer; empty where nothing was measured.
    """

    cells: list[Row]
    runs: list[Row]
    epochs: list[Row]
    layers: list[Row]

    def write(self, folder: Path) -> list[Path]:
        """Write each table to a file in a folder, which is made, and return the files."""
        folder.mkdir(parents=True, exist_ok=True)
        files = [folder / f"{one.name}.csv" for one in fields(self)]
        for file, one in zip(files, fields(self), strict=True):
            write_output(file, _text(COLUMNS[one.name], getattr(self, one.name)))
        return files

    @classmethod
    def read(cls, folder: str | os.PathLike[str]) -> RawTables:
        """Read the tables that `write` has written.

        Raises
        ------
        RunError
            If one is not there, or is no such table.
        """
        return cls(**{one.name: _rows(Path(folder) / f"{one.name}.csv") for one in fields(cls)})


def is_raw(folder: Path) -> bool:
    """Return whether a folder holds raw tables."""
    return all((folder / f"{one.name}.csv").is_file() for one in fields(RawTables))


def texts(values: Mapping[str, object]) -> Row:
    """Return a row of texts: numbers with every digit, None as an empty one."""
    return {
        name: "" if value is None else repr(value) if isinstance(value, float) else str(value)
        for name, value in values.items()
    }


def number(text: str) -> float | None:
    """Return the number that a text is; None of an empty one."""
    return float(text) if text else None


def _text(first: Sequence[str], rows: Sequence[Row]) -> str:
    text = io.StringIO()
    names = dict.fromkeys([*first, *(name for row in rows for name in row)])
    writer = csv.DictWriter(text, list(names), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _rows(file: Path) -> list[Row]:
    try:
        with file.open(encoding="utf-8", newline="") as opened:
            rows = list(csv.DictReader(opened))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise RunError(f"{file} cannot be read as a table ({error}): write it anew from the study's runs") from error
    for line, row in enumerate(rows, start=2):
        if None in row or None in row.values():
            raise RunError(f"{file}, line {line}: it has not as many columns as the first: write it anew from the runs")
    return rows

"""Raw tables of a study, as CSV: its cells, its runs, their epochs, and what was measured of their layers."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from bdfa_np.errors import RunError
from bdfa_np.study.description import COPY
from bdfa_np.system.outputs import write_output

Row = dict[str, str]
"""A row by its columns; an empty text where there is no number."""
OPTION = "option."
"""What stands before the name of an option in a column of cells."""
AXIS = "axis."
"""What stands before the heading of an axis there."""


def number(text: str) -> float | None:
    """Return the number that a text is; None of an empty one."""
    return float(text) if text else None


COLUMNS: dict[str, dict[str, Callable[[str], object]]] = {
    "cells": {
        "study": str,
        "cell": str,
        "measure": str,
        "figure": str,
        "seeds": int,
        "published": number,
        "published_sd": number,
        "note": str,
    },
    "runs": {
        "cell": str,
        "seed": int,
        "state": str,
        "why": str,
        "epochs": int,
        "planned_epochs": int,
        "tested_on": str,
        "last": number,
        "best": number,
        "test": number,
        "best_epoch": number,
        "train": number,
        "seconds": number,
        "seconds_per_epoch": number,
    },
    "epochs": {"cell": str, "seed": int, "epoch": int, "tested": number, "train": number},
    "layers": {"cell": str, "seed": int, "epoch": float, "layer": str},
}
"""The first columns of each table, which it has without any row, and what reads each."""
OTHERS: dict[str, Callable[[str], object]] = {"cells": str, "runs": str, "epochs": str, "layers": number}
"""What reads the columns after them."""


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

    @classmethod
    def of(cls, **tables: Sequence[Mapping[str, object]]) -> RawTables:
        """Return tables of values: all rows of one have its columns, as they have when they are read again."""
        return cls(**{name: _texts(COLUMNS[name], rows) for name, rows in tables.items()})

    def write(self, folder: Path) -> None:
        """Write each table to a file in a folder, which is made."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, file in files(folder).items():
            write_output(file, _csv(COLUMNS[name], getattr(self, name)))

    @classmethod
    def read(cls, folder: Path) -> RawTables:
        """Read the tables that `write` has written.

        Raises
        ------
        RunError
            If one is not there, is no such table, or not whole.
        """
        tables = cls(**{name: _rows(name, file) for name, file in files(folder).items()})
        _check_whole(tables, folder)
        return tables


def files(folder: Path) -> dict[str, Path]:
    """Return the files of tables in a folder, by the tables' names."""
    return {one.name: folder / f"{one.name}.csv" for one in fields(RawTables)}


def is_raw(folder: Path) -> bool:
    """Return whether a folder holds raw tables, one at least; one with a ``study.toml`` is a study's own."""
    return any(file.is_file() for file in files(folder).values()) and not (folder / COPY).is_file()


def _texts(first: Mapping[str, object], rows: Sequence[Mapping[str, object]]) -> list[Row]:
    """Return rows of texts: numbers with every digit, nothing where there is none."""
    names = dict.fromkeys([*first, *(name for row in rows for name in row)])
    return [{name: _text(row.get(name)) for name in names} for row in rows]


def _text(value: object) -> str:
    return "" if value is None else repr(value) if isinstance(value, float) else str(value)


def _csv(first: Mapping[str, object], rows: Sequence[Row]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0] if rows else first), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _rows(name: str, file: Path) -> list[Row]:
    try:
        with file.open(encoding="utf-8", newline="") as opened:
            reader = csv.DictReader(opened, strict=True)
            rows, columns = list(reader), reader.fieldnames or ()
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise RunError(f"{file} cannot be read as a table ({reason}): write it anew from the study's runs") from error
    missing = [column for column in COLUMNS[name] if column not in columns]
    if missing:
        raise RunError(f"{file} has no column {missing[0]}: write it anew from the study's runs")
    for place, row in enumerate(rows, start=1):
        if None in row or None in row.values():
            raise RunError(f"{file}, row {place}: it has not as many columns as the first: write it anew from the runs")
        for column, text in row.items():
            try:
                COLUMNS[name].get(column, OTHERS[name])(text)
            except ValueError:
                raise RunError(
                    f"{file}, row {place}: {column} is {text!r}, and no number: write it anew from the study's runs"
                ) from None
    return rows


def _check_whole(tables: RawTables, folder: Path) -> None:
    """Refuse tables of which rows are missing, as far as others tell."""
    if not tables.cells:
        raise RunError(f"{folder}: cells.csv has no cell: write the tables anew from the study's runs")
    runs = Counter(row["cell"] for row in tables.runs)
    for row in tables.cells:
        if runs[row["cell"]] != int(row["seeds"]):
            raise RunError(
                f"{folder}: runs.csv has {runs[row['cell']]} of {row['seeds']} runs of {row['cell']}: write the tables "
                "anew from the study's runs"
            )
    ends = {(row["cell"], row["seed"], row["epoch"]) for row in tables.epochs}
    for row in tables.runs:
        if int(row["epochs"]) and (row["cell"], row["seed"], row["epochs"]) not in ends:
            raise RunError(
                f"{folder}: epochs.csv has no epoch {row['epochs']} of {row['cell']}, seed {row['seed']}: write the "
                "tables anew from the study's runs"
            )

"""Reader of a user's own table: a ``.csv`` file with a line of column names, numbers, and a column of labels."""

import csv
import io
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bdfa_np.data.arrays import Whole
from bdfa_np.data.labels import as_classes
from bdfa_np.data.readers.reading import open_data_file, stream_sha256
from bdfa_np.errors import DataError
from bdfa_np.system.memory import beyond_memory
from bdfa_np.system.progress import bar
from bdfa_np.system.text import counted

_ROWS_PER_BLOCK = 1024
_DELIMITERS = (",", ";", "\t", "|")
_MISSING = ("", "na", "n/a", "nan", "null", "none", "?", "-", ".")
_LARGEST = float(np.finfo(np.float32).max)
_MOST_LISTED = 20
_MOST_NAMED = 5
# A row of data may well begin with 0 and 1.
_FEWEST_COUNTED = 3
_LONGEST_SHOWN = 60
_LONGEST_HEADER = 2**24


@dataclass(frozen=True)
class _Header:
    """The first line of a table."""

    names: tuple[str, ...]
    delimiter: str
    label: int

    @property
    def features(self) -> tuple[str, ...]:
        """The names of the columns beside the labels'."""
        return self.names[: self.label] + self.names[self.label + 1 :]


def read_table(path: Path, label: str | None = None, progress: bool = False) -> Whole:
    """Read a table.

    Parameters
    ----------
    path : pathlib.Path
        A CSV file in UTF-8, with or without a byte order mark and with any ends of lines. Its first line names the
        columns, which commas, semicolons, tabs or upright strokes separate: what makes most columns of that line.
        Lines without anything are passed over.
    label : str, optional
        The name of the column that holds the labels, words or whole numbers; the last by default. All others must hold
        finite numbers.
    progress : bool, default False
        Whether to draw a progress bar on standard error.

    Returns
    -------
    Whole
        Vectors of float32, shape (N, d), of the other columns in their order. Classes are the labels that occur,
        sorted; it is called as the file without its ending.

    Raises
    ------
    DataError
        If the file is missing, no such table, or changes while it is read; the message names line and column.
    """
    with open_data_file(path) as file:
        sha256 = stream_sha256(file)
        file.seek(0)
        megabytes = -(-path.stat().st_size // 10**6)
        with bar(f"reading {path.name}, MB", megabytes, progress) as show:
            header, samples, words = _read(path, file, label, lambda: show(file.tell() // 10**6))
        if stream_sha256(file) != sha256:
            raise DataError(f"{path}: changed while it was read: try again")
    where = f"{path}: column {header.names[header.label]!r}"
    classes = as_classes(_classes(where, words, header), where=(where, where))
    notes = _constant_columns(header, samples)
    return Whole(path.stem, {"train": (samples, classes.train)}, classes.class_names, {path.name: sha256}, notes)


def _read(
    path: Path, file: io.BufferedReader, label: str | None, advance: Callable[[], None]
) -> tuple[_Header, NDArray[np.float32], list[str]]:
    """Return the first line, the numbers and the labels of all rows."""
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
    try:
        header = _header(path, text, label)
        return header, *_rows(path, text, header, advance)
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: is not UTF-8 text ({error.reason}): save it as 'CSV UTF-8'") from error
    except csv.Error as error:
        raise DataError(f"{path}: its first line is too long ({error}): it must hold the names of columns") from error
    finally:
        text.detach()  # which would close the file


def _header(path: Path, text: io.TextIOWrapper, label: str | None) -> _Header:
    line = text.readline(_LONGEST_HEADER)
    readings = {delimiter: next(csv.reader([line], delimiter=delimiter), []) for delimiter in _DELIMITERS}
    delimiter = max(_DELIMITERS, key=lambda one: len(readings[one]))
    names = tuple(name.strip() for name in readings[delimiter])
    if len(names) < 2:
        raise DataError(
            f"{path}: its first line makes one column: a table has a line of column names, separated by commas, "
            "semicolons or tabs, and then a row a sample"
        )
    place = len(names) - 1
    if _is_data(names[:place]):
        raise DataError(
            f"{path}: its first line holds numbers, no names of columns: put a line of names before it, one a column"
        )
    if "" in names:
        raise DataError(
            f"{path}: column {names.index('') + 1} of the first line has no name: name it, or leave the column out (of "
            "pandas, write to_csv(..., index=False))"
        )
    if label is not None:
        if names.count(label) != 1:
            fault = "two columns" if label in names else "no column"
            raise DataError(f"{path}: has {fault} {label!r} for --label: choose one of {_listed(names)}")
        place = names.index(label)
    return _Header(names, delimiter, place)


def _is_data(names: tuple[str, ...]) -> bool:
    """Return whether what should be names are numbers, and do not just count the columns as pandas does."""
    numbers = [_number(name) for name in names]
    counts = (list(range(len(names))), list(range(1, len(names) + 1))) if len(names) >= _FEWEST_COUNTED else ()
    return all(number is not None for number in numbers) and numbers not in counts


def _rows(
    path: Path, text: io.TextIOWrapper, header: _Header, advance: Callable[[], None]
) -> tuple[NDArray[np.float32], list[str]]:
    """Return the numbers and the labels of all rows."""
    rows = csv.reader(text, delimiter=header.delimiter, strict=True)
    blocks: list[NDArray[np.float32]] = []
    words: list[str] = []
    numbered = _numbered(path, rows, header)
    while block := list(islice(numbered, _ROWS_PER_BLOCK)):
        for line, row in block:
            words.append(row.pop(header.label).strip())
            if not words[-1]:
                raise DataError(
                    f"{path}: line {line} has no label in the column {header.names[header.label]!r}: fill it in, or "
                    "leave the row out"
                )
        blocks.append(_block(path, block, header))
        advance()
        too_much = beyond_memory(2 * sum(part.nbytes for part in blocks))
        if too_much:
            raise DataError(f"{path}: its {len(header.features)} columns {too_much}: leave some out")
    if not blocks:
        raise DataError(f"{path}: holds no rows under its line of names")
    return np.concatenate(blocks), words


def _numbered(path: Path, rows: Any, header: _Header) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows with the numbers of their lines; refuse those of another length."""
    try:
        for row in filter(None, rows):
            line = 1 + rows.line_num
            if len(row) != len(header.names):
                cells, names = counted(len(row), "cell"), counted(len(header.names), "name")
                raise DataError(
                    f"{path}: line {line} has {cells} where the first line has {names}: give every row a cell a column"
                )
            yield line, row
    except csv.Error as error:
        line = 1 + rows.line_num
        raise DataError(f"{path}: near line {line}: {error}: save it anew as a plain CSV file") from error


def _block(path: Path, block: list[tuple[int, list[str]]], header: _Header) -> NDArray[np.float32]:
    try:
        values = np.array([list(map(float, row)) for _, row in block])
        if np.all(np.abs(values) <= _LARGEST) and not any("_" in "".join(row) for _, row in block):
            return values.astype(np.float32)
    except ValueError:
        pass
    for line, row in block:
        for name, cell in zip(header.features, row, strict=True):
            fault = _fault(cell, name)
            if fault:
                raise DataError(f"{path}: line {line}, column {name!r}: {fault}")
    raise AssertionError("one of the cells is wrong")


def _fault(cell: str, name: str) -> str | None:
    """Say what is wrong with a cell that should hold a number; None if nothing is."""
    number = _number(cell)
    if cell.strip().lower() in _MISSING:
        return f"a number is missing ({_shown(cell)}): fill it in, or leave the row out"
    if number is None and re.fullmatch(r"\s*[-+]?\d+,\d+\s*", cell):
        return f"{_shown(cell)} has a decimal comma: write numbers with a point"
    if number is None:
        return (
            f"{_shown(cell)} is no number: leave the column out or write numbers for its words; if it is the label, "
            f"add --label {_quoted(name)}"
        )
    if not abs(number) <= _LARGEST:
        return f"{_shown(cell)} is beyond the numbers of float32: scale the column down, or leave the row out"
    return None


def _number(cell: str) -> float | None:
    try:
        return None if "_" in cell else float(cell)  # Python takes 1_000 for a number
    except ValueError:
        return None


def _classes(where: str, words: list[str], header: _Header) -> list[str]:
    """Return the labels, whole numbers in one spelling; refuse a column that is none of labels."""
    spelled = {word: _number(word) for word in set(words)}
    others = f"choose the column of the labels with --label, one of {_listed(header.names)}"
    numbers = [number for number in spelled.values() if number is not None]
    if len(numbers) < len(spelled):
        found = {word: word for word in spelled}
    else:
        fraction = next((word for word, number in spelled.items() if not _is_whole(number)), None)
        if fraction is not None:
            raise DataError(f"{where} holds {_shown(fraction)}, which is no class: {others}")
        found = {word: str(int(number)) for word, number in spelled.items() if number is not None}
    if len(set(found.values())) == len(words) > 2:
        raise DataError(f"{where} holds a label of its own in each of the {len(words)} rows: {others}")
    return [found[word] for word in words]


def _constant_columns(header: _Header, samples: NDArray[np.float32]) -> tuple[str, ...]:
    """Return a line on columns that hold the same number in every row, if there are some."""
    same = np.flatnonzero(samples.min(axis=0) == samples.max(axis=0)).tolist() if len(samples) > 1 else []
    if not same:
        return ()
    names = ", ".join(_shown_name(header.features[column]) for column in same[:_MOST_NAMED])
    more = f" and {len(same) - _MOST_NAMED:,} more" if len(same) > _MOST_NAMED else ""
    hold = f"{counted(len(header.features), 'column')} {'holds' if len(same) == 1 else 'hold'}"
    return (f"{len(same):,} of {hold} the same number in every row: {names}{more}",)


def _is_whole(number: float | None) -> bool:
    return number is not None and math.isfinite(number) and number == int(number)


def _listed(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - _MOST_LISTED} more" if len(names) > _MOST_LISTED else ""
    return ", ".join(map(_shown_name, names[:_MOST_LISTED])) + more


def _shown_name(name: str) -> str:
    return name if name.isprintable() and len(name) <= _LONGEST_SHOWN else _shown(name)


def _quoted(name: str) -> str:
    return f'"{name}"' if re.search(r"[^\w.-]", name) else name


def _shown(cell: str) -> str:
    text = repr(cell)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."

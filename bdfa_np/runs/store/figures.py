"""The figures of a run for people and other programs: text that follows from the history, and grows with it."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import astuple
from pathlib import Path

from bdfa_np.diagnostics.diagnostics import Diagnostics
from bdfa_np.diagnostics.quantities import MAIN
from bdfa_np.runs.store.epochs import COLUMNS
from bdfa_np.system.files import encoded, is_plain, replace_text
from bdfa_np.trainer import EpochRecord

ERROR_RATE_HEADER = "Training Error\tTest Error\t\n"


def columns(tested_on: str) -> tuple[str, ...]:
    """Return what the figures of an epoch are called in tables.

    Parameters
    ----------
    tested_on : {"test", "validation"}
        The part that the run tests on after each epoch: ``test_error`` becomes ``validation_error``.

    Returns
    -------
    tuple of str
        A name for each field of `EpochRecord`, in their order.
    """
    return tuple(f"{tested_on}_{name.removeprefix('test_')}" if name.startswith("test_") else name for name in COLUMNS)


def metrics_header(tested_on: str, measured: Diagnostics | None = None) -> str:
    """Return the first line of ``metrics.csv``; see `columns` for ``tested_on``.

    Where something is measured, the main quantities of each layer follow, as ``signal_angle.linear1``.
    """
    return _csv([(*columns(tested_on), *(f"{name}.{layer}" for name, layer in _measured_columns(measured)))])


def metrics_rows(records: Sequence[EpochRecord], measured: Diagnostics | None = None) -> str:
    """Return rows of ``metrics.csv``, one an epoch: every digit of every figure, and what was measured last in it."""
    names = list(_measured_columns(measured))
    rows = []
    for record in records:
        row = None if measured is None else measured.last_of_epoch(record.epoch)
        found = {} if measured is None or row is None else measured.figures(row)
        rows.append((*astuple(record), *(found.get(f"{name}.{layer}", "") for name, layer in names)))
    return _csv(rows)


def _measured_columns(measured: Diagnostics | None) -> Iterator[tuple[str, str]]:
    """Yield the quantities and layers that have a column, whether or not there is a number for one by now."""
    if measured is not None:
        yield from ((name, layer) for name in MAIN if name in measured.values for layer in measured.layers)


def read_metrics(text: str) -> list[EpochRecord]:
    """Return the epochs that a ``metrics.csv`` tells of; raise ValueError if it is none."""
    header, *rows = csv.reader(text.splitlines()) or [[]]
    if len(header) < len(COLUMNS) or any(len(row) != len(header) for row in rows):
        raise ValueError("it has other columns")
    return [EpochRecord(int(row[0]), *map(float, row[1 : len(COLUMNS)])) for row in rows]


def error_rate_rows(records: Sequence[EpochRecord]) -> str:
    """Return rows of ``ErrorRate.log``, as the Torch program wrote it: its test error may be of validation images."""
    return "".join(f"{record.train_error:11.4e}\t{record.test_error:11.4e}\t\n" for record in records)


def confusion_csv(counts: Sequence[Sequence[int]], class_names: Sequence[str]) -> str:
    """Return ``confusion.csv``: a row a true class, a column a predicted one."""
    rows = ([name, *row] for name, row in zip(class_names, counts, strict=True))
    return _csv([["true / predicted", *class_names], *rows])


def _csv(rows: Sequence[Sequence[object]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def keep_text(path: Path, text: str) -> None:
    """See that a file holds a text and nothing else: one that a kill has left half written is written anew."""
    if not is_plain(path) or path.read_bytes() != encoded(text):
        replace_text(path, text)

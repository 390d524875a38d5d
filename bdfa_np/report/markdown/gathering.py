"""Raw tables from a study's folder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import isfinite
from pathlib import Path
from statistics import median
from typing import Any

from bdfa_np.report.markdown.raw import AXIS, OPTION, RawTables
from bdfa_np.runs.folder import RunFolder
from bdfa_np.runs.history import lowest
from bdfa_np.study.cell import Cell
from bdfa_np.study.description import Study
from bdfa_np.study.plan import chosen_cells
from bdfa_np.study.table.found import FoundRun, find, in_percent, opened, tested_on

EVERY = 10
"""Of runs that are longer than `WHOLE`, after the first epochs only every tenth has a row."""
WHOLE = 60
"""Up to so many epochs a run has a row for each."""
DIGITS = 6
"""Significant digits of what was measured of layers."""


def gathered(study: Study, folder: Path, *, cells: Sequence[str] = (), epochs: int | None = None) -> RawTables:
    """Return the raw tables of a study.

    Parameters
    ----------
    study : Study
        The study.
    folder : Path
        Its folder.
    cells : sequence of str, optional
        Patterns of the cells that are wanted; all of them unless given.
    epochs : int, optional
        Of the runs that were shortened to so many epochs.

    Raises
    ------
    StudyError
        If no cell fits a pattern.
    RunError
        If there is no such folder, or what is in it is damaged.
    """
    runs_folder = opened(study, folder)
    study, each = find(study, runs_folder, cells=cells, epochs=epochs)
    found = list(each)
    return RawTables.of(
        cells=[_of_cell(study, cell) for cell in chosen_cells(study, cells)],
        runs=[_of_run(study, one) for one in found],
        epochs=[row for one in found for row in _epochs(study, one)],
        layers=[row for one in found for row in _layers(one, runs_folder.run(one.run))],
    )


def _of_cell(study: Study, cell: Cell) -> dict[str, Any]:
    axes = {f"{AXIS}{axis}": label for axis, label in zip(study.axes, cell.labels, strict=True)}
    options = {f"{OPTION}{name}": value for name, value in cell.options.items()}
    planned: dict[str, Any] = {"study": study.name, "cell": cell.name, **axes, "measure": study.measure}
    planned |= {"figure": study.report[0], "seeds": len(study.seeds)}
    return {**planned, "published": cell.published, "published_sd": cell.published_sd, "note": cell.note, **options}


def _of_run(study: Study, found: FoundRun) -> dict[str, Any]:
    history, document = found.history, found.document
    row: dict[str, Any] = {"cell": found.run.cell, "seed": found.run.seed, "state": found.state}
    row |= {"why": found.left_out or found.failure, "epochs": len(history), "planned_epochs": found.epochs}
    row |= {"tested_on": tested_on(found.run)}
    for figure in ("last", "best", "test"):
        row[figure] = _percent(study, found.error(figure))
    row["best_epoch"] = lowest(history).epoch if history else None
    row["train"] = _percent(study, history[-1].train_error) if history else None
    row["seconds"] = sum(record.seconds for record in history) if history else None
    row["seconds_per_epoch"] = median(record.seconds for record in history) if history else None
    row["threads"] = document.get("options", {}).get("threads")
    row |= {name: document.get("run", {}).get(name) for name in ("backend", "dtype", "machine", "system")}
    return {**row, **document.get("versions", {})}


def _percent(study: Study, error: float | None) -> float | None:
    return None if error is None else round(in_percent(study, error), 10)


def _epochs(study: Study, found: FoundRun) -> Iterator[dict[str, Any]]:
    count = len(found.history)
    for record in found.history:
        if count > WHOLE and record.epoch > EVERY and record.epoch % EVERY and record.epoch != count:
            continue
        row = {"cell": found.run.cell, "seed": found.run.seed, "epoch": record.epoch}
        yield {**row, "tested": _percent(study, record.test_error), "train": _percent(study, record.train_error)}


def _layers(found: FoundRun, folder: Path) -> Iterator[dict[str, Any]]:
    measured = RunFolder(folder).read_diagnostics() if found.history else None
    if measured is None:
        return
    for time, epoch in enumerate(measured.epochs):
        for place, layer in enumerate(measured.layers):
            row: dict[str, Any] = {
                "cell": found.run.cell,
                "seed": found.run.seed,
                "epoch": float(epoch),
                "layer": layer,
            }
            for name, values in measured.values.items():
                value = float(values[time, place])
                row[name] = float(f"{value:.{DIGITS}g}") if isfinite(value) else None
            yield row

"""Every epoch of a study's runs in a tidy table: a row a run and epoch, for pandas and for other programs."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from bdfa_np.runs.history import History
from bdfa_np.runs.store.figures import columns
from bdfa_np.study.description import Study
from bdfa_np.study.plan import PlannedRun, plan
from bdfa_np.study.table.found import FoundRun, find, opened, tested_on
from bdfa_np.study.table.results import column_names

if TYPE_CHECKING:
    import pandas

BEFORE, AFTER = ("study", "cell"), ("seed", "state", "epochs", "whole_epochs", "threads", "backend")


def names(study: Study, runs: Sequence[PlannedRun]) -> list[str]:
    """Return the columns: which run, its state, and the figures of an epoch as ``metrics.csv`` has them.

    An axis that is called as another column, ``lr`` for example, is called ``lr_label``.
    """
    figures = dict.fromkeys(name for part in sorted({tested_on(run) for run in runs}) for name in columns(part))
    axes = column_names(study.axes, study.axes, (*BEFORE, *AFTER, *figures))
    return [*BEFORE, *axes, *AFTER, *figures]


def rows(
    study: Study,
    folder: Path,
    *,
    cells: Sequence[str] = (),
    epochs: int | None = None,
    left_out: list[str] | None = None,
) -> Iterator[dict[str, Any]]:
    """Yield a row a run and epoch, one run after the other.

    Errors are fractions and losses means over samples, as in ``metrics.csv``. ``epochs`` is what the run is to have,
    ``whole_epochs`` what the study asks for: less makes a shortened run; ``state`` says whether it is finished.

    Parameters
    ----------
    study : Study
        The study.
    folder : Path
        Its folder.
    cells : sequence of str, optional
        Patterns of the cells that are wanted; all of them unless given.
    epochs : int, optional
        Those of the runs that were shortened to so many epochs, in place of the whole ones.
    left_out : list of str, optional
        To which is added why a run was left out that is there: it is damaged, edited, or of other settings.

    Raises
    ------
    StudyError
        If no cell fits a pattern.
    RunError
        If there is no such folder.
    """
    runs_folder = opened(study, folder)
    study, each = find(study, runs_folder, cells=cells, epochs=epochs)
    figures = names(study, plan(study, cells=cells, epochs=epochs))[len(BEFORE) + len(study.axes) + len(AFTER) :]
    labels = {cell.name: cell.labels for cell in study.cells}
    for found in each:
        if found.left_out and left_out is not None:
            left_out.append(found.left_out)
        of_run = _of_run(study, found, labels[found.run.cell], figures)
        for record in History(found.history, tested_on(found.run)).rows():
            yield {**of_run, **record}


def _of_run(study: Study, found: FoundRun, labels: Sequence[str], figures: Sequence[str]) -> dict[str, Any]:
    """Return what is the same in all rows of a run, and None for figures that others have."""
    run, document = found.run, found.document
    return {
        "study": study.name,
        "cell": run.cell,
        **column_names(study.axes, labels, (*BEFORE, *AFTER, *figures)),
        "seed": run.seed,
        "state": found.state,
        "epochs": run.options["epochs"],
        "whole_epochs": found.epochs,
        "threads": document.get("options", {}).get("threads"),
        "backend": document.get("run", {}).get("backend"),
        **dict.fromkeys(figures),
    }


def write_csv(file: BinaryIO, header: Sequence[str], records: Iterable[dict[str, Any]]) -> int:
    """Write rows to an open file as they come, and return how many they were."""
    text = io.TextIOWrapper(file, encoding="utf-8", errors="backslashreplace", newline="", write_through=True)
    try:
        writer = csv.DictWriter(text, header, lineterminator="\n")
        writer.writeheader()
        count = 0
        for record in records:
            writer.writerow(record)
            count += 1
    finally:
        text.detach()
    return count


def to_pandas(study: Study, folder: Path, *, cells: Sequence[str] = (), epochs: int | None = None) -> pandas.DataFrame:
    """Return the rows as a table of pandas'; parameters and errors are those of `rows`.

    Raises
    ------
    ImportError
        If pandas is not installed.
    """
    try:
        import pandas
    except ImportError:
        raise ImportError("frame() needs pandas: pip install pandas; bdfa_np.study.frame.rows does without") from None
    found = list(rows(study, folder, cells=cells, epochs=epochs))
    return pandas.DataFrame(found, columns=names(study, plan(study, cells=cells, epochs=epochs)))

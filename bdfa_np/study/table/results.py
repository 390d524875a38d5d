"""Published numbers and our own, a row a cell."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from glob import escape
from pathlib import Path
from typing import Any

from bdfa_np.errors import StudyError
from bdfa_np.runs.lines import CHOSEN_ON_TEST
from bdfa_np.study.cell import Cell
from bdfa_np.study.description import Study
from bdfa_np.study.folder import StudyFolder
from bdfa_np.study.plan import PlannedRun, chosen_cells, plan
from bdfa_np.study.search.lines import search_lines
from bdfa_np.study.statistics import DEVIATIONS, LEVEL, Summary, summary
from bdfa_np.study.table.found import FoundRun, find, in_percent, opened, tested_on
from bdfa_np.study.table.notes import footer, left_out_lines, note_of
from bdfa_np.study.table.sheet import NOTE, Sheet, StudyTable
from bdfa_np.study.table.tests_between import WelchTable
from bdfa_np.system.text import counted

DECIMALS = 2
"""Of figures that are not set beside published ones."""
WITHIN, DIFFERENCE = "within", "diff."
INTERVAL = f"{LEVEL:.0%} interval"


@dataclass(frozen=True)
class Row:
    """A cell, and what its finished runs come to.

    Attributes
    ----------
    cell : Cell
        The cell.
    runs : sequence of FoundRun
        Its runs, one a seed.
    figures : dict of str to Summary
        By what runs' errors are taken from: what they come to together, in percent, as the study measures.
    tested_on : {"validation", "test"}
        On what errors after each epoch are measured.
    note : str
        What is to be known of it: what is missing of it, above all.
    """

    cell: Cell
    runs: Sequence[FoundRun]
    figures: Mapping[str, Summary]
    tested_on: str
    note: str

    def difference(self, figure: str) -> float | None:
        """Return ours less the published mean; None where there is only one of them."""
        mean = self.figures[figure].mean
        return None if mean is None or self.cell.published is None else mean - self.cell.published

    def within(self, figure: str) -> str:
        """Return whether the published mean lies within ours ± 2 sd: yes, no, or unknown; empty without one."""
        if self.cell.published is None:
            return ""
        covers = self.figures[figure].covers(self.cell.published)
        return "unknown" if covers is None else "yes" if covers else "no"


@dataclass(frozen=True, repr=False)
class ResultsTable(StudyTable):
    """Published numbers and our own.

    Attributes
    ----------
    study : Study
        The study, with the cells of the table.
    rows : sequence of Row
        One a cell, in the study's order.
    figures : sequence of {"last", "best", "test"}
        What runs' errors are taken from; the first is set beside the published number.
    interval : bool
        Whether Student's interval is shown.
    searched : sequence of str
        What was searched, and how much.
    hints : sequence of str
        What may be looked for elsewhere.
    """

    study: Study
    rows: Sequence[Row]
    figures: Sequence[str]
    interval: bool = False
    searched: Sequence[str] = ()
    hints: Sequence[str] = ()

    def warnings(self) -> list[str]:
        """Return what was left out though it is there, a sentence for each reason."""
        return left_out_lines(run for row in self.rows for run in row.runs)

    @property
    def decimals(self) -> int:
        """How many decimals are shown: as many as the published numbers have."""
        printed = [one for row in self.rows for one in (row.cell.published, row.cell.published_sd) if one is not None]
        return max([1, *map(_decimals, printed)]) if printed else DECIMALS

    def is_chosen_on_test(self, figure: str) -> bool:
        """Return whether a figure is the best of many on the very images that it is measured on, the test images."""
        return figure == "best" and any(row.tested_on == "test" for row in self.rows)

    def sheet(self) -> Sheet:
        """Return what it shows, as text."""
        first, *others = self.figures
        columns: dict[str, list[str]] = {
            axis: [row.cell.labels[i] for row in self.rows] for i, axis in enumerate(self.study.axes)
        }
        published = any(row.cell.published is not None for row in self.rows)
        if published:
            columns["published"] = self._spreads(
                [Summary(0, row.cell.published, row.cell.published_sd) for row in self.rows]
            )
        columns["ours"] = self._spreads([row.figures[first] for row in self.rows])
        if self.interval:
            columns[INTERVAL] = [self._interval(row.figures[first]) for row in self.rows]
        if published:
            columns[DIFFERENCE] = [self._signed(row.difference(first)) for row in self.rows]
            columns[WITHIN] = [row.within(first) for row in self.rows]
        for figure in others:
            columns[self._called(figure)] = self._spreads([row.figures[figure] for row in self.rows])
        right = [name for name in columns if name not in self.study.axes]
        if any(row.note for row in self.rows):
            columns[NOTE] = [row.note for row in self.rows]
        names = self.study.axes if len(self.study.axes) == len(set(self.study.axes)) else ()
        return Sheet(
            title=": ".join(filter(None, (self.study.name, self.study.title))),
            heading=f"{self.study.measure} in %, {self._said(first)}; ours: mean ± sd (number of runs)",
            columns=list(columns),
            rows=[list(row) for row in zip(*columns.values(), strict=True)],
            right=right,
            lines=self._lines(others, published=published),
            groups=len(names),
        )

    def records(self) -> list[dict[str, Any]]:
        """Return its rows by names that say the unit, with every digit; None for what there is not."""
        return [self._record(row) for row in self.rows]

    def _record(self, row: Row) -> dict[str, Any]:
        study, first = self.study, self.figures[0]
        unit = f"{study.measure}_percent"
        found: dict[str, Any] = {"study": study.name, **column_names(study.axes, row.cell.labels, RESERVED)}
        found |= {f"published_{unit}": row.cell.published, "published_sd_percent": row.cell.published_sd}
        ours = row.figures[first]
        found |= {"figure": self._called(first), "measured_on": _part(first, row.tested_on)}
        found |= {f"{unit}_mean": ours.mean, f"{unit}_sd": ours.sd, "n": ours.n}
        if self.interval:
            low, high = ours.interval() or (None, None)
            found |= {f"{unit}_interval_low": low, f"{unit}_interval_high": high}
        found |= {"difference_percent": row.difference(first), f"within_{DEVIATIONS}_sd": row.within(first)}
        for figure in self.figures[1:]:
            name = self._called(figure).replace(" ", "_").replace(",", "")
            other = row.figures[figure]
            found |= {f"{name}_{unit}_mean": other.mean, f"{name}_{unit}_sd": other.sd, f"{name}_n": other.n}
        return {**found, "seeds": len(row.runs), "epochs": row.runs[0].epochs, NOTE: row.note}

    def _lines(self, others: Sequence[str], *, published: bool) -> list[str]:
        """Return what is to be said below."""
        lines = [f"source: {self.study.source}"] if self.study.source else []
        lines += [f"{self._called(figure)}: {self.study.measure} {self._said(figure)}" for figure in others]
        if published:
            lines.append(
                f"{DIFFERENCE}: ours less the published; {WITHIN}: whether the published mean lies within ours ± "
                f"{DEVIATIONS} sd"
            )
        if self.interval:
            lines.append(f"{INTERVAL}: Student's, for the mean of all seeds there could be")
        return [*lines, *self.told()]

    def told(self) -> list[str]:
        """Return what was trained and searched, what was left out, and what there is elsewhere, a sentence each."""
        runs = [run for row in self.rows for run in row.runs]
        notes = [f"{row.cell.name}: {row.cell.note}" for row in self.rows if row.cell.note]
        return [*notes, *footer(runs), *self.searched, *self.warnings(), *self.hints]

    def _called(self, figure: str) -> str:
        return f"best, {CHOSEN_ON_TEST}" if self.is_chosen_on_test(figure) else figure

    def _said(self, figure: str) -> str:
        """Return what a figure is, and on which images."""
        if figure == "test":
            return "of the net that is kept, on the data set's test images"
        parts = {part: [row.cell.name for row in self.rows if row.tested_on == part] for part in ("validation", "test")}
        mixed = all(parts.values())
        on = " and ".join(
            f"{part} images" + (f" ({', '.join(names)})" if mixed else "") for part, names in parts.items() if names
        )
        if figure == "last":
            return f"after the last epoch, on {on}"
        chosen = f", {CHOSEN_ON_TEST}" if self.is_chosen_on_test(figure) else ""
        extreme = "highest" if self.study.measure == "accuracy" else "lowest"
        return f"of the epoch with the {extreme} {self.study.measure}, on {on}{chosen}"

    def _spreads(self, summaries: Sequence[Summary]) -> list[str]:
        """Return means with their deviations and numbers, each part below the one above."""
        means = [self._number(one.mean) for one in summaries]
        deviations = [self._number(one.sd) for one in summaries]
        wide = max(map(len, deviations), default=0)
        counts = [f" ({one.n})" if one.n else "" for one in summaries]
        found = []
        for mean, sd, count in zip(means, deviations, counts, strict=True):
            spread = f" ± {sd:>{wide}}" if sd else " " * (wide + 3 if wide else 0)
            found.append(f"{mean}{spread}{count}" if mean else "")
        return found

    def _interval(self, of: Summary) -> str:
        ends = of.interval()
        return "" if ends is None else " to ".join(map(self._number, ends))

    def _number(self, value: float | None) -> str:
        return "" if value is None else f"{round(value, self.decimals) + 0.0:.{self.decimals}f}"

    def _signed(self, value: float | None) -> str:
        text = self._number(value)
        return f"+{text}" if value is not None and float(text) > 0 else text


def tabulate(
    study: Study,
    folder: Path,
    *,
    cells: Sequence[str] = (),
    epochs: int | None = None,
    best: bool = False,
    welch: str | None = None,
    interval: bool = False,
) -> StudyTable:
    """Return a study's table.

    Parameters
    ----------
    study : Study
        The study.
    folder : Path
        Its folder.
    cells : sequence of str, optional
        Patterns of the cells that are wanted; all of them unless given.
    epochs : int, optional
        That of the runs shortened to so many epochs.
    best : bool, default False
        Whether the figure of the epoch with the lowest validation error is set beside the published number, in place
        of what the study reports first.
    welch : str, optional
        An axis: the table is of Welch's tests between its labels.
    interval : bool, default False
        Whether Student's interval is shown.

    Raises
    ------
    StudyError
        If no cell fits a pattern, there is no such axis, or the best epoch would be chosen by test images though the
        study does not report so.
    RunError
        If there is no such folder.
    """
    runs = opened(study, folder)
    if welch is not None and welch not in study.axes:
        raise StudyError(f"study {study.name} has no axis '{welch}': its axes are {', '.join(study.axes)}")
    hints: list[str] = []
    if epochs is None:
        epochs, hints = _shortened(runs, plan(study, cells=cells))
    searched = search_lines(study, runs, epochs=epochs)
    study, each = find(study, runs, cells=cells, epochs=epochs)
    figures = _figures(study, cells, best=best)
    chosen = chosen_cells(study, cells)
    by_cell: dict[str, list[FoundRun]] = {cell.name: [] for cell in chosen}
    for run in each:
        by_cell[run.run.cell].append(run)
    rows = [_row(study, cell, by_cell[cell.name], figures) for cell in chosen]
    study = replace(study, cells=tuple(chosen))
    table = ResultsTable(study, rows, figures, interval=interval, searched=searched, hints=hints)
    if welch is None:
        return table
    samples = [row.figures[figures[0]] for row in rows]
    return WelchTable(table, study, welch, samples, table.decimals, table.told())


def _figures(study: Study, cells: Sequence[str], *, best: bool) -> list[str]:
    """Return what runs' errors are taken from, the one that is compared first."""
    if not best:
        return list(study.report)
    on_test = [run.cell for run in plan(study, cells=cells) if tested_on(run) == "test"]
    if on_test and "best" not in study.report:
        raise StudyError(
            f"--best: {on_test[0]} of study {study.name} is tested on test images after each epoch, so its best epoch "
            'would be chosen by them: hold images out with validate = true, or write report = ["last", "best"] where '
            "the source reports so"
        )
    return ["best", *(figure for figure in study.report if figure != "best")]


def _row(study: Study, cell: Cell, runs: Sequence[FoundRun], figures: Sequence[str]) -> Row:
    found = {}
    for figure in figures:
        errors = [error for run in runs if (error := run.error(figure)) is not None]
        found[figure] = summary([in_percent(study, error) for error in errors])
    return Row(cell, runs, found, tested_on(runs[0].run), note_of(runs))


def _shortened(folder: StudyFolder, runs: Sequence[PlannedRun]) -> tuple[int | None, list[str]]:
    """Return to how many epochs all runs that are there were shortened, where no whole one is, and what to say."""
    lengths: set[int] = set()
    for run in runs:
        path = folder.run(run)
        lengths |= {int(one.name.rpartition("-")[2]) for one in path.parent.glob(f"{escape(path.name)}_epochs-*[0-9]")}
    begun = any(folder.run(run).is_dir() or folder.failure(run) for run in runs)
    if len(lengths) == 1 and not begun:
        (only,) = lengths
        return only, [f"no whole run is begun: these are shortened to {counted(only, 'epoch')}"]
    return None, [f"shortened runs are left out: --epochs {number} shows them" for number in sorted(lengths)]


def _part(figure: str, part: str) -> str:
    return "test images" if figure == "test" else f"{part} images"


def _decimals(value: float) -> int:
    """Return how many decimals a number is written with."""
    exponent = Decimal(repr(value)).normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


RESERVED = ("study", "figure", "measured_on", "n", "seeds", "epochs", NOTE)
"""Columns of `ResultsTable.records` that an axis may not be called as."""


def column_names(axes: Sequence[str], labels: Sequence[str], reserved: Sequence[str]) -> dict[str, str]:
    """Return a cell's labels by columns, for other programs: a heading that is taken has ``_label`` after it."""
    return {f"{axis}_label" if axis in reserved else axis: label for axis, label in zip(axes, labels, strict=True)}

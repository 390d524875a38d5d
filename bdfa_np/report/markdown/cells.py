"""What a page's template sees: cells of a study, and samples of their figures over seeds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from statistics import fmean

from bdfa_np.errors import ConfigError
from bdfa_np.report.markdown.raw import AXIS, COLUMNS, OPTION, RawTables, Row, number
from bdfa_np.study.plan import fits
from bdfa_np.study.statistics import Summary, summary, welch

FIGURES = tuple(name for name, kind in COLUMNS["runs"].items() if kind is number)
"""What a finished run has a number of."""


@dataclass(frozen=True)
class Sample:
    """A number of each of several runs.

    Attributes
    ----------
    values : sequence of float
        One of each run that has it, seed by seed.
    """

    values: Sequence[float]

    @property
    def _summary(self) -> Summary:
        return summary(self.values)

    @property
    def n(self) -> int:
        """How many runs it is of."""
        return len(self.values)

    @property
    def mean(self) -> float | None:
        """The mean; None of no run."""
        return self._summary.mean

    @property
    def sd(self) -> float | None:
        """The standard deviation, divided by n - 1; None of fewer than two runs."""
        return self._summary.sd

    @property
    def lowest(self) -> float | None:
        """The lowest value."""
        return min(self.values, default=None)

    @property
    def highest(self) -> float | None:
        """The highest value."""
        return max(self.values, default=None)

    @property
    def interval(self) -> tuple[float, float] | None:
        """Student's interval of 95 % for the mean; None of fewer than two runs."""
        return self._summary.interval()

    def less(self, other: Sample | float | None) -> float | None:
        """Return the mean less another one, or a number; None where either is not known."""
        theirs = other.mean if isinstance(other, Sample) else other
        return None if self.mean is None or theirs is None else self.mean - theirs

    def covers(self, published: float | None) -> bool | None:
        """Return whether a published mean lies within two standard deviations; None where that is not known."""
        return None if published is None else self._summary.covers(published)

    def welch(self, other: Sample) -> float | None:
        """Return the p-value of Welch's test against another sample; None where there is none."""
        return welch(self._summary, other._summary)


@dataclass(frozen=True)
class PageCell:
    """A cell of a study, as a template sees it.

    The figures of its finished runs are samples by name: `last`, `best` and `test` in percent, `train` the same of the
    training images in the last epoch, `best_epoch`, `seconds`, `seconds_per_epoch`.

    Attributes
    ----------
    name : str
        Its labels, joined by slashes.
    labels : dict of str to str
        By the headings of the axes.
    options : dict of str to str
        Its options, those that a search has chosen among them.
    published, published_sd : float or None
        What was published.
    note : str
        What is to be said of it alone.
    seeds : int
        How many runs are planned.
    epochs : int
        How many epochs the study asks of each; shortened runs have fewer.
    runs : list of dict
        Its rows of the runs' table.
    """

    name: str
    labels: dict[str, str]
    options: dict[str, str]
    published: float | None
    published_sd: float | None
    note: str
    seeds: int
    epochs: int
    runs: list[Row]
    _epochs: list[Row] = field(repr=False)
    _layers: list[Row] = field(repr=False)

    def __str__(self) -> str:
        return self.name

    def __getitem__(self, axis: str) -> str:
        """Return its label on an axis."""
        if axis in self.labels:
            return self.labels[axis]
        if hasattr(self, axis):
            raise KeyError(axis)  # of which Jinja makes the attribute of this name
        raise ConfigError(
            f"a cell has no {axis}: its labels are on {', '.join(self.labels)}, its figures {', '.join(FIGURES)}"
        )

    def __getattr__(self, name: str) -> Sample:
        if name not in FIGURES:
            raise AttributeError(f"a cell has no {name}: its figures are {', '.join(FIGURES)}")
        return _sample(row[name] for row in self.finished)

    @property
    def finished(self) -> list[Row]:
        """The rows of its runs that are finished."""
        return [row for row in self.runs if row["state"] == "finished"]

    @property
    def is_whole(self) -> bool:
        """Whether all its runs are finished."""
        return len(self.finished) == self.seeds

    def after(self, epoch: int) -> Sample:
        """Return the errors that its runs, finished or not, had after an epoch.

        Raises
        ------
        ConfigError
            If a run was longer and has no row of this epoch.
        """
        rows = [row for row in self._epochs if int(row["epoch"]) == epoch]
        if len(rows) < sum(int(row["epochs"]) >= epoch for row in self.runs):
            kept = ", ".join(dict.fromkeys(row["epoch"] for row in self._epochs))
            raise ConfigError(f"{self.name} has no row of epoch {epoch}: there are {kept}")
        return _sample(row["tested"] for row in rows)

    def measured(self, quantity: str, layer: str, epoch: float | None = None) -> Sample:
        """Return what was measured of a layer of finished runs: after an epoch, the last one unless it is named.

        Raises
        ------
        ConfigError
            If other quantities, layers or epochs were measured, and not this one.
        """
        seeds = {row["seed"] for row in self.finished}
        rows = [row for row in self._layers if row["seed"] in seeds]
        if not rows:
            return Sample([])
        _check_measured(self.name, "quantity", quantity, [name for name in rows[0] if name not in COLUMNS["layers"]])
        _check_measured(self.name, "layer", layer, self.layers)
        ends = {row["seed"]: float(row["epoch"]) for row in rows}
        if epoch is not None:
            _check_measured(self.name, "epoch", epoch, list(dict.fromkeys(float(row["epoch"]) for row in rows)))
            ends = dict.fromkeys(ends, float(epoch))
        return _sample(
            row[quantity] for row in rows if row["layer"] == layer and float(row["epoch"]) == ends[row["seed"]]
        )

    @property
    def layers(self) -> list[str]:
        """The layers that were measured, from input to output."""
        return list(dict.fromkeys(row["layer"] for row in self._layers))


def cells_of(tables: RawTables) -> list[PageCell]:
    """Return the cells that raw tables are of."""
    return [_cell(tables, row) for row in tables.cells]


def fitting(cells: Sequence[PageCell], patterns: Sequence[str]) -> list[PageCell]:
    """Return the cells whose whole name or any one label fits a pattern; all of them without one.

    Raises
    ------
    ConfigError
        If none fits a pattern.
    """
    for pattern in patterns:
        if not any(fits(pattern, cell.name, cell.labels.values()) for cell in cells):
            raise ConfigError(f"no cell fits {pattern!r}: there are {', '.join(cell.name for cell in cells)}")
    return [
        cell
        for cell in cells
        if not patterns or any(fits(pattern, cell.name, cell.labels.values()) for pattern in patterns)
    ]


def recovery(rule: Sample, bp: Sample, frozen: Sample) -> float | None:
    """Return which share of what back-propagation gains over frozen hidden layers a rule gains, of mean errors.

    None where one of them is not known, or back-propagation gains nothing.
    """
    means = [sample.mean for sample in (rule, bp, frozen)]
    if any(mean is None for mean in means):
        return None
    ours, best, worst = (mean for mean in means if mean is not None)
    return (worst - ours) / (worst - best) if worst != best else None


def mean_of(samples: Iterable[Sample]) -> float | None:
    """Return the mean of the means of some samples; None where none has one."""
    means = [sample.mean for sample in samples if sample.mean is not None]
    return fmean(means) if means else None


def _cell(tables: RawTables, row: Row) -> PageCell:
    name = row["cell"]
    runs, epochs, layers = (
        [one for one in table if one["cell"] == name] for table in (tables.runs, tables.epochs, tables.layers)
    )
    return PageCell(
        name=name,
        labels={key.removeprefix(AXIS): value for key, value in row.items() if key.startswith(AXIS)},
        options={key.removeprefix(OPTION): value for key, value in row.items() if key.startswith(OPTION) and value},
        published=number(row["published"]),
        published_sd=number(row["published_sd"]),
        note=row["note"],
        seeds=int(row["seeds"]),
        epochs=int(runs[0]["planned_epochs"]),
        runs=runs,
        _epochs=epochs,
        _layers=layers,
    )


def _check_measured(cell: str, what: str, named: object, there: Sequence[object]) -> None:
    if named not in there:
        raise ConfigError(f"of {cell} the {what} {named} was not measured: there are {', '.join(map(str, there))}")


def _sample(texts: Iterable[str]) -> Sample:
    return Sample([float(text) for text in texts if text])

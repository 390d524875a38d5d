"""Welch's tests between the labels of an axis."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from bdfa_np.study.description import Study
from bdfa_np.study.statistics import Summary, holm, p_text, welch
from bdfa_np.study.table.sheet import NOTE, Sheet, StudyTable

_TAKEN = ("study", "first", "second")


@dataclass(frozen=True)
class Comparison:
    """Two cells that differ in one label.

    Attributes
    ----------
    group : tuple of str
        The labels that they have in common.
    labels : (str, str)
        Those in which they differ.
    samples : (Summary, Summary)
        Their figures.
    p, adjusted : float or None
        Of Welch's test, and as adjusted for the number of tests in the group; None where there is no test.
    """

    group: tuple[str, ...]
    labels: tuple[str, str]
    samples: tuple[Summary, Summary]
    p: float | None
    adjusted: float | None = None

    @property
    def difference(self) -> float | None:
        """The second mean less the first, in percent."""
        first, second = (sample.mean for sample in self.samples)
        return None if first is None or second is None else second - first

    @property
    def note(self) -> str:
        """Why there is no test."""
        if self.p is not None:
            return ""
        few = [label for label, one in zip(self.labels, self.samples, strict=True) if one.n < 2]
        return f"fewer than 2 runs of {' and '.join(few)}" if few else "no spread in either"


@dataclass(frozen=True, repr=False)
class WelchTable(StudyTable):
    """Welch's tests between the labels of an axis, each pair of them where all other labels are the same.

    Attributes
    ----------
    results : StudyTable
        The table of the figures that are compared.
    study : Study
        The study, with the cells that are compared.
    axis : str
        The axis.
    samples : sequence of Summary
        The cells' figures, in their order.
    decimals : int
        How many decimals figures have.
    told : sequence of str
        What was trained, a sentence each.
    """

    results: StudyTable
    study: Study
    axis: str
    samples: Sequence[Summary]
    decimals: int
    told: Sequence[str]

    def comparisons(self) -> list[Comparison]:
        """Return the tests, group by group."""
        at = self.study.axes.index(self.axis)
        groups: dict[tuple[str, ...], dict[str, Summary]] = {}
        for cell, sample in zip(self.study.cells, self.samples, strict=True):
            others = (*cell.labels[:at], *cell.labels[at + 1 :])
            groups.setdefault(others, {})[cell.labels[at]] = sample
        found = []
        for group, samples in groups.items():
            pairs = itertools.combinations(samples.items(), 2)
            of_group = [Comparison(group, (a, b), (x, y), welch(x, y)) for (a, x), (b, y) in pairs]
            adjusted = iter(holm([one.p for one in of_group if one.p is not None]))
            found += [one if one.p is None else replace(one, adjusted=next(adjusted)) for one in of_group]
        return found

    def warnings(self) -> list[str]:
        """Return what was left out though it is there, a sentence each."""
        return self.results.warnings()

    def sheet(self) -> Sheet:
        """Return what it shows, as text."""
        results = self.results.sheet()
        others = [axis for axis in self.study.axes if axis != self.axis]
        rows = [
            [*one.group, *one.labels, self._signed(one.difference), _p(one.p), _p(one.adjusted), one.note]
            for one in self.comparisons()
        ]
        columns = [*others, self.axis, f"{self.axis} (2nd)", "difference", "p", "p (Holm)", NOTE]
        if not any(row[-1] for row in rows):
            columns, rows = columns[:-1], [row[:-1] for row in rows]
        return Sheet(
            title=results.title,
            heading=f"Welch's test between the labels of {self.axis}: {results.heading.partition(';')[0]}",
            columns=columns,
            rows=rows,
            right=("difference", "p", "p (Holm)"),
            lines=[
                "difference: the second's mean less the first's, in points of percent",
                "p: two-sided, of Welch's test for unequal variances, between the runs of two cells",
                f"p (Holm): adjusted by Holm for the number of tests {'of a group' if others else 'in the table'}",
                *self.told,
            ],
            groups=len(others) + 2,
        )

    def records(self) -> list[dict[str, Any]]:
        """Return its rows by names that say the unit, with every digit; None for what there is not."""
        others = [axis for axis in self.study.axes if axis != self.axis]
        found = []
        for one in self.comparisons():
            names = [f"{axis}_label" if axis in _TAKEN else axis for axis in others]
            record: dict[str, Any] = {"study": self.study.name, **dict(zip(names, one.group, strict=True))}
            record |= {"axis": self.axis, "first": one.labels[0], "second": one.labels[1]}
            for which, sample in zip(("first", "second"), one.samples, strict=True):
                unit = f"{which}_{self.study.measure}_percent"
                record |= {f"{unit}_mean": sample.mean, f"{unit}_sd": sample.sd, f"{which}_n": sample.n}
            record |= {"difference_percent": one.difference, "p": one.p, "p_holm": one.adjusted, NOTE: one.note}
            found.append(record)
        return found

    def _signed(self, value: float | None) -> str:
        return "" if value is None else f"{round(value, self.decimals) + 0.0:+.{self.decimals}f}"


def _p(value: float | None) -> str:
    return "" if value is None else p_text(value)

"""From the figures of every round to medians and ratios, and to the file that keeps all of them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from measure.cases import Case, Comparison

from bdfa_np.system.files import replace_text

Round = Mapping[str, float]
"""The figures of one round by name: seconds, bytes, or a number of modules."""


def quartiles(values: Sequence[float]) -> tuple[float, float]:
    """Return the lower and the upper quartile, interpolated between the values as NumPy does."""
    if len(values) == 1:
        return values[0], values[0]
    lower, _, upper = quantiles(values, n=4, method="inclusive")
    return lower, upper


@dataclass(frozen=True)
class Finding:
    """What a comparison came to.

    Attributes
    ----------
    of, to, how, target
        As `Comparison` has them.
    each : tuple of float
        One number a round: a ratio is of two figures of the same round.
    """

    of: str
    to: str
    how: str
    target: float | None
    each: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle one of all rounds."""
        return median(self.each)

    @property
    def reached(self) -> bool | None:
        """Whether the median is within the target; None where there is no target."""
        return None if self.target is None else self.median <= self.target


def compare(comparison: Comparison, rounds: Sequence[Round]) -> Finding | None:
    """Set figures against each other, round by round; None if one of them was not measured in every round."""
    names = {comparison.of, comparison.to} - {""}
    if not rounds or any(not names <= figures.keys() for figures in rounds):
        return None
    each = []
    for figures in rounds:
        value = figures[comparison.of]
        if comparison.how == "ratio":
            value /= figures[comparison.to]
        elif comparison.how == "difference":
            value -= figures[comparison.to]
        each.append(value)
    return Finding(comparison.of, comparison.to, comparison.how, comparison.target, tuple(each))


@dataclass(frozen=True)
class Row:
    """What was measured of a case.

    Attributes
    ----------
    name, group, unit
        As `Case` has them.
    rounds : tuple of mapping
        The figures of each round.
    findings : tuple of Finding
        The case's comparisons, without those of which a figure is missing.
    left_out : tuple of str
        What was not measured and why.
    errors : tuple of str
        Which programs failed, and their last words.
    disturbance : float, optional
        Which part of the cores other programs used in the pauses.
    """

    name: str
    group: str
    unit: str
    rounds: tuple[Round, ...] = ()
    findings: tuple[Finding, ...] = ()
    left_out: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    disturbance: float | None = None

    @classmethod
    def of_case(
        cls,
        case: Case,
        rounds: Sequence[Round],
        left_out: Sequence[str] = (),
        errors: Sequence[str] = (),
        disturbance: float | None = None,
    ) -> "Row":
        """Make the row of a case."""
        found = [compare(comparison, rounds) for comparison in case.comparisons]
        return cls(
            name=case.name,
            group=case.group,
            unit=case.unit,
            rounds=tuple(rounds),
            findings=tuple(finding for finding in found if finding is not None),
            left_out=tuple(left_out),
            errors=tuple(errors),
            disturbance=disturbance,
        )

    def medians(self) -> dict[str, float]:
        """Return the median of each figure that was measured in every round."""
        names = [name for name in (self.rounds or [{}])[0] if all(name in figures for figures in self.rounds)]
        return {name: median(figures[name] for figures in self.rounds) for name in names}


@dataclass
class Results:
    """All rows, and where and how they were measured.

    Attributes
    ----------
    circumstances : dict
        Machine, versions, threads, date and command.
    rows : list of Row
        In the order in which they were measured.
    """

    circumstances: dict[str, Any]
    rows: list[Row] = field(default_factory=list)

    def write(self, path: Path) -> None:
        """Write everything into a file of JSON, in one step."""
        rows = []
        for row in self.rows:
            document = {**asdict(row), "medians": row.medians()}
            for finding, entry in zip(row.findings, document["findings"], strict=True):
                entry |= {"median": finding.median, "quartiles": quartiles(finding.each), "reached": finding.reached}
            rows.append(document)
        replace_text(path, json.dumps({"circumstances": self.circumstances, "rows": rows}, indent=1) + "\n")

    @classmethod
    def read(cls, path: Path) -> "Results":
        """Read what `write` wrote; medians and quartiles are worked out anew."""
        document = json.loads(path.read_text(encoding="utf-8"))
        rows = []
        for entry in document["rows"]:
            del entry["medians"]
            findings = [{name: item[name] for name in ("of", "to", "how", "target")} for item in entry["findings"]]
            each = [tuple(item["each"]) for item in entry["findings"]]
            made = tuple(Finding(**item, each=values) for item, values in zip(findings, each, strict=True))
            lists = {name: tuple(entry[name]) for name in ("rounds", "left_out", "errors")}
            rows.append(Row(**{**entry, **lists, "findings": made}))
        return cls(document["circumstances"], rows)

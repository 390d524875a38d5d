"""What was found of a trained net: each layer's measures, its controls, how much it recovers, and three verdicts."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bdfa_np.controls.comparison import INTERVAL, Difference, Recovery
from bdfa_np.controls.verdicts import Verdict
from bdfa_np.diagnostics.quantities import QUANTITIES
from bdfa_np.representation import one_line
from bdfa_np.system.text import counted
from bdfa_np.tables import WIDTH, Table

HEADINGS = {
    "signals": {
        "signal_angle": "angle δ",
        "gradient_angle": "angle dW",
        "signal_norm": "‖δ‖",
        "exact_norm": "‖exact‖",
        "signal_rank": "rank δ",
        "meaningful": "reference",
    },
    "weights": {
        "weight_norm": "‖W‖",
        "update_ratio": "step / ‖W‖",
        "feedback_norm": "‖B‖",
        "feedback_angle": "B to weights",
    },
    "activity": {
        "activity_norm": "‖h‖",
        "activity_rank": "rank h",
        "saturated": "saturated",
        "dead": "dead",
        "probe_error": "probe error",
    },
}
"""The tables of layers, and what stands over their columns: each fits 80 columns."""
TITLES = {
    "signals": "signals: angles to the exact gradient, norms, effective rank",
    "weights": "weights and feedback: norms, and the angle of B to the weights it stands for",
    "activity": "activity: norm, effective rank, units at rest, error of a linear probe",
}
CAUTION = (
    "note: p and the interval are of these nets, each trained once, on these images; how much other seeds would "
    "differ, a study tells (bdfa study)"
)
_ANGLES = ("signal_angle", "gradient_angle")
_UNITS = {quantity.name: quantity.unit for quantity in QUANTITIES}


@dataclass(frozen=True)
class ControlResult:
    """What a control has come to.

    Attributes
    ----------
    name : str
        ``bp``, ``frozen``, ``linear`` or ``shallow``.
    summary : str
        What it is, in a few words.
    error : float or None
        Its error on the images, a fraction; None where it could not be trained.
    difference : Difference or None
        Of the net that is diagnosed to it.
    problem : str
        Why it could not be trained.
    """

    name: str
    summary: str
    error: float | None = None
    difference: Difference | None = None
    problem: str = ""


@dataclass(frozen=True, eq=False)
class Diagnosis:
    """What was found of a trained net; print it, or let a notebook show it.

    Attributes
    ----------
    run : pathlib.Path
        The run folder.
    rule, network, dataset : str
        What trained what on what, as the run's options have them.
    epoch, epochs : int
        After which epoch the net is, and how many the run has done.
    best : bool
        Whether it is the run's best net, in place of the last.
    part : {"test", "validation"}
        On which images the errors are.
    images : int
        How many these are.
    sample : {"image", "vector"}
        What they are called.
    error : float
        The net's error, a fraction.
    layers : tuple of str
        The L layers with weights, from input to output.
    values : dict of str to ndarray of float64, shape (L,)
        By the names of `bdfa_np.diagnostics.quantities.QUANTITIES`; NaN where a quantity does not apply.
    controls : tuple of ControlResult
        The nets that it was held against; empty where none was wanted.
    recovery : Recovery
        (rule - frozen) / (bp - frozen).
    verdicts : tuple of Verdict
        ``scale stable``, ``reference valid``, ``depth used``.
    """

    run: Path
    rule: str
    network: str
    dataset: str
    epoch: int
    epochs: int
    best: bool
    part: str
    images: int
    sample: str
    error: float
    layers: tuple[str, ...]
    values: Mapping[str, NDArray[np.float64]]
    controls: tuple[ControlResult, ...]
    recovery: Recovery
    verdicts: tuple[Verdict, ...]

    def __repr__(self) -> str:
        """Return the error, what is recovered, and the verdicts."""
        said = [] if self.recovery.value is None else [f"recovery {self.recovery.value:.2f}"]
        answers = [verdict.short for verdict in self.verdicts]
        return one_line(self, [f"{self.part} error {self.error:.2%}", *said, *answers, str(self.run)])

    def __str__(self) -> str:
        """Return all of it, 80 columns wide."""
        return self.text()

    def text(self, width: int = WIDTH) -> str:
        """Return all of it as plain text.

        Parameters
        ----------
        width : int, default 80
            How wide it may be.
        """
        tables = [*self.tables(), *self.control_table()]
        blocks = ["\n".join(_folded(line, width) for line in self.heading())]
        blocks += [table.to_text(width) for table in tables]
        blocks.append("\n".join(_folded(line, width, "  ") for line in self.lines()))
        return "\n\n".join(blocks)

    def _repr_html_(self) -> str:
        """Return what a notebook shows."""
        parts = [f"<p>{escape(' '.join(self.heading()))}</p>"]
        parts += [table.to_html() for table in (*self.tables(), *self.control_table())]
        parts.append(f"<ul>{''.join(f'<li>{escape(line)}</li>' for line in self.lines())}</ul>")
        return "".join(parts)

    def heading(self) -> list[str]:
        """Return what was looked at, in a few lines."""
        net = f"the best one, after epoch {self.epoch} of {self.epochs}" if self.best else "the last one"
        tested = counted(self.images, f"{self.part} {self.sample}")
        return [
            f"{self.run} after {counted(self.epochs, 'epoch')}: {Path(self.network).stem}, {Path(self.rule).stem}, "
            f"on {tested} of {self.dataset}",
            f"net: {net}; error {self.error:.2%}",
        ]

    def tables(self) -> list[Table]:
        """Return a row a layer; quantities that apply to no layer are left out."""
        found = []
        for group, headings in HEADINGS.items():
            names = [name for name in headings if name in self.values and not np.isnan(self.values[name]).all()]
            rows = [[layer, *(self._cell(name, index) for name in names)] for index, layer in enumerate(self.layers)]
            columns = [headings[name] for name in names]
            if names:
                found.append(Table(["layer", *columns], rows, TITLES[group], right=columns, whole=("layer",)))
        return found

    def _cell(self, name: str, index: int) -> str:
        value = float(self.values[name][index])
        below = "meaningful" in self.values and not self.values["meaningful"][index] > 0
        if math.isnan(value) or (name in _ANGLES and below):
            return "-"
        if name == "meaningful":
            return "valid" if value > 0 else "floor"
        if _UNITS[name] == "degrees":
            return f"{value:.1f}°"
        if _UNITS[name] == "share":
            return f"{value:.1%}"
        return f"{value:.1f}" if _UNITS[name] == "singular values" else f"{value:.3g}"

    def control_table(self) -> list[Table]:
        """Return a row a control, under one of the net itself; nothing where none was wanted."""
        if not self.controls:
            return []
        rows: list[list[str]] = [["this net", Path(self.rule).stem, f"{self.error:.2%}", "", ""]]
        for one in self.controls:
            found = one.difference
            cells = ["", ""] if found is None else [f"{100 * found.share:+.2f}", _p_value(found.p)]
            error = "not trained" if one.error is None else f"{one.error:.2%}"
            rows.append([one.name, one.summary, error, *cells])
        title = "controls, trained alike; this net's gain over each in points, and McNemar's p"
        columns = ["net", "what it is", "error", "gain", "p"]
        return [Table(columns, rows, title, right=("error", "gain", "p"), whole=("net",))]

    def lines(self) -> list[str]:
        """Return how much is recovered, the verdicts, why controls are missing, and what the numbers do not say."""
        problems = [f"note: {one.name} was not trained: {one.problem}" for one in self.controls if one.problem]
        said = [self._recovered()] if self.controls else []
        caution = [CAUTION] if self.controls else []
        return [*said, *map(str, self.verdicts), *problems, *caution]

    def _recovered(self) -> str:
        found = self.recovery
        if found.value is None:
            return f"recovery: {found.reason}"
        interval = ""
        if found.low is not None and found.high is not None:
            interval = f" ({INTERVAL:.0%} interval over {self.sample}s {found.low:.2f} to {found.high:.2f})"
        reason = f", {found.reason}" if found.reason else ""
        return f"recovery: {found.value:.2f}{interval} of the {100 * found.room:.2f} points of bp over frozen{reason}"

    def to_mapping(self) -> dict[str, Any]:
        """Return all of it by name, for JSON: errors are fractions, what does not apply is None."""
        found = {name: getattr(self, name) for name in _PLAIN}
        return {
            "run": str(self.run),
            **found,
            "layers": list(self.layers),
            "values": {name: [_number(one) for one in column] for name, column in self.values.items()},
            "controls": [asdict(one) for one in self.controls],
            "recovery": {name: _number(one) for name, one in asdict(self.recovery).items()},
            "verdicts": [asdict(one) for one in self.verdicts],
        }

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any], run: Path) -> Diagnosis:
        """Return what `to_mapping` gave, of a run that may lie elsewhere by now.

        Raises
        ------
        KeyError, TypeError, ValueError
            If it is something else.
        """
        controls = []
        for one in mapping["controls"]:
            found = one["difference"]
            controls.append(ControlResult(**{**one, "difference": None if found is None else Difference(**found)}))
        values = {
            name: np.array([math.nan if one is None else one for one in column], np.float64)
            for name, column in mapping["values"].items()
        }
        room = mapping["recovery"]["room"]
        return cls(
            run=run,
            **{name: mapping[name] for name in _PLAIN},
            layers=tuple(mapping["layers"]),
            values=values,
            controls=tuple(controls),
            recovery=Recovery(**{**mapping["recovery"], "room": math.nan if room is None else room}),
            verdicts=tuple(Verdict(**one) for one in mapping["verdicts"]),
        )


_PLAIN = ("rule", "network", "dataset", "epoch", "epochs", "best", "part", "images", "sample", "error")
"""What JSON holds as it is."""


def _p_value(p: float) -> str:
    return "<1e-300" if p == 0 else f"{p:.2g}"


def _number(value: Any) -> Any:
    """Return a value that JSON can hold: of numbers, those that are finite."""
    if isinstance(value, (float, np.floating)):
        return float(value) if math.isfinite(value) else None
    return value


def _folded(line: str, width: int, indent: str = "") -> str:
    return textwrap.fill(line, width, subsequent_indent=indent, break_on_hyphens=False, break_long_words=False)

"""What was measured of each layer with ``--track``: over the epochs, over the layers, and as a table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean

import numpy as np
from numpy.typing import NDArray

from bdfa_np.diagnostics.diagnostics import Diagnostics
from bdfa_np.diagnostics.quantities import QUANTITIES, Quantity
from bdfa_np.errors import UserError
from bdfa_np.figures.subjects import RunView
from bdfa_np.report.blocks import Block, Cell, Chart, Choice, Code, Folded, PageTable, Paragraph, Section
from bdfa_np.report.charts import MARKED, Looks, over_epochs, over_layers
from bdfa_np.report.material import Material
from bdfa_np.report.page import Rows
from bdfa_np.report.settings import command

MOST_POINTS = 100
"""Of a line, whose data are of all layers and quantities."""
MOST_PANELS = 6
"""That are shown at first; a reader may choose others."""
DEEP = 3
"""Layers from which on a chart over the layers says more than one over the epochs."""
NO_ANGLE = ("no angle: the exact gradient is below the", "numerical floor, or no signal comes here")
NO_NUMBER = ("no number: not measured of this layer,", "or too large to be one")
ANGLES = tuple(quantity for quantity in QUANTITIES if quantity.unit == "degrees")
OTHERS = tuple(quantity for quantity in QUANTITIES if quantity not in ANGLES and quantity.name != "meaningful")


@dataclass(frozen=True)
class Tracked:
    """What was measured of the runs of a report.

    Attributes
    ----------
    found : list of (int, RunView, Diagnostics)
        By the number of the subject.
    layers : list of str
        Of all nets, from input to output.
    without : list of str
        The subjects of which nothing was measured.
    problems : list of str
        What could not be read, a sentence each.
    """

    found: list[tuple[int, RunView, Diagnostics]]
    layers: list[str]
    without: list[str]
    problems: list[str]


def tracked(material: Material) -> Tracked:
    """Read what was measured of the runs."""
    found: list[tuple[int, RunView, Diagnostics]] = []
    problems: list[str] = []
    without: list[str] = []
    layers: list[str] = []
    for place, subject in enumerate(material.shown):
        before = len(found)
        for run in subject.runs:
            try:
                diagnostics = run.diagnostics()
            except UserError as error:
                problems.append(f"{error}.")
                continue
            if diagnostics is not None and len(diagnostics.epochs):
                found.append((place, run, diagnostics))
                layers = _merged(layers, diagnostics.layers)
        if len(found) == before:
            without.append(subject.label)
    return Tracked(found, layers, without, problems)


def angles(material: Material, looks: Looks, of: Tracked) -> tuple[Section, dict[str, Rows]]:
    """Return the section of angles, and the data of its charts."""
    said = (
        "90° is no relation; below it a step lowers the loss, and 0° is the exact gradient's own direction. An angle "
        "is left out where the exact gradient is below the numerical floor."
    )
    return _section(material, looks, of, "angles", "Angles by layer", ANGLES, said)


def others(material: Material, looks: Looks, of: Tracked) -> tuple[Section, dict[str, Rows]]:
    """Return the section of norms, activity, rank and separability, and the data of its charts."""
    said = "Measured on the same images each time."
    return _section(material, looks, of, "norms", "Norms, activity, rank and separability", OTHERS, said)


def _section(
    material: Material,
    looks: Looks,
    of: Tracked,
    key: str,
    title: str,
    quantities: Sequence[Quantity],
    said: str,
) -> tuple[Section, dict[str, Rows]]:
    there = [one for one in quantities if any(np.isfinite(_values(found, one)).any() for _, _, found in of.found)]
    blocks: list[Block] = [Paragraph(problem, "warning") for problem in of.problems]
    if not there:
        wanted = "alignment,feedback" if quantities is ANGLES else "all"
        blocks.append(Paragraph(f"Not measured. Training with --track {wanted} measures it, at the same weights:"))
        blocks.append(Code(command(material.subjects[0].config.replace(track=wanted)), "The command that measures it"))
        return Section(key, title, blocks), {}
    blocks += _charts(looks, of, key, there, said)
    blocks.append(Folded("The last measurements as a table", [_table(material, of, there)]))
    if of.without:
        blocks.append(Paragraph(f"Not measured, for want of --track: {', '.join(of.without)}.", "note"))
    return Section(key, title, blocks), _rows(of, key, there)


def _charts(looks: Looks, of: Tracked, key: str, there: Sequence[Quantity], said: str) -> list[Block]:
    import altair as alt

    first, count = there[0], len(of.layers)
    every = max(1, math.ceil(count / MOST_PANELS))
    panels = [(number, name, number % every == 0 or number == count - 1) for number, name in enumerate(of.layers)]
    choice = Choice("quantity", "Quantity", [(one.name, _titled(one)) for one in there])
    longest = max(len(found.epochs) for _, _, found in of.found)
    value, parameters = "datum[quantity]", [alt.param(name="quantity", value=first.name)]
    angles_to = _end_of_angles(of, there) if first in ANGLES else None
    text = f"{_titled(first)} by epoch"
    over_time = over_epochs(
        looks,
        rows=key,
        text=f"{text}; the table below has the last ones",
        title=None,
        unit="",
        marked=longest <= MARKED,
        epochs=(0, max(float(found.epochs[-1]) for _, _, found in of.found)),
        angles_to=angles_to,
        empty=NO_NUMBER if angles_to is None else NO_ANGLE,
        by_layer=True,
        value=value,
        parameters=parameters,
    )
    blocks: list[Block] = [Chart(key, text, said, over_time, panels, [choice])]
    if count >= DEEP:
        text = f"{_titled(first)} at the last measurement, by layer"
        by_depth = over_layers(
            looks,
            rows=f"{key}-last",
            text=text,
            layers=of.layers,
            unit="",
            angles_to=angles_to,
            value=value,
            parameters=parameters,
        )
        caption = "At the last measurement, from the lowest layer to the highest; a stroke reaches over the seeds."
        blocks.append(Chart(f"{key}-last", text, caption, by_depth, choices=[choice]))
    return blocks


def _end_of_angles(of: Tracked, there: Sequence[Quantity]) -> float:
    """Return where the axis of all angles ends, in degrees: 100, or beyond the largest."""
    found = np.concatenate([_values(one, quantity).ravel() for _, _, one in of.found for quantity in there])
    largest = float(found[np.isfinite(found)].max())
    return min(max(100.0, math.ceil(largest + 3)), 180.0)


def _rows(of: Tracked, key: str, there: Sequence[Quantity]) -> dict[str, Rows]:
    """Return a row for each run, measurement and layer; and those of the last measurements."""
    columns = ["s", "seed", "epoch", "layer", *(one.name for one in there)]
    over_time: list[list[float | int | None]] = []
    last: list[list[float | int | None]] = []
    for place, run, found in of.found:
        count = len(found.epochs)
        arrays = [_values(found, one) for one in there]
        step = math.ceil(count / MOST_POINTS)
        for at in sorted({*range(0, count, step), count - 1}):
            for number, layer in enumerate(found.layers):
                figures = [_rounded(array[at, number]) for array in arrays]
                known = [place, run.config.seed, _rounded(found.epochs[at]), of.layers.index(layer), *figures]
                over_time.append(known)
                if at == count - 1:
                    last.append(known)
    found_rows = {key: Rows(columns, over_time)}
    return {**found_rows, f"{key}-last": Rows(columns, last)} if len(of.layers) >= DEEP else found_rows


def _table(material: Material, of: Tracked, there: Sequence[Quantity]) -> PageTable:
    rows = []
    for place, subject in enumerate(material.shown):
        for layer in of.layers:
            having = [found for number, _, found in of.found if number == place and layer in found.layers]
            if having:
                last = {one: [_values(found, one)[-1, found.layers.index(layer)] for found in having] for one in there}
                rows.append([Cell(subject.label), Cell(layer), *(_mean(values, one) for one, values in last.items())])
    caption = "At the last measurement, mean over the seeds"
    columns = ["setting", "layer", *(_titled(one) for one in there)]
    return PageTable(caption, columns, rows, range(2, len(columns)))


def _mean(values: Sequence[float], quantity: Quantity) -> Cell:
    finite = [float(value) for value in values if math.isfinite(value)]
    if not finite:
        return Cell("")
    return Cell(f"{mean(finite):.1f}" if quantity.unit == "degrees" else f"{mean(finite):.4g}", mean(finite))


def _values(found: Diagnostics, quantity: Quantity) -> NDArray[np.float64]:
    """Return a quantity (T, L), shares in percent; NaN where it was not measured, or says nothing."""
    if quantity.name not in found.values:
        return np.full((len(found.epochs), len(found.layers)), np.nan)
    values = found.angles(quantity.name) if quantity.unit == "degrees" else found.values[quantity.name]
    return 100 * values if quantity.unit == "share" else values


def _titled(quantity: Quantity) -> str:
    unit = {"degrees": "°", "share": "%", "singular values": ""}.get(quantity.unit, quantity.unit)
    return f"{quantity.title}, {unit}" if unit else quantity.title


def _rounded(value: float) -> float | None:
    return float(f"{value:.4g}") if math.isfinite(value) else None


def _merged(layers: Sequence[str], others: Sequence[str]) -> list[str]:
    """Return the layers of two nets in one order, those of the second that are new behind the last one before them."""
    merged = list(layers)
    at = 0
    for name in others:
        if name in merged:
            at = merged.index(name) + 1
        else:
            merged.insert(at, name)
            at += 1
    return merged

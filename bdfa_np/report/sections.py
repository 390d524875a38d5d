"""The sections of a report, in their order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from bdfa_np.report.charts import Looks
from bdfa_np.report.confusions import confusions
from bdfa_np.report.diagnoses import diagnoses
from bdfa_np.report.environment import environment
from bdfa_np.report.learning import learning
from bdfa_np.report.material import gathered, heading
from bdfa_np.report.measured import angles, others, tracked
from bdfa_np.report.page import Page
from bdfa_np.report.results import results
from bdfa_np.report.seen import digits, features, feedback, worst
from bdfa_np.report.settings import how_to_repeat, what_was_run


def page_of(
    named: Sequence[Any],
    *,
    cells: Sequence[str],
    epochs: int | None,
    trust: bool,
    stage: Callable[[str], None],
) -> Page:
    """Return a report as a page; parameters and errors are those of `bdfa_np.report.writing.write_report`.

    ``stage`` hears what is being done.
    """
    stage("reading runs")
    material = gathered(named, cells=cells, epochs=epochs, trust=trust)
    kind, title, lead = heading(material)
    names = [subject.short_legend for subject in material.shown]
    shown = material.looks
    looks = Looks(names, [one.shape for one in shown], [one.dash for one in shown])
    stage("drawing curves")
    curves, rows = learning(material, looks)
    measured = tracked(material)
    by_angle, of_angles = angles(material, looks, measured)
    by_norm, of_norms = others(material, looks, measured)
    drawn = []
    for make in (features, feedback, digits, confusions, worst, diagnoses):
        stage(f"drawing pictures: {make.__name__}")
        drawn.append(make(material))
    sections = [
        what_was_run(material),
        results(material),  # after the pictures, whose notes it has too
        curves,
        by_angle,
        by_norm,
        *(section for section in drawn if section.blocks),
        environment(material),
        how_to_repeat(material),
    ]
    data = {"curves": rows, **of_angles, **of_norms}
    return Page(kind, title, lead, sections, names, shown, material.seeds, data)

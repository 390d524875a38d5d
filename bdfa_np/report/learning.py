"""Error curves: as a chart, as a picture for a browser without scripts, and as a table."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from statistics import mean, median

from bdfa_np.errors import UserError
from bdfa_np.figures.subjects import Subject
from bdfa_np.report.blocks import Block, Cell, Chart, Choice, Folded, PageTable, Paragraph, Section, Unscripted
from bdfa_np.report.charts import MARKED, Looks, over_epochs
from bdfa_np.report.material import Material
from bdfa_np.report.page import Rows
from bdfa_np.report.pictures import drawn
from bdfa_np.trainer import EpochRecord

MOST_POINTS = 400
"""Of a line; a screen has not many more."""
MOST_LINES = 14
"""Of a table of epochs."""
SQUASHED = 4
"""A first epoch with so many times the median error leaves a linear axis no room for the others."""
FIGURES = (("test_error", "test"), ("train_error", "training"))


def learning(material: Material, looks: Looks) -> tuple[Section, Rows]:
    """Return the section of error curves, and the chart's data."""
    import altair as alt

    subjects, on = material.shown, material.tested_on
    longest = max(len(run.history) for run in material.runs)
    step = -(-longest // MOST_POINTS)
    values = [
        [place, run.config.seed, record.epoch, *(_percent(getattr(record, name)) for name, _ in FIGURES)]
        for place, subject in enumerate(subjects)
        for run in subject.runs
        for record in thinned(run.history, step)
    ]
    text = f"Error in percent by epoch, of {len(subjects)} settings" if len(subjects) > 1 else "Error by epoch"
    specification = over_epochs(
        looks,
        rows="curves",
        text=f"{text}; the table below has the numbers",
        value="datum[part]",
        parameters=[alt.param(name="part", value="test"), alt.param(name="scale", value="linear")],
        title="error, %",
        unit=", %",
        marked=longest <= MARKED,
        epochs=(1, longest),
        best=True,
    )
    scales = [("linear", "linear"), ("log", "logarithmic")]
    choices = [
        Choice("part", "Error on", [("test", f"{on} images"), ("train", "training images")]),
        Choice("scale", "Axis", scales[::-1] if _is_squashed(subjects) else scales),
    ]
    band = " The band reaches from the lowest to the highest of the seeds." if material.seeds else ""
    thin = f" Every {step}th epoch is drawn, and the best." if step > 1 else ""
    caption = f"Error after each epoch.{band} A ring marks the lowest error.{thin}"
    blocks: list[Block] = [
        Chart("curves", text, caption, specification, choices=choices),
        *_picture(material),
        Folded(
            "The errors as tables", [_table(subjects, "test_error", on), _table(subjects, "train_error", "training")]
        ),
    ]
    if len(material.subjects) > len(subjects):
        left = len(material.subjects) - len(subjects)
        blocks.append(Paragraph(f"Charts show the first {len(subjects)} settings; {left} are in the table alone."))
    return Section("curves", "Error curves", blocks), Rows(["s", "seed", "epoch", "test", "train"], values)


def thinned(history: Sequence[EpochRecord], step: int) -> list[EpochRecord]:
    """Return every so many-th epoch, the first, the last, and the one with the lowest error."""
    best = min(history, key=lambda record: record.test_error).epoch
    kept = {history[0].epoch, history[-1].epoch, best}
    return [record for record in history if record.epoch % step == 0 or record.epoch in kept]


def _percent(error: float) -> float | None:
    return round(100 * error, 4) if isfinite(error) else None


def _is_squashed(subjects: Sequence[Subject]) -> bool:
    """Return whether most of the curves would lie at the foot of a linear axis."""
    errors = [record.test_error for subject in subjects for run in subject.runs for record in run.history]
    return min(errors) > 0 and max(errors) > SQUASHED * median(errors)


def _picture(material: Material) -> list[Block]:
    try:
        found = drawn("curves", material.shown, "Error by epoch", "Error after each epoch")
    except UserError:
        return []  # the table below has the numbers
    return [Unscripted([found])]


def _table(subjects: Sequence[Subject], name: str, on: str) -> PageTable:
    """Return the errors of some epochs, each the mean over the seeds that have done it."""
    longest = max(len(run.history) for subject in subjects for run in subject.runs)
    rows = []
    for epoch in told_epochs(longest):
        row = [Cell(str(epoch), epoch)]
        for subject in subjects:
            done = [getattr(run.history[epoch - 1], name) for run in subject.runs if len(run.history) >= epoch]
            row.append(Cell(f"{100 * mean(done):.2f}", 100 * mean(done)) if done else Cell(""))
        rows.append(row)
    caption = f"Error on {on} images in %, mean over the seeds"
    return PageTable(caption, ["epoch", *(one.label for one in subjects)], rows, range(len(subjects) + 1))


def told_epochs(longest: int, most: int = MOST_LINES) -> list[int]:
    """Return the epochs of a table: all of a few, else some that lie closer at the beginning, where errors fall."""
    if longest <= most:
        return list(range(1, longest + 1))
    return sorted({round(longest ** (number / (most - 1))) for number in range(most)})

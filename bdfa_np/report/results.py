"""What runs have come to: a study's table beside what was published, or runs beside one another."""

from __future__ import annotations

import re
from collections.abc import Sequence

from bdfa_np.figures.subjects import RunView
from bdfa_np.report.blocks import Block, Cell, Items, PageTable, Paragraph, Section
from bdfa_np.report.material import Material
from bdfa_np.runs.history import lowest
from bdfa_np.runs.lines import CHOSEN_ON_TEST
from bdfa_np.runs.listing.comparing import compare_runs
from bdfa_np.runs.store.result import RunResult
from bdfa_np.study.statistics import Summary, summary
from bdfa_np.study.table import ResultsTable
from bdfa_np.system.text import counted

_NUMBER = re.compile(r"[-+]?\d+(\.\d+)?")


def results(material: Material) -> Section:
    """Return the section with the table."""
    blocks: list[Block] = []
    if material.table is not None:
        blocks += _of_study(material.table)
    else:
        if material.seeds:
            blocks.append(_by_subject(material))
        blocks.append(_by_run(material))
        if len(material.runs) > 1:
            paths = [run.folder.path for run in material.runs]
            blocks += [Paragraph(text, "note") for text in compare_runs(paths).notes()]
    blocks += [Paragraph(text, "warning") for text in _remarks(material)]
    if material.notes:
        blocks.append(Items(list(dict.fromkeys(material.notes))))
    return Section("results", "Results", blocks)


def _of_study(table: ResultsTable) -> list[Block]:
    sheet = table.sheet()
    right = [number for number, name in enumerate(sheet.columns) if name in sheet.right]
    rows = [
        [Cell(text, _leading(text) if number in right else None) for number, text in enumerate(row)]
        for row in sheet.rows
    ]
    caption = sheet.heading[:1].upper() + sheet.heading[1:]
    lines = [line for line in sheet.lines if not line.startswith("source: ")]  # which the page begins with
    return [PageTable(caption, sheet.columns, rows, right), Items(lines)]


def _leading(text: str) -> float | None:
    """Return the number that a text begins with."""
    found = _NUMBER.match(text)
    return float(found[0]) if found else None


def _by_subject(material: Material) -> PageTable:
    rows = []
    for subject in material.subjects:
        finished = [run for run in subject.runs if run.finished]
        last = summary([100 * run.history[-1].test_error for run in finished])
        best = summary([100 * lowest(run.history).test_error for run in finished])
        rows.append([Cell(subject.label), Cell(str(len(finished)), len(finished)), _spread(last), _spread(best)])
    caption = f"Error on {material.tested_on} images in %, mean ± sd of the finished runs"
    return PageTable(caption, ["setting", "runs", "after the last epoch", "lowest"], rows, (1, 2, 3))


def _spread(found: Summary) -> Cell:
    if found.mean is None:
        return Cell("")
    return Cell(f"{found.mean:.2f}" + ("" if found.sd is None else f" ± {found.sd:.2f}"), found.mean)


def _by_run(material: Material) -> PageTable:
    tested = any(result is not None and result.test is not None for result in material.results.values())
    columns = ["run", "seed", "state", "epochs", "training", "last", "lowest", "after"]
    columns += [*(["test"] if tested else []), "s/epoch", "seconds"]
    rows = [
        [
            Cell(subject.label if len(material.subjects) > 1 else run.folder.path.name),
            *_figures(run, material.results[run.name], tested=tested),
        ]
        for subject in material.subjects
        for run in subject.runs
    ]
    said = "; test: of the net that is kept, on the data set's test images" if tested else ""
    caption = f"Error in %: training, and on {material.tested_on} images (last, lowest, after which epoch){said}"
    right = [number for number, name in enumerate(columns) if name not in ("run", "state")]
    return PageTable(caption, columns, rows, right)


def _figures(run: RunView, result: RunResult | None, *, tested: bool) -> list[Cell]:
    last, best = run.history[-1], lowest(run.history)
    seconds = sum(record.seconds for record in run.history)
    cells = [
        Cell(str(run.config.seed), run.config.seed),
        Cell(state_of(run)),
        Cell(str(len(run.history)), len(run.history)),
        *(_percent(error) for error in (last.train_error, last.test_error, best.test_error)),
        Cell(str(best.epoch), best.epoch),
    ]
    if tested:
        final = result.test if result is not None else None
        cells.append(Cell("") if final is None else _percent(final.error))
    return [*cells, *(Cell(f"{value:,.2f}", value) for value in (seconds / len(run.history), seconds))]


def state_of(run: RunView) -> str:
    """Return how far a run is."""
    done, epochs = len(run.history), run.config.epochs
    if run.finished:
        return "finished" if not 0 < done < epochs else f"ended by itself after {done} of {epochs} epochs"
    how = "failed" if run.failure else "stopped"
    return f"{how} after {done} of {epochs} epochs" if epochs > 0 else f"{how} after {counted(done, 'epoch')}"


def _percent(error: float) -> Cell:
    return Cell(f"{100 * error:.2f}", 100 * error)


def _remarks(material: Material) -> list[str]:
    """Return what is to be known before any number is believed."""
    said = []
    unfinished = [run for run in material.runs if not run.finished]
    if unfinished:
        said.append(f"Not finished: {_named(unfinished)}. What stands here of these is of the epochs done.")
    said += [f"{run.name} failed: {run.failure}." for run in unfinished if run.failure]
    nothing = [run for run in material.runs if (result := material.results[run.name]) and result.learns_nothing]
    if nothing:
        said.append(f"Learnt nothing, their error is that of a constant answer: {_named(nothing)}.")
    on_test = [run for run in material.runs if run.config.on_test]
    if on_test:
        said.append(f"Nets {CHOSEN_ON_TEST}: {_named(on_test)}.")
    return said


def _named(runs: Sequence[RunView], most: int = 8) -> str:
    names = [f"{run.name} ({state_of(run)})" if not run.finished else run.name for run in runs]
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")

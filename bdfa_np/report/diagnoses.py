"""What ``bdfa diagnose`` has found of the runs, where it was asked before."""

from __future__ import annotations

import shlex

from bdfa_np.controls.diagnose import cached_diagnosis
from bdfa_np.errors import UserError
from bdfa_np.report.blocks import Block, Cell, Code, Folded, Items, PageTable, Paragraph, Section
from bdfa_np.report.material import Material
from bdfa_np.tables import Table


def diagnoses(material: Material) -> Section:
    """Return the section on controls and verdicts."""
    blocks: list[Block] = []
    for subject in material.subjects:
        for run in subject.runs:
            try:
                found = cached_diagnosis(run.folder.path)
            except UserError as error:
                blocks.append(Paragraph(f"{run.name}: {error}.", "warning"))
                continue
            if found is not None:
                name = f"{subject.label}, seed {run.config.seed}"
                tables: list[Block] = [_table(name, table) for table in found.control_table()]
                layers: list[Block] = [_table(name, table) for table in found.tables()]
                blocks += [*tables, Items([f"{name}: {line}" for line in found.lines()])]
                blocks.append(Folded(f"{name}: what was measured of each layer", layers))
    if not blocks:
        first = material.runs[0].folder.path
        blocks.append(Paragraph("Not diagnosed. This trains controls, and says whether depth is of use:"))
        blocks.append(Code(f"bdfa diagnose {shlex.quote(str(first))}", "The command that diagnoses a run"))
    return Section("diagnosis", "Diagnosis", blocks)


def _table(name: str, table: Table) -> PageTable:
    right = [number for number, at_right in enumerate(table.at_right()) if at_right]
    rows = [[Cell(text) for text in row] for row in table.text_rows()]
    return PageTable(f"{name}: {table.title}" if table.title else name, table.columns, rows, right, sortable=False)

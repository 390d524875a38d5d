"""For which class samples were taken: a matrix for each setting, as a table that can be read out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bdfa_np.errors import UserError
from bdfa_np.figures.subjects import Subject
from bdfa_np.report.blocks import Block, Cell, Folded, PageTable, Paragraph, Section
from bdfa_np.report.material import Material
from bdfa_np.report.pictures import drawn

MOST_CLASSES = 20
"""Of a matrix as a table; of more, it is a picture."""
MOST_OPEN = 6
"""Matrices that are not folded."""
MOST_PAIRS = 10
"""Of a table of the mistakes that are made most often."""


def confusions(material: Material) -> Section:
    """Return the section on confusion."""
    shown: list[Block] = []
    often: list[Block] = []
    for subject in material.shown:
        try:
            counts, names = counted(subject)
        except UserError as error:
            shown.append(Paragraph(f"{subject.label}: {error}.", "note"))
            continue
        shown.append(_of(subject, counts, names))
        often.append(_most_often(subject, counts, names))
    said = (
        f"Of each true class, the share in % that was taken for each class: after the last epoch, on "
        f"{material.tested_on} images, all seeds together."
    )
    blocks = [Paragraph(said), *shown[:MOST_OPEN]]
    if len(shown) > MOST_OPEN:
        blocks.append(Folded("The other settings", shown[MOST_OPEN:]))
    blocks += [Folded("What is confused most", often)] if often else []
    return Section("confusion", "Confusion", blocks)


def counted(subject: Subject) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Return the counts (K, K) of a setting's runs together, rows true classes, and the names of the classes."""
    counts, names = subject.runs[0].confusion()
    for run in subject.runs[1:]:
        counts = counts + run.confusion()[0]
    return counts, names


def _of(subject: Subject, counts: NDArray[np.int64], names: tuple[str, ...]) -> Block:
    """Return a setting's matrix, of many classes as a picture."""
    if len(names) <= MOST_CLASSES:
        return _matrix(subject, counts, names)
    try:
        text = f"Confusion matrix of {len(names)} classes, of {subject.label}; the table has what is confused most"
        return drawn("confusion", [subject], text, f"{subject.label}: {len(names)} classes")
    except UserError as error:
        return Paragraph(f"{subject.label}: {error}.", "note")


def _matrix(subject: Subject, counts: NDArray[np.int64], names: tuple[str, ...]) -> PageTable:
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    rows = [
        [Cell(name), *(_cell(share, count) for share, count in zip(row, of_row, strict=True))]
        for name, row, of_row in zip(names, shares.tolist(), counts.tolist(), strict=True)
    ]
    error = 1 - np.trace(counts) / max(counts.sum(), 1)
    caption = f"{subject.label}: true class (rows) and what it was taken for, in %; error {error:.2%}"
    return PageTable(caption, ["true", *names], rows, range(1, len(names) + 1), sortable=False, kind="matrix")


def _cell(share: float, count: int) -> Cell:
    if not count:
        return Cell("")
    return Cell(f"{100 * share:.1f}", shade=round(9 * share**0.5))


def _most_often(subject: Subject, counts: NDArray[np.int64], names: tuple[str, ...]) -> PageTable:
    wrong = counts * (1 - np.eye(len(names), dtype=np.int64))
    order = np.argsort(-wrong, axis=None, kind="stable")[:MOST_PAIRS]
    rows = []
    for place in order:
        true, taken = divmod(int(place), len(names))
        count = int(wrong[true, taken])
        if count:
            share = 100 * count / int(counts[true].sum())
            rows.append([Cell(names[true]), Cell(names[taken]), Cell(f"{count:,}", count), Cell(f"{share:.1f}", share)])
    caption = f"{subject.label}: what is confused most"
    return PageTable(caption, ["true", "taken for", "times", "% of the true class"], rows, (2, 3))

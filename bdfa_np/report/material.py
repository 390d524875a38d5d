"""What a report is of, read from run folders: subjects, what they have come to, and their ``config.toml``."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bdfa_np.errors import ConfigError
from bdfa_np.figures.style import STYLES
from bdfa_np.figures.subjects import RunView, Subject, subjects
from bdfa_np.report.colours import Look, look
from bdfa_np.runs.folder import RunFolder
from bdfa_np.runs.store.result import RunResult
from bdfa_np.runs.train import TrainingResult
from bdfa_np.study.description import Study
from bdfa_np.study.laboratory import default_folder
from bdfa_np.study.table import ResultsTable, tabulate
from bdfa_np.study.table.source import found_study
from bdfa_np.system.text import counted

MOST = 24
"""Subjects that charts show: more lines than that nobody tells apart."""


@dataclass(frozen=True)
class Material:
    """What a report is of.

    Attributes
    ----------
    subjects : list of Subject
        What charts and pictures show.
    documents : dict of str to dict
        The ``config.toml`` of each run, by its folder.
    results : dict of str to RunResult or None
        What each has come to, by its folder; None where it is not finished.
    study : Study or None
        Of which they are.
    table : ResultsTable or None
        The study's table.
    folder : Path or None
        The study's folder.
    notes : list of str
        What was left out.
    again : str
        The words after ``bdfa report`` that make this report again.
    """

    subjects: list[Subject]
    documents: dict[str, dict[str, Any]]
    results: dict[str, RunResult | None]
    study: Study | None = None
    table: ResultsTable | None = None
    folder: Path | None = None
    notes: list[str] = field(default_factory=list)
    again: str = ""

    @property
    def runs(self) -> list[RunView]:
        """All runs, subject by subject."""
        return [run for subject in self.subjects for run in subject.runs]

    @property
    def seeds(self) -> list[int]:
        """The seeds of the subjects that have several runs."""
        return sorted({run.config.seed for subject in self.subjects if len(subject.runs) > 1 for run in subject.runs})

    @property
    def shown(self) -> list[Subject]:
        """The subjects that charts show."""
        return self.subjects[:MOST]

    @property
    def looks(self) -> list[Look]:
        """How each of them looks."""
        return [look(style.colour, style.marker, style.dash) for style in STYLES[: len(self.shown)]]

    @property
    def tested_on(self) -> str:
        """On what errors after each epoch were measured: ``test``, ``validation``, or both where they differ."""
        return " or ".join(sorted({run.config.tested_on for run in self.runs}))


def gathered(
    named: Sequence[Any],
    *,
    cells: Sequence[str],
    epochs: int | None,
    trust: bool,
) -> Material:
    """Read what a report is of; parameters and errors are those of `bdfa_np.report.writing.write_report`."""
    notes: list[str] = []
    if not named:
        raise ConfigError("nothing is named to report on: name a run folder, or a study")
    texts = [place_of(one) for one in named]
    found = subjects(texts, cells=cells, epochs=epochs, trust=trust, note=notes.append)
    again = " ".join(shlex.quote(text) for text in texts)
    again += "".join(f" --cells {shlex.quote(cell)}" for cell in cells)
    again += "" if epochs is None else f" --epochs {epochs}"
    runs = [run for subject in found for run in subject.runs]
    documents = {run.name: run.folder.read_document()[1] for run in runs}
    results = {run.name: run.folder.read_result() if run.finished else None for run in runs}
    material = Material(found, documents, results, notes=notes, again=again)
    if any(RunFolder(Path(text)).is_vacant for text in texts):
        if len(texts) > 1:
            raise ConfigError("a report is of one study, or of runs: name a study alone, or run folders")
        study, folder = found_study(texts[0], trust=trust)
        table = tabulate(study, folder, cells=cells, epochs=epochs)
        assert isinstance(table, ResultsTable)
        return replace(material, study=study, table=table, folder=folder)
    return material


def place_of(named: Any) -> str:
    """Return the folder or the name by which a command would have what is named."""
    if isinstance(named, Study):
        return str(default_folder(named.name))
    if isinstance(named, TrainingResult):
        if named.folder is None:
            raise ConfigError("a report is of run folders, and this run was kept in none: train with save='runs/NAME'")
        return str(named.folder)
    if not isinstance(named, (str, os.PathLike)):
        raise ConfigError(
            f"a {type(named).__name__} cannot be reported on: give a run folder, a study, or what bdfa_np.train "
            "returned with save"
        )
    return os.fspath(named)


def heading(material: Material) -> tuple[str, str, list[str]]:
    """Return of what kind a report is, its title, and the sentences that it begins with."""
    runs = material.runs
    done = f"{counted(sum(run.finished for run in runs), 'run')} of {len(runs)} finished"
    if material.study is not None:
        study = material.study
        title = study.title or study.name
        lead = [f"Source: {study.source}"] if study.source else []
        return f"Study {study.name}", title, [*lead, _sentence(material, done)]
    names = [subject.label for subject in material.subjects]
    title = _joined(names) if len(names) <= 4 else f"{len(names)} settings"
    datasets = dict.fromkeys(Path(run.config.dataset).name for run in runs)
    return (
        counted(len(runs), "run") if len(runs) > 1 else "One run",
        f"{title} on {_joined(list(datasets))}",
        [_sentence(material, done if len(runs) > 1 or not runs[0].finished else "")],
    )


def _sentence(material: Material, done: str) -> str:
    errors = f"Errors after each epoch are measured on {material.tested_on} images"
    return f"{errors}. {done[:1].upper()}{done[1:]}." if done else f"{errors}."


def _joined(names: Sequence[str]) -> str:
    return ", ".join(names[:-1]) + f" and {names[-1]}" if len(names) > 1 else names[0]

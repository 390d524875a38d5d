"""What a picture or a report is of: runs, by themselves or the seeds of a study's cell together."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bdfa_np.errors import ConfigError, RunError
from bdfa_np.figures.labels import labelled, of_cells
from bdfa_np.figures.views import Note, RunView, Subject, warned
from bdfa_np.runs.folder import RunFolder
from bdfa_np.runs.listing.summaries import opened_run
from bdfa_np.runs.train import TrainingResult
from bdfa_np.study import description
from bdfa_np.study.description import COPY, published_names
from bdfa_np.study.laboratory import default_folder
from bdfa_np.study.plan import plan
from bdfa_np.study.table.found import find, opened
from bdfa_np.study.table.source import FOLDER, found_study
from bdfa_np.system.paths import user_path
from bdfa_np.system.text import counted

__all__ = ["RunView", "Subject", "read_run", "subjects"]

_OfStudy = tuple[str, list[tuple[tuple[str, ...], tuple[RunView, ...]]]]
"""A study's name, and of each cell the labels and the runs."""


def subjects(
    *named: Any,
    cells: str | Sequence[str] = (),
    labels: str | Sequence[str] = (),
    epochs: int | None = None,
    trust: bool = False,
    note: Note = warned,
) -> list[Subject]:
    """Return what pictures are of.

    Run folders that differ in their seed alone are one subject, as are the seeds of a study's cell.

    Parameters
    ----------
    *named : str, path, TrainingResult, Study, Subject, or a list of these
        Each a run folder, a study's folder, or the name of a published study or of a folder in ``studies``; or an
        object that is already read.
    cells : str or sequence of str, optional
        Patterns: only cells of a study whose name or a label fits one.
    labels : str or sequence of str, optional
        What the subjects are called, one for each; unless given by that in which they differ.
    epochs : int, optional
        Of a study the runs that were shortened to so many epochs.
    trust : bool, default False
        As `bdfa_np.load_run` has it.
    note : callable, optional
        Called with a line on what is left out.

    Returns
    -------
    list of Subject
        In the order in which they were named; each has an epoch done at least.

    Raises
    ------
    ConfigError, RunError, StudyError
        If there is no such folder, nothing in it to draw, or as many labels are not wanted.
    """
    cells, labels = _several(cells), _several(labels)
    places: list[Subject | _OfStudy | None] = []  # None: that of the runs by themselves, which are named together
    alone: list[RunView] = []
    for one in _each(named):
        if isinstance(one, Subject):
            places.append(one)
        elif isinstance(one, description.Study) or (isinstance(one, (str, os.PathLike)) and _is_study(one)):
            places.append(_study_cells(one, cells, epochs, trust=trust, note=note))
        else:
            places += [] if alone else [None]
            alone.append(read_run(one, trust=trust, note=note))
    if not places:
        raise ConfigError("nothing is named to be drawn: name a run folder, or a study")
    for option, value in {"--cells": cells, "--epochs": epochs}.items():
        if value and not any(isinstance(place, tuple) for place in places):
            raise ConfigError(f"{option} chooses runs of a study, and no study is named: leave it out")
    _check_different(alone)
    found: list[Subject] = []
    for place in places:
        if isinstance(place, Subject):
            found.append(place)
        else:
            found += labelled(alone) if place is None else of_cells(place[1], place[0] if len(places) > 1 else "")
    return _called(found, labels) if labels else found


def _each(named: Sequence[Any]) -> Iterator[Any]:
    """Yield what is named, by itself or in lists."""
    for one in named:
        yield from one if isinstance(one, (list, tuple)) else [one]


def _several(texts: str | Sequence[str]) -> Sequence[str]:
    return [texts] if isinstance(texts, str) else texts


def _called(found: Sequence[Subject], labels: Sequence[str]) -> list[Subject]:
    """Return subjects with other labels."""
    if len(labels) != len(found):
        names = ", ".join(subject.label for subject in found)
        raise ConfigError(
            f"--label is given {counted(len(labels), 'time')}, and what is drawn is {len(found)}: {names}"
        )
    return [replace(subject, label=label) for subject, label in zip(found, labels, strict=True)]


def read_run(named: str | os.PathLike[str] | TrainingResult, *, trust: bool = False, note: Note = warned) -> RunView:
    """Read a run folder, or take what a run in memory has come to.

    Raises
    ------
    RunError
        If there is no run, it is damaged, or has no epoch yet.
    """
    if not isinstance(named, (str, os.PathLike)):
        return _of_result(named, trust=trust, note=note)
    path = user_path(named, "a run folder")
    if not path.is_dir():
        raise RunError(
            f"there is no folder {path}, and no study of this name: bdfa runs lists runs, bdfa study list studies"
        )
    folder, config, _, progress, history = opened_run(path, "no run and no study")
    if not history:
        failure = folder.read_failure()
        if failure:
            raise RunError(f"{path} has no whole epoch, and there is nothing to draw: {failure}")
        raise RunError(f"{path} has no whole epoch yet: there is nothing to draw; wait for the first, or go on with it")
    over = bool(progress.stop_reason) or 0 <= config.epochs <= progress.epoch
    return RunView(path, config, history, over, trust, note)


def _of_result(result: Any, *, trust: bool, note: Note) -> RunView:
    if not isinstance(result, TrainingResult):
        raise ConfigError(
            f"a {type(result).__name__} cannot be drawn: give a run folder, a study, or what bdfa_np.train returned"
        )
    if result.folder is not None:
        return replace(read_run(result.folder, trust=trust, note=note), measured=result.diagnostics)
    if not result.history:
        raise RunError("this run has no whole epoch yet: there is nothing to draw")
    return RunView(
        None,
        result.config,
        list(result.history),
        not result.interrupted,
        trust,
        note,
        trained=result.model,
        measured=result.diagnostics,
    )


def _check_different(runs: Sequence[RunView]) -> None:
    """Refuse a run that is named twice."""
    places: dict[str, Path] = {}
    for run in runs:
        if run.path is None:
            continue
        first = places.setdefault(os.path.realpath(run.path), run.path)
        if first is not run.path:
            also = "" if first == run.path else f", as {first}"
            raise RunError(f"{run.path} is named twice{also}: name runs that differ")


def _is_study(named: str | os.PathLike[str]) -> bool:
    """Return whether this is a study's folder, its file, or its name."""
    text = os.fspath(named)
    path = user_path(text, "a run folder")
    if (path / COPY).is_file():
        return True
    if path.is_dir() and not RunFolder(path).is_vacant:
        return False
    is_name = isinstance(named, str) and os.path.basename(text) == text
    return (is_name and (text in published_names() or (FOLDER / text / COPY).is_file())) or path.is_file()


def _study_cells(
    named: str | os.PathLike[str] | description.Study,
    cells: Sequence[str],
    epochs: int | None,
    *,
    trust: bool,
    note: Note,
) -> _OfStudy:
    """Return a study's name, and for each cell that has an epoch done its labels and its runs."""
    if isinstance(named, description.Study):
        study, where = named, default_folder(named.name)
    else:
        study, where = found_study(os.fspath(named), trust=trust)
    folder = opened(study, where)
    study, each = find(study, folder, cells=cells, epochs=epochs)
    runs: dict[str, list[RunView]] = {run.cell: [] for run in plan(study, cells=cells, epochs=epochs)}
    for one in each:
        if one.left_out:
            note(f"left out: {one.left_out}")
        if one.history:
            path = folder.run(one.run)
            config, _ = RunFolder(path).read_document()
            runs[one.run.cell].append(RunView(path, config, one.history, one.state == "finished", trust, note))
    empty = [name for name, found in runs.items() if not found]
    if len(empty) == len(runs):
        advice = "" if epochs is not None else ", or name the --epochs of shortened runs"
        raise RunError(f"no run of study {study.name} in {folder.path} has a whole epoch yet: run it first{advice}")
    if empty:
        note(f"not drawn, for no epoch is done: {', '.join(empty)}")
    of_cells = [(cell.labels, tuple(runs[cell.name])) for cell in study.cells if runs.get(cell.name)]
    return study.name, of_cells

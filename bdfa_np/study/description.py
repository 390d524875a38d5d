"""What a study is: cells, each a configuration of a run with what was published for it, and seeds; and its file."""

import contextlib
import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import tomli_w

from bdfa_np.errors import StudyError
from bdfa_np.rules.direct.bdfa import TARGET as BDFA_TARGET
from bdfa_np.rules.options import FEEDBACK_TARGET
from bdfa_np.runs.store.document import TARGET_BEFORE, with_target
from bdfa_np.study import document as parts
from bdfa_np.study.cell import Cell
from bdfa_np.study.checking import checked
from bdfa_np.study.document import FIGURES, MEASURES
from bdfa_np.study.grid import expanded
from bdfa_np.study.search.settings import check_search
from bdfa_np.system.files import replace_text
from bdfa_np.system.paths import user_path
from bdfa_np.system.reading import read_toml

__all__ = ["FIGURES", "MEASURES", "Cell", "Study", "load_study", "published_names", "write_study"]

SUFFIX = ".toml"
COPY = "study.toml"
"""What a study's folder calls the study as it was last run."""


@dataclass(frozen=True)
class Study:
    """A sweep: every cell is trained with every seed.

    Attributes
    ----------
    name : str
        What it is called: the file's name without ``.toml``.
    axes : tuple of str
        The headings of the cells' labels.
    cells : tuple of Cell
        In their order, with names that differ.
    seeds : tuple of int
        The seeds of each cell.
    title, source : str
        A line on what it is, and where its published numbers are from.
    notes : tuple of str
        What the source leaves open and how it was settled here, a sentence each.
    report : tuple of {"last", "best", "test"}
        What a run's error is taken from; the first is set beside the published number.
    measure : {"error", "accuracy"}
        As what figures are published and shown.
    search : dict
        The table ``[search]``, checked; empty without a search.
    """

    name: str
    axes: tuple[str, ...]
    cells: tuple[Cell, ...]
    seeds: tuple[int, ...]
    title: str = ""
    source: str = ""
    notes: tuple[str, ...] = ()
    report: tuple[str, ...] = ("last",)
    measure: str = "error"
    search: Mapping[str, Any] = field(default_factory=dict)


def published_names() -> list[str]:
    """Return the names of the studies that come with the package."""
    return sorted(path.name.removesuffix(SUFFIX) for path in _PUBLISHED.glob(f"*{SUFFIX}"))


_PUBLISHED = Path(__file__).with_name("published")


def load_study(name_or_path: str | os.PathLike[str], *, trust: bool = False) -> Study:
    """Read a study, and check whether every cell of it can be trained.

    Parameters
    ----------
    name_or_path : str or path
        A published study's name, or a TOML file. Paths in it, of data, nets and rules, are read as if typed where the
        command is given, as ``bdfa train --config`` has it.
    trust : bool, default False
        Whether a net or a rule may be run that the file names and the user never did.

    Returns
    -------
    Study
        With whole paths in its cells' options.

    Raises
    ------
    StudyError
        If there is no such study, or it is malformed; naming the file and the cell.
    UntrustedError
        If a net or a rule would be run that the user never named.
    """
    path, place = study_file(name_or_path)
    document = read_toml(path, StudyError, place)
    try:
        return _study(document, path.name.removesuffix(SUFFIX), place, trust=trust)
    except StudyError as error:
        raise StudyError(f"{place}: {error}") from error


def load_copy(folder: Path, *, trust: bool = False) -> Study:
    """Read the study that was last run in a folder; parameters and errors are those of `load_study`.

    A copy names the feedback target of every cell of ``bdfa``. One that does not is from before ``centred`` was what
    such a cell learns from unless told otherwise, and means what it meant then.
    """
    path = folder / COPY
    document = read_toml(path, StudyError, str(path))
    try:
        return _study(document, COPY.removesuffix(SUFFIX), str(path), trust=trust, target=TARGET_BEFORE)
    except StudyError as error:
        raise StudyError(f"{path}: {error}") from error


def with_targets(study: Study) -> Study:
    """Return a study as a folder's copy has it: cells of ``bdfa`` name what their feedback learns from."""
    return replace(study, cells=tuple(_with_targets(study.cells, study.search, BDFA_TARGET)))


def _with_targets(cells: Sequence[Cell], search: Mapping[str, Any], target: str) -> list[Cell]:
    """Return cells that name their feedback targets, unless a search is to choose them."""
    if FEEDBACK_TARGET.name in parts.table(search, "space"):
        return list(cells)
    return [replace(cell, options=with_target(cell.options, target)) for cell in cells]


def study_of(document: Mapping[str, Any], name: str, *, trust: bool = False) -> Study:
    """Return the study that a mapping describes, which has the structure of a file.

    Parameters
    ----------
    document : mapping
        As a file is read: tables are dicts, arrays are lists.
    name : str
        What the study is called, unless the mapping says so.
    trust : bool, default False
        As in `load_study`.

    Raises
    ------
    StudyError, UntrustedError
        As `load_study`.
    """
    return _study(document, name, f"study {name}", trust=trust)


def study_file(name_or_path: str | os.PathLike[str]) -> tuple[Path, str]:
    """Return a study's file, and what messages call it.

    Raises
    ------
    StudyError
        If there is none.
    """
    text = os.fspath(name_or_path)
    names = published_names()
    if text in names:
        return _PUBLISHED / f"{text}{SUFFIX}", f"study {text}"
    path = user_path(text, "a study")
    if path.is_dir():
        copy = path / COPY
        example = path / f"sweep{SUFFIX}"
        advice = f"the study that was run in it is {copy}" if copy.is_file() else f"name a file such as {example}"
        raise StudyError(f"{path} is a folder, and a study is a TOML file: {advice}")
    if not path.exists() and not path.is_symlink():
        file = path.with_name(f"{path.name}{SUFFIX}")
        near = [str(file)] if file.is_file() else get_close_matches(text.removesuffix(SUFFIX), names, n=2)
        meant = f"did you mean {' or '.join(near)}?" if near else "bdfa study list has the published ones"
        raise StudyError(f"{path}: there is no such file, and no published study of this name: {meant}")
    return path, str(path)


def _study(document: Mapping[str, Any], name: str, place: str, *, trust: bool, target: str | None = None) -> Study:
    """Return what a document describes; ``target`` is what cells of ``bdfa`` learn from that do not say it."""
    parts.check_keys(document, parts.KEYS, "")
    axes, found = expanded(document)
    if target is not None:
        found = _with_targets(found, parts.table(document, "search"), target)
    cells = checked(place, found, trust=trust)
    search = check_search(document["search"], cells, axes) if "search" in document else {}
    return Study(
        name=parts.one_text(document, "name") or name,
        axes=axes,
        cells=tuple(cells),
        seeds=parts.seeds_of(document.get("seeds", 1)),
        title=parts.one_text(document, "title"),
        source=parts.one_text(document, "source"),
        notes=parts.texts(document, "notes"),
        report=parts.report_of(document.get("report", ["last"])),
        measure=parts.chosen(document.get("measure", "error"), MEASURES, "measure"),
        search=search,
    )


def study_files(folder: Path) -> list[Path]:
    """Return the files in a folder that hold a study, be it right or wrong: TOML with cells.

    What is no TOML, or holds something else, is passed over.
    """
    found = []
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        with contextlib.suppress(StudyError):
            if {"grid", "cells"} & read_toml(path, StudyError, str(path)).keys():
                found.append(path)
    return found


def file_text(name_or_path: str | os.PathLike[str]) -> str:
    """Return the text of a study's file as it is, its comments too.

    Raises
    ------
    StudyError
        If there is none, or it cannot be read.
    """
    path, place = study_file(name_or_path)
    read_toml(path, StudyError, place)
    return path.read_text(encoding="utf-8")


def template(file: str) -> str:
    """Return the text of a commented study that can be run as it stands.

    Parameters
    ----------
    file : str
        What it will be called, for the commands that it names.
    """
    return Path(__file__).with_name("template.toml").read_text(encoding="utf-8").replace("FILE", shlex.quote(file))


def write_study(study: Study, path: str | os.PathLike[str]) -> None:
    """Write a study to a TOML file, from which `load_study` makes the same study, its name included.

    Parameters
    ----------
    study : Study
        The study.
    path : str or path
        The file, which is replaced in one step.

    Raises
    ------
    OSError
        Where the system refuses it.
    """
    replace_text(Path(path), study_text(study))


def study_text(study: Study) -> str:
    """Return a study as TOML: what all cells have in common as ``[base]``, and a list of cells."""
    base = common_options(study)
    document: dict[str, Any] = {"name": study.name}
    document |= {key: getattr(study, key) for key in ("title", "source") if getattr(study, key)}
    document |= {
        "notes": list(study.notes),
        "seeds": list(study.seeds),
        "report": list(study.report),
        "measure": study.measure,
        "axes": list(study.axes),
        "base": base,
        "search": dict(study.search),
        "cells": [_cell_table(cell, base) for cell in study.cells],
    }
    return tomli_w.dumps({key: value for key, value in document.items() if value not in ([], {})})


def _cell_table(cell: Cell, base: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {"labels": list(cell.labels)}
    found |= {name: value for name, value in cell.options.items() if name not in base}
    if cell.published is not None:
        found["published"] = {"mean": cell.published}
        if cell.published_sd is not None:
            found["published"]["sd"] = cell.published_sd
    return found | ({"note": cell.note} if cell.note else {})


def common_options(study: Study) -> dict[str, Any]:
    """Return the options that all cells have with one value."""
    first, *others = (cell.options for cell in study.cells)
    return {
        name: value
        for name, value in first.items()
        if all(name in options and _same(options[name], value) for options in others)
    }


def _same(a: object, b: object) -> bool:
    """Return whether two values are equal and of one type: 1 and true are two values of a flag."""
    return type(a) is type(b) and a == b

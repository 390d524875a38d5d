"""From a grid, or a list, to cells: their labels, their options by name and what was published for each."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import prod
from typing import Any

from bdfa_np.errors import ConfigError, StudyError
from bdfa_np.options.catalogue import OPTIONS
from bdfa_np.options.machine import OPTIONS as MACHINE
from bdfa_np.options.precedence import by_name
from bdfa_np.study.cell import Cell
from bdfa_np.study.document import check_keys, one_text, percent, table

MOST_CELLS = 10_000
"""More are a mistake: nobody trains them, and their list alone would fill a memory."""
MACHINES = (*(option.name for option in MACHINE if option.name != "seed"), "datapath", "cache_dir")
"""Options that say where a run computes and are no part of what is studied."""
OF_COMMAND = ("threads", "backend", "device", "datapath", "cache_dir")
"""Those of them that a command gives."""
OF_PUBLISHED = ("mean", "sd", "note")


def expanded(document: Mapping[str, Any]) -> tuple[tuple[str, ...], list[Cell]]:
    """Return the headings of the axes, and the cells in their order.

    Parameters
    ----------
    document : mapping
        All that the file holds.

    Raises
    ------
    StudyError
        If there are no cells, two have one name, or one is malformed; naming the cell.
    """
    base = _options(table(document, "base"), "[base]")
    if ("grid" in document) == ("cells" in document):
        given = "both [grid] and [[cells]]" if "grid" in document else "neither [grid] nor [[cells]]"
        raise StudyError(f"there is {given}: give one of them, which says what is trained")
    axes, cells = _of_grid(document, base) if "grid" in document else _of_list(document, base)
    seen: set[str] = set()
    for cell in cells:
        if cell.name in seen:
            raise StudyError(f"two cells are called {cell.name}: give one of them another name")
        seen.add(cell.name)
    return axes, _with_published(cells, axes, table(document, "published"))


def _options(written: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return a table's options by name; refuse those that no cell may have."""
    try:
        options = by_name(dict(written))
    except ConfigError as error:
        raise StudyError(f"{where}: {error}") from error
    if "seed" in options:
        raise StudyError(f"{where}: seed is given by the study: leave it out, and name all of them in seeds = [...]")
    for name in options:
        if name in OF_COMMAND:
            raise StudyError(
                f"{where}: {name} is of the machine, and no part of what is studied: leave it out, and give "
                f"{OPTIONS[name].flag} to bdfa study run"
            )
        if name == "tensorboard":
            raise StudyError(f"{where}: tensorboard is for single runs, and no part of what is studied: leave it out")
        if name in MACHINES:
            raise StudyError(f"{where}: {name} is of the machine, and no part of what is studied: leave it out")
    if options.get("epochs") == -1:
        raise StudyError(f"{where}: epochs = -1 has no end, and a study's runs have one: give a number of 1 or more")
    return options


def _of_grid(document: Mapping[str, Any], base: Mapping[str, Any]) -> tuple[tuple[str, ...], list[Cell]]:
    grid = table(document, "grid")
    if not grid:
        raise StudyError("[grid] is empty: give an option and its values, as in lr = [1e-3, 1e-4]")
    if "axes" in document:
        raise StudyError("axes is for [[cells]]: leave it out, the axes of a [grid] are its keys")
    axes = {key: _axis(key, value) for key, value in grid.items()}
    setters: dict[str, str] = {}
    for key, points in axes.items():
        for name in {name for options in points.values() for name in options}:
            if name in setters:
                raise StudyError(f"[grid]: {setters[name]} and {key} both set {name}: leave it out of one of them")
            setters[name] = key
    count = prod(map(len, axes.values()))
    if count > MOST_CELLS:
        raise StudyError(f"[grid] has {count:,} combinations, and a study {MOST_CELLS:,} at most: leave values out")
    cells = []
    for combination in itertools.product(*(points.items() for points in axes.values())):
        options = dict(base)
        for _, point in combination:
            options |= point
        cells.append(Cell(tuple(label for label, _ in combination), options))
    return tuple(axes), cells


def _axis(key: str, value: object) -> dict[str, dict[str, Any]]:
    """Return an axis: each label with the options that it stands for."""
    if isinstance(value, dict):
        if not value:
            raise StudyError(f"[grid.{key}] is empty: give a label with its options, as in bp = {{ gradient = 'bp' }}")
        for label, options in value.items():
            if not isinstance(options, dict):
                raise StudyError(
                    f"[grid.{key}]: {label} must be a table of options, as in {label} = {{ gradient = 'bp' }}"
                )
        return {_label(label): _options(options, f"[grid.{key}] {label}") for label, options in value.items()}
    if not isinstance(value, list) or not value:
        raise StudyError(f"[grid]: {key} must be a list of values, as in lr = [1e-3, 1e-4], or a table [grid.{key}]")
    found: dict[str, dict[str, Any]] = {}
    for one in value:
        if isinstance(one, dict | list):
            raise StudyError(f"[grid]: {key} holds a table or a list: write each as label = {{ ... }} in [grid.{key}]")
        options = _options({key: one}, "[grid]")
        label = _label(f"{key}={str(one).lower() if isinstance(one, bool) else one}")
        if label in found:
            raise StudyError(f"[grid]: {key} has {one} twice: leave one out")
        found[label] = options
    return found


def _label(label: str) -> str:
    if not label.strip() or not label.isprintable():
        raise StudyError(f"the label {label!a} is empty, or holds what cannot be shown: choose another")
    return label


def _of_list(document: Mapping[str, Any], base: Mapping[str, Any]) -> tuple[tuple[str, ...], list[Cell]]:
    cells = document["cells"]
    if not isinstance(cells, list) or not cells or not all(isinstance(cell, dict) for cell in cells):
        raise StudyError("[[cells]] must be a list of tables, each [[cells]] and its name and options below")
    if len(cells) > MOST_CELLS:
        raise StudyError(f"there are {len(cells):,} cells, and a study has {MOST_CELLS:,} at most: leave some out")
    cells = [_cell(cell, number, base) for number, cell in enumerate(cells, start=1)]
    count = len(cells[0].labels)
    for cell in cells:
        if len(cell.labels) != count:
            raise StudyError(
                f"cell {cell.name} has {len(cell.labels)} labels, with slashes between, and {cells[0].name} "
                f"{count}: give all cells as many"
            )
    axes = document.get("axes", [f"axis {number}" for number in range(1, count + 1)] if count > 1 else ["cell"])
    if not isinstance(axes, list) or len(axes) != count or not all(isinstance(axis, str) for axis in axes):
        raise StudyError(f"axes must be a list of texts, one for each label of a cell, of which there is {count} each")
    return tuple(map(_label, axes)), cells


def _cell(cell: Mapping[str, Any], number: int, base: Mapping[str, Any]) -> Cell:
    """Return a cell of a list; a name with slashes is as many labels."""
    own = dict(cell)
    name, labels = own.pop("name", None), own.pop("labels", None)
    if (name is None) == (labels is None):
        raise StudyError(f"cell {number} of [[cells]] needs a name, as in name = 'wide'")
    if labels is None:
        if not isinstance(name, str):
            raise StudyError(f"cell {number} of [[cells]]: its name must be a text in quotes")
        labels = name.split("/")
    if not isinstance(labels, list) or not labels or not all(isinstance(label, str) for label in labels):
        raise StudyError(f"cell {number} of [[cells]]: labels must be a list of texts")
    labels = tuple(map(_label, labels))
    where = f"cell {'/'.join(labels)}"
    figures = _published(own.pop("published"), where) if "published" in own else {}
    if "note" in own:
        figures["note"] = one_text(own, "note", f"of {where}")
        del own["note"]
    return Cell(labels, {**base, **_options(own, where)}, **figures)


def _with_published(cells: Sequence[Cell], axes: Sequence[str], published: Mapping[str, Any]) -> list[Cell]:
    """Return the cells with the numbers of the table ``[published]``, whose keys are labels, axis by axis."""
    figures = _leaves(published, (), [list(dict.fromkeys(cell.labels[i] for cell in cells)) for i in range(len(axes))])
    found = []
    for cell in cells:
        own = figures.pop(cell.labels, {})
        if own and (cell.published is not None):
            raise StudyError(f"cell {cell.name} has a published number here and in [published]: leave one out")
        found.append(replace(cell, **own) if own else cell)
    if figures:
        raise StudyError(f"[published] has a number for {'/'.join(next(iter(figures)))}, and there is no such cell")
    return found


def _leaves(
    value: Mapping[str, Any], before: tuple[str, ...], axes: Sequence[Sequence[str]]
) -> dict[tuple[str, ...], dict[str, Any]]:
    """Return the published figures by the cells' labels."""
    found: dict[tuple[str, ...], dict[str, Any]] = {}
    for key, below in value.items():
        labels = (*before, key)
        where = f"[published] {'/'.join(labels)}"
        if key not in axes[len(before)]:
            raise StudyError(
                f"{where}: there is no cell with the label {key}, only {', '.join(sorted(axes[len(before)]))}"
            )
        if len(labels) == len(axes):
            found[labels] = _published(below, where)
        elif isinstance(below, dict):
            found |= _leaves(below, labels, axes)
        else:
            raise StudyError(f"{where} is of several cells: write a table of their numbers, by the labels that follow")
    return found


def _published(value: object, where: str) -> dict[str, Any]:
    """Return a published figure as a cell's attributes."""
    if not isinstance(value, dict):
        return {"published": percent(value, f"{where}: the published number")}
    check_keys(value, OF_PUBLISHED, f"of {where}")
    if "mean" not in value:
        raise StudyError(f"{where}: a published number needs its mean, as in {{ mean = 1.95, sd = 0.1 }}")
    found: dict[str, Any] = {"published": percent(value["mean"], f"{where}: the published mean")}
    if "sd" in value:
        found["published_sd"] = percent(value["sd"], f"{where}: the published sd")
    if "note" in value:
        found["note"] = one_text(value, "note", f"of {where}")
    return found

"""What subjects are called: by that in which they differ."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bdfa_np.figures.headings import KEPT_ALONE
from bdfa_np.figures.views import RunView, Subject
from bdfa_np.options.catalogue import OPTIONS
from bdfa_np.runs.listing.summaries import NOT_COMPARED, setting_text, settings_that_differ

LONGEST = 40
"""A longer label would leave no room for the picture: the folder's name is taken instead."""
_BY_VALUE = ("gradient", "network", "dataset", "optimization")
"""Options whose values say themselves what they are."""


def labelled(runs: Sequence[RunView]) -> list[Subject]:
    """Return runs as subjects, those that differ in their seed alone together."""
    groups: list[list[RunView]] = []
    for run in runs:
        group = next((group for group in groups if _is_seed_of(run, group)), None)
        if group is None:
            groups.append([run])
        else:
            group.append(run)
    groups = [sorted(group, key=lambda run: run.config.seed) for group in groups]
    names = _names(groups)
    return [Subject(name, tuple(group)) for name, group in zip(names, groups, strict=True)]


def of_cells(cells: Sequence[tuple[tuple[str, ...], tuple[RunView, ...]]], study: str = "") -> list[Subject]:
    """Return a study's cells as subjects; an axis along which all of them are called the same is left out.

    Parameters
    ----------
    cells : sequence of (tuple of str, tuple of RunView)
        The labels and the runs of each.
    study : str, optional
        What stands before their names, where there are other subjects too.
    """
    axes = zip(*(labels for labels, _ in cells), strict=True)
    kept = [number for number, labels in enumerate(axes) if len(set(labels)) > 1]
    found = []
    for labels, runs in cells:
        name = "/".join(labels[number] for number in kept) or "/".join(labels)
        found.append(Subject(f"{study}: {name}" if study else name, runs))
    return found


def _is_seed_of(run: RunView, group: Sequence[RunView]) -> bool:
    """Return whether a run differs from some others in its seed and in nothing else."""
    seeds = {one.config.seed for one in group}
    return run.config.seed not in seeds and _settings(run) == _settings(group[0])


def _settings(run: RunView) -> dict[str, Any]:
    names = [name for name in OPTIONS if name not in NOT_COMPARED and name != "seed"]
    kept = {name: getattr(run.config, name) for name in names}
    return {**kept, "epochs": run.config.epochs, **(run.config.rule_options or {})}


def _names(groups: Sequence[Sequence[RunView]]) -> list[str]:
    """Return a name for each of several groups of runs, no two the same."""
    configs = [group[0].config for group in groups]
    if len(groups) == 1:
        first = groups[0][0]
        return [str(configs[0].gradient) if len(groups[0]) > 1 or first.path is None else first.path.name]
    differing = [dict(one) for one in settings_that_differ(configs)]
    if len({config.epochs for config in configs}) > 1:
        differing = [{**one, "epochs": config.epochs} for one, config in zip(differing, configs, strict=True)]
    for left_out in (("seed", *KEPT_ALONE), ("seed",), ()):
        names = [_text(differing, number, left_out) for number in range(len(groups))]
        if len(set(names)) == len(names) and all(0 < len(name) <= LONGEST for name in names):
            return names
    return _folders([group[0] for group in groups])


def _text(settings: Sequence[dict[str, Any]], number: int, left_out: Sequence[str]) -> str:
    parts = []
    for name, value in settings[number].items():
        if name in left_out or value is False:
            continue
        if value is True:
            parts.append(name)
        else:
            text = setting_text(settings, name, value)
            parts.append(text.removesuffix(".py") if name in _BY_VALUE else f"{name}={text}")
    return " ".join(parts) or "default"


def _folders(runs: Sequence[RunView]) -> list[str]:
    """Return the folders of runs, as seen from one that holds all of them."""
    whole = [Path(os.path.abspath(run.path)) if run.path is not None else None for run in runs]
    there = [path.parent for path in whole if path is not None]
    common = os.path.commonpath(there) if there else ""
    return [f"run {number}" if path is None else str(path.relative_to(common)) for number, path in enumerate(whole, 1)]

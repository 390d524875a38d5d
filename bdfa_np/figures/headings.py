"""What stands over a picture of several subjects."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bdfa_np.figures.views import Subject
from bdfa_np.options.catalogue import OPTIONS
from bdfa_np.options.config import Config
from bdfa_np.options.usual import is_usual
from bdfa_np.runs.listing.summaries import NOT_COMPARED
from bdfa_np.system.text import counted

KEPT_ALONE = ("keep_best", "on_test")
"""Options of what is kept of a run: what it learns is the same."""
_TIED = "\N{NO-BREAK SPACE}"


def several_seeds(subjects: Sequence[Subject]) -> int | None:
    """Return how many seeds every one of some subjects has, where all have as many; else None."""
    counts = {len(subject.runs) for subject in subjects}
    return counts.pop() if len(counts) == 1 else None


def legends(subjects: Sequence[Subject]) -> list[str]:
    """Return what each subject is called, with its number of seeds where these differ."""
    seeds = several_seeds(subjects) is None
    return [subject.legend if seeds else subject.short_legend for subject in subjects]


def heading(subjects: Sequence[Subject]) -> str:
    """Return the settings that all runs have in common, how many seeds there are, and of one subject how far it is."""
    parts = [settings_title(*(run.config for subject in subjects for run in subject.runs))]
    seeds = several_seeds(subjects)
    if seeds is not None and seeds > 1:
        parts.append(counted(seeds, "seed"))
    if len(subjects) == 1 and subjects[0].unfinished:
        parts.append(subjects[0].unfinished)
    return ", ".join(
        part if number == 0 else part.replace(" ", "\N{NO-BREAK SPACE}") for number, part in enumerate(parts)
    )


def settings_title(*configs: Config) -> str:
    """Return what runs have in common, the most telling first: data set, net, rule, then what is not as usual.

    Parameters
    ----------
    *configs : Config
        Of one run, or of several.
    """
    shared = [name for name in OPTIONS if len({repr(getattr(config, name)) for config in configs}) == 1]
    first = configs[0]
    said = [name for name in ("dataset", "network", "gradient") if name in shared]
    parts = [Path(str(getattr(first, name))).stem for name in said]
    left_out = {*said, *NOT_COMPARED, *KEPT_ALONE, "seed"}
    for name in shared:
        value = getattr(first, name)
        if name not in left_out and value is not None and not is_usual(first, name, run_outside=False):
            parts.append(_setting(name, value))
    own = [config.rule_options or {} for config in configs]
    parts += [_setting(name, value) for name, value in own[0].items() if all(one.get(name) == value for one in own)]
    if len(configs) == 1:
        parts.append(f"seed{_TIED}{first.seed}")
    return ", ".join(parts)


def _setting(name: str, value: Any) -> str:
    """Return an option and its value; one that is on by its name alone."""
    if value is True:
        return name
    shown = f"{value:g}" if isinstance(value, float) else str(int(value)) if isinstance(value, bool) else str(value)
    return f"{name}{_TIED}{shown}"

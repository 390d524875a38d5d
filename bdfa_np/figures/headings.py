"""What stands over a picture of several subjects."""

from __future__ import annotations

from collections.abc import Sequence

from bdfa_np.figures.style import settings_title
from bdfa_np.figures.views import Subject
from bdfa_np.system.text import counted


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

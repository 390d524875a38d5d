"""Which runs a study comes to: every cell with every seed, each a configuration and a folder."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from bdfa_np.errors import StudyError
from bdfa_np.options.catalogue import OPTIONS
from bdfa_np.study.description import Cell, Study
from bdfa_np.study.document import seeds_of
from bdfa_np.study.naming import folders
from bdfa_np.system.text import counted

THREADS = 1
"""Of a run whose study names no number: the digits may hang on it, and are to be the same wherever runs are."""


@dataclass(frozen=True)
class PlannedRun:
    """One run of a study; plain values alone, so that it can be sent to another machine.

    Attributes
    ----------
    study : str
        The study's name.
    cell : str
        The cell's name.
    seed : int
        The seed.
    options : dict
        All options of the run that are given, by name, the seed and the epochs among them.
    folder : str
        Its run folder as seen from the study's, with slashes: ``1x400/bdfa/seed-1``.
    whole_epochs : int or None
        How many epochs the study asks for, where this run is a shortened one.
    final_test : bool
        Whether a run with ``validate`` is tested on the test images at its end; a trial of a search is not.
    """

    study: str
    cell: str
    seed: int
    options: Mapping[str, Any]
    folder: str
    whole_epochs: int | None = None
    final_test: bool = True

    @property
    def is_shortened(self) -> bool:
        """Whether it has fewer epochs than the study asks for."""
        return self.whole_epochs is not None


def plan(
    study: Study,
    *,
    cells: Iterable[str] = (),
    seeds: int | Sequence[int] | None = None,
    epochs: int | None = None,
) -> list[PlannedRun]:
    """Return the runs of a study: those of its first seed, cell by cell, then those of the next.

    Parameters
    ----------
    study : Study
        The study.
    cells : iterable of str, optional
        Patterns, as `chosen_cells` takes them; all cells by default.
    seeds : int or sequence of int, optional
        How many seeds, or which: the first of the study's, or from 0 on where it has fewer.
    epochs : int, optional
        Shorten runs to so many epochs; those that are shorter stay as they are.

    Raises
    ------
    StudyError
        If a pattern fits nothing, seeds are no seeds, or no run has more epochs than are asked for.
    """
    chosen = chosen_cells(study, cells)
    kept = _seeds(study, seeds)
    longest = max(_epochs(cell) for cell in chosen)
    if epochs is not None and (epochs < 1 or epochs > longest):
        advice = (
            f"the study has {longest}: write more into its file" if epochs > longest else "give a number of 1 or more"
        )
        raise StudyError(f"study {study.name} cannot be run for {counted(epochs, 'epoch')}: {advice}")
    places = folders(cell.labels for cell in study.cells)
    return [_run(study, cell, seed, places[cell.labels], epochs) for seed in kept for cell in chosen]


def _run(study: Study, cell: Cell, seed: int, place: str, epochs: int | None) -> PlannedRun:
    whole = _epochs(cell)
    shortened = epochs is not None and epochs < whole
    count = epochs if shortened else whole
    return PlannedRun(
        study=study.name,
        cell=cell.name,
        seed=seed,
        options={**cell.options, "seed": seed, "epochs": count},
        folder=f"{place}/seed-{seed}{f'_epochs-{count}' if shortened else ''}",
        whole_epochs=whole if shortened else None,
    )


def _epochs(cell: Cell) -> int:
    return int(cell.options.get("epochs", OPTIONS["epochs"].default))


def _seeds(study: Study, seeds: int | Sequence[int] | None) -> tuple[int, ...]:
    if seeds is None:
        return study.seeds
    found = seeds_of(seeds)
    return study.seeds[:seeds] if isinstance(seeds, int) and seeds <= len(study.seeds) else found


def chosen_cells(study: Study, patterns: Iterable[str] = ()) -> list[Cell]:
    """Return the cells that patterns choose, in the study's order; all of them where there is none.

    Parameters
    ----------
    study : Study
        The study.
    patterns : iterable of str
        Each as a shell has it, with ``*``, ``?`` and ``[...]``: it chooses the cells whose name, or any one label, fits
        it, or is it.

    Raises
    ------
    StudyError
        If one fits nothing; with the labels that there are.
    """
    wanted = list(patterns)
    for pattern in wanted:
        if not any(fits(pattern, cell.name, cell.labels) for cell in study.cells):
            labels = dict.fromkeys(
                label for axis in zip(*(c.labels for c in study.cells), strict=True) for label in axis
            )
            raise StudyError(f"no cell of study {study.name} fits '{pattern}': its labels are {', '.join(labels)}")
    return [
        cell for cell in study.cells if not wanted or any(fits(pattern, cell.name, cell.labels) for pattern in wanted)
    ]


def fits(pattern: str, name: str, labels: Iterable[str]) -> bool:
    """Return whether a cell's name, or any one of its labels, fits a pattern, or is it."""
    return any(pattern == one or fnmatchcase(one, pattern) for one in (name, *labels))

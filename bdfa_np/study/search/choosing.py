"""The search of a study: trials are planned, carried out by the study's engine, and judged on validation images."""

import contextlib
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from bdfa_np.errors import InUseError, RunError, StudyError
from bdfa_np.runs.folder import RunFolder
from bdfa_np.study.cell import Cell
from bdfa_np.study.claims import claimed
from bdfa_np.study.description import Study
from bdfa_np.study.engine.base import Engine
from bdfa_np.study.engine.sequential import POLL_SECONDS
from bdfa_np.study.events import Outcome, Watcher
from bdfa_np.study.folder import StudyFolder
from bdfa_np.study.naming import SEARCH, folders
from bdfa_np.study.plan import THREADS, PlannedRun, chosen_cells
from bdfa_np.study.search.record import Choice, check_settings, keep_settings, read_choice, settings_of, write_choice
from bdfa_np.study.search.settings import Search, base_options, groups
from bdfa_np.study.search.trials import Trial, known_beforehand
from bdfa_np.system.extras import install_command
from bdfa_np.system.text import counted


class Method(Protocol):
    """Says which trials are to be made, and hears what they came to."""

    def ask(self) -> list[Trial]:
        """Return the trials that are to be made now; none where all are done."""

    def tell(self, trials: Sequence[Trial]) -> None:
        """Hear what became of all trials that were asked for."""

    def told(self) -> list[Trial]:
        """Return all that it was told, in their order."""


class Known:
    """Trials that are known beforehand, of a random search or a grid.

    Parameters
    ----------
    trials : list of Trial
        All of them.
    """

    def __init__(self, trials: list[Trial]) -> None:
        self._left = trials
        self._told: list[Trial] = []

    def ask(self) -> list[Trial]:
        """Return all trials, once."""
        left, self._left = self._left, []
        return left

    def tell(self, trials: Sequence[Trial]) -> None:
        """Keep what they came to, on which no other trial hangs."""
        self._told += trials

    def told(self) -> list[Trial]:
        """Return all that it was told, in their order."""
        return self._told


@dataclass
class CellSearch:
    """The search of a cell, or of all cells that share one.

    Attributes
    ----------
    study : Study
        Whose it is.
    search : Search
        How it is made.
    cells : list of Cell
        Which share it; it is made on the first of them.
    folder : StudyFolder
        The study's.
    place : str
        The folder of its first cell, as seen from the study's.
    epochs : int or None
        How many epochs each run of a shortened study has.
    """

    study: Study
    search: Search
    cells: list[Cell]
    folder: StudyFolder
    place: str
    epochs: int | None = None

    @property
    def cell(self) -> Cell:
        """The cell on which it is made."""
        return self.cells[0]

    @property
    def whole_epochs(self) -> int:
        """How many epochs a trial has where it is not shortened."""
        return int(base_options(self.cell, self.search)["epochs"])

    @property
    def is_shortened(self) -> bool:
        """Whether its trials have fewer epochs than the study says: they are no part of a whole search."""
        return self.epochs is not None and self.epochs < self.whole_epochs

    @property
    def wanted(self) -> int:
        """How many trials it is to have."""
        return self.search.trials or len(known_beforehand(self.cell, self.search))

    def file(self, name: str, suffix: str) -> Path:
        """Return the place of one of its files."""
        return self.folder.path.joinpath(SEARCH, *self.place.split("/"), f"{name}{self._mark}{suffix}")

    @property
    def chosen(self) -> Path:
        """The file that says what it has come to."""
        return self.file("chosen", ".toml")

    @property
    def _mark(self) -> str:
        return f"_epochs-{self.epochs}" if self.is_shortened else ""

    def planned(self, trial: Trial) -> PlannedRun:
        """Return the run that a trial is."""
        whole = self.whole_epochs
        epochs = self.epochs if self.is_shortened else whole
        return PlannedRun(
            study=self.study.name,
            cell=self.cell.name,
            seed=self.search.seed,
            options={"threads": THREADS, **base_options(self.cell, self.search), **trial.options, "epochs": epochs},
            folder=f"{SEARCH}/{self.place}/trial-{trial.number}{self._mark}",
            whole_epochs=whole if self.is_shortened else None,
            final_test=False,
        )

    def check_same(self) -> None:
        """Raise `StudyError` where the folder has trials of another search."""
        check_settings(self.file("search", ".toml"), settings_of(self.cell, self.search))

    def begin(self) -> Method:
        """Keep by which settings it is made, and return what says which trials are to be made."""
        keep_settings(self.file("search", ".toml"), settings_of(self.cell, self.search))
        if self.search.method != "optuna":
            return Known(known_beforehand(self.cell, self.search))
        from bdfa_np.study.search.tree_parzen import TreeParzen

        return TreeParzen(self.file("optuna", ".journal"), self.cell, self.search)

    def choice(self) -> Choice | None:
        """Return what it has come to; None where it is not done, or is to have another number of trials."""
        choice = read_choice(self.chosen)
        return choice if choice is not None and len(choice.trials) == self.wanted else None

    def is_settled(self) -> bool:
        """Return whether something has been chosen: where all trials have failed, they are tried again."""
        choice = self.choice()
        return choice is not None and choice.best is not None

    def done(self) -> int:
        """Return how many of its trials are done, or have failed."""
        runs = (self.planned(Trial(number, {})) for number in range(self.wanted))
        return sum(self.folder.state(run) in ("finished", "failed") for run in runs)

    def judged(self, trial: Trial, outcome: Outcome) -> Trial:
        """Return a trial with what it came to: the validation error after the last epoch, or why it failed.

        Raises
        ------
        StudyError
            If somebody else is at work on it still.
        """
        if outcome.state == "failed":
            return replace(trial, reason=outcome.reason)
        if outcome.state != "finished":
            raise StudyError(
                f"the search of {self.cell.name} waits for {outcome.folder} ({outcome.reason}): run it again"
            )
        return replace(trial, error=self.folder.history(self.planned(trial))[-1].test_error)


def searches(
    study: Study, folder: StudyFolder, *, cells: Sequence[str] = (), epochs: int | None = None
) -> list[CellSearch]:
    """Return the searches of a study's cells.

    Parameters
    ----------
    study : Study
        The study.
    folder : StudyFolder
        Its folder.
    cells : sequence of str, optional
        Patterns of the cells that are wanted; all of them unless given.
    epochs : int, optional
        How many epochs each run of a shortened study has.
    """
    if not study.search:
        return []
    search = Search.from_mapping(study.search)
    wanted = {cell.name for cell in chosen_cells(study, cells)}
    places = folders(cell.labels for cell in study.cells)
    return [
        CellSearch(study, search, group, folder, places[group[0].labels], epochs)
        for group in groups(study.cells, search, study.axes)
        if not wanted.isdisjoint(cell.name for cell in group)
    ]


def with_choices(study: Study, folder: StudyFolder, *, cells: Sequence[str] = (), epochs: int | None = None) -> Study:
    """Return a study whose cells have the options that were chosen for them, where they have been; as `searches`."""
    chosen = {}
    for one in searches(study, folder, cells=cells, epochs=epochs):
        choice = one.choice()
        if choice is not None and choice.best is not None:
            chosen.update({cell.name: choice.best.options for cell in one.cells})
    return replace(
        study,
        cells=tuple(replace(cell, options={**cell.options, **chosen.get(cell.name, {})}) for cell in study.cells),
    )


def check_unsearched(
    study: Study,
    folder: StudyFolder,
    runs: Iterable[PlannedRun],
    *,
    cells: Sequence[str] = (),
    epochs: int | None = None,
) -> None:
    """Raise `RunError` where a run was begun before anything had been chosen for its cell; see `searches`."""
    for reason in unsearched(study, folder, runs, cells=cells, epochs=epochs).values():
        raise RunError(reason)


def unsearched(
    study: Study,
    folder: StudyFolder,
    runs: Iterable[PlannedRun],
    *,
    cells: Sequence[str] = (),
    epochs: int | None = None,
) -> dict[str, str]:
    """Return what is wrong with runs that were begun before anything was chosen for their cells, by their folders."""
    found = {}
    open_cells = {
        cell.name: one
        for one in searches(study, folder, cells=cells, epochs=epochs)
        for cell in one.cells
        if not one.is_settled()
    }
    for run in runs:
        if run.cell in open_cells and not RunFolder(folder.run(run)).is_vacant:
            wanted = counted(open_cells[run.cell].wanted, "trial")
            found[run.folder] = (
                f"{folder.run(run)} was trained before its cell was searched with {wanted}: name another folder with "
                "--save, or put [search] back as it was"
            )
    return found


def searched(
    study: Study,
    folder: StudyFolder,
    engine: Engine,
    machine: Mapping[str, Any],
    watcher: Watcher,
    *,
    cells: Sequence[str] = (),
    epochs: int | None = None,
) -> tuple[Study, dict[str, str]]:
    """Make what is not done of a study's search.

    A trial is a run of its own, which the engine carries out as any other: what is finished is not trained again, what
    was interrupted goes on. It never sees the test images.

    Parameters
    ----------
    study : Study
        The study.
    folder : StudyFolder
        Its folder.
    engine : Engine
        What carries runs out.
    machine : dict
        Options of the machine, which go before those of the study.
    watcher : Watcher
        Hears of it.
    cells : sequence of str, optional
        Patterns of the cells that are wanted; all of them unless given.
    epochs : int, optional
        How many epochs each run has at most, and each trial too, where the study is shortened.

    Returns
    -------
    Study
        Its cells have the options that were chosen for them.
    dict
        By the names of cells, why nothing could be chosen for them: all their trials have failed.

    Raises
    ------
    StudyError, RunError
        Before anything is trained, if there are trials of another search in the folder, or Optuna is missing.
    """
    all_of_them = searches(study, folder, cells=cells, epochs=epochs)
    for one in all_of_them:
        one.check_same()
    left = [one for one in all_of_them if not one.is_settled()]
    if left:
        trials = counted(sum(one.wanted for one in left), "trial")
        watcher.note(f"search: {trials} in {counted(len(left), 'search', 'searches')}, then the runs of the study")
    if left and left[0].search.method == "optuna":
        if find_spec("optuna") is None:
            raise StudyError(f'[search] method = "optuna" needs Optuna: {install_command("search")}')
        with _alone(folder, watcher):
            _make([one for one in left if not one.is_settled()], engine, machine, watcher)
    elif left:
        _make(left, engine, machine, watcher)
    failed = {}
    for one in all_of_them:
        choice = one.choice()
        if choice is not None and choice.best is None:
            failed.update({cell.name: _nothing_to_choose(choice) for cell in one.cells})
    return with_choices(study, folder, cells=cells, epochs=epochs), failed


def _make(left: Sequence[CellSearch], engine: Engine, machine: Mapping[str, Any], watcher: Watcher) -> None:
    """Make searches, all of them side by side, until each has its trials."""
    folder, methods = left[0].folder, [one.begin() for one in left]
    # Which runs there will be is known, if not with which options each.
    all_of_them = [one.planned(Trial(number, {})) for one in left for number in range(one.wanted)]
    watcher.plans(all_of_them, {run.folder: folder.state(run) for run in all_of_them})
    while any(asked := [method.ask() for method in methods]):
        runs = [one.planned(trial) for one, trials in zip(left, asked, strict=True) for trial in trials]
        folder.check_same(runs)
        outcomes = {outcome.folder: outcome for outcome in engine.run(runs, folder.path, machine, watcher)}
        for one, method, trials in zip(left, methods, asked, strict=True):
            method.tell([one.judged(trial, outcomes[one.planned(trial).folder]) for trial in trials])
    for one, method in zip(left, methods, strict=True):
        write_choice(one.chosen, Choice(tuple(method.told())))


@contextlib.contextmanager
def _alone(folder: StudyFolder, watcher: Watcher) -> Iterator[None]:
    """Wait until no other process asks for trials of this study, and let none do so meanwhile."""
    told = False
    while True:
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(claimed(folder.path / SEARCH))
            except InUseError as error:
                if not told:
                    watcher.note(f"{error}: it is waited for")
                told = True
            else:
                yield
                return
        time.sleep(POLL_SECONDS)


def _nothing_to_choose(choice: Choice) -> str:
    first = choice.trials[0]
    return (
        f"nothing to choose: all {counted(len(choice.trials), 'trial')} of its search failed "
        f"(trial {first.number}: {first.reason}): search another space"
    )

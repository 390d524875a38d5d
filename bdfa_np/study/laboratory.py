"""A study carried out: looked over before anything is trained, then handed to an engine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bdfa_np.data import prepare
from bdfa_np.data.sources.find import source_of
from bdfa_np.errors import RunError
from bdfa_np.extensions import held
from bdfa_np.model import configured_backend
from bdfa_np.options.catalogue import OPTIONS
from bdfa_np.options.config import Config
from bdfa_np.runs.folder import RunFolder
from bdfa_np.study.description import Study
from bdfa_np.study.engine.base import Engine
from bdfa_np.study.engine.sequential import Sequential
from bdfa_np.study.events import Outcome, Progress, State, Watcher
from bdfa_np.study.folder import StudyFolder
from bdfa_np.study.naming import folder_of
from bdfa_np.study.plan import THREADS, PlannedRun, plan
from bdfa_np.study.search.choosing import check_unsearched, searched, with_choices
from bdfa_np.study.work import shard
from bdfa_np.trust.gate import named

STUDIES = "studies"
"""The folder that studies are carried out in unless another one is named."""


def default_folder(name: str) -> Path:
    """Return the folder of a study for which none is named, by the study's name."""
    return Path(STUDIES) / folder_of(name)


def run_study(
    study: Study,
    save: Path,
    *,
    cells: Sequence[str] = (),
    seeds: int | Sequence[int] | None = None,
    epochs: int | None = None,
    share: tuple[int, int] = (1, 1),
    engine: Engine | None = None,
    machine: Mapping[str, Any] | None = None,
    data_here: bool = True,
    watcher: Watcher | None = None,
) -> list[Outcome]:
    """Carry out a study's runs, those that are finished set aside.

    Parameters
    ----------
    study : Study
        The study.
    save : Path
        Its folder, made if need be.
    cells : sequence of str, optional
        Patterns of the cells that are wanted; all of them unless given.
    seeds : int or sequence of int, optional
        How many seeds of each cell, or which.
    epochs : int, optional
        How many epochs a run gets at most, where that is to be fewer than the study says.
    share : tuple of int, default (1, 1)
        Which part of the runs, as (number, count): the first of one unless given.
    engine : Engine, optional
        What carries runs out; one after another unless given.
    machine : dict, optional
        Options of the machine, which go before those of the study.
    data_here : bool, default True
        Whether the engine's runs read their data on this machine, so that these can be looked for.
    watcher : Watcher, optional
        Hears of it.

    Returns
    -------
    list of Outcome
        What became of each run, in the order in which they were begun: seed by seed.

    Raises
    ------
    StudyError, ConfigError, DataError, RunError, BackendError
        Before anything is trained, if the runs could not be carried out; a run that fails later is an outcome.
    KeyboardInterrupt
        After Ctrl-C; every run that was begun can be gone on with.
    """
    order = order_of(study, save, cells=cells, seeds=seeds, epochs=epochs, share=share)
    return carry_out_all(order, engine=engine, machine=machine, data_here=data_here, watcher=watcher)


@dataclass(frozen=True)
class Order:
    """What is to be carried out.

    Attributes
    ----------
    study : Study
        The study, with all seeds that are asked for.
    folder : StudyFolder
        Its folder.
    runs : list of PlannedRun
        The runs, in the order in which they are begun.
    states : dict
        How far each has come, by its folder.
    wanted : dict
        Which of the study's runs are meant, as `planned` takes it: ``cells``, ``seeds``, ``epochs``.
    share : tuple of int
        Which part of them.
    """

    study: Study
    folder: StudyFolder
    runs: list[PlannedRun]
    states: dict[str, State]
    wanted: dict[str, Any]
    share: tuple[int, int]

    def left(self) -> list[PlannedRun]:
        """Return the runs that are not finished."""
        return [run for run in self.runs if self.states[run.folder] != "finished"]

    def tell(self, watcher: Watcher) -> None:
        """Tell a watcher of the runs, and how far each was brought before."""
        watcher.plans(self.runs, self.states)
        for run in self.runs:
            history = self.folder.history(run)
            if history:
                last, epochs = history[-1], run.options.get("epochs", OPTIONS["epochs"].default)
                watcher.progress(Progress(run.folder, last.epoch, epochs, error=last.test_error, seconds=last.seconds))


def order_of(
    study: Study,
    save: Path,
    *,
    cells: Sequence[str] = (),
    seeds: int | Sequence[int] | None = None,
    epochs: int | None = None,
    share: tuple[int, int] = (1, 1),
) -> Order:
    """Return what is to be carried out; parameters are those of `run_study`.

    Raises
    ------
    StudyError
        If no run is meant.
    RunError
        If runs that are in the folder were begun with other settings, or are damaged, or it is itself that of a run.
    """
    folder = StudyFolder(save)
    if not RunFolder(folder.path).is_vacant:
        raise RunError(f"{folder.path} is the folder of a run, and a study has many: name another folder with --save")
    wanted: dict[str, Any] = {"cells": cells, "seeds": seeds, "epochs": epochs}
    runs = shard(planned(with_choices(study, folder, cells=cells, epochs=epochs), **wanted), *share)
    check_unsearched(study, folder, runs, cells=cells, epochs=epochs)  # or it were said of what it would have chosen
    folder.check_same(runs)
    found = dict.fromkeys((*study.seeds, *(run.seed for run in runs)))
    states = {run.folder: folder.state(run) for run in runs}
    return Order(replace(study, seeds=tuple(found)), folder, runs, states, wanted, share)


def carry_out_all(
    order: Order,
    *,
    engine: Engine | None = None,
    machine: Mapping[str, Any] | None = None,
    data_here: bool = True,
    watcher: Watcher | None = None,
) -> list[Outcome]:
    """Carry out what is not finished; parameters and errors are those of `run_study`."""
    watcher, machine = watcher or Watcher(), machine or {}
    engine, folder = engine or Sequential(), order.folder
    look_over(order.left(), machine, data_here=data_here, watcher=watcher)
    folder.begin(order.study)
    cells, epochs = order.wanted["cells"], order.wanted["epochs"]
    chosen, failed = searched(order.study, folder, engine, machine, watcher, cells=cells, epochs=epochs)
    if chosen is not order.study:
        runs = shard(planned(chosen, **order.wanted), *order.share)
        order = replace(order, runs=runs, states={run.folder: folder.state(run) for run in runs})
    order.tell(watcher)
    found = engine.run([run for run in order.runs if run.cell not in failed], folder.path, machine, watcher)
    outcomes = {outcome.folder: outcome for outcome in found}
    for run in order.runs:
        if run.cell in failed:
            folder.keep_failure(run, failed[run.cell])
            outcomes[run.folder] = Outcome(run.folder, "failed", failed[run.cell])
            watcher.ends(outcomes[run.folder])
    return [outcomes[run.folder] for run in order.runs]


def planned(
    study: Study, *, cells: Sequence[str] = (), seeds: int | Sequence[int] | None = None, epochs: int | None = None
) -> list[PlannedRun]:
    """Return a study's runs, each with a number of threads; parameters and errors are those of `plan`."""
    runs = plan(study, cells=cells, seeds=seeds, epochs=epochs)
    return [replace(run, options={"threads": THREADS, **run.options}) for run in runs]


def look_over(
    runs: Iterable[PlannedRun], machine: Mapping[str, Any], *, data_here: bool, watcher: Watcher | None = None
) -> None:
    """Raise a user's error if runs cannot be carried out with these options of the machine.

    Data sets that can be downloaded are; those that are whitened are whitened now, once for all runs.
    """
    seen: set[Any] = set()
    for run in runs:
        config = Config.from_mapping({**run.options, **machine})
        with held(named(config)):
            config = config.resolve()
        if not data_here:
            continue
        configured_backend(config)
        recipe = config.recipe()
        if recipe in seen:
            continue
        seen.add(recipe)
        if recipe.whiten:
            prepare(recipe, datapath=config.datapath, cache_dir=config.cache_dir, note=(watcher or Watcher()).note)
        else:
            source_of(recipe, datapath=config.datapath).locate()

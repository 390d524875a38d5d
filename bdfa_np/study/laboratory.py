"""A study carried out: looked over before anything is trained, then handed to an engine."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bdfa_np.data import prepare
from bdfa_np.data.sources.find import source_of
from bdfa_np.extensions import held
from bdfa_np.model import configured_backend
from bdfa_np.options.catalogue import OPTIONS
from bdfa_np.options.config import Config
from bdfa_np.study.description import Study
from bdfa_np.study.engine.base import Engine
from bdfa_np.study.engine.sequential import Sequential
from bdfa_np.study.events import Outcome, Progress, Watcher
from bdfa_np.study.folder import StudyFolder
from bdfa_np.study.plan import THREADS, PlannedRun, plan
from bdfa_np.study.search.choosing import check_unsearched, searched, with_choices
from bdfa_np.study.work import shard
from bdfa_np.trust.gate import named


def run_study(
    study: Study,
    save: Path,
    *,
    cells: Sequence[str] = (),
    seeds: int | None = None,
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
    seeds : int, optional
        How many seeds of each cell.
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
    watcher, machine = watcher or Watcher(), machine or {}
    folder = StudyFolder(save)
    study = with_seeds(study, seeds)
    engine = engine or Sequential()
    before = with_choices(study, folder, cells=cells, epochs=epochs)
    runs = shard(planned(before, cells=cells, seeds=seeds, epochs=epochs), *share)
    folder.check_same(runs)
    check_unsearched(study, folder, runs, cells=cells, epochs=epochs)
    look_over([run for run in runs if not folder.is_finished(run)], machine, data_here=data_here, watcher=watcher)
    folder.begin(study)
    chosen, failed = searched(study, folder, engine, machine, watcher, cells=cells, epochs=epochs)
    runs = shard(planned(chosen, cells=cells, seeds=seeds, epochs=epochs), *share)
    watcher.plans(runs, {run.folder: folder.state(run) for run in runs})
    _tell_what_is_there(runs, folder, watcher)
    found = engine.run([run for run in runs if run.cell not in failed], folder.path, machine, watcher)
    outcomes = {outcome.folder: outcome for outcome in found}
    for run in runs:
        if run.cell in failed:
            folder.keep_failure(run, failed[run.cell])
            outcomes[run.folder] = Outcome(run.folder, "failed", failed[run.cell])
            watcher.ends(outcomes[run.folder])
    return [outcomes[run.folder] for run in runs]


def with_seeds(study: Study, seeds: int | None) -> Study:
    """Return a study that has as many seeds as are asked for, where it has fewer."""
    return replace(study, seeds=tuple(range(seeds))) if seeds is not None and seeds > len(study.seeds) else study


def planned(
    study: Study, *, cells: Sequence[str] = (), seeds: int | None = None, epochs: int | None = None
) -> list[PlannedRun]:
    """Return a study's runs, each with a number of threads; parameters and errors are those of `plan`."""
    runs = plan(study, cells=cells, seeds=seeds, epochs=epochs)
    return [replace(run, options={"threads": THREADS, **run.options}) for run in runs]


def look_over(runs: Iterable[PlannedRun], machine: Mapping[str, Any], *, data_here: bool, watcher: Watcher) -> None:
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
            prepare(recipe, datapath=config.datapath, cache_dir=config.cache_dir, note=watcher.note)
        else:
            source_of(recipe, datapath=config.datapath).locate()


def _tell_what_is_there(runs: Iterable[PlannedRun], folder: StudyFolder, watcher: Watcher) -> None:
    """Tell a watcher how far runs were brought before."""
    for run in runs:
        history = folder.history(run)
        if history:
            last, epochs = history[-1], run.options.get("epochs", OPTIONS["epochs"].default)
            watcher.progress(Progress(run.folder, last.epoch, epochs, error=last.test_error, seconds=last.seconds))

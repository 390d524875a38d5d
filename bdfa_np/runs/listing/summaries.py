"""The runs in a folder side by side; no weights are read, and nobody's net or rule is run."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bdfa_np.data.sources.find import is_own
from bdfa_np.errors import RunError
from bdfa_np.options.catalogue import OPTIONS
from bdfa_np.options.changes import check_unedited
from bdfa_np.options.config import Config
from bdfa_np.options.machine import OPTIONS as MACHINE
from bdfa_np.options.tracking import NAMES as TRACKING
from bdfa_np.options.usual import is_usual
from bdfa_np.representation import one_line
from bdfa_np.runs.checkpoint import read_history
from bdfa_np.runs.folder import CHECKPOINT, CONFIG, METRICS, RunFolder
from bdfa_np.runs.history import lowest
from bdfa_np.runs.store.taking import TAKING
from bdfa_np.system.paths import user_path
from bdfa_np.system.text import counted
from bdfa_np.tables import Table
from bdfa_np.trainer import EpochRecord, Progress

NOT_COMPARED: set[str] = {option.name for option in MACHINE if option.name != "seed"}
NOT_COMPARED |= {"datapath", "cache_dir", "models_folder", "rule_options", "epochs", *TRACKING}
"""Options of the machine and of its paths, of what is measured and changes nothing, and what is shown otherwise."""
FINISHED, UNFINISHED, DAMAGED = "finished", "can go on", "damaged"


@dataclass(frozen=True)
class RunSummary:
    """How far a run has come.

    Attributes
    ----------
    name : str
        Its folder, as seen from the one that is listed.
    path : Path
        The folder.
    state : {"finished", "can go on", "damaged"}
        ``"can go on"`` where epochs are left to do.
    settings : dict
        The options by which it differs from the other runs that are listed.
    epochs : int or None
        How many epochs were asked for, -1 for no bound; None of a damaged run.
    tested_on : {"test", "validation"}
        What errors were measured on.
    history : list of EpochRecord
        The epochs done.
    problem : str
        What is wrong with a damaged one.
    """

    name: str
    path: Path
    state: str
    settings: dict[str, Any] = field(default_factory=dict)
    epochs: int | None = None
    tested_on: str = ""
    history: list[EpochRecord] = field(default_factory=list)
    problem: str = ""

    def __repr__(self) -> str:
        """Return the name, the epochs done, and the state."""
        return one_line(self, [self.name, counted(len(self.history), "epoch"), self.state])

    def to_mapping(self) -> dict[str, Any]:
        """Return the figures by name, for JSON."""
        best = lowest(self.history) if self.history else None
        return {
            "run": self.name,
            "path": str(self.path),
            "state": self.state,
            "settings": self.settings,
            "epochs_done": len(self.history),
            "epochs": self.epochs,
            "tested_on": self.tested_on or None,
            "last_error": self.history[-1].test_error if self.history else None,
            "lowest_error": best.test_error if best else None,
            "lowest_epoch": best.epoch if best else None,
            "problem": self.problem or None,
        }


def list_runs(folder: str | os.PathLike[str]) -> list[RunSummary]:
    """Return the runs in a folder and in the folders below it, or the run that it is itself, ordered by name.

    Raises
    ------
    RunError
        If there is no such folder.
    """
    folder = user_path(folder, "the folder of runs")
    if not folder.is_dir():
        raise RunError(f"there is no folder {folder}: bdfa train makes runs/, or name another one")
    read = [(path, *_read(path)) for path in sorted(find_runs(folder), key=_natural)]
    differing = settings_that_differ([config for _, config, _ in read if config is not None])
    runs = []
    for path, config, known in read:
        name = str(path.relative_to(folder)) if path != folder else str(folder)
        settings = next(differing) if config is not None else {}
        runs.append(RunSummary(name, path, settings=settings, **known))
    return runs


def find_runs(folder: Path) -> Iterator[Path]:
    """Yield the run folders in a folder, however deep; hidden folders are passed over."""
    for path, folders, files in os.walk(folder):
        if CHECKPOINT in files or {CONFIG, METRICS} <= set(files) or TAKING in folders:
            folders.clear()
            yield Path(path)
        folders[:] = [name for name in folders if not name.startswith(".")]


def _natural(path: Path) -> list[Any]:
    """Return a key by which ``run2`` is before ``run10``."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", str(path))]


def _read(path: Path) -> tuple[Config | None, dict[str, Any]]:
    """Return a run's options, if they can be read, and what its summary says of it."""
    config = None
    try:
        found, document = RunFolder(path).read_document()
        config = checked(found, path)
        progress, history, record = read_history(path / CHECKPOINT)
        check_unedited(config, document, record, path / CONFIG)
    except (RunError, OSError) as error:
        return config, {"state": DAMAGED, "problem": str(error)}
    over = progress.stop_reason or 0 <= config.epochs <= progress.epoch
    state = FINISHED if over else UNFINISHED
    known = {"epochs": config.epochs, "tested_on": config.tested_on, "history": history}
    return config, {"state": state, **known}


def checked(config: Config, path: Path) -> Config:
    """Return a run's options; raise `RunError` where a value is none of its option's."""
    for name, option in OPTIONS.items():
        value = getattr(config, name)
        problem = None if value is None else option.problem(value)
        if problem:
            raise RunError(f"{path / CONFIG} is damaged: {option.flag} {problem}")
    return config


def opened_run(
    path: Path, no_run: str = "no run"
) -> tuple[RunFolder, Config, dict[str, Any], Progress, list[EpochRecord]]:
    """Return a run's folder, its options, its ``config.toml``, and how far it is, seen to belong together.

    Parameters
    ----------
    path : Path
        The run folder.
    no_run : str, default "no run"
        What a folder that holds runs, and is none, is said to be.

    Raises
    ------
    RunError
        If there is no usable run.
    """
    folder = RunFolder(path)
    if path.is_dir() and folder.is_vacant:
        inside = sum(1 for _ in find_runs(path))
        if inside:
            raise RunError(
                f"{path} is {no_run}, there {'is' if inside == 1 else 'are'} {counted(inside, 'run')} in it: "
                "name them, as bdfa runs lists them"
            )
    found, document = folder.read_document()
    config = checked(found, path)
    progress, history, record = read_history(path / CHECKPOINT)
    check_unedited(config, document, record, path / CONFIG)
    return folder, config, document, progress, history


def settings_that_differ(configs: Sequence[Config]) -> Iterator[dict[str, Any]]:
    """Yield, for each of several configurations, the options in which not all of them agree.

    Options of `NOT_COMPARED` are left out, and those that follow from others in every one of them.
    """
    names = [name for name in OPTIONS if name not in NOT_COMPARED]
    found = [{name: getattr(config, name) for name in names} | (config.rule_options or {}) for config in configs]
    differing = []
    for name in dict.fromkeys(name for values in found for name in values):
        values = [given.get(name) for given in found]
        follows = name in OPTIONS and OPTIONS[name].default is None
        if any(value != values[0] for value in values) and not (
            follows and all(is_usual(config, name, run_outside=False) for config in configs)
        ):
            differing.append(name)
    for one in found:
        yield {name: one[name] for name in differing if one.get(name) is not None}


def listing(runs: Sequence[RunSummary], folder: object) -> Table:
    """Return a row a run, under a line that says what errors were measured on."""
    parts = {run.tested_on for run in runs if run.tested_on}
    mixed, settings = len(parts) > 1, any(run.settings for run in runs)
    columns = ["run", *(["settings"] if settings else []), "epochs", "last", "lowest", "after"]
    columns += [*(["on"] if mixed else []), "state"]
    rows, found = [], [run.settings for run in runs]
    for run in runs:
        text = " ".join(f"{name}={setting_text(found, name, value)}" for name, value in run.settings.items())
        cells = {"run": run.name, "settings": text, "on": run.tested_on, "state": run.state, **_figures(run)}
        rows.append([cells[column] for column in columns])
    on = f", error on {parts.pop()} images" if len(parts) == 1 else ""
    title = f"{counted(len(runs), 'run')} in {folder}{on}"
    return Table(columns, rows, title=title, right=("epochs", "last", "lowest", "after"), whole=("run", "on", "state"))


def _figures(run: RunSummary) -> dict[str, str]:
    """Return a run's epochs and errors by their columns, empty where it has none."""
    bound = f"/{run.epochs}" if run.epochs is not None and run.epochs > 0 else ""
    found = dict.fromkeys(("epochs", "last", "lowest", "after"), "")
    if run.epochs is not None:
        found["epochs"] = f"{len(run.history)}{bound}"
    if run.history:
        best = lowest(run.history)
        errors = {"last": f"{run.history[-1].test_error:.2%}", "lowest": f"{best.test_error:.2%}"}
        found |= {**errors, "after": str(best.epoch)}
    return found


def setting_text(settings: Sequence[Mapping[str, Any]], name: str, value: Any) -> str:
    """Return a setting as text; a path by its last part, where that tells it from those of the other runs.

    Parameters
    ----------
    settings : sequence of mapping
        Those of all runs.
    name : str
        The option.
    value : object
        Its value in one of them.
    """
    if isinstance(value, (bool, int)):
        return str(int(value))
    if isinstance(value, float):
        return f"{value:g}"
    if not isinstance(value, str):
        return str(value)
    if not (value.endswith(".py") or (name == "dataset" and is_own(value))):
        return value
    others = {one[name] for one in settings if name in one}
    last = Path(value).name
    return last if [Path(other).name for other in others].count(last) == 1 else value

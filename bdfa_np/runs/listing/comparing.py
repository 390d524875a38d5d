"""Runs side by side: in what they differ, and what they have come to; nobody's net or rule is run."""

import os
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bdfa_np.errors import RunError
from bdfa_np.options.catalogue import OPTIONS
from bdfa_np.options.changes import data_digest
from bdfa_np.options.config import Config
from bdfa_np.runs.history import lowest
from bdfa_np.runs.listing.summaries import FINISHED, UNFINISHED, opened_run, setting_text, settings_that_differ
from bdfa_np.runs.store.result import RunResult
from bdfa_np.system.text import counted
from bdfa_np.tables import WIDTH, Table
from bdfa_np.trainer import EpochRecord

TESTED = ("validate", "test_limit", "test_fraction")
"""Options that say how many images errors are measured on."""
_NOTHING = "-"
_LONG = {
    "train": "training error",
    "last": "last error",
    "lowest": "lowest error",
    "after": "after epoch",
    "test": "test error",
    "s/epoch": "seconds an epoch",
    "s": "seconds",
}
"""What figures are called where there is room for it."""
_SHORT = ("epochs", "last", "lowest", "test", "s/epoch", "s")
"""Those that are shown where there is little."""


@dataclass(frozen=True)
class ComparedRun:
    """What a run folder says of itself.

    Attributes
    ----------
    name : str
        What it is called beside the others.
    path : Path
        The folder.
    config : Config
        Its options.
    document : dict
        The whole of its ``config.toml``.
    state : {"finished", "can go on"}
        ``"can go on"`` where epochs are left to do.
    history : list of EpochRecord
        The epochs done.
    result : RunResult or None
        What it has come to, once it is finished.
    """

    name: str
    path: Path
    config: Config
    document: dict[str, Any]
    state: str
    history: list[EpochRecord]
    result: RunResult | None

    def machine(self) -> dict[str, str]:
        """Return what it was trained with, by name: versions, and the kind of machine."""
        run = self.document["run"]
        return {**self.document["versions"], **{name: str(run[name]) for name in ("machine", "system") if name in run}}

    def figures(self) -> dict[str, Any]:
        """Return what it has come to, by name; errors are fractions, and None where there are none."""
        seconds = [record.seconds for record in self.history]
        best = lowest(self.history) if self.history else None
        test = self.result.test if self.result is not None else None
        return {
            "state": self.state,
            "epochs_done": len(self.history),
            "epochs": self.config.epochs,
            "tested_on": self.config.tested_on,
            "train_error": self.history[-1].train_error if self.history else None,
            "last_error": self.history[-1].test_error if self.history else None,
            "lowest_error": best.test_error if best else None,
            "lowest_epoch": best.epoch if best else None,
            "final_test_error": test.error if test is not None else None,
            "final_test_epoch": test.epoch if test is not None else None,
            "seconds_an_epoch": sum(seconds) / len(seconds) if seconds else None,
            "seconds": sum(seconds),
            "backend": self.document["run"].get("backend", self.config.backend),
            "threads": self.config.threads,
        }


@dataclass(frozen=True)
class Comparison:
    """Runs side by side.

    Attributes
    ----------
    runs : sequence of ComparedRun
        In the order in which they were named.
    settings : sequence of dict
        For each run the options in which not all agree, or all of them.
    versions : sequence of dict
        For each run the versions, and the machine, in which not all agree.
    folder : Path
        What their names are seen from.
    every : bool
        Whether the settings are all options.
    """

    runs: Sequence[ComparedRun]
    settings: Sequence[dict[str, Any]]
    versions: Sequence[dict[str, str]]
    folder: Path
    every: bool = False

    def notes(self) -> list[str]:
        """Return what is to be known before errors or seconds are compared, a sentence each."""
        configs = [run.config for run in self.runs]
        notes = []
        if len({data_digest(run.document["data"]) for run in self.runs}) > 1:
            notes.append("the runs are of different data: their errors cannot be compared")
        parts = {
            part: [run.name for run in self.runs if run.config.tested_on == part] for part in ("test", "validation")
        }
        if all(parts.values()):
            said = " and ".join(f"on {part} images in {', '.join(names)}" for part, names in parts.items())
            notes.append(f"last and lowest errors are {said}: they cannot be compared")
        elif any(len({getattr(config, name) for config in configs}) > 1 for name in TESTED):
            notes.append("last and lowest errors are not on the same number of images")
        speeds = {(run.figures()["backend"], run.config.threads, run.machine().get("machine")) for run in self.runs}
        if len(speeds) > 1:
            notes.append("the runs were not trained with the same threads, backend or machine: nor are their seconds")
        return notes

    def text(self, width: int = WIDTH) -> str:
        """Return a table with a column a run, or where that is too wide a row a run, and the notes below.

        Parameters
        ----------
        width : int, default 80
            How wide it may be.
        """
        table = self._columns()
        if not self.every and _width(table) > width:
            table = self._rows()
        notes = [textwrap.fill(f"note: {text}", width, subsequent_indent="  ") for text in self.notes()]
        return "\n".join([table.to_text(width), *notes])

    def to_mapping(self) -> dict[str, Any]:
        """Return all of it by name, for JSON; errors are fractions."""
        runs = [
            {
                "run": run.name,
                "path": str(run.path),
                "settings": settings,
                "versions": run.machine(),
                **run.figures(),
            }
            for run, settings in zip(self.runs, self.settings, strict=True)
        ]
        return {"runs": runs, "notes": self.notes()}

    def _title(self) -> str:
        parts = {run.config.tested_on for run in self.runs}
        on = f", error on {parts.pop()} images" if len(parts) == 1 else ""
        here = Path.cwd()
        folder = self.folder.relative_to(here) if self.folder.is_relative_to(here) else self.folder
        where = "" if folder == Path() else f" in {folder}"
        return f"{counted(len(self.runs), 'run')}{where}{on}"

    def _columns(self) -> Table:
        figures = [{_LONG.get(name, name): text for name, text in one.items()} for one in self._figures()]
        rows: list[list[str]] = []
        for part in (self._of_settings(), self.versions, figures):
            names = dict.fromkeys(name for one in part for name in one)
            if rows and names:
                rows.append([""] * (1 + len(self.runs)))
            rows += [[name, *(one.get(name, _NOTHING) for one in part)] for name in names]
        return Table(["", *(run.name for run in self.runs)], rows, title=self._title())

    def _rows(self) -> Table:
        figures = self._figures()
        differing = [name for name in ("state", "threads", "backend") if len({one[name] for one in figures}) > 1]
        names = [name for name in figures[0] if name in (*_SHORT, *differing)]
        rows = []
        for run, settings, versions, shown in zip(self.runs, self._of_settings(), self.versions, figures, strict=True):
            text = " ".join(f"{name}={value}" for name, value in {**settings, **versions}.items())
            rows.append([run.name, text, *(shown[name] for name in names)])
        right = [name for name in names if name not in ("state", "backend")]
        return Table(["run", "settings", *names], rows, title=self._title(), right=right, whole=("run",))

    def _figures(self) -> list[dict[str, str]]:
        """Return the figures as text; those that no run has are left out."""
        found = [_shown(run) for run in self.runs]
        return [
            {name: text for name, text in one.items() if any(other[name] != _NOTHING for other in found)}
            for one in found
        ]

    def _of_settings(self) -> list[dict[str, str]]:
        """Return the settings as text."""
        return [
            {name: setting_text(self.settings, name, value) for name, value in one.items()} for one in self.settings
        ]


def compare_runs(paths: Sequence[Path], *, every: bool = False) -> Comparison:
    """Read runs and put them side by side.

    Parameters
    ----------
    paths : sequence of Path
        Their folders, two at least.
    every : bool, default False
        Whether all options are shown, in place of those in which the runs differ.

    Raises
    ------
    RunError
        If one is no run, is damaged, or is named twice.
    """
    if len(paths) < 2:
        raise RunError("one run is nothing to compare: name two or more, as in bdfa compare runs/bp runs/bdfa")
    places = [Path(os.path.realpath(path)) for path in paths]
    for number, path in enumerate(paths):
        if places[number] in places[:number]:
            first = paths[places.index(places[number])]
            also = "" if first == path else f", as {first}"
            raise RunError(f"{path} is named twice{also}: name runs that differ")
    whole = [Path(os.path.abspath(path)) for path in paths]
    folder = Path(os.path.commonpath([path.parent for path in whole]))
    runs = [_read(path, str(full.relative_to(folder))) for path, full in zip(paths, whole, strict=True)]
    configs = [run.config for run in runs]
    settings = [_all(config) for config in configs] if every else list(settings_that_differ(configs))
    return Comparison(runs, settings, _differing([run.machine() for run in runs]), folder, every)


def _read(path: Path, name: str) -> ComparedRun:
    folder, config, document, progress, history = opened_run(path)
    over = progress.stop_reason or 0 <= config.epochs <= progress.epoch
    return ComparedRun(
        name, path, config, document, FINISHED if over else UNFINISHED, history, folder.read_result() if over else None
    )


def _all(config: Config) -> dict[str, Any]:
    values = {name: getattr(config, name) for name in OPTIONS if name != "rule_options"}
    return {**{name: value for name, value in values.items() if value is not None}, **(config.rule_options or {})}


def _differing(found: Sequence[dict[str, str]]) -> list[dict[str, str]]:
    names = dict.fromkeys(name for one in found for name in one)
    differing = [name for name in names if len({one.get(name) for one in found}) > 1]
    return [{name: one[name] for name in differing if name in one} for one in found]


def _shown(run: ComparedRun) -> dict[str, str]:
    """Return a run's figures as a table has them."""
    found = run.figures()
    bound = f"/{found['epochs']}" if found["epochs"] > 0 else ""
    texts = {
        "state": found["state"],
        "epochs": f"{found['epochs_done']}{bound}",
        "train": _percent(found["train_error"]),
        "last": _percent(found["last_error"]),
        "lowest": _percent(found["lowest_error"]),
        "after": str(found["lowest_epoch"] or ""),
        "test": _percent(found["final_test_error"]),
        "s/epoch": _seconds(found["seconds_an_epoch"]),
        "s": _seconds(found["seconds"]),
        "threads": str(found["threads"]),
        "backend": str(found["backend"]),
    }
    return {name: text or _NOTHING for name, text in texts.items()}


def _percent(error: float | None) -> str:
    return "" if error is None else f"{error:.2%}"


def _seconds(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:,.{1 if seconds >= 10 else 3}f}"


def _width(table: Table) -> int:
    """Return how wide a table is where nothing is folded."""
    return max(map(len, table.to_text(10**6).splitlines()[1:]))

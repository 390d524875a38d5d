"""What a search keeps in its folder: by which settings it is made, and what it has come to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import filelock
import tomli_w

from bdfa_np.errors import RunError, StudyError
from bdfa_np.options.config import Config
from bdfa_np.study.cell import Cell
from bdfa_np.study.folder import NOT_STUDIED
from bdfa_np.study.search.settings import Search, base_options
from bdfa_np.study.search.trials import Trial
from bdfa_np.system.files import refusal, replace_text
from bdfa_np.system.reading import read_toml


@dataclass(frozen=True)
class Choice:
    """What the search of a cell has come to.

    Attributes
    ----------
    trials : tuple of Trial
        All of them, in their order.
    """

    trials: tuple[Trial, ...]

    @property
    def best(self) -> Trial | None:
        """The trial of the lowest validation error, the first of several; None where all have failed."""
        done = [trial for trial in self.trials if trial.error is not None]
        return min(done, key=lambda trial: (trial.error, trial.number), default=None)

    @property
    def failed(self) -> list[Trial]:
        """The trials that have failed."""
        return [trial for trial in self.trials if trial.error is None]

    def to_toml(self) -> str:
        """Return the text of ``chosen.toml``."""
        best = self.best
        document: dict[str, Any] = {"trials": len(self.trials), "failed": len(self.failed)}
        if best is not None:
            document |= {"chosen": best.number, "error": best.error, "options": dict(best.options)}
        return tomli_w.dumps({**document, "trial": [_table(trial) for trial in self.trials]})


def _table(trial: Trial) -> dict[str, Any]:
    found: dict[str, Any] = {"number": trial.number}
    found |= {"failed": trial.reason} if trial.error is None else {"error": trial.error}
    return {**found, "options": dict(trial.options)}


def read_choice(path: Path) -> Choice | None:
    """Return what a search has come to, from its ``chosen.toml``; None where it is not done.

    Raises
    ------
    RunError
        If the file is damaged.
    """
    if not path.exists():
        return None
    try:
        tables = read_toml(path, RunError, str(path))["trial"]
        trials = [
            Trial(one["number"], one["options"], error=one.get("error"), reason=one.get("failed", "")) for one in tables
        ]
    except (KeyError, TypeError, AttributeError) as error:
        raise RunError(f"{path} is damaged: remove it, and it is written anew from the trials") from error
    return Choice(tuple(trials))


def write_choice(path: Path, choice: Choice) -> None:
    """Keep what a search has come to."""
    _write(path, choice.to_toml())


def settings_of(cell: Cell, search: Search) -> dict[str, Any]:
    """Return all on which the trials of a cell hang, but for their number."""
    base, space = base_options(cell, search), search.of_cell(cell)
    options = Config.from_mapping(base).resolve().to_mapping()
    left_out = {*NOT_STUDIED, "seed", *(one.name for one in space)}
    return {
        "method": search.method,
        "seed": search.seed,
        "epochs": base["epochs"],
        **({"at_once": search.at_once} if search.method == "optuna" else {}),
        "space": {one.name: one.to_mapping() for one in space},
        "options": {name: value for name, value in options.items() if name not in left_out},
    }


def check_settings(path: Path, settings: Mapping[str, Any]) -> None:
    """Raise `StudyError` where the trials in a folder are those of another search, by its ``search.toml``."""
    if not path.exists():
        return
    before = read_toml(path, RunError, str(path))
    was, now = ({**table, **table.get("space", {}), **table.get("options", {})} for table in (before, settings))
    pairs = [(name, was.get(name), now.get(name)) for name in dict.fromkeys([*was, *now])]
    pairs = [pair for pair in pairs if pair[0] not in ("space", "options")]
    changed = [f"{name} {_said(old)}, now {_said(new)}" for name, old, new in pairs if old != new]
    if changed:
        raise StudyError(
            f"{path.parent} was searched with other settings ({'; '.join(changed)}): name another folder with --save, "
            "or put the setting back"
        )


def keep_settings(path: Path, settings: Mapping[str, Any]) -> None:
    """Keep by which settings a search is made."""
    if not path.exists():
        _write(path, tomli_w.dumps(dict(settings)))


def _said(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name} {_said(one)}" for name, one in value.items()) + "}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(map(_said, value)) + "]"
    return "not there" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # No run's claim covers it: two commands that share a study's folder come here at the same moment.
        with filelock.FileLock(path.with_name(f".{path.name}.lock")):
            replace_text(path, text)
    except OSError as error:
        raise RunError(refusal(path, error, "cannot be written")) from error

"""A search by Optuna's tree-structured Parzen estimator, whose trials are asked for, made, and told.

Optuna's journal in the search's folder is the record of it. Where a process was killed, the journal holds trials that
were asked for and not told: these are handed out again, with the same values, and so are neither lost nor doubled. What
is drawn for a trial follows from the seed, its number, and what it came to with the trials before it, and not from the
state of a generator that a kill would lose.
"""

import contextlib
import os
import warnings
from collections.abc import Iterator, Sequence
from math import ceil
from pathlib import Path
from typing import Any

from bdfa_np.errors import RunError
from bdfa_np.study.cell import Cell
from bdfa_np.study.search.settings import Search, base_options
from bdfa_np.study.search.space import Dimension, in_part
from bdfa_np.study.search.trials import Trial, seed_of
from bdfa_np.system.files import refusal
from bdfa_np.system.reading import reason_of

FAILED = "failed"
WORST = 1.0
"""The error that Optuna is told of a trial that failed: it is to look elsewhere."""


class TreeParzen:
    """Asks Optuna for trials, so many at a time as the search says.

    Parameters
    ----------
    path : Path
        Optuna's journal, at which no other process is at work.
    cell : Cell
        On which it is made.
    search : Search
        How it is made.

    Raises
    ------
    RunError
        If its journal cannot be read or written.
    """

    def __init__(self, path: Path, cell: Cell, search: Search) -> None:
        self._cell, self._search = cell, search
        self._space, self._base = search.of_cell(cell), base_options(cell, search)
        self._wanted = search.trials or 0
        self._path = path
        self._asked: dict[int, Any] = {}
        with self._problems_told():
            path.parent.mkdir(parents=True, exist_ok=True)
            _mend(self._path)
            try:
                self._study = _study(self._path, cell.name)
            except (ValueError, KeyError, AssertionError) as error:
                raise RunError(
                    f"{self._path} is damaged or of another version of Optuna ({reason_of(error)}): restore it from a "
                    f"copy, or remove {path.parent} and search anew"
                ) from error

    def ask(self) -> list[Trial]:
        """Return the trials that were asked for and not told, and as many new ones as go with them."""
        with self._problems_told():
            there = self._trials()
            waiting = [trial for trial in there if not trial.state.is_finished()]
            at_once = self._search.at_once
            upto = ceil(len(there) / at_once) * at_once if waiting else len(there) + at_once
            asked = [self._suggested(trial.number, trial) for trial in waiting]
            asked += [self._suggested(number) for number in range(len(there), min(upto, self._wanted))]
        return asked

    def tell(self, trials: Sequence[Trial]) -> None:
        """Tell Optuna what the trials that it was asked for came to."""
        with self._problems_told():
            for trial in trials:
                self._asked[trial.number].set_user_attr(FAILED, trial.reason)
                self._study.tell(trial.number, WORST if trial.error is None else trial.error)

    def told(self) -> list[Trial]:
        """Return the trials that are done, with what they came to."""
        found = []
        for trial in self._trials():
            if trial.state.is_finished():
                reason = trial.user_attrs.get(FAILED, "")
                options = in_part(self._base, trial.params)
                found.append(Trial(trial.number, options, error=None if reason else trial.value, reason=reason))
        return found

    def _trials(self) -> list[Any]:
        """Return Optuna's trials, of no more than are wanted: there may be more from before."""
        found: list[Any] = self._study.get_trials(deepcopy=False)[: self._wanted]
        return found

    def _suggested(self, number: int, begun: Any = None) -> Trial:
        """Return a trial with all its values: a new one, or one of which some were drawn before a kill."""
        import optuna

        self._study.sampler = self._sampler(number)
        asked = self._study.ask() if begun is None else optuna.Trial(self._study, begun._trial_id)
        self._asked[number] = asked
        _ = asked.relative_params  # drawn together, by the seed of the trial, before the first of them is asked for
        for dimension in self._space:
            self._study.sampler = self._sampler(number, dimension.name)
            _suggest(asked, dimension)
        return Trial(number, in_part(self._base, asked.params))

    def _sampler(self, number: int, name: str = "") -> Any:
        import optuna

        seed = seed_of(self._search.seed, self._cell.name, number, name) % 2**32
        with warnings.catch_warnings():
            # Both are usual by now, and were on trial in earlier versions.
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            return optuna.samplers.TPESampler(seed=seed, multivariate=True, constant_liar=True)

    @contextlib.contextmanager
    def _problems_told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise RunError(refusal(self._path, error, "cannot be written")) from error


def _study(path: Path, name: str) -> Any:
    """Return Optuna's study in a journal, which is made if need be."""
    import optuna
    from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

    # What a killed process has left of a lock would be waited for; nobody else is at work here.
    Path(f"{path}.lock").unlink(missing_ok=True)
    backend = JournalFileBackend(str(path), lock_obj=JournalFileOpenLock(str(path)))
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        return optuna.create_study(
            study_name=name, storage=optuna.storages.JournalStorage(backend), direction="minimize", load_if_exists=True
        )
    finally:
        optuna.logging.set_verbosity(verbosity)


def _mend(path: Path) -> None:
    """Take from a journal's end what is no whole line: a process was killed, or the disk full, while it was written."""
    if not path.exists():
        return
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole != len(content):
        os.truncate(path, whole)


def _suggest(asked: Any, dimension: Dimension) -> None:
    if dimension.choices:
        asked.suggest_categorical(dimension.name, dimension.choices)
    elif dimension.is_whole:
        asked.suggest_int(dimension.name, dimension.low, dimension.high, log=dimension.log)
    else:
        asked.suggest_float(dimension.name, dimension.low, dimension.high, log=dimension.log)

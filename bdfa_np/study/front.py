"""A study in Python: read or built, carried out, and looked at."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import fields
from html import escape
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bdfa_np.errors import ConfigError, StudyError
from bdfa_np.options.machine import WHERE
from bdfa_np.representation import one_line
from bdfa_np.study import description
from bdfa_np.study.description import load_study, study_of
from bdfa_np.study.engine.choosing import choose_engine
from bdfa_np.study.events import Outcome
from bdfa_np.study.laboratory import default_folder, run_study
from bdfa_np.study.lines import watcher_for
from bdfa_np.system.paths import check_folder, user_path
from bdfa_np.system.text import counted
from bdfa_np.tables import Table

if TYPE_CHECKING:
    import pandas

    from bdfa_np.study.table import StudyTable


class Study(description.Study):
    """Many runs as one: every cell, which is a configuration, is trained with every seed.

    Read one with `Study.load`, or build one with `Study.from_mapping`.

    Attributes
    ----------
    name : str
        What it is called.
    axes : tuple of str
        The headings of the cells' labels.
    cells : tuple of Cell
        Its cells; each has a ``name``, its ``options``, and what was ``published`` for it.
    seeds : tuple of int
        The seeds of each cell.
    title, source : str
        A line on what it is, and where its published numbers are from.
    notes : tuple of str
        What the source leaves open and how it was settled here, a sentence each.
    report : tuple of {"last", "best", "test"}
        What a run's error is taken from; the first is set beside the published number.
    measure : {"error", "accuracy"}
        As what figures are published and shown.
    search : dict
        What is searched for; empty without a search.

    Examples
    --------
    >>> from bdfa_np import Study
    >>> base = {"dataset": "mnist-5k", "train_limit": 500, "num_hidden": 20, "epochs": 1}
    >>> rules = {"bp": {"gradient": "bp"}, "dfa": {"gradient": "dfa"}}
    >>> study = Study.from_mapping({"seeds": 2, "base": base, "grid": {"rule": rules}}, name="two-rules")
    >>> study
    Study(two-rules, 2 cells, 2 seeds)
    >>> outcomes = study.run(workers=1, progress=False)
    >>> [(outcome.folder, outcome.state) for outcome in outcomes[:2]]
    [('bp/seed-0', 'finished'), ('dfa/seed-0', 'finished')]
    """

    @classmethod
    def load(cls, name_or_path: str | os.PathLike[str], *, trust: bool = False) -> Study:
        """Read a study, and check whether every cell of it can be trained.

        Parameters
        ----------
        name_or_path : str or path
            The name of a study that comes with the package, such as ``"luo-mnist"``, or a TOML file.
        trust : bool, default False
            Whether a net or a rule may be run that the file names and you never did.

        Raises
        ------
        StudyError
            If there is no such study, or it is malformed.
        UntrustedError
            If a net or a rule would be run that you never named.
        """
        return cls._of(load_study(name_or_path, trust=trust))

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any], *, name: str) -> Study:
        """Return the study that a mapping describes, as a TOML file would.

        Parameters
        ----------
        mapping : mapping
            With the keys of a study's file: ``base``, ``grid`` or ``cells``, ``seeds``, ``report``, ``published``,
            ``title``, ``source``, ``notes``, ``measure``, ``search``. A sequence or an array of one dimension may stand
            for a list, and a number of NumPy's for a number.
        name : str
            What the study is called, and its folder under ``studies``.

        Raises
        ------
        StudyError
            If it is malformed.
        """
        if not isinstance(mapping, Mapping):
            raise StudyError(f"the study is a {type(mapping).__name__}: give a dict with 'base' and 'grid' or 'cells'")
        return cls._of(study_of(_plain(mapping), name, trust=True))  # whoever calls names its files

    @classmethod
    def _of(cls, study: description.Study) -> Study:
        return cls(**{one.name: getattr(study, one.name) for one in fields(study)})

    def run(
        self,
        save: str | os.PathLike[str] | None = None,
        *,
        cells: str | Sequence[str] = (),
        seeds: int | Sequence[int] | None = None,
        epochs: int | None = None,
        workers: int | None = None,
        scheduler: str | None = None,
        collect: bool = False,
        collect_every: int | None = None,
        gpu_workers: int | None = None,
        progress: bool | None = None,
        **machine: Any,
    ) -> list[Outcome]:
        """Carry out what is not finished of the study.

        Every run has a run folder of its own. What was interrupted goes on from its last whole epoch, and a run that
        fails does not stop the others.

        Parameters
        ----------
        save : str or path, optional
            The study's folder; ``studies/`` and its name unless given.
        cells : str or sequence of str, optional
            Patterns as a shell has them; only cells of which the name or a label fits one.
        seeds : int or sequence of int, optional
            How many seeds of each cell, or which; as the study says unless given.
        epochs : int, optional
            Shorten runs to so many epochs; they have folders of their own.
        workers : int, optional
            How many runs at once on this machine, a process each; with the extra ``cluster`` as many as there are cores
            unless given, without it one. 1: one after another in this process.
        scheduler : str, optional
            The address of a Dask scheduler, or its scheduler file: its workers train.
        collect : bool, default False
            Whether run folders are to be brought back from there, where it has no folder in common with this machine.
        collect_every : int, optional
            After how many epochs they are; 1 unless given.
        gpu_workers : int, optional
            How many runs at once on this machine, each on a GPU of its own.
        progress : bool, optional
            Whether to print a line for every run that is done; by default in a terminal and in a notebook.
        **machine
            Options of the machine, which go before those of the study: ``datapath``, ``cache_dir``, ``backend``,
            ``device``, ``threads``; 1 thread unless the study or this says otherwise.

        Returns
        -------
        list of Outcome
            For each run its ``folder`` in the study's, its ``state``, ``"finished"`` or ``"failed"``, and of one that
            failed the ``reason``.

        Raises
        ------
        StudyError, ConfigError, DataError, RunError, BackendError
            Before anything is trained, where runs could not be: in one line.
        KeyboardInterrupt
            After Ctrl-C; call it again to go on.
        """
        for name in machine:
            if name not in WHERE:
                raise ConfigError(
                    f"there is no argument {name!r} here: {', '.join(WHERE)} may be given, and other options of runs "
                    "belong in the study"
                )
        _check_whole(epochs=epochs, workers=workers, collect_every=collect_every, gpu_workers=gpu_workers)
        engine = choose_engine(
            workers=workers, scheduler=scheduler, collect=collect, collect_every=collect_every, gpu_workers=gpu_workers
        )
        given = {name: os.fspath(one) if isinstance(one, os.PathLike) else one for name, one in machine.items()}
        folder = self._folder(save)
        return run_study(
            self,
            folder,
            cells=_patterns(cells),
            seeds=seeds,
            epochs=epochs,
            engine=engine,
            machine={name: value for name, value in given.items() if value is not None},
            data_here=scheduler is None,
            watcher=watcher_for(f"{self.name} in {folder}", self.measure, progress),
        )

    def table(
        self,
        save: str | os.PathLike[str] | None = None,
        *,
        cells: str | Sequence[str] = (),
        epochs: int | None = None,
        best: bool = False,
        welch: str | None = None,
        interval: bool = False,
    ) -> StudyTable:
        """Return what the runs have come to, beside what was published.

        Parameters
        ----------
        save : str or path, optional
            The study's folder; ``studies/`` and its name unless given.
        cells : str or sequence of str, optional
            Only cells of which the name or a label fits one of these patterns.
        epochs : int, optional
            Of runs that were shortened to so many epochs.
        best : bool, default False
            Whether figures are of the epoch with the lowest validation error, not of the last.
        welch : str, optional
            An axis: the table is of Welch's tests between its labels.
        interval : bool, default False
            Whether Student's interval of each mean is shown.

        Returns
        -------
        StudyTable
            Shown as a table by a notebook; it has ``text(width)``, ``csv()``, ``markdown()`` and ``latex()``.

        Raises
        ------
        StudyError, RunError
            In one line, where there is no such table.
        """
        from bdfa_np.study.table import tabulate

        return tabulate(
            self, self._folder(save), cells=_patterns(cells), epochs=epochs, best=best, welch=welch, interval=interval
        )

    def frame(
        self,
        save: str | os.PathLike[str] | None = None,
        *,
        cells: str | Sequence[str] = (),
        epochs: int | None = None,
    ) -> pandas.DataFrame:
        """Return the figures of every epoch of every run, a row each.

        Parameters
        ----------
        save, cells, epochs
            As in `table`.

        Returns
        -------
        pandas.DataFrame
            With a column for each of the study's axes, the seed, the epoch, and what ``metrics.csv`` has.

        Raises
        ------
        StudyError, RunError
            In one line, where there are none.
        ImportError
            If pandas is not installed.
        """
        from bdfa_np.study.frame import to_pandas

        return to_pandas(self, self._folder(save), cells=_patterns(cells), epochs=epochs)

    def _folder(self, save: str | os.PathLike[str] | None) -> Path:
        folder = user_path(save, "--save") if save is not None else default_folder(self.name)
        check_folder(folder, "--save", new=True)
        return folder

    def __repr__(self) -> str:
        """Return its name, and how many cells and seeds it has."""
        return one_line(self, [self.name, counted(len(self.cells), "cell"), counted(len(self.seeds), "seed")])

    def _repr_html_(self) -> str:
        """Return what a notebook shows: the line, and a row a cell with what was published."""
        rows = [[cell.name, cell.published] for cell in self.cells]
        return f"<p>{escape(repr(self))}</p>{Table(['cell', f'published {self.measure} in %'], rows).to_html()}"


def _check_whole(**numbers: Any) -> None:
    """Raise `ConfigError` if what is given is no whole number of 1 or more."""
    for name, number in numbers.items():
        if number is not None and (isinstance(number, bool) or not isinstance(number, Integral) or number < 1):
            raise ConfigError(f"{name} is {number!r}: a whole number of 1 or more is wanted")


def _patterns(cells: str | Sequence[str]) -> Sequence[str]:
    return [cells] if isinstance(cells, str) else cells


def _plain(value: Any) -> Any:
    """Return a value as a TOML file would have it."""
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if hasattr(value, "tolist"):  # NumPy's arrays and numbers
        value = value.tolist()
    if isinstance(value, (list, tuple, range)):
        return [_plain(one) for one in value]
    return value

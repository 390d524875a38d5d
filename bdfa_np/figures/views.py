"""A run as pictures see it, and the runs of one setting together."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bdfa_np.errors import DataError, RunError
from bdfa_np.options.config import Config
from bdfa_np.representation import one_line
from bdfa_np.runs.data import check_same_data
from bdfa_np.runs.folder import RunFolder
from bdfa_np.runs.loading import load_model
from bdfa_np.system.text import counted
from bdfa_np.trainer import EpochRecord

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from bdfa_np.diagnostics.diagnostics import Diagnostics
    from bdfa_np.model import Model

Note = Callable[[str], None]


def warned(text: str) -> None:
    """Tell a note where there is no terminal: as a warning."""
    warnings.warn(text, stacklevel=2)


@dataclass(frozen=True, eq=False)
class RunView:
    """A run folder, read without loading its net or its data; or a run in memory.

    Attributes
    ----------
    path : Path or None
        The folder; None of a run that was kept in none.
    config : Config
        Its options.
    history : list of EpochRecord
        The epochs done.
    finished : bool, default True
        Whether no epochs are left to do.
    trust : bool, default False
        Whether its net and rule may be run though they come from a file that was never named.
    note : callable
        Who hears of anything out of the ordinary; it is a warning by default.
    trained, measured : Model, Diagnostics, optional
        The net and what was measured of it, of a run in memory.
    """

    path: Path | None
    config: Config
    history: list[EpochRecord]
    finished: bool = True
    trust: bool = False
    note: Note = warned
    trained: Model | None = None
    measured: Diagnostics | None = None

    def __repr__(self) -> str:
        """Return the folder, the rule and the data set, and how many epochs are done."""
        of = f"{Path(self.config.gradient).stem} on {Path(self.config.dataset).name}"
        state = "" if self.finished else "not finished"
        return one_line(self, [self.name, of, counted(len(self.history), "epoch"), state])

    @property
    def name(self) -> str:
        """The folder, or what a run without one is called."""
        return str(self.path) if self.path is not None else "the run in memory"

    @property
    def folder(self) -> RunFolder:
        """The run folder.

        Raises
        ------
        RunError
            Of a run that was kept in none.
        """
        if self.path is None:
            raise RunError("this run was kept in no folder, and the picture needs it: train it with save='runs/NAME'")
        return RunFolder(self.path)

    @property
    def failure(self) -> str:
        """The error that has ended the run, as after its loss was no number; empty where none has."""
        return "" if self.finished or self.path is None else RunFolder(self.path).read_failure()

    def confusion(self) -> tuple[NDArray[np.int64], tuple[str, ...]]:
        """Return how samples of each true class were predicted after the last epoch, and the names of the K classes.

        Returns
        -------
        counts : ndarray of int64, shape (K, K)
            Rows are true classes, columns predictions; on the part that the run tests on.
        class_names : tuple of str

        Raises
        ------
        RunError
            If the folder is damaged, or there is none.
        """
        folder = self.folder
        _, document = folder.read_document()
        counts: NDArray[np.int64] = folder.read_checkpoint(history=False).confusion.astype("int64")
        return counts, tuple(document["data"]["class_names"])

    def diagnostics(self) -> Diagnostics | None:
        """Return what was measured of the run; None where it was not tracked."""
        if self.measured is not None or self.path is None:
            return self.measured
        return self.folder.read_diagnostics()

    def model(self, *, best: bool = False) -> Model:
        """Build the net as the last epoch left it, or the best one, on NumPy; the same again each time.

        Parameters
        ----------
        best : bool, default False
            Whether to take the net of the lowest error on the part tested on, which ``--keep-best`` keeps.

        Raises
        ------
        RunError, UntrustedError, ExtensionError
            As `bdfa_np.load_run`.
        """
        if self.trained is not None:
            return self.trained
        path = self.folder.path
        return load_model(path, best=best, backend="numpy", trust=self.trust, note=self.note)

    def test_set(self) -> tuple[NDArray[Any], NDArray[np.float32], NDArray[np.int64]]:
        """Return the samples that the run tests on: the validation images of a run with ``validate``.

        Returns
        -------
        raw : ndarray, shape (N, H, W, C) or (N, d)
            As they are in files.
        prepared : ndarray of float32, of the same shape
            As the net takes them.
        labels : ndarray of int64, shape (N,)
            Their classes.

        Raises
        ------
        RunError
            If the run does not know how they are prepared, or was kept in no folder.
        DataError
            If the data are gone, or not those of the run.
        """
        from bdfa_np.data import load_dataset
        from bdfa_np.data.splits import split

        folder, config = self.folder, self.config
        _, document = folder.read_document()
        preprocessing = folder.read_preprocessing(folder.read_checkpoint(history=False))
        if preprocessing is None:
            raise RunError(
                f"{self.path} is older than preprocessing.h5, without which raw values cannot be prepared: it is added "
                f"by bdfa train --save {self.path} --resume"
            )
        dataset = load_dataset(
            config.dataset,
            config.datapath,
            extra=not config.no_extra,
            resize=config.resize,
            label=config.label,
            test_fraction=config.test_fraction,
            seed=config.seed,
        )
        check_same_data(dataset.checksums, document, self.path)
        if dataset.class_names != preprocessing.class_names:
            raise DataError(f"{dataset.name} has other classes than the net of {self.path}: start a new run")
        part = split(dataset, validate=config.validate, test_limit=config.test_limit, seed=config.seed)
        return part.test_images, preprocessing.apply(part.test_images), part.test_labels


@dataclass(frozen=True, eq=False)
class Subject:
    """A line of a picture: one run, or those of one setting that differ in their seed.

    Attributes
    ----------
    label : str
        What it is called in a legend: a cell's name, or what tells a run from the others.
    runs : tuple of RunView
        By seed.
    """

    label: str
    runs: tuple[RunView, ...]

    def __repr__(self) -> str:
        """Return the label and the runs."""
        return one_line(self, [repr(self.label), *(run.name for run in self.runs)])

    @property
    def config(self) -> Config:
        """The options of its first run; those of the others differ in their seed alone."""
        return self.runs[0].config

    @property
    def unfinished(self) -> str:
        """What is to be said of runs that are not finished; empty where all are."""
        left = [run for run in self.runs if not run.finished]
        if not left:
            return ""
        if len(self.runs) > 1:
            return f"{len(left)} of {counted(len(self.runs), 'seed')} not finished"
        done, asked = len(left[0].history), left[0].config.epochs
        far = f"{done} of {counted(asked, 'epoch')}" if asked > done else counted(done, "epoch")
        if left[0].failure:
            return f"failed after {far}"
        return far if asked > done else f"{far} so far"

    @property
    def legend(self) -> str:
        """The label, and what is to be known of the runs: how many seeds, and which are not finished."""
        told = [counted(len(self.runs), "seed")] if len(self.runs) > 1 else []
        told += [self.unfinished] if self.unfinished else []
        return f"{self.label} ({', '.join(told)})" if told else self.label

    @property
    def short_legend(self) -> str:
        """The same without the number of seeds, which is told for all subjects together."""
        return f"{self.label} ({self.unfinished})" if self.unfinished else self.label

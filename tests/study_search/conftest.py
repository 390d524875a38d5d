"""Studies that are searched, and an engine whose runs come to what a formula says, without any training."""

from collections.abc import Callable
from types import SimpleNamespace

import pytest

from bdfa_np.study.description import load_study
from bdfa_np.study.events import Outcome, Watcher
from bdfa_np.study.folder import StudyFolder
from bdfa_np.study.search.choosing import searched

STUDY = """
seeds = 2
[base]
dataset = "mnist-5k"
train_limit = 200
num_hidden = 10
epochs = 2
optimization = "sgd"
[grid.rule]
bp = { gradient = "bp" }
bdfa = { gradient = "bdfa" }
"""
SEARCH = """
[search]
trials = 6
epochs = 1
[search.space]
lr = { low = 1e-5, high = 1e-1, log = true }
"""


class FormulaFolder(StudyFolder):
    """A study's folder in which a run's error is what a formula says of its options."""

    def __init__(self, path, formula: Callable) -> None:
        super().__init__(path)
        self.formula = formula

    def history(self, run):
        error = self.formula(run.options)
        return [SimpleNamespace(test_error=1 - error), SimpleNamespace(test_error=error)]


class FormulaEngine:
    """Notes what it is asked to run; a formula that raises is a run that fails.

    A process that is killed is played by ``stop_after``: so many runs are carried out, and then nothing any more.
    """

    def __init__(self, formula: Callable, stop_after: int | None = None) -> None:
        self.formula, self.ran, self.stop_after, self.batches = formula, [], stop_after, []

    def run(self, runs, root, machine, watcher):
        outcomes = []
        self.batches.append([run.folder for run in runs])
        for run in runs:
            if len(self.ran) == self.stop_after:
                raise KeyboardInterrupt
            self.ran.append(run)
            try:
                self.formula(run.options)
                outcomes.append(Outcome(run.folder, "finished", trained=1))
            except ValueError as error:
                outcomes.append(Outcome(run.folder, "failed", str(error)))
        return outcomes


@pytest.fixture
def study(tmp_path):
    def made(search=SEARCH, study=STUDY, change=("", "")):
        (tmp_path / "s.toml").write_text((study.replace(*change) if change[0] else study) + search)
        return load_study(tmp_path / "s.toml")

    return made


@pytest.fixture
def search(tmp_path):
    """Return what makes a study's search in a folder, by a formula for the error."""

    def made(study, formula, save="s", *, stop_after=None, watcher=None, **chosen):
        folder = FormulaFolder(tmp_path / save, formula)
        engine = FormulaEngine(formula, stop_after)
        found, failed = searched(study, folder, engine, {}, watcher or Watcher(), **chosen)
        return SimpleNamespace(
            folder=folder,
            engine=engine,
            failed=failed,
            chosen={cell.name: cell.options for cell in found.cells},
        )

    return made

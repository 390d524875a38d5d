"""Training from Python in one call: from a data set and options to a trained model."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any, ClassVar, cast

from bdfa_np.data import Dataset
from bdfa_np.data.sources.handed import PREFIX
from bdfa_np.declaration import flag
from bdfa_np.diagnostics.diagnostics import Diagnostics
from bdfa_np.errors import ConfigError
from bdfa_np.extensions import blamed
from bdfa_np.habits import Habits
from bdfa_np.model import Model
from bdfa_np.options.catalogue import OPTIONS
from bdfa_np.options.config import Config
from bdfa_np.options.hints import OPTIONS as OTHER_NAMES
from bdfa_np.options.hints import meant
from bdfa_np.representation import one_line
from bdfa_np.runs.bar import Bar, Callback
from bdfa_np.runs.folder import RunFolder
from bdfa_np.runs.history import History
from bdfa_np.runs.loading import load_model
from bdfa_np.runs.session import RunInterrupted
from bdfa_np.runs.starting import resume_run, start_run
from bdfa_np.system.paths import check_folder, user_path
from bdfa_np.system.text import counted


@dataclass(frozen=True, eq=False)
class TrainingResult(Habits):
    """What `train` has come to.

    Attributes
    ----------
    model : Model
        The trained net with its rule, loss and optimizer; it predicts and is tested from raw values. With
        ``keep_best``, that of the lowest validation error.
    history : History
        A row an epoch.
    folder : pathlib.Path or None
        The run folder, where one was asked for.
    notes : tuple of str
        What was out of the ordinary.
    interrupted : bool
        Whether Ctrl-C ended it; model and history are then those of the last whole epoch.
    diagnostics : Diagnostics or None
        What ``track`` has measured; None where it was not given.
    """

    model: Model
    history: History
    folder: Path | None
    notes: tuple[str, ...] = ()
    interrupted: bool = False
    diagnostics: Diagnostics | None = None

    habits: ClassVar[dict[str, str]] = {
        "predict": "the trained net is result.model: result.model.predict(x)",
        "evaluate": "the trained net is result.model: result.model.evaluate(data)",
        "network": "the trained net is result.model, and its layers result.model.network",
    }

    @property
    def config(self) -> Config:
        """The resolved options."""
        return self.model.config

    def _repr_html_(self) -> str:
        """Return what a notebook shows: the line, and a row an epoch."""
        return f"<p>{escape(repr(self))}</p>{self.history.table().to_html()}"

    def __repr__(self) -> str:
        """Return what was trained, how long, how well, and where it lies."""
        config, how = self.config, "interrupted after " if self.interrupted else ""
        epochs = f"{how}{counted(len(self.history), 'epoch')}"
        error = f"{config.tested_on} error {self.history[-1].test_error:.2%}" if self.history else ""
        where = f"in {self.folder}" if self.folder else ""
        return one_line(self, [config.dataset, config.gradient, epochs, error, where])


@blamed()
def train(
    config: Config | None = None,
    *,
    dataset: str | os.PathLike[str] | Dataset | tuple[Any, ...] | None = None,
    save: str | os.PathLike[str] | None = None,
    resume: bool = False,
    force: bool = False,
    load: str | os.PathLike[str] | None = None,
    trust: bool = False,
    progress: bool | None = None,
    callbacks: Callback | Sequence[Callback] = (),
    **options: Any,
) -> TrainingResult:
    """Train a net.

    Parameters
    ----------
    config : Config, optional
        Options; those given by name go before.
    dataset : str, path, Dataset or tuple of array_like, optional
        A data set's name or path, a data set, or arrays: ``(x, y)`` with ``test_fraction``, or ``(x_train, y_train,
        x_test, y_test)``; see `Dataset.from_arrays` for what these may be.
    save : str or path, optional
        A run folder as ``bdfa train`` writes it; nothing is kept on the disk unless it is given.
    resume : bool, default False
        Go on with the run in ``save``, or start it where there is none.
    force : bool, default False
        Replace a run that is in ``save``.
    load : str or path, optional
        A run folder or ``checkpoint.h5`` whose weights the net starts from.
    trust : bool, default False
        With ``resume``: whether the run's net or rule may be run though it comes from a file that you have never named;
        see `load_run`.
    progress : bool, optional
        Whether to show a bar; by default in a terminal and in a notebook.
    callbacks : callable or sequence of callable, optional
        Called after every epoch, once it is saved, with its `EpochRecord` and a dictionary of what ``track`` measured
        in it, as ``{"signal_angle.linear1": 78.2, ...}``; see docs/diagnostics.md. What one raises ends training, and
        is raised on.
    **options
        Options of a run by their names, as `Config` explains them, for example ``gradient="dfa", epochs=5``.

    Returns
    -------
    TrainingResult
        The trained model and its history. Ctrl-C ends training and returns what the last whole epoch left.

    Raises
    ------
    ConfigError, DataError, RunError, BackendError, TrainingError
        Whatever a user can mend, in one line.
    ExtensionError
        If a net or a rule from a file of your own is broken; it says in which line.
    UntrustedError
        If a run to go on with names a file that you have never named.

    Examples
    --------
    >>> from bdfa_np import load_dataset, train
    >>> result = train(dataset="mnist-5k", gradient="dfa", num_hidden=100, lr=1e-3, epochs=2, seed=1, threads=1)
    >>> len(result.history), result.history[-1].test_error < 0.2
    (2, True)
    >>> result.model.predict(load_dataset("mnist-5k").test_images[:3]).names
    ['0', '1', '2']
    """
    given = _options(config, options)
    data = None
    if dataset is not None:
        data, given["dataset"] = _data(dataset, given)
    if resume and save is None:
        raise ConfigError("resume=True needs save=RUN, the run to go on with")
    if given.get("tensorboard") and save is None:
        raise ConfigError("tensorboard=True writes into the run folder: name one with save=RUN")
    heard = _callbacks(callbacks)
    if resume and force:
        raise ConfigError("resume and force exclude each other: go on with the run, or replace it")
    with tempfile.TemporaryDirectory(prefix="bdfa-") as temporary:
        folder = Path(temporary) / "run" if save is None else _run_folder(save)
        goes_on = resume and not RunFolder(folder).is_vacant
        begun = RunFolder(folder).read_document()[0] if goes_on else Config(**given)
        bar = Bar(progress, begun.tested_on, heard, save)
        try:
            if goes_on:
                session = resume_run(folder, given, trust=trust, listener=bar, dataset=data)
            else:
                start = None if load is None else user_path(load, "--load")
                session = start_run(Config(**given), folder, load=start, force=force, listener=bar, dataset=data)
        except KeyboardInterrupt as interrupt:
            bar.ends()
            if not (goes_on or isinstance(interrupt, RunInterrupted)):
                raise
            # What has just been run may be run again.
            model, history = load_model(folder, trust=True), RunFolder(folder).read_checkpoint().history
            interrupted = True
        else:
            model, history, interrupted = session.model, session.history, False
        measured = _measured(folder, model.optimizer.steps)
        if model.config.keep_best and history:
            model = load_model(folder, best=True, trust=True)
    config = model.config
    kept = None if save is None else folder
    found = History(history, config.tested_on)
    return TrainingResult(model, found, kept, tuple(bar.notes), interrupted, measured)


def _measured(folder: Path, steps: int) -> Diagnostics | None:
    """Return what was measured up to a run's last whole epoch."""
    found = RunFolder(folder).read_diagnostics()
    return None if found is None else found.up_to(steps)


def _callbacks(callbacks: Callback | Sequence[Callback]) -> Sequence[Callback]:
    """Return the callbacks, of which one may stand alone; refuse what cannot be called."""
    listed = isinstance(callbacks, (list, tuple))
    found = cast("list[Callback]", list(callbacks) if listed else [callbacks])  # type: ignore[arg-type]
    for place, one in enumerate(found):
        if not callable(one):
            raise ConfigError(
                f"callbacks{f'[{place}]' if listed else ''} is {'None' if one is None else f'a {type(one).__name__}'}: "
                "give functions, each called as f(record, measured) after an epoch"
            )
    return found


def _run_folder(save: str | os.PathLike[str]) -> Path:
    """Return the folder that a run is to be in; refuse what cannot be one."""
    folder = user_path(save, "--save")
    check_folder(folder, "--save", new=True)
    return folder


def _options(config: Config | None, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that say something, by their names."""
    for name in options:
        if name not in OPTIONS:
            raise ConfigError(f"there is no option {name!r}.{_question(name) or ' help(bdfa_np.Config) lists them'}")
    given = {} if config is None else {name: getattr(config, name) for name in OPTIONS}
    given = {name: value for name, value in given.items() if OPTIONS[name].is_given(value)} | dict(options)
    return {name: os.fspath(value) if isinstance(value, os.PathLike) else value for name, value in given.items()}


def _question(name: str) -> str:
    """Ask whether another option was meant, as it is written in Python."""
    own = ("--save", "--load", "--resume", "--force")
    there = {spelling: spelling for spelling in (*own, *(option.flag for option in OPTIONS.values()))}

    def in_python(found: re.Match[str]) -> str:
        argument = found[1].replace("-", "_")
        return f"{argument}={found[2]!r}" if found[2] else argument

    return re.sub(r"'--([\w-]+)(?: (\w+))?'", in_python, meant(flag(name), OTHER_NAMES, there))


def _data(dataset: Any, options: Mapping[str, Any]) -> tuple[Dataset | None, str]:
    """Return the data set where it is in memory, and what the options call it."""
    if isinstance(dataset, (str, os.PathLike)):
        path = os.fspath(dataset)
        named = isinstance(dataset, os.PathLike) and os.sep not in path
        return None, os.path.join(os.curdir, path) if named else path
    if isinstance(dataset, (tuple, list)):
        if len(dataset) == 2 and all(isinstance(pair, (tuple, list)) and len(pair) == 2 for pair in dataset):
            dataset = (*dataset[0], *dataset[1])  # as Keras gives them
        if len(dataset) not in (2, 4):
            raise ConfigError(
                f"dataset has {len(dataset)} parts: give (x, y) and test_fraction, "
                "or (x_train, y_train, x_test, y_test)"
            )
        chosen = {"test_fraction": options.get("test_fraction"), "seed": options.get("seed", 0)}
        dataset = Dataset.from_arrays(*dataset, **chosen)
    if not isinstance(dataset, Dataset):
        raise ConfigError(
            f"dataset is a {type(dataset).__name__}: give a name, a path, a Dataset, or a tuple of arrays"
        )
    return dataset, PREFIX + dataset.name

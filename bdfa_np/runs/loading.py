"""Models from run folders, as their last epoch or their best one left them."""

import contextlib
import os
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from bdfa_np.errors import RunError
from bdfa_np.extensions import blamed, is_theirs
from bdfa_np.model import Model, build_model
from bdfa_np.network import Sequential
from bdfa_np.options.config import Config
from bdfa_np.options.machine import cuda_defaults
from bdfa_np.runs.checkpoint import Checkpoint, read_checkpoint
from bdfa_np.runs.data import RunData
from bdfa_np.runs.folder import CHECKPOINT, RunFolder
from bdfa_np.system.paths import check_input, user_path


def load_run(
    path: str | os.PathLike[str], *, best: bool = False, backend: str | None = None, trust: bool = False
) -> Model:
    """Build the model of a run folder, as its last epoch left it, or its best one.

    Parameters
    ----------
    path : path
        A run folder that ``bdfa train`` wrote.
    best : bool, default False
        Whether to take the net of the lowest validation error, which ``--keep-best`` keeps, not the last one.
    backend : {"auto", "numpy", "cupy"}, optional
        Where the model computes; where the run did unless given, with its options for CUDA.
    trust : bool, default False
        Whether the run's net or rule may be run though it comes from a file that you have never named: read it first.
        It is added to the list of files that are run unasked.

    Returns
    -------
    Model
        With a warning where the file of its net or its rule is gone or has changed, so that the run's copy was taken.

    Raises
    ------
    RunError
        If there is no usable run, or its best net was not kept.
    UntrustedError
        If its net or its rule would be run, which are somebody's file, and you have never named it.
    ExtensionError
        If these are broken.
    BackendError
        If the backend cannot be used here.
    """
    notes: list[str] = []
    model = load_model(user_path(path, "the run folder"), best=best, backend=backend, trust=trust, note=notes.append)
    for text in notes:
        warnings.warn(text, stacklevel=2)
    return model


@blamed()
def load_model(
    path: Path,
    *,
    best: bool = False,
    backend: str | None = None,
    trust: bool = False,
    note: Callable[[str], None] = lambda _: None,
) -> Model:
    """Do what `load_run` does; ``note`` is called with a line about anything out of the ordinary."""
    folder = RunFolder(path)
    with folder.opened(trust=trust) as (trained, document, last, notes):
        for text in notes:
            note(text)
        config = trained if backend is None else trained.replace(backend=backend, **cuda_defaults())
        data = document["data"]
        model = build_model(config, tuple(data["input_shape"]), len(data["class_names"]))
        checkpoint = folder.read_best() if best else last
        restore(model, checkpoint, folder.path)
        return replace(model, preprocessing=folder.read_preprocessing(checkpoint))


def model_for(config: Config, data: RunData) -> Model:
    """Build a configuration's model for its data, whose preprocessing it is given."""
    model = build_model(config, data.split.input_shape, len(data.split.class_names))
    return replace(model, preprocessing=data.prepared.preprocessing)


@contextlib.contextmanager
def weights_of(network: Sequential, checkpoint: Checkpoint) -> Iterator[None]:
    """Give a network a checkpoint's weights and running statistics for a while, then its own again."""
    weights, carried = network.weights.state(), network.state()
    try:
        network.weights.load_state(checkpoint.weights)
        network.load_state(checkpoint.layers)
        yield
    finally:
        network.weights.load_state(weights)
        network.load_state(carried)


def load_weights(model: Model, path: Path) -> str:
    """Start a model from the weights of another run of the same net.

    Weights and running statistics are taken over; feedback matrices too where the other run has the same ones
    (the same rule, that is), else they stay as drawn. The optimizer starts anew.

    Parameters
    ----------
    model : Model
        A new model.
    path : Path
        A run folder, or a ``checkpoint.h5``.

    Returns
    -------
    str
        What was loaded, in one line.

    Raises
    ------
    RunError
        If there is no checkpoint, or it is of another net.
    """
    if path.is_dir():
        RunFolder(path).finish()
    file = path / CHECKPOINT if path.is_dir() else path
    check_input(file, "--load")
    if not file.exists():
        raise RunError(f"--load {path}: there is no file {file}")
    checkpoint = read_checkpoint(file, history=False)
    network = model.network
    try:
        network.weights.load_state(checkpoint.weights)
        network.load_state(checkpoint.layers)
    except ValueError as error:
        if is_theirs(error):
            raise
        raise RunError(f"--load {path} holds the weights of another net: {error}") from error
    shapes = {name: tuple(array.shape) for name, array in checkpoint.feedback.items()}
    same = len(shapes) > 0 and shapes == {name: spec.shape for name, spec in model.rule.feedback.specs.items()}
    if same:
        model.rule.feedback.load_state(checkpoint.feedback)
    return f"loaded {file}: weights{' and feedback' if same else ''} after epoch {checkpoint.progress.epoch}"


def restore(model: Model, checkpoint: Checkpoint, path: Path) -> None:
    """Load a checkpoint into the model of the same run.

    Raises
    ------
    RunError
        If the two do not belong together.
    """
    try:
        model.load_state(vars(checkpoint))
    except ValueError as error:
        if is_theirs(error):
            raise
        raise RunError(f"the checkpoint in {path} is not that of its config.toml: {error}") from error

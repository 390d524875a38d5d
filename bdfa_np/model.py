"""From options to objects: the network with its rule, loss and optimizer, new or from a run folder."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bdfa_np.backend import make_backend
from bdfa_np.backend.base import Backend
from bdfa_np.constraints import MaxNorm
from bdfa_np.data.augmentation import Augmentation
from bdfa_np.errors import ConfigError, RunError
from bdfa_np.layers.base import Shape
from bdfa_np.losses import LOSSES, Loss
from bdfa_np.network import Sequential
from bdfa_np.networks import build_network
from bdfa_np.optim import OPTIMIZERS, Optimizer
from bdfa_np.options.config import Config
from bdfa_np.random_streams import Streams
from bdfa_np.rules import RULES, Rule

# Who imports this waits neither for NumPy nor for h5py: what trains, and what reads run folders, is imported in use.
if TYPE_CHECKING:
    from bdfa_np.runs.checkpoint import Checkpoint
    from bdfa_np.trainer import BatchSource, Trainer


@dataclass(frozen=True)
class Model:
    """What is trained and how: the objects that one configuration stands for.

    Attributes
    ----------
    config : Config
        The resolved options.
    backend : Backend
        Where everything computes.
    streams : Streams
        The run's random streams.
    network, rule, loss, optimizer
        As `Trainer` takes them.
    """

    config: Config
    backend: Backend
    streams: Streams
    network: Sequential
    rule: Rule
    loss: Loss
    optimizer: Optimizer

    def trainer(self, train: BatchSource, test: BatchSource, on_batch: Callable[[int], None] | None = None) -> Trainer:
        """Return what trains these objects as the options say.

        Parameters
        ----------
        train, test : BatchSource
            The training and test samples.
        on_batch : callable, optional
            Called after every training step with the number of steps done in this epoch.

        Raises
        ------
        ConfigError
            If the samples are to be augmented and are no images.
        """
        from bdfa_np.trainer import Trainer

        config, network = self.config, self.network
        return Trainer(
            network=network,
            rule=self.rule,
            loss=self.loss,
            optimizer=self.optimizer,
            train=train,
            test=test,
            epoch_step=config.epoch_step,
            eps=config.eps,
            acc_gradient=config.acc_gradient,
            constraint=MaxNorm(network, incoming=config.max_in_norm, outgoing=config.max_out_norm),
            augment=Augmentation(self.backend, self.streams, network.input_shape) if config.augment else None,
            on_batch=on_batch,
        )

    def state(self) -> dict[str, Any]:
        """Return what a `Checkpoint` holds of these objects, by the names that it has for them."""
        return {
            "weights": self.network.weights.state(),
            "feedback": self.network.feedback.state(),
            "layers": self.network.state(),
            "optimizer": self.optimizer.state(),
            "training_passes": self.network.training_passes,
            "learning_rate": self.optimizer.learning_rate,
            "steps": self.optimizer.steps,
        }

    def load(self, checkpoint: Checkpoint) -> None:
        """Take over what a checkpoint holds.

        Raises
        ------
        ValueError
            If it belongs to another network, rule or optimizer.
        """
        self.network.weights.load_state(checkpoint.weights)
        self.network.feedback.load_state(checkpoint.feedback)
        self.network.load_state(checkpoint.layers)
        self.network.training_passes = checkpoint.training_passes
        self.optimizer.load_state(checkpoint.optimizer)
        self.optimizer.learning_rate = checkpoint.learning_rate
        self.optimizer.steps = checkpoint.steps


def build_model(config: Config, input_shape: Shape, num_classes: int, *, dtype: str = "float32") -> Model:
    """Build everything that a configuration stands for.

    Parameters
    ----------
    config : Config
        The options; they are resolved here.
    input_shape : tuple of int
        Shape of one sample, (H, W, C) for images.
    num_classes : int
        Number of classes.
    dtype : {"float32", "float64"}, default "float32"
        Precision; float64 is for checks.

    Returns
    -------
    Model

    Raises
    ------
    ConfigError
        If options cannot be used, or not together.
    BackendError
        If the backend cannot be used.

    Examples
    --------
    >>> from bdfa_np import Config, build_model
    >>> model = build_model(Config(gradient="dfa", num_hidden=20), (28, 28, 1), 10)
    >>> model.network["feedback1"].B.shape
    (10, 20)
    """
    config = config.resolve()
    backend = configured_backend(config, dtype)
    return assemble(config, build_network(config, input_shape, num_classes, Streams(config.seed), backend))


def assemble(config: Config, network: Sequential) -> Model:
    """Give a network the rule, the loss and the optimizer that a configuration stands for.

    Parameters
    ----------
    config : Config
        The options, resolved.
    network : Sequential
        A new network; it need not be the one that the options name.

    Returns
    -------
    Model
        On the network's backend.

    Raises
    ------
    ConfigError
        If the rule cannot train this network.
    """
    try:
        rule = RULES[config.gradient].from_config(network, config)
    except ValueError as error:
        raise ConfigError(f"--gradient {config.gradient} cannot train --network {config.network}: {error}") from error
    assert config.lr is not None  # resolve() has filled it in
    kind = OPTIMIZERS[config.optimization]
    optimizer = kind(rule.trained, config.lr, **{option: getattr(config, option) for option in kind.options})
    loss = LOSSES[config.criterion](network.backend)
    return Model(config, network.backend, network.streams, network, rule, loss, optimizer)


def configured_backend(config: Config, dtype: str = "float32") -> Backend:
    """Make the backend that a configuration asks for.

    Raises
    ------
    BackendError
        If it cannot be used.
    """
    return make_backend(
        config.backend,
        dtype,
        device=config.device,
        tf32=config.tf32,
        cuda_graph=config.cuda_graph,
        memory_limit=None if config.gpu_memory is None else int(config.gpu_memory * 2**30),
    )


def load_run(path: str | os.PathLike[str]) -> Model:
    """Build the model of a run folder, as its last checkpoint left it.

    Parameters
    ----------
    path : path
        A run folder that ``bdfa train`` wrote.

    Returns
    -------
    Model

    Raises
    ------
    RunError
        If there is no usable run.
    """
    from bdfa_np.runs.folder import RunFolder, check_same_network

    folder = RunFolder(Path(path))
    config, document = folder.read_config()
    check_same_network(config, document, folder.path)
    data = document["data"]
    model = build_model(config, tuple(data["input_shape"]), len(data["class_names"]))
    restore(model, folder.read_checkpoint(), folder.path)
    return model


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
    from bdfa_np.runs.checkpoint import read_checkpoint
    from bdfa_np.runs.folder import CHECKPOINT

    file = path / CHECKPOINT if path.is_dir() else path
    if not file.exists():
        raise RunError(f"--load {path}: there is no file {file}")
    checkpoint = read_checkpoint(file)
    network = model.network
    try:
        network.weights.load_state(checkpoint.weights)
        network.load_state(checkpoint.layers)
    except ValueError as error:
        raise RunError(f"--load {path} holds the weights of another net: {error}") from error
    shapes = {name: tuple(array.shape) for name, array in checkpoint.feedback.items()}
    same = len(shapes) > 0 and shapes == {name: spec.shape for name, spec in network.feedback.specs.items()}
    if same:
        network.feedback.load_state(checkpoint.feedback)
    return f"loaded {file}: weights{' and feedback' if same else ''} after epoch {checkpoint.progress.epoch}"


def restore(model: Model, checkpoint: Checkpoint, path: Path) -> None:
    """Load a checkpoint into the model of the same run.

    Raises
    ------
    RunError
        If the two do not belong together.
    """
    try:
        model.load(checkpoint)
    except ValueError as error:
        raise RunError(f"the checkpoint in {path} is not that of its config.toml: {error}") from error

"""From options to objects: the network with its rule, loss and optimizer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bdfa_np.backend import make_backend
from bdfa_np.backend.base import Backend
from bdfa_np.constraints import MaxNorm
from bdfa_np.data.augmentation import Augmentation
from bdfa_np.errors import ConfigError
from bdfa_np.layers.base import Shape
from bdfa_np.losses import LOSSES, Loss
from bdfa_np.network import Sequential
from bdfa_np.networks import build_network, network_file
from bdfa_np.optim import OPTIMIZERS, Optimizer
from bdfa_np.options.config import Config
from bdfa_np.random_streams import Streams
from bdfa_np.rules import Rule
from bdfa_np.rules.find import make_rule, rule_file

# Who imports this does not wait for NumPy: what trains is imported in use.
if TYPE_CHECKING:
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
        """Return all that a checkpoint holds of these objects, by name; arrays are on the host."""
        return {
            "weights": self.network.weights.state(),
            "feedback": self.rule.feedback.state(),
            "layers": self.network.state(),
            "optimizer": self.optimizer.state(),
            "rule": self.rule.state(),
            "rule_counters": self.rule.counters(),
            "training_passes": self.network.training_passes,
            "learning_rate": self.optimizer.learning_rate,
            "steps": self.optimizer.steps,
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take over what `state` of the same network, rule and optimizer gave.

        Raises
        ------
        ValueError
            If it belongs to another network, rule or optimizer.
        """
        self.network.weights.load_state(state["weights"])
        self.rule.feedback.load_state(state["feedback"])
        self.network.load_state(state["layers"])
        self.network.training_passes = state["training_passes"]
        self.optimizer.load_state(state["optimizer"])
        self.optimizer.learning_rate = state["learning_rate"]
        self.optimizer.steps = state["steps"]
        self.rule.load_state(state["rule"], state["rule_counters"])


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
    >>> model.rule.B["feedback1"].shape
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
        rule = make_rule(config.gradient, network, config.rule_arguments())
    except ValueError as error:
        raise ConfigError(f"--gradient {config.gradient} cannot train --network {config.network}: {error}") from error
    assert config.lr is not None  # resolve() has filled it in
    kind = OPTIMIZERS[config.optimization]
    optimizer = kind(rule.trained, config.lr, **{option: getattr(config, option) for option in kind.options})
    loss = LOSSES[config.criterion](network.backend)
    return Model(config, network.backend, network.streams, network, rule, loss, optimizer)


def outside(config: Config) -> dict[str, Path | None]:
    """Return the files that a configuration's net and rule come from where they are a user's, by their options."""
    return {
        "--gradient": rule_file(config.gradient),
        "--network": network_file(config.network, config.models_folder),
    }


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

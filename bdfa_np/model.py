"""From options to objects: the network with its rule, loss and optimizer."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from bdfa_np import schedules
from bdfa_np.backend import make_backend
from bdfa_np.backend.base import Backend
from bdfa_np.backend.cuda.status import missing_of
from bdfa_np.constraints import MaxNorm
from bdfa_np.data.augmentation import Augmentation, CropFlip
from bdfa_np.errors import BackendError, ConfigError, DataError, RunError
from bdfa_np.extensions import blamed, told
from bdfa_np.habits import Habits
from bdfa_np.layers.base import Shape
from bdfa_np.layers.batchnorm import BatchNorm
from bdfa_np.losses import LOSSES, Loss
from bdfa_np.network import Sequential
from bdfa_np.networks import build_network
from bdfa_np.optim import OPTIMIZERS, Optimizer
from bdfa_np.options.config import Config
from bdfa_np.options.machine import device_numbers, device_of
from bdfa_np.options.training import milestones
from bdfa_np.options.usual import suspects
from bdfa_np.random_streams import Streams
from bdfa_np.representation import one_line, passage_text
from bdfa_np.rules import Rule
from bdfa_np.rules.find import make_rule
from bdfa_np.schedules import Schedule
from bdfa_np.system.text import counted
from bdfa_np.tables import Table

# Who imports this does not wait for NumPy: what trains is imported in use.
if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from bdfa_np.batches import BatchSource
    from bdfa_np.data import Dataset, Preprocessing
    from bdfa_np.parallel.share import Team
    from bdfa_np.predictions import Evaluation, Predictions
    from bdfa_np.trainer import Augment, Trainer


@dataclass(frozen=True, eq=False)
class Model(Habits):
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
    preprocessing : Preprocessing or None
        What is done to a raw sample before the net sees it, and what the classes are called; None of a model that
        was built by hand.
    """

    config: Config
    backend: Backend
    streams: Streams
    network: Sequential
    rule: Rule
    loss: Loss
    optimizer: Optimizer
    preprocessing: Preprocessing | None = None

    habits: ClassVar[dict[str, str]] = {
        **{name: advice.replace("network.", "model.network.") for name, advice in Sequential.habits.items()},
        **dict.fromkeys(("to", "cuda", "cpu"), "where to compute is an option: Config(backend='cupy')"),
        "eval": "there is no mode to switch: model.predict(x) and model.evaluate(...) are use",
        "forward": "model.predict(x) takes raw samples, model.network.forward(x) prepared ones, for a step of training",
        "fit": "bdfa_np.train(...) trains, as does model.trainer(train, test).run(epochs)",
        "train": "bdfa_np.train(...) trains, as does model.trainer(train, test).run(epochs)",
    }

    def __call__(self, *_: object, **__: object) -> NoReturn:
        """Say what to write.

        Raises
        ------
        TypeError
            Always.
        """
        raise TypeError("a model is not called: model.predict(x) in use, model.network.forward(x) in training")

    def __repr__(self) -> str:
        """Return what its net takes and gives, and how it learns."""
        config, network = self.config, self.network
        size = counted(network.weights.values.size, "parameter")
        kinds = [config.network, config.gradient, self.loss.name, self.optimizer.name]
        return one_line(self, [passage_text(network.input_shape, network.output_shape), size, *kinds])

    def trainer(
        self,
        train: BatchSource,
        test: BatchSource | None,
        on_batch: Callable[[int], None] | None = None,
        team: Team | None = None,
    ) -> Trainer:
        """Return what trains these objects as the options say.

        Parameters
        ----------
        train : BatchSource
            The training samples.
        test : BatchSource or None
            The test samples; None: nothing is tested on.
        on_batch : callable, optional
            Called after every training step with the number of steps done in this epoch.
        team : Team, optional
            The processes that train together, as `Trainer` takes them.

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
            epoch_step=-1 if config.schedule == "step" else config.epoch_step,
            schedule=configured_schedule(config),
            eps=config.eps,
            acc_gradient=config.acc_gradient,
            clip_norm=config.clip_norm,
            constraint=MaxNorm(
                network,
                incoming=config.max_in_norm,
                outgoing=config.max_out_norm,
                layers=filter(self.rule.learns, network.tree()),
            ),
            augment=self._augment(),
            on_batch=on_batch,
            tested_on=config.tested_on,
            suspects=suspects(config),
            team=team,
        )

    def _augment(self) -> Augment | None:
        """Return what alters training images; a model that knows of no preprocessing has zeros for black."""
        parts = self.backend, self.streams, self.network.input_shape
        if self.config.augment == "crop-flip":
            return CropFlip(*parts, None if self.preprocessing is None else self.preprocessing.blank())
        return Augmentation(*parts) if self.config.augment else None

    @blamed()
    def predict(self, x: ArrayLike, *, prepared: bool = False) -> Predictions:
        """Say what samples are.

        Parameters
        ----------
        x : array_like, shape (N, H, W, C) or (N, d)
            Samples with their values as they are in files, to which is done what was done to the training samples.
        prepared : bool, default False
            Whether that has been done already. Nothing is inferred from the values.

        Returns
        -------
        Predictions
            Labels, names, and probabilities or scores.

        Raises
        ------
        DataError
            If the samples have another shape than the net's, or raw values that cannot be raw ones.
        RunError
            If the model knows of no preprocessing, being built by hand, and the samples are raw.
        """
        from bdfa_np.predictions import predictions

        return predictions(self.network, self.loss, self._samples(x, prepared=prepared), self.class_names)

    @blamed()
    def evaluate(
        self,
        data: str | os.PathLike[str] | Dataset | ArrayLike,
        labels: ArrayLike | None = None,
        *,
        prepared: bool = False,
    ) -> Evaluation:
        """Test the net.

        Parameters
        ----------
        data : str, path, Dataset or array_like
            A data set, or its name, whose test images are meant; or samples (N, H, W, C) or (N, d) of one's own.
        labels : array_like of integers or names, shape (N,), optional
            Their classes; only with samples.
        prepared : bool, default False
            As in `predict`.

        Returns
        -------
        Evaluation
            Loss, error and confusion matrix.

        Raises
        ------
        DataError
            As in `predict`, or if labels and samples do not go together.
        """
        from bdfa_np.data import Dataset, load_dataset
        from bdfa_np.predictions import evaluation, numbered

        if isinstance(data, (str, os.PathLike)):
            resize = self.preprocessing.resize if self.preprocessing else None
            data = load_dataset(data, self.config.datapath, resize=resize)
        x: ArrayLike
        if isinstance(data, Dataset):
            if labels is not None:
                raise ConfigError("labels go with samples of your own: a data set has labels of its own")
            if data.class_names != self.class_names:
                raise DataError(
                    f"{data.name} has other classes ({', '.join(data.class_names[:3])} ...) than the net "
                    f"({', '.join(self.class_names[:3])} ...): choose a data set of the same classes"
                )
            x, labels = data.test_images, data.test_labels
        else:
            x = data
        if labels is None:
            raise ConfigError("evaluate(x, labels) needs the labels of the samples, or a data set in place of both")
        ready = self._samples(x, prepared=prepared)
        return evaluation(self.network, self.loss, ready, numbered(labels, self.class_names), self.class_names)

    def summary(self) -> Table:
        """Return the layer table: output shapes, parameters, the rule's feedback, multiply-adds, and their sums."""
        title = f"{self.config.network}, {self.config.gradient}, {self.loss.name}, {self.optimizer.name}"
        return self.network.table(self.rule.B, title)

    @property
    def class_names(self) -> tuple[str, ...]:
        """The names of the K classes; those of a model that was built by hand are their numbers."""
        if self.preprocessing is not None:
            return self.preprocessing.class_names
        return tuple(map(str, range(self.network.output_shape[0])))

    def _samples(self, x: ArrayLike, *, prepared: bool) -> NDArray[Any]:
        """Return samples as the net takes them."""
        import numpy as np

        if not prepared:
            if self.preprocessing is None:
                raise RunError(
                    "this model does not know how raw values are prepared: it was built by hand, or its run is older "
                    "than preprocessing.h5, which one more --resume adds; give prepared values with prepared=True"
                )
            return self.preprocessing.apply(np.asarray(x))
        ready = np.asarray(x)
        if ready.shape[1:] != self.network.input_shape or len(ready) == 0:
            raise DataError(
                f"samples of the shape {ready.shape} do not fit: an array of N samples of the shape "
                f"{self.network.input_shape} is wanted"
            )
        if ready.dtype.kind not in "uif" or not np.isfinite(ready).all():
            raise DataError("prepared samples must be numbers, and every one of them finite")
        return ready.astype(self.backend.dtype, copy=False)

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


@blamed()
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
    for layer in network.tree():
        if isinstance(layer, BatchNorm):
            layer.local = config.bn_local
    try:
        rule = make_rule(config.gradient, network, config.rule_arguments())
    except ValueError as error:
        if config.network == "mlp" and config.num_layers == 0:
            raise ConfigError(
                f"--num-layers 0 has no hidden layer for --gradient {config.gradient} to teach: "
                "give 1 or more, or --gradient bp"
            ) from error
        raise ConfigError(
            f"--gradient {config.gradient} cannot train --network {config.network}: {told(error) or error}"
        ) from error
    assert config.lr is not None  # resolve() has filled it in
    kind = OPTIMIZERS[config.optimization]
    optimizer = kind(rule.trained, config.lr, **{option: getattr(config, option) for option in kind.options})
    loss = LOSSES[config.criterion](network.backend)
    return Model(config, network.backend, network.streams, network, rule, loss, optimizer)


def configured_schedule(config: Config) -> Schedule | None:
    """Return what a configuration multiplies the rates by, from epoch to epoch; None where they stay."""
    found: list[Schedule] = []
    if config.warmup:
        found.append(partial(schedules.warmup, epochs=config.warmup))
    if config.schedule == "step":
        found.append(partial(schedules.step, every=config.epoch_step, gamma=config.gamma))
    elif config.schedule == "multistep":
        found.append(partial(schedules.multistep, milestones=milestones(config.milestones), gamma=config.gamma))
    elif config.schedule == "cosine":
        found.append(partial(schedules.cosine, epochs=config.epochs))
    return partial(schedules.product, schedules=found) if found else None


def configured_backend(config: Config, dtype: str = "float32") -> Backend:
    """Make the backend that a configuration asks for.

    Raises
    ------
    BackendError
        If it cannot be used.
    """
    name = config.backend
    if config.devices is not None:
        name, missing = "cupy", missing_of(device_numbers(config.devices))
        if missing:
            raise BackendError(f"--devices {config.devices} cannot be used: {missing}; or leave it out")
    return make_backend(
        name,
        dtype,
        device=device_of(config),
        tf32=config.tf32,
        cuda_graph=config.cuda_graph,
        memory_limit=None if config.gpu_memory is None else int(config.gpu_memory * 2**30),
    )

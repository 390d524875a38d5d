"""Every option of a run in one frozen dataclass: its default, its check, its help and its spelling in Torch."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import Field, asdict, dataclass, field, fields, replace
from typing import Any

from bdfa_np.backend import BACKENDS
from bdfa_np.constraints import OFF
from bdfa_np.data.recipe import FORMATS, NORMALIZATIONS, ZCA_EPSILON, Recipe
from bdfa_np.data.sources.find import is_own
from bdfa_np.data.sources.registry import dataset_names, find_entry
from bdfa_np.errors import ConfigError
from bdfa_np.layers import NON_LINEARITIES
from bdfa_np.losses import LOSSES
from bdfa_np.networks import NETWORKS
from bdfa_np.optim import NOT_CARRIED_OVER, OPTIMIZERS
from bdfa_np.options.checks import at_least, fraction, known_dataset, magnitude, memory, not_negative, positive
from bdfa_np.rules import RULES
from bdfa_np.rules.bdfa import FEEDBACK_ALPHA, FEEDBACK_LR, TARGETS, TARGETS_WITH_ALPHA
from bdfa_np.rules.bfa import OUTPUTS

FOR_CUDA = ("device", "tf32", "cuda_graph", "gpu_memory")
"""Options that have no part in computing on the CPU."""


def option(
    default: Any,
    help: str,  # noqa: A002 - click's own word for it
    *,
    torch: str | None = None,
    choices: tuple[str, ...] | tuple[int, ...] = (),
    absent: tuple[str, ...] = (),
    check: Callable[[Any], str | None] | None = None,
    is_flag: bool = False,
) -> Any:
    """Declare an option: a dataclass field whose metadata the command line and the checks read.

    ``absent`` names values that Torch has and that are refused as not carried over.
    """
    metadata = {"help": help, "torch": torch, "choices": choices, "absent": absent, "check": check, "is_flag": is_flag}
    return field(default=default, metadata=metadata)


def usable_cores() -> int:
    """Return how many processor cores this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def optimizers_with(name: str) -> str:
    """Return the optimizers that have an option, for a sentence."""
    return ", ".join(key for key, optimizer in OPTIMIZERS.items() if name in optimizer.options)


@dataclass(frozen=True)
class Config:
    """The options of a run. Defaults are the original's, but for ``gradient``, ``backend`` and ``threads``.

    None means "not given". `resolve` checks everything together and fills in what depends on other options.
    """

    dataset: str = option(
        "mnist",
        f"Data set: {', '.join(dataset_names())}; or your own: a .npz or .h5 file, or a folder as ./NAME.",
        torch="-dataset",
        check=known_dataset,
    )
    datapath: str | None = option(
        None, "Folder of the data sets. [default: BDFA_DATA_DIR, else the cache folder]", torch="-datapath"
    )
    cache_dir: str | None = option(
        None, "Folder of prepared data. [default: BDFA_CACHE_DIR, else the cache folder]", torch="-preProcDir"
    )
    no_extra: bool = option(False, "svhn: leave out the extra training images.", is_flag=True)
    resize: int | None = option(
        None, "Scale images to N rows and columns when they are read.", check=at_least(1, at_most=1024)
    )
    format: str = option("rgb", "Colours of the images.", torch="-format", choices=FORMATS)
    normalization: str | None = option(
        None,
        "scale: to 0..1; simple, channel, image: all pixels, each channel's, each place's to mean 0 and deviation 1. "
        "[default: scale, unless --whiten]",
        torch="-normalization",
        choices=NORMALIZATIONS,
    )
    whiten: bool = option(False, "ZCA whitening, in place of a normalization.", torch="-whiten", is_flag=True)
    zca_epsilon: float | None = option(
        None,
        f"What whitening adds to each variance, of values 0..255. [default: {ZCA_EPSILON:g}]",
        check=positive,
    )
    augment: bool = option(
        False,
        "Train on random crops, scaled back, and mirror images: another draw in each epoch.",
        torch="-augment",
        is_flag=True,
    )
    validate: bool = option(
        False, "Test on the training set's last 10,000 (or last fifth).", torch="-validate", is_flag=True
    )
    train_limit: int | None = option(None, "Train on a stratified part of N images.", check=at_least(1))
    test_limit: int | None = option(None, "Test on a stratified part of N images.", check=at_least(1))
    network: str = option(
        "mlp",
        f"Net to build: {', '.join(NETWORKS)}, a Python file of your own, or its name in --models-folder.",
        torch="-network",
    )
    models_folder: str = option("./Models/", "Folder of your own nets.", torch="-modelsFolder")
    nonlin: str = option("tanh", "Hidden non-linearity.", torch="-nonlin", choices=tuple(NON_LINEARITIES))
    num_layers: int = option(2, "Hidden layers of mlp.", torch="-num_layers", check=at_least(1, at_most=1000))
    num_hidden: int = option(
        800, "Units of each hidden layer.", torch="-num_hidden", check=at_least(1, at_most=1_000_000)
    )
    dropout: int = option(
        0,
        "1: mlp drops 0.1 of the input and 0.5 of hidden layers, conv 0.25 and 0.5; 2: only mlp's input, conv's 0.25.",
        torch="-dropout",
        choices=(0, 1, 2),
    )
    batchnorm: int = option(
        0,
        "1: batch normalisation before every hidden non-linearity; 2: in conv's second block alone.",
        torch="-batchnorm",
        choices=(0, 1, 2),
    )
    bias: bool = option(True, "0: no biases.", torch="-bias")
    gradient: str = option("bdfa", "Learning rule.", torch="-gradient", choices=tuple(RULES))
    criterion: str = option(
        "bce",
        "Loss. The error of bce is summed over the batch, not divided by its size, as published rates assume.",
        torch="-criterion",
        choices=tuple(LOSSES),
    )
    rfb_mag: float = option(0.0, "Feedback is drawn within ±X; 0: from its size.", torch="-rfb_mag", check=magnitude)
    feedback_target: str | None = option(None, "bdfa: what B learns to predict from. [default: torch]", choices=TARGETS)
    feedback_lr: float | None = option(
        None, f"bdfa: learning rate of the feedback. [default: {FEEDBACK_LR:g}]", check=not_negative
    )
    feedback_alpha: float | None = option(
        None, f"bdfa: α of the targets torch and mixed. [default: {FEEDBACK_ALPHA:g}]", check=not_negative
    )
    feedback_output: str | None = option(
        None,
        "bfa: σ of the drawn input; auto: sigmoid for inputs in [0, 1].  [default: auto]",
        choices=("auto", *OUTPUTS),
    )
    optimization: str = option(
        "rmsprop", "Optimizer.", torch="-optimization", choices=tuple(OPTIMIZERS), absent=NOT_CARRIED_OVER
    )
    lr: float | None = option(
        None, "Learning rate.  [default: 0.0001; rprop 0.1; adadelta 1]", torch="-LR", check=positive
    )
    lr_decay: float = option(
        0.0,
        f"Rate is lr / (1 + steps · X); {optimizers_with('lr_decay')}.",
        torch="-LRDecay",
        check=not_negative,
    )
    weight_decay: float = option(0.0, "L2 penalty.", torch="-weightDecay", check=not_negative)
    momentum: float = option(0.0, f"Momentum; {optimizers_with('momentum')}.", torch="-momentum", check=fraction)
    max_in_norm: float = option(
        OFF, "Largest norm of a unit's incoming weights; 400: no limit.", torch="-maxInNorm", check=positive
    )
    max_out_norm: float = option(
        OFF, "Largest norm of a unit's outgoing weights; 400: no limit.", torch="-maxOutNorm", check=positive
    )
    eps: float = option(
        0.0, "Adversarial regularisation: train on x + X · sign(dE/dx).", torch="-eps", check=not_negative
    )
    acc_gradient: bool = option(False, "1: with --eps, add the clean pass's gradient.", torch="-accGradient")
    batch_size: int = option(64, "Images a batch.", torch="-batchSize", check=at_least(1))
    const_batch_size: bool = option(
        False, "Drop an epoch's last, smaller batch.", torch="-constBatchSize", is_flag=True
    )
    epochs: int = option(300, "Epochs; -1: no bound.", torch="-epoch", check=at_least(-1))
    epoch_step: int = option(
        -1,
        "Halve the rate: k>0 every k epochs; 0 whenever the training error stops falling, 8 times; -1 never.",
        torch="-epoch_step",
        check=at_least(-1),
    )
    seed: int = option(0, "Seed of everything random.", check=at_least(0))
    threads: int | None = option(
        None, "CPU threads.  [default: usable cores]", torch="-threads", check=at_least(1, at_most=4096)
    )
    backend: str = option("auto", "Where to compute.", choices=BACKENDS)
    device: int = option(0, "CUDA device, counted from 0.", check=at_least(0))
    tf32: bool = option(
        False, "CUDA: allow TF32 in matrix products: faster, but of 3 digits in place of 7.", is_flag=True
    )
    cuda_graph: bool = option(
        False, "CUDA: capture a training step as a graph and replay it: faster for small nets.", is_flag=True
    )
    gpu_memory: float | None = option(None, "CUDA: GiB of device memory that may be taken.", check=memory)
    visualize: bool = option(False, "1: draw the error curves into the run folder.", torch="-visualize")

    def resolve(self) -> Config:
        """Check every option and their combinations; return a configuration with nothing left open.

        Returns
        -------
        Config
            With ``lr`` and ``threads`` filled in and, for the chosen rule, its feedback options.

        Raises
        ------
        ConfigError
            Naming the option, its value and what is wanted.
        """
        for item in fields(self):
            self._check(item)
        if self.epochs == 0:
            raise ConfigError("--epochs must be 1 or more, or -1 for no bound")
        if self.acc_gradient and not self.eps:
            raise ConfigError("--acc-gradient 1 keeps the clean pass's gradient, which only --eps has: give --eps too")
        if self.backend == "numpy":
            for name in FOR_CUDA:
                if getattr(self, name):
                    raise ConfigError(f"{flag(name)} is for CUDA, and has no part in --backend numpy: leave it out")
        self._check_data_options()
        self._check_network_options()
        self._check_rule_options()
        self._check_optimizer_options()
        return replace(self, **self._filled_in())

    def recipe(self) -> Recipe:
        """Return what is to be done to the images before training.

        Raises
        ------
        ConfigError
            If options of preprocessing exclude one another.
        """
        return Recipe(
            self.dataset,
            extra=not self.no_extra,
            resize=self.resize,
            format=self.format,
            normalization=self.normalization,
            whiten=self.whiten,
            zca_epsilon=self.zca_epsilon,
            validate=self.validate,
            train_limit=self.train_limit,
            seed=self.seed,
        )

    def _filled_in(self) -> dict[str, Any]:
        """Return the values of options that were not given and follow from others."""
        recipe = self.recipe()
        filled: dict[str, Any] = {
            "dataset": self.dataset if is_own(self.dataset) else find_entry(self.dataset).name,
            "normalization": recipe.normalization,
            "zca_epsilon": recipe.zca_epsilon,
        }
        if self.lr is None:
            filled["lr"] = OPTIMIZERS[self.optimization].default_learning_rate
        if self.gradient == "bdfa":
            target = self.feedback_target or "torch"
            filled["feedback_target"] = target
            filled["feedback_lr"] = FEEDBACK_LR if self.feedback_lr is None else self.feedback_lr
            if target in TARGETS_WITH_ALPHA:
                filled["feedback_alpha"] = FEEDBACK_ALPHA if self.feedback_alpha is None else self.feedback_alpha
            elif self.feedback_alpha is not None:
                raise ConfigError(f"--feedback-alpha has no part in --feedback-target {target}: leave it out")
        if self.gradient == "bfa" and self.feedback_output in (None, "auto"):
            # Only this normalization makes inputs that a sigmoid can draw: within [0, 1].
            filled["feedback_output"] = "sigmoid" if recipe.normalization == "scale" else "linear"
        if self.threads is None:
            filled["threads"] = usable_cores()
        return filled

    def _check(self, item: Field[Any]) -> None:
        value = getattr(self, item.name)
        if value is None:
            return
        choices, check = item.metadata["choices"], item.metadata["check"]
        if value in item.metadata["absent"]:
            raise ConfigError(
                f"{flag(item.name)} {value} is not carried over from Torch's optim: choose from {', '.join(choices)}"
            )
        if choices and value not in choices:
            raise ConfigError(f"{flag(item.name)} {value}: choose from {', '.join(map(str, choices))}")
        problem = check(value) if check else None
        if problem:
            raise ConfigError(f"{flag(item.name)} {problem}, not {value}")

    def _check_data_options(self) -> None:
        if not is_own(self.dataset):
            find_entry(self.dataset).check_extra(not self.no_extra)
        elif self.no_extra:
            raise ConfigError("--no-extra has no part in a data set of your own: leave it out")

    def _check_network_options(self) -> None:
        if self.network == "mlp" and self.batchnorm == 2:
            raise ConfigError("--batchnorm 2 normalises the second block of --network conv: mlp takes 0 or 1")
        if self.network == "conv":
            for item in fields(self):
                if item.name in ("num_layers", "num_hidden") and getattr(self, item.name) != item.default:
                    raise ConfigError(f"{flag(item.name)} has no part in --network conv: leave it out")

    def _check_rule_options(self) -> None:
        rule = RULES[self.gradient]
        for name in sorted(set().union(*(other.options for other in RULES.values())) - rule.options):
            if getattr(self, name) not in (None, 0.0):
                owners = ", ".join(key for key, other in RULES.items() if name in other.options)
                raise ConfigError(
                    f"{flag(name)} has no part in --gradient {self.gradient}, only in {owners}: leave it out"
                )

    def _check_optimizer_options(self) -> None:
        optimizer = OPTIMIZERS[self.optimization]
        for name in ("lr_decay", "momentum", "weight_decay"):
            if getattr(self, name) and name not in optimizer.options:
                owners = optimizers_with(name)
                raise ConfigError(
                    f"--optimization {self.optimization} has no {flag(name)}, only {owners}: leave it out"
                )
        if optimizer.needs_momentum and self.momentum == 0:
            raise ConfigError(f"--optimization {self.optimization} needs a --momentum greater than 0")
        if not optimizer.follows_rate and self.epoch_step != -1:
            raise ConfigError(
                f"--epoch-step has no part in --optimization {self.optimization}, which adapts its steps itself: "
                "leave it out"
            )

    def to_mapping(self) -> dict[str, Any]:
        """Return the options that have a value, for a run's ``config.toml``."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> Config:
        """Make a configuration of what ``to_mapping`` gave.

        Raises
        ------
        ConfigError
            If an option is unknown, its value is of another type than the option's default, or a text holds a
            null character.
        """
        known = {item.name: item for item in fields(cls)}
        for name, value in mapping.items():
            if name not in known:
                raise ConfigError(f"unknown option '{name}'")
            if not has_option_type(known[name], value):
                raise ConfigError(f"option '{name}' has a value of the wrong type: {value!r}")
            if isinstance(value, str) and "\0" in value:  # no path can hold one, and no other text means to
                raise ConfigError(f"option '{name}' holds a null character")
        return cls(**mapping)


def flag(name: str) -> str:
    """Return an option's spelling on the command line."""
    return "--" + name.replace("_", "-")


def option_type(item: Field[Any]) -> type:
    """Return the type of an option's values, None set aside."""
    return {"str": str, "bool": bool, "int": int, "float": float}[str(item.type).removesuffix(" | None")]


def has_option_type(item: Field[Any], value: object) -> bool:
    """Return whether a value read from a file is of the option's type; a whole number will do for a float."""
    wanted = option_type(item)
    if wanted is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    return type(value) is wanted

"""Whether two backends compute the same: small training runs on both, compared array by array.

A `Case` is a net with its options on a fixed problem. `run_case` trains it on a backend and returns all that came out,
`compare` sets two backends beside each other. What single kernels compute is compared in `bdfa_np.parity.kernels`.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from bdfa_np.backend.base import Array, Backend, Batch
from bdfa_np.backend.cpu.backend import NumpyBackend
from bdfa_np.layers import (
    NON_LINEARITIES,
    BatchNorm,
    Conv2d,
    Dropout,
    ErrorFeedback,
    Flatten,
    GlobalAvgPool,
    Layer,
    Linear,
    MaxPool2d,
    PadShortcut,
    ReLU,
    Residual,
)
from bdfa_np.model import Model, assemble
from bdfa_np.network import Sequential
from bdfa_np.networks import mlp
from bdfa_np.optim import OPTIMIZERS
from bdfa_np.options.config import Config
from bdfa_np.parity.differences import Difference, difference, failure
from bdfa_np.random_streams import Streams
from bdfa_np.rules import RULES
from bdfa_np.trainer import Trainer

SHAPES = {"mlp": (6, 5, 1), "conv": (9, 8, 2), "resnet20": (7, 6, 2)}
"""The nets, and the images that each is given."""
WITH_OPTIONS = ("mlp", "conv")
"""The nets that have every option."""
NUM_CLASSES = 4
BATCHES = ((0, 6), (6, 12), (12, 16))
"""Where the batches of an epoch begin and end: the last is smaller."""
STEPS = 10

ONE_PASS = {"float64": 1e-10, "float32": 2e-5}
"""Tolerances of a forward and a backward pass; to sum in another order moves these nets' arrays by 6e-15 and 4e-6."""
TEN_STEPS = {"float64": 1e-9, "float32": 2e-4}
"""Tolerances of `STEPS` steps; to sum in another order moves the arrays by 2e-14 and 1e-5.

There is more room than in one pass since many optimizers divide by the gradient's own size, where the rounding of a
small entry counts in full.
"""

LEARNING_RATES = {"rprop": 0.003, "adadelta": 1.0, "sgd": 0.02, "nag": 0.01, "asgd": 0.02}
"""Of the optimizers whose rate must not be `SMALL_STEPS`: large enough to show, small enough for ten tame steps."""
SMALL_STEPS = 0.003

SHOWN: Mapping[str, Mapping[str, float]] = {"bdfa": {"feedback_lr": 0.05}, "ebd": {"ebd_lambda": 0.9}}
"""Options of rules by whose defaults feedback would change by less than float32 shows."""

OPTIONS: tuple[Mapping[str, Any], ...] = (
    {"criterion": "ce"},
    {"nonlin": "sigm"},
    {"nonlin": "relu"},
    {"dropout": 1},
    {"dropout": 1, "eps": 0.08, "batchnorm": 1},
    {"batchnorm": 1},
    {"bias": False},
    {"eps": 0.08},
    {"eps": 0.08, "acc_gradient": True},
    {"nonlin": "leaky_relu", "weight_decay": 0.01},
    {"momentum": 0.9, "lr_decay": 0.1},
    {"optimization": "nag", "momentum": 0.9, "weight_decay": 0.01},
    {"max_in_norm": 0.8},
    {"max_out_norm": 0.6},
    {"augment": True},
    {"gradient": "bdfa", "feedback_target": "label"},
    {"gradient": "bdfa", "feedback_target": "mixed"},
    {"gradient": "bdfa", "feedback_target": "torch"},
    {"gradient": "bfa", "feedback_output": "linear", "lr": 0.002},  # nothing bounds what it draws
    {"gradient": "bfa", "feedback_target": "mixed"},
    {"gradient": "bfa", "feedback_target": "centred"},
    {"gradient": "fa", "rfb_mag": 0.5},
    {"gradient": "sdfa", "rfb_init": "normal"},
    {"gradient": "bdfa", "feedback_sparsity": 2},
    {"gradient": "dfa", "feedback_rank": 2},
    {"gradient": "dfa", "feedback_shared": True},
    {"gradient": "dkp", "optimization": "adam", "feedback_optimizer": "sgd", "feedback_decay": 1.0},
    {"criterion": "mse"},
    {"momentum": 0.9, "dampening": 0.0},
    {"nonlin": "gelu", "optimization": "adamw", "weight_decay": 0.1},
    {"clip_norm": 0.1},
    {"gradient": "bfa", "clip_norm": 0.1},
    {"augment": "crop-flip"},
    {"gradient": "frsf", "sign_scale": "weights"},
    {"gradient": "fdfa", "feedback_optimizer": "adam", "feedback_lr": 0.05},
    {"gradient": "wm", "mirror_lr": 0.1},
    {"gradient": "wm", "mirror_decay": 0.05},
    {"gradient": "pfa", "feedback_expansion": 2},
)
"""Every option that changes what a step computes, at least once."""


@dataclass(frozen=True)
class Case:
    """A small training run that is to come out the same on every backend.

    Parameters
    ----------
    network : {"mlp", "conv", "resnet20"}
        The net: the package's ``mlp``, the layers of its ``conv`` in two blocks, or those of its ``resnet20`` in three,
        with both kinds of shortcut; all are narrow.
    gradient : str, default "bp"
        The learning rule.
    optimization : str, default "sgd"
        The optimizer; the learning rate and a momentum that it cannot do without are chosen for it.
    options : mapping, optional
        Further fields of `Config`, as the command line has them.
    """

    network: str
    gradient: str = "bp"
    optimization: str = "sgd"
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The case in words."""
        options = [f"{name} {value}" for name, value in self.options.items()]
        return ", ".join([f"{self.network} {self.gradient} {self.optimization}", *options])

    def config(self) -> Config:
        """Return the resolved configuration."""
        given: dict[str, Any] = {"lr": LEARNING_RATES.get(self.optimization, SMALL_STEPS)}
        if OPTIMIZERS[self.optimization].needs_momentum:
            given["momentum"] = 0.5
        given |= SHOWN.get(self.gradient, {})
        if self.network == "mlp":
            given["num_hidden"] = 12
        names = {"network": self.network, "gradient": self.gradient, "optimization": self.optimization}
        return Config(**(given | names | dict(self.options))).resolve()


def trained_nets(rule: str) -> list[str]:
    """Return the nets of `SHAPES` that a rule of the package can train."""
    if RULES[rule].fully_connected_only:
        return ["mlp"]
    return list(WITH_OPTIONS if rule == "bfa" else SHAPES)  # which generates through a chain of layers


def cases(thorough: bool = False) -> list[Case]:
    """Return the cases to run.

    Parameters
    ----------
    thorough : bool, default False
        Every net with every rule that can train it and every optimizer, and with every option. Otherwise every net with
        every rule under one optimizer, every optimizer once, and every option on one net. Options are for the nets
        that have them all.
    """
    pairs = [(net, rule) for net in SHAPES for rule in RULES if net in trained_nets(rule)]
    if thorough:
        chosen = [Case(net, rule, optimizer) for net, rule in pairs for optimizer in OPTIMIZERS]
        return chosen + [_with_options(net, options) for net in WITH_OPTIONS for options in OPTIONS]
    chosen = [Case(net, rule, "adam") for net, rule in pairs]
    chosen += [Case("mlp", "bfa", optimizer) for optimizer in OPTIMIZERS if optimizer != "adam"]
    return chosen + [_with_options(WITH_OPTIONS[number % 2], options) for number, options in enumerate(OPTIONS)]


def _with_options(network: str, options: Mapping[str, Any]) -> Case:
    named = {key: value for key, value in options.items() if key in ("gradient", "optimization")}
    others = {key: value for key, value in options.items() if key not in named}
    return Case(network, **named, options=others)


class Reference(NumpyBackend):
    """NumPy with what another backend draws: each has a random generator of its own.

    Parameters
    ----------
    other : Backend
        Whose masks and numbers to take, and whose precision.
    """

    def __init__(self, other: Backend) -> None:
        super().__init__(other.dtype)
        self._other = other

    def dropout(self, x: Array, key: tuple[int, ...], keep: float, mask: Array, out: Array) -> Array:
        """Ask the other backend for the mask of this key."""
        other = self._other
        drawn = other.empty(mask.shape)
        other.dropout(other.zeros(mask.shape), key, keep, drawn, other.empty(mask.shape))
        mask[...] = other.to_host(drawn)
        return np.multiply(x, mask, out=out)

    def uniform(self, out: Array, key: tuple[int, ...], bound: float) -> Array:
        """Ask the other backend for the numbers of this key."""
        out[...] = self._other.to_host(self._other.uniform(self._other.empty(out.shape), key, bound))
        return out

    def normal(self, out: Array, key: tuple[int, ...]) -> Array:
        """Ask the other backend for the numbers of this key."""
        out[...] = self._other.to_host(self._other.normal(self._other.empty(out.shape), key))
        return out


def _narrow_conv(config: Config, backend: Backend) -> Sequential:
    """Return the kinds of layers of the package's ``conv``, in two blocks that take no time."""
    layers: list[Layer] = []
    pools: list[list[Layer]] = [[MaxPool2d(3, 2)], []]
    for weights, pool in zip(
        (Conv2d(5, 5, padding=2, bias=config.bias), Linear(11, bias=config.bias)), pools, strict=True
    ):
        layers.append(weights)
        if config.batchnorm:
            layers.append(BatchNorm(bias=config.bias))
        layers.append(NON_LINEARITIES[config.nonlin]())
        if config.dropout:
            layers.append(Dropout(0.25))
        layers += [*pool, ErrorFeedback()]
        if pool:
            layers.append(Flatten())
    layers.append(Linear(NUM_CLASSES, bias=config.bias))
    return Sequential(layers, SHAPES["conv"], backend=backend, rng=Streams(config.seed))


def _narrow_residual(config: Config, backend: Backend) -> Sequential:
    """Return the kinds of layers of the package's ``resnet20``, in a block with each kind of shortcut."""

    def convolution(channels: int, size: int = 3, stride: int = 1) -> list[Layer]:
        return [Conv2d(channels, size, stride=stride, padding=size // 2, bias=False), BatchNorm()]

    blocks = [
        Residual([*convolution(4), ReLU(), *convolution(4)]),
        Residual([*convolution(6, stride=2), ReLU(), *convolution(6)], [PadShortcut(6)]),
        Residual(convolution(8, stride=2), convolution(8, size=1, stride=2)),
    ]
    layers = [*convolution(4), ReLU()]
    for block in blocks:
        layers += [block, ReLU(), ErrorFeedback()]
    layers += [GlobalAvgPool(), Linear(NUM_CLASSES)]
    return Sequential(layers, SHAPES["resnet20"], backend=backend, rng=Streams(config.seed))


NARROW: Mapping[str, Callable[[Config, Backend], Sequential]] = {"conv": _narrow_conv, "resnet20": _narrow_residual}
"""What is trained in place of the package's own nets."""


def _build(config: Config, backend: Backend) -> Model:
    """Return the model of a configuration, its parameters moved to where all of them matter.

    The built-in nets start from zero, and so does some feedback: most signals are zero there, and an error would not
    show.
    """
    if config.network in NARROW:
        network = NARROW[config.network](config, backend)
    else:
        network = mlp.build(config, SHAPES["mlp"], NUM_CLASSES, Streams(config.seed), backend)
    model = assemble(config, network)
    feedback = model.rule.feedback
    at_zero = [name for name, values in feedback.state().items() if not values.any()]
    for vector, names in ((network.weights, network.weights), (feedback, at_zero)):
        for name in names:
            spec = vector.specs[name]
            drawn = Streams(1).generator("parity", name).uniform(-0.3, 0.3, spec.shape) + spec.constant
            vector[name][...] = backend.asarray(drawn)
    return model


class _Batches:
    """The batches of the training steps, as one epoch of a `Trainer`; the first alone is tested on."""

    def __init__(self, network: str, dtype: str, steps: int = STEPS) -> None:
        self._shape, self._dtype, self._steps = SHAPES[network], dtype, steps

    def __len__(self) -> int:
        return self._steps

    def epoch(self, number: int) -> Iterator[Batch]:
        generator = np.random.default_rng(3)
        count = BATCHES[-1][1]
        x = generator.random((count, *self._shape)).astype(self._dtype)
        labels = generator.permutation(np.arange(count) % NUM_CLASSES)
        for step in range(self._steps):
            start, stop = BATCHES[step % len(BATCHES)]
            yield x[start:stop], labels[start:stop]


def _first_batch(model: Model) -> Batch:
    return next(_Batches(model.config.network, model.backend.dtype).epoch(1))


def make_trainer(case: Case, backend: Backend) -> Trainer:
    """Return what trains a case's net, before its first step; an epoch has `STEPS` of them."""
    return _trainer(_build(case.config(), backend))


def _trainer(model: Model) -> Trainer:
    network, dtype = model.config.network, model.backend.dtype
    return model.trainer(_Batches(network, dtype), _Batches(network, dtype, steps=1))


def run_case(case: Case, backend: Backend) -> dict[str, npt.NDArray[Any]]:
    """Run a case and return, on the host, all that came out.

    Parameters
    ----------
    case : Case
        What to run.
    backend : Backend
        Where.

    Returns
    -------
    dict of str to array
        Of the first pass ``logits``, ``loss``, ``deltas NAME``, ``gradients NAME`` and ``feedback gradients NAME``.
        After ten steps by `Trainer.step`, with ``trained`` in front of each: ``weights``, ``feedback``, ``layers``
        (running statistics), ``optimizer``, all by name, ``loss`` (mean over the steps), ``confusion`` (counts of the
        steps) and ``logits`` (outside training).
    """
    model = _build(case.config(), backend)
    found = {key: backend.to_host(array).copy() for key, array in _one_pass(model).items()}
    trainer = _trainer(model)
    for _ in trainer.run(1):
        pass
    state = model.state()
    for group in ("weights", "feedback", "layers", "optimizer"):
        found |= {f"trained {group} {name}": np.array(array) for name, array in state[group].items()}
    x, _ = _first_batch(model)
    found["trained logits"] = backend.to_host(model.network.predict(x))
    found["trained loss"] = np.array(trainer.tally.loss)
    found["trained confusion"] = trainer.tally.confusion().counts
    return found


def _one_pass(model: Model) -> dict[str, Array]:
    """Return what a pass forward and backward computes, where the backend has it."""
    network, rule, backend = model.network, model.rule, model.backend
    x, labels = _first_batch(model)
    with network.computing():
        logits = network.forward(x)
        result = model.loss(logits, labels)
        found = {"logits": logits.copy(), "loss": backend.asarray([result.value])}
        found |= {f"deltas {name}": signal for name, signal in rule.deltas(result).items()}
        rule.train_feedback(result)
    learning = {name for vector in rule.trained for name in vector}
    found |= {f"gradients {name}": network.weights.gradient(name) for name in network.weights if name in learning}
    if rule.feedback.gradients is not None:
        found |= {f"feedback gradients {name}": rule.feedback.gradient(name) for name in rule.feedback}
    return found


def compare(case: Case, reference: Backend, other: Backend) -> list[Difference]:
    """Run a case on two backends, and return how far each array of one is from the other's.

    Parameters
    ----------
    case : Case
        What to run.
    reference : Backend
        What is right. Where something is drawn, it must take that from the other (`Reference`).
    other : Backend
        What is to be checked, in the same precision.

    Returns
    -------
    list of Difference
        One for each array of `run_case`; a single one with a note, if the other backend fails.
    """
    try:
        found = run_case(case, other)
    except Exception as error:  # whatever a broken device raises is a check that has failed
        return [failure(case.name, error)]
    expected = run_case(case, reference)
    scales = _scales(expected)
    tolerances = {True: TEN_STEPS[reference.dtype], False: ONE_PASS[reference.dtype]}
    return [
        difference(name, found.get(name), array, tolerances[name.startswith("trained")], scales.get(name))
        for name, array in expected.items()
    ]


def _scales(expected: Mapping[str, Array]) -> dict[str, float]:
    """Return the scale of the gradients, which is the largest of them all.

    That of a bias in front of a normalisation is 0 but for rounding, which has no scale of its own.
    """
    names = [name for name in expected if name.startswith("gradients")]
    largest = max(float(np.abs(expected[name]).max()) for name in names)
    return dict.fromkeys(names, largest)

"""What the programs of the speed comparison are given to do, and what each of them looks like to its caller.

A program is a module with a function ``make(job)``, which returns a `Program`: calling that does one training step, or
one forward pass in use, on the next of the job's batches. All programs of a job start from the same weights and
feedback weights, those that this project draws, so that after a few steps their weights must agree.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from bdfa_np import Config, build_model
from bdfa_np.model import Model

INPUT_SHAPES = {"mlp": (28, 28, 1), "conv": (32, 32, 3), "lenet": (32, 32, 1), "resnet20": (32, 32, 3)}
NUM_CLASSES = 10
LEARNING_RATE = 1e-4
NUM_BATCHES = 8
"""How many different batches a program takes in rotation: none may live off one batch that stays in cache."""
ZEROS = 0.8
"""The share of black pixels in MNIST's images."""

Batch = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Job:
    """One piece of work, on images of MNIST's shape (``mlp``; ``lenet``, 32x32) or CIFAR's, with the loss ``bce``.

    Attributes
    ----------
    network : {"mlp", "conv", "lenet", "resnet20"}
        The net; ``layers``, ``units`` are of ``mlp`` alone.
    layers, units : int
        Hidden layers, and the units of each.
    batch : int
        Images a batch.
    rule : {"bp", "fa", "dfa", "bfa", "bdfa"}
        The learning rule.
    optimizer : {"sgd", "rmsprop", "adam"}
        The optimizer.
    work : {"step", "inference"}
        A training step, or a forward pass in use.
    non_linearity : {"tanh", "sigm", "relu"}
        Of the hidden layers of ``mlp`` and ``conv``; the other nets have relu.
    precision : {"float32", "float64"}
        The latter is for checks, where it tells rounding from another formula.
    device : str, default "cpu"
        Where PyTorch's programs by hand keep their tensors, as PyTorch names devices.
    drawn : bool, default False
        Whether the weights start from random numbers, for checks: from zero, where the nets start, values in a window
        of pooling differ by rounding alone, which then decides where the signal goes.
    """

    network: str = "mlp"
    layers: int = 2
    units: int = 800
    batch: int = 64
    rule: str = "dfa"
    optimizer: str = "rmsprop"
    work: str = "step"
    non_linearity: str = "tanh"
    precision: str = "float32"
    device: str = "cpu"
    drawn: bool = False


class Program(Protocol):
    """What ``make(job)`` returns."""

    def __call__(self) -> None:
        """Do one step or one pass, on the next batch in rotation."""

    def weights(self) -> dict[str, np.ndarray]:
        """Return copies of all weights and feedback weights, by this project's names and in its layout.

        Programs that learn nothing return none.
        """


def build(job: Job, **options: Any) -> Model:
    """Build this project's model for a job; its weights and feedback are where all programs start from.

    It computes with NumPy unless the options, which are `Config`'s, say otherwise.
    """
    own: dict[str, Any] = {"num_layers": job.layers, "num_hidden": job.units} if job.network == "mlp" else {}
    if job.network in ("mlp", "conv"):
        own["nonlin"] = job.non_linearity
    if job.rule == "bdfa":
        own["feedback_target"] = "torch"  # what all programs compute
    config = Config(
        network=job.network,
        gradient=job.rule,
        optimization=job.optimizer,
        batch_size=job.batch,
        lr=LEARNING_RATE,
        **own,
        **({"backend": "numpy"} | options),
    )
    model = build_model(config, INPUT_SHAPES[job.network], NUM_CLASSES, dtype=job.precision)
    if job.drawn:
        draw_weights(model)
    return model


def draw_weights(model: Model) -> None:
    """Replace weights by random ones of a standard deviation of 1/√fan_in, and biases by such of 0.1."""
    generator, weights = np.random.default_rng(0), model.network.weights
    for name in weights:
        shape = weights.specs[name].shape
        deviation = np.prod(shape[:-1]) ** -0.5 if len(shape) > 1 else 0.1
        weights[name][...] = model.backend.asarray(generator.normal(0, deviation, shape))


def parameters(model: Model) -> dict[str, np.ndarray]:
    """Return copies of a model's weights and feedback weights by name; no name is in both."""
    return model.network.weights.state() | model.rule.feedback.state()


def make_batches(job: Job) -> list[Batch]:
    """Return the batches (x, labels) of a job: x (N, H, W, C) within 0..1, labels (N,) int64; always the same ones."""
    generator = np.random.default_rng(0)
    batches = []
    for _ in range(NUM_BATCHES):
        x = generator.random((job.batch, *INPUT_SHAPES[job.network]), dtype=np.float32)
        if job.network == "mlp":
            x *= generator.random(x.shape, dtype=np.float32) >= ZEROS
        batches.append((x.astype(job.precision), generator.integers(0, NUM_CLASSES, size=job.batch)))
    return batches

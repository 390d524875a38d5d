"""Checks that hold for every kind of layer: its Jacobian forward and backward, in training and in use."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from bdfa_np import Sequential
from bdfa_np.backend.base import Backend
from bdfa_np.layers import (
    GELU,
    AvgPool2d,
    BatchNorm,
    Conv2d,
    Dropout,
    ErrorFeedback,
    Flatten,
    GlobalAvgPool,
    Layer,
    LayerNorm,
    LeakyReLU,
    Linear,
    MaxPool2d,
    PadShortcut,
    Patches,
    ReLU,
    Residual,
    Sigmoid,
    Tanh,
    Transpose,
)

STEP = 1e-5
LAYERS: dict[str, tuple[Callable[[], Layer], tuple[int, ...]]] = {
    "linear": (lambda: Linear(4), (3,)),
    "linear without bias": (lambda: Linear(4, bias=False), (3,)),
    "tanh": (Tanh, (5,)),
    "sigmoid": (Sigmoid, (5,)),
    "relu": (ReLU, (5,)),
    "leaky relu": (lambda: LeakyReLU(0.2), (5,)),
    "gelu": (GELU, (5,)),
    "tanh on images": (Tanh, (2, 3, 2)),
    "flatten": (Flatten, (2, 3, 2)),
    "feedback": (ErrorFeedback, (2, 3, 2)),
    "conv": (lambda: Conv2d(3, 3, padding=1), (5, 4, 2)),
    "conv with stride": (lambda: Conv2d(3, 2, stride=2, padding=1), (5, 4, 2)),
    "pool": (lambda: MaxPool2d(2), (5, 4, 2)),
    "overlapping pool": (lambda: MaxPool2d(3, 2), (6, 7, 2)),
    "pool with gaps": (lambda: MaxPool2d(2, 3), (6, 7, 2)),
    "batchnorm": (BatchNorm, (5,)),
    "batchnorm of feature maps": (BatchNorm, (3, 2, 4)),
    "batchnorm without bias": (lambda: BatchNorm(bias=False), (5,)),
    "tokens through linear": (lambda: Linear(4), (5, 3)),
    "tokens through linear without bias": (lambda: Linear(4, bias=False), (5, 3)),
    "patches": (lambda: Patches(2), (4, 6, 3)),
    "a patch of the whole image": (lambda: Patches(3), (3, 3, 1)),
    "transpose": (Transpose, (4, 3)),
    "average": (lambda: AvgPool2d(2), (5, 4, 2)),
    "overlapping average": (lambda: AvgPool2d(3, 2), (6, 7, 2)),
    "average with gaps": (lambda: AvgPool2d(2, 3), (6, 7, 2)),
    "global average": (GlobalAvgPool, (3, 4, 5)),
    "mean over tokens": (GlobalAvgPool, (7, 3)),
    "layernorm": (lambda: LayerNorm(0.1), (5,)),
    "layernorm of tokens": (lambda: LayerNorm(0.1), (4, 3)),
    "layernorm of feature maps": (lambda: LayerNorm(0.1), (2, 3, 4)),
    "dropout": (lambda: Dropout(0.4), (5,)),
    "shortcut": (lambda: PadShortcut(7), (5, 4, 2)),
    "shortcut of pixels alone": (lambda: PadShortcut(2, 3), (5, 7, 2)),
    "residual": (lambda: Residual([Linear(7), Tanh(), Linear(5)]), (5,)),
    "residual that begins and ends with what is kept": (lambda: Residual([ReLU(), Linear(5), Sigmoid()]), (5,)),
    "residual of what hands on": (lambda: Residual([ErrorFeedback(), Dropout(0.3)]), (5,)),
    "residual with a projection": (
        lambda: Residual([Conv2d(3, 3, stride=2, padding=1), BatchNorm()], [Conv2d(3, 1, stride=2), BatchNorm()]),
        (5, 4, 2),
    ),
    "residual with a shortcut": (
        lambda: Residual([Conv2d(4, 3, stride=2, padding=1), BatchNorm(), ReLU()], [PadShortcut(4)]),
        (5, 4, 2),
    ),
    "residual in a residual": (lambda: Residual([Tanh(), Residual([Linear(5)]), Tanh()], [Linear(5)]), (5,)),
}
"""Each kind of layer with the shape of a sample that it takes; a new kind is a line here."""


class Bound:
    """A layer in a net of its own with a batch, and directions in which its input and its output may move.

    Parameters
    ----------
    make : callable
        Makes the layer.
    shape : tuple of int
        Shape of a sample.
    backend : Backend
        Where it computes.
    train : bool
        Whether its passes are those of training.
    """

    def __init__(self, make: Callable[[], Layer], shape: tuple[int, ...], backend: Backend, train: bool) -> None:
        self.layer = make()
        self.network = Sequential([self.layer], shape, backend=backend, rng=1)
        self.train = train
        generator = np.random.default_rng(0)
        # Not as drawn: scales of 1 and biases of 0 would hide where they are left out.
        self.network.weights.values[...] = backend.asarray(generator.normal(size=self.network.weights.values.shape))
        for layer in self.network.tree():
            for array in layer.state().values():
                array[...] = backend.asarray(1 + generator.random(array.shape))
        self.x, self.dx = (generator.normal(size=(6, *shape)) for _ in range(2))
        self.du = generator.normal(size=(6, *self.layer.output_shape))
        self.given = self.x.copy()

    def forward(self, x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return a copy of what the layer makes of a batch."""
        return np.asarray(self.layer.forward(x, self.train)).copy()


def relative_error(actual: npt.NDArray[np.float64], expected: npt.NDArray[np.float64]) -> float:
    """Return max|a-b| / max|b|."""
    return float(np.abs(actual - expected).max() / np.abs(expected).max())


def check_gradients(bound: Bound) -> None:
    """Assert that ``backward`` leaves the derivative of ``forward`` by the parameters, in two directions."""
    bound.forward(bound.x)
    bound.layer.backward(bound.du, need_grad_in=False)
    values, gradients = bound.network.weights.values, bound.network.weights.gradients
    kept = values.copy()
    for seed in range(2) if len(values) else ():
        direction = np.random.default_rng(seed).normal(size=values.shape)
        values[...] = kept + STEP * direction
        above = bound.forward(bound.x)
        values[...] = kept - STEP * direction
        change = (above - bound.forward(bound.x)) / (2 * STEP)
        numeric = float((change * bound.du).sum())
        assert abs(float(gradients @ direction) - numeric) < 1e-8 * np.abs(change * bound.du).sum()


def check_central_differences(bound: Bound) -> None:
    """Assert that ``push_forward`` is the derivative of ``forward`` in a direction."""
    above, below = bound.forward(bound.x + STEP * bound.dx), bound.forward(bound.x - STEP * bound.dx)
    bound.forward(bound.x)
    assert relative_error(bound.layer.push_forward(bound.dx), (above - below) / (2 * STEP)) < 1e-8


def check_transposed(bound: Bound) -> None:
    """Assert that ``backward`` is the transpose of ``push_forward``: ⟨J v, u⟩ = ⟨v, Jᵀ u⟩."""
    bound.forward(bound.x)
    pushed = bound.layer.push_forward(bound.dx).copy()
    back = bound.layer.backward(bound.du)
    assert back is not None
    along = float((pushed * bound.du).sum())
    assert abs(along - float((bound.dx * back).sum())) < 1e-12 * np.abs(pushed * bound.du).sum()


def check_nothing_is_disturbed(bound: Bound) -> None:
    """Assert that what goes forward and what goes backward do not change each other, nor what they are given."""
    y = bound.layer.forward(bound.x, bound.train)
    kept = y.copy()
    first = bound.layer.backward(bound.du)
    assert first is not None
    first, gradients = first.copy(), bound.network.weights.gradients.copy()
    given = bound.dx.copy(), bound.du.copy()
    assert (bound.x == bound.given).all()
    pushed = bound.layer.push_forward(bound.dx)
    before = pushed.copy()
    bound.network.forget_gradients()
    again = bound.layer.backward(bound.du)
    assert (again == first).all()
    assert (bound.network.weights.gradients == gradients).all()
    assert (pushed == before).all()
    assert (bound.layer.push_forward(bound.dx) == before).all()
    assert (y == kept).all()
    assert (bound.dx == given[0]).all()
    assert (bound.du == given[1]).all()

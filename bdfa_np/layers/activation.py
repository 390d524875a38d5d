"""Elementwise non-linearities. Each keeps its output alone, since the slope can be written in terms of it."""

from typing import Any

from bdfa_np.backend import maths
from bdfa_np.backend.base import Array
from bdfa_np.backend.formula import formula
from bdfa_np.layers.base import Layer


class NonLinearity(Layer):
    """Base of all non-linearities: a function of each entry, and the way back through its slope."""

    y: Array

    @staticmethod
    def activated(a: Any) -> Any:
        """Return ``y``, as a formula."""
        raise NotImplementedError

    @staticmethod
    def through_slope(grad_y: Any, y: Any) -> Any:
        """Return ``∂E/∂a``, as a formula."""
        raise NotImplementedError

    def forward(self, a: Array, train: bool = True) -> Array:
        """Compute ``y`` entry by entry, and keep it."""
        self.y = self.over_input(a, "y")
        self.backend.elementwise(self.activated, (a,), (self.y,))
        return self.y  # (N, ...)

    def apply(self, a: Array) -> Array:
        """Compute ``y`` in place of ``a`` and return it; nothing is kept of it, and ``backward`` knows nothing."""
        self.backend.elementwise(self.activated, (a,), (a,))
        return a

    def backward(self, grad_y: Array, need_grad_in: bool = True) -> Array | None:
        """Return ``grad_y`` times the slope."""
        if not need_grad_in:
            return None
        grad_a = self.over_signal(grad_y)
        self.backend.elementwise(self.through_slope, (grad_y, self.y), (grad_a,))
        return grad_a  # (N, ...)

    def push_forward(self, da: Array) -> Array:
        """Return ``da`` times the slope: the Jacobian is diagonal, and its own transpose."""
        dy = self.buffer("tangent", self.y.shape)
        self.backend.elementwise(self.through_slope, (da, self.y), (dy,))
        return dy  # (N, ...)


class Tanh(NonLinearity):
    """``y = tanh(a)``; the slope is ``1 - y²``."""

    kind = "tanh"
    gives_signal = True

    @staticmethod
    @formula
    def activated(a):
        """``tanh(a)``."""
        return maths.tanh(a)

    @staticmethod
    @formula
    def through_slope(grad_y, y):
        """``grad_y (1 - y²)``."""
        return grad_y * (1 - y * y)


class Sigmoid(NonLinearity):
    """``y = 1 / (1 + exp(-a))``, computed as ``(1 + tanh(a/2)) / 2``; the slope is ``y (1 - y)``."""

    kind = "sigmoid"
    gives_signal = True

    @staticmethod
    @formula
    def activated(a):
        """``(1 + tanh(a/2)) / 2``, which cannot overflow."""
        return 0.5 * (1 + maths.tanh(0.5 * a))

    @staticmethod
    @formula
    def through_slope(grad_y, y):
        """``grad_y y (1 - y)``."""
        return grad_y * ((1 - y) * y)


class ReLU(NonLinearity):
    """``y = max(a, 0)``; the slope is 1 where ``y > 0``, else 0."""

    kind = "relu"
    gives_signal = True
    dead_at_zero = True

    @staticmethod
    @formula
    def activated(a):
        """``max(a, 0)``."""
        return maths.maximum(a, 0)

    @staticmethod
    @formula
    def through_slope(grad_y, y):
        """``grad_y`` where ``y > 0``, else 0."""
        return grad_y * (y > 0)


NON_LINEARITIES: dict[str, type[Layer]] = {"tanh": Tanh, "sigm": Sigmoid, "relu": ReLU}
"""By the names that ``--nonlin`` takes."""

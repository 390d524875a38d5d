"""Elementwise non-linearities. Each keeps its output alone, since the slope can be written in terms of it."""

import functools
from typing import Any

from bdfa_np.backend.base import Array, Formula
from bdfa_np.layers.base import Layer


class Tanh(Layer):
    """``y = tanh(a)``; the slope is ``1 - y²``."""

    kind = "tanh"

    def forward(self, a: Array, train: bool = True) -> Array:
        """``y = tanh(a)``."""
        self.y = self.backend.tanh(a, out=self.buffer("y", a.shape))
        return self.y  # (N, ...)

    def backward(self, grad_y: Array, need_grad_in: bool = True) -> Array | None:
        """Return ``grad_y ⊙ (1 - y²)``."""
        if not need_grad_in:
            return None
        grad_a = self.buffer("grad_a", self.y.shape)
        self.backend.elementwise(self.through_slope, (grad_y, self.y), (grad_a,), (1.0,))
        return grad_a  # (N, ...)

    @staticmethod
    def through_slope(grad_y, y, one):
        """``grad_y (1 - y²)``."""
        return (grad_y * (one - y * y),)


class Sigmoid(Layer):
    """``y = 1 / (1 + exp(-a))``, computed as ``(1 + tanh(a/2)) / 2``; the slope is ``y (1 - y)``."""

    kind = "sigmoid"

    def forward(self, a: Array, train: bool = True) -> Array:
        """``y = (1 + tanh(a/2)) / 2``."""
        self.y = self.backend.sigmoid(a, out=self.buffer("y", a.shape))
        return self.y  # (N, ...)

    def backward(self, grad_y: Array, need_grad_in: bool = True) -> Array | None:
        """Return ``grad_y ⊙ y (1 - y)``."""
        if not need_grad_in:
            return None
        grad_a = self.buffer("grad_a", self.y.shape)
        self.backend.elementwise(self.through_slope, (grad_y, self.y), (grad_a,), (1.0,))
        return grad_a  # (N, ...)

    @staticmethod
    def through_slope(grad_y, y, one):
        """``grad_y y (1 - y)``."""
        return (grad_y * ((one - y) * y),)


class ReLU(Layer):
    """``y = max(a, 0)``; the slope is 1 where ``y > 0``, else 0."""

    kind = "relu"
    dead_at_zero = True

    def forward(self, a: Array, train: bool = True) -> Array:
        """``y = max(a, 0)``."""
        self.y = self.buffer("y", a.shape)
        self.backend.elementwise(self.rectified(self.backend.maths), (a,), (self.y,), (0.0,))
        return self.y  # (N, ...)

    @staticmethod
    @functools.cache
    def rectified(maths: Any) -> Formula:
        """``max(a, 0)``."""
        return lambda a, zero: (maths.maximum(a, zero),)

    def backward(self, grad_y: Array, need_grad_in: bool = True) -> Array | None:
        """Return ``grad_y`` where ``y > 0``, else 0."""
        if not need_grad_in:
            return None
        grad_a = self.buffer("grad_a", self.y.shape)
        self.backend.elementwise(self.through_slope, (grad_y, self.y), (grad_a,), (0.0,))
        return grad_a  # (N, ...)

    @staticmethod
    def through_slope(grad_y, y, zero):
        """``grad_y`` where ``y > 0``, else 0."""
        return (grad_y * (y > zero),)


NON_LINEARITIES: dict[str, type[Layer]] = {"tanh": Tanh, "sigm": Sigmoid, "relu": ReLU}
"""By the names that ``--nonlin`` takes."""

"""Elementwise non-linearities. Each keeps its output alone, since the slope can be written in terms of it."""

from bdfa_np.backend.base import Array
from bdfa_np.layers.base import Layer


class Tanh(Layer):
    """``y = tanh(a)``; the slope is ``1 - y²``."""

    kind = "tanh"

    def forward(self, a: Array, train: bool = True) -> Array:
        """``y = tanh(a)``."""
        del train
        self.y = self.xp.tanh(a, out=self.buffer("y", a.shape))
        return self.y  # (N, ...)

    def backward(self, grad_y: Array, need_grad_in: bool = True) -> Array | None:
        """Return ``grad_y ⊙ (1 - y²)``."""
        if not need_grad_in:
            return None
        slope = self.xp.multiply(self.y, self.y, out=self.buffer("slope", self.y.shape))
        self.xp.subtract(1, slope, out=slope)
        return self.xp.multiply(grad_y, slope, out=slope)  # (N, ...)


class Sigmoid(Layer):
    """``y = 1 / (1 + exp(-a))``, computed as ``(1 + tanh(a/2)) / 2``; the slope is ``y (1 - y)``."""

    kind = "sigmoid"

    def forward(self, a: Array, train: bool = True) -> Array:
        """``y = (1 + tanh(a/2)) / 2``."""
        del train
        y = self.xp.multiply(a, 0.5, out=self.buffer("y", a.shape))
        self.xp.tanh(y, out=y)
        y += 1
        y *= 0.5
        self.y = y
        return y  # (N, ...)

    def backward(self, grad_y: Array, need_grad_in: bool = True) -> Array | None:
        """Return ``grad_y ⊙ y (1 - y)``."""
        if not need_grad_in:
            return None
        slope = self.xp.subtract(1, self.y, out=self.buffer("slope", self.y.shape))
        slope *= self.y
        return self.xp.multiply(grad_y, slope, out=slope)  # (N, ...)


class ReLU(Layer):
    """``y = max(a, 0)``; the slope is 1 where ``y > 0``, else 0."""

    kind = "relu"

    def forward(self, a: Array, train: bool = True) -> Array:
        """``y = max(a, 0)``."""
        del train
        self.y = self.xp.maximum(a, 0, out=self.buffer("y", a.shape))
        return self.y  # (N, ...)

    def backward(self, grad_y: Array, need_grad_in: bool = True) -> Array | None:
        """Return ``grad_y`` where ``y > 0``, else 0."""
        if not need_grad_in:
            return None
        positive = self.xp.greater(self.y, 0, out=self.buffer("positive", self.y.shape, bool))
        return self.xp.multiply(grad_y, positive, out=self.buffer("grad_a", self.y.shape))  # (N, ...)


NON_LINEARITIES: dict[str, type[Layer]] = {"tanh": Tanh, "sigm": Sigmoid, "relu": ReLU}
"""By the names that ``--nonlin`` takes."""

"""Average pooling, of windows and of all places."""

from math import prod

from bdfa_np.backend.base import Array
from bdfa_np.layers.base import Layer, Shape


class GlobalAvgPool(Layer):
    """``y`` is the mean of ``x`` over all places, channel by channel: (H, W, C), or tokens (T, C), as (C,)."""

    kind = "globalavgpool"

    def infer_shape(self, input_shape: Shape) -> Shape:
        """Return (C,); the input must have places, and channels last."""
        if len(input_shape) < 2:
            raise ValueError(f"{self.name} takes images (H, W, C) or tokens (T, C), not samples of shape {input_shape}")
        return input_shape[-1:]

    @property
    def _places(self) -> int:
        return prod(self.input_shape[:-1])

    def forward(self, x: Array, train: bool = True) -> Array:
        """Return the mean over places."""
        return self._mean(x, "y")  # (N, C)

    def backward(self, grad_y: Array, need_grad_in: bool = True) -> Array | None:
        """Hand each place its share of the gradient."""
        if not need_grad_in:
            return None
        N, C = grad_y.shape
        grad_x = self.buffer("grad_x", (N, *self.input_shape))
        grad_x.reshape(N, self._places, C)[...] = (grad_y * (1 / self._places)).reshape(N, 1, C)
        return grad_x  # (N, H, W, C)

    def push_forward(self, dx: Array) -> Array:
        """Return the mean of the tangent over places."""
        return self._mean(dx, "tangent")  # (N, C)

    def _mean(self, x: Array, name: str) -> Array:
        N, C = len(x), x.shape[-1]
        mean = x.reshape(N, self._places, C).sum(axis=1, out=self.buffer(name, (N, C)))
        mean *= 1 / self._places
        return mean

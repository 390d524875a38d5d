"""Average pooling, of windows and of all places."""

from math import prod

from bdfa_np.backend.base import Array
from bdfa_np.layers.base import Layer, Shape
from bdfa_np.layers.pool import windows_shape


class AvgPool2d(Layer):
    """``y`` is the mean of each window of ``x`` (N, H, W, C), channel by channel.

    There is no padding; rows and columns at the end that fill no whole window are left out.

    Parameters
    ----------
    size : int
        Side of the square window.
    stride : int, optional
        Step from one window to the next; ``size`` unless given.

    Raises
    ------
    ValueError
        If size or stride is less than 1.
    """

    kind = "avgpool"
    shares_batch = True
    gives_output = True
    gives_signal = True

    def __init__(self, size: int, stride: int | None = None) -> None:
        super().__init__()
        self.size = size
        self.stride = size if stride is None else stride
        if min(size, self.stride) < 1:
            raise ValueError("AvgPool2d needs a size and a stride of 1 or more")

    def infer_shape(self, input_shape: Shape) -> Shape:
        """Return (Ho, Wo, C); the input must be an image that at least one window fits on."""
        return windows_shape(self.name, input_shape, self.size, self.stride)

    def forward(self, x: Array, train: bool = True) -> Array:
        """Return each window's mean."""
        out = self.buffer("y", (len(x), *self.output_shape))
        return self.backend.average_pool(x, self.size, self.stride, out)  # (N, Ho, Wo, C)

    def backward(self, grad_y: Array, need_grad_in: bool = True) -> Array | None:
        """Hand each window's gradient to its entries, in equal shares."""
        if not need_grad_in:
            return None
        out = self.backend.lend((len(grad_y), *self.input_shape))
        return self.backend.average_pool_gradient(grad_y, self.size, self.stride, out)  # (N, H, W, C)

    def push_forward(self, dx: Array) -> Array:
        """Return the mean of each window's tangents."""
        out = self.backend.lend((len(dx), *self.output_shape))
        return self.backend.average_pool(dx, self.size, self.stride, out)  # (N, Ho, Wo, C)


class GlobalAvgPool(Layer):
    """``y`` is the mean of ``x`` over all places, channel by channel: (H, W, C), or tokens (T, C), as (C,)."""

    kind = "globalavgpool"
    gives_output = True
    gives_signal = True

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
        grad_x = self.backend.lend((N, *self.input_shape))
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

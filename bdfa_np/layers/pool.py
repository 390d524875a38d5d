"""Max pooling."""

from bdfa_np.backend.base import Array
from bdfa_np.layers.base import Layer, Shape


class MaxPool2d(Layer):
    """``y`` is the maximum of each window of ``x`` (N, H, W, C), channel by channel.

    There is no padding; rows and columns at the end that fill no whole window are left out. Of equal entries the
    first in the window, row by row, is the maximum, and gets the whole gradient.

    Parameters
    ----------
    size : int
        Side of the square window.
    stride : int, optional
        Step from one window to the next; ``size`` unless given.

    Raises
    ------
    ValueError
        If size or stride is less than 1, or the size more than 15.
    """

    kind = "pool"
    shares_batch = True
    gives_output = True
    gives_signal = True
    chosen: Array

    def __init__(self, size: int, stride: int | None = None) -> None:
        super().__init__()
        self.size = size
        self.stride = size if stride is None else stride
        if not 1 <= size <= 15 or self.stride < 1:  # places in a window are kept in one byte
            raise ValueError("MaxPool2d needs a size from 1 to 15 and a stride of 1 or more")

    def infer_shape(self, input_shape: Shape) -> Shape:
        """Return (Ho, Wo, C); the input must be an image that at least one window fits on."""
        return windows_shape(self.name, input_shape, self.size, self.stride)

    def forward(self, x: Array, train: bool = True) -> Array:
        """Return each window's maximum."""
        y_shape = (len(x), *self.output_shape)
        self.chosen = self.buffer("chosen", y_shape, "uint8")
        y = self.buffer("y", y_shape)
        return self.backend.max_pool(x, self.size, self.stride, y, self.chosen)  # (N, Ho, Wo, C)

    def backward(self, grad_y: Array, need_grad_in: bool = True) -> Array | None:
        """Hand each window's gradient to the entry that was its maximum."""
        if not need_grad_in:
            return None
        out = self.backend.lend((len(grad_y), *self.input_shape))
        return self.backend.max_pool_gradient(grad_y, self.chosen, self.size, self.stride, out)  # (N, H, W, C)

    def push_forward(self, dx: Array) -> Array:
        """Return of each window the tangent of the entry that was its maximum."""
        dy = self.backend.lend((len(dx), *self.output_shape))
        return self.backend.max_pool_tangent(dx, self.chosen, self.size, self.stride, dy)  # (N, Ho, Wo, C)

    def unpool(self, y: Array) -> Array:
        """Blow y (N, Ho, Wo, C) up to the size of the input: each place gets its nearest window's value.

        Nearest is the window that begins at or before a place, the last one for what lies beyond.
        """
        return self.backend.unpool(y, self.stride, self.buffer("unpooled", (len(y), *self.input_shape)))

    def unpool_gradient(self, grad_x: Array) -> Array:
        """Apply the transpose of `unpool`: each window gets the sum over the places that it filled."""
        out = self.buffer("unpooled_gradient", (len(grad_x), *self.output_shape))
        return self.backend.unpool_gradient(grad_x, self.stride, out)


def windows_shape(name: str, input_shape: Shape, size: int, stride: int) -> Shape:
    """Return the shape of what pooling by windows leaves of a sample (H, W, C), for the layer of this name.

    Raises
    ------
    ValueError
        If the sample is no image, or no window fits on it.
    """
    if len(input_shape) != 3:
        raise ValueError(f"{name} takes images (H, W, C), not samples of shape {input_shape}")
    H, W, C = input_shape
    if min(H, W) < size:
        raise ValueError(f"{name}: no {size}x{size} window fits on samples of shape {input_shape}")
    return ((H - size) // stride + 1, (W - size) // stride + 1, C)

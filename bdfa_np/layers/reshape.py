"""Layers that change the shape of a sample and nothing else."""

from math import prod

from bdfa_np.backend.base import Array
from bdfa_np.layers.base import Layer, Shape


class Flatten(Layer):
    """A sample of any shape as a vector; images (H, W, C) flatten in H·W·C order."""

    kind = "flatten"
    gives_output = True
    gives_signal = True
    passes_on = True

    def infer_shape(self, input_shape: Shape) -> Shape:
        """Return (number of entries,)."""
        return (prod(input_shape),)

    def forward(self, x: Array, train: bool = True) -> Array:
        """Return ``x`` as (N, n)."""
        return x.reshape(len(x), *self.output_shape)

    def backward(self, grad_y: Array, need_grad_in: bool = True) -> Array | None:
        """Return the gradient in the shape of the input."""
        return grad_y.reshape(len(grad_y), *self.input_shape) if need_grad_in else None

    def push_forward(self, dx: Array) -> Array:
        """Return the tangent as (N, n)."""
        return dx.reshape(len(dx), *self.output_shape)


class Patches(Layer):
    """An image (H, W, C) as tokens (T, size · size · C), one a patch: from left to right, then down.

    A patch flattens in row·column·channel order. A `Linear` behind it maps every patch by the same weights.

    Parameters
    ----------
    size : int
        Side of the square patches, which do not overlap; H and W must be multiples of it.

    Raises
    ------
    ValueError
        If ``size`` is less than 1.
    """

    kind = "patches"
    gives_output = True
    gives_signal = True

    def __init__(self, size: int) -> None:
        super().__init__()
        if size < 1:
            raise ValueError(f"Patches needs a size of 1 or more, not {size}")
        self.size = size

    def infer_shape(self, input_shape: Shape) -> Shape:
        """Return (T, size · size · C); the input must be an image that whole patches fill."""
        if len(input_shape) != 3:
            raise ValueError(f"{self.name} takes images (H, W, C), not samples of shape {input_shape}")
        H, W, C = input_shape
        if H % self.size or W % self.size:
            raise ValueError(
                f"{self.name}: samples of shape {input_shape} are no whole number of {self.size}x{self.size} patches "
                "high and wide"
            )
        return ((H // self.size) * (W // self.size), self.size * self.size * C)

    def forward(self, x: Array, train: bool = True) -> Array:
        """Return the patches of each image."""
        return self._cut(x, "y")  # (N, T, size · size · C)

    def backward(self, grad_y: Array, need_grad_in: bool = True) -> Array | None:
        """Put the patches' gradients back where the patches came from."""
        if not need_grad_in:
            return None
        N, (H, W, C), size = len(grad_y), self.input_shape, self.size
        grad_x = self.backend.lend((N, H, W, C))
        patches = grad_y.reshape(N, H // size, W // size, size, size, C)
        grad_x.reshape(N, H // size, size, W // size, size, C)[...] = patches.swapaxes(2, 3)
        return grad_x  # (N, H, W, C)

    def push_forward(self, dx: Array) -> Array:
        """Return the tangent's patches."""
        return self._cut(dx, "tangent")  # (N, T, size · size · C)

    def _cut(self, x: Array, name: str) -> Array:
        N, (H, W, C), size = len(x), self.input_shape, self.size
        y = self.buffer(name, (N, *self.output_shape))
        lines = x.reshape(N, H // size, size, W // size, size, C)
        y.reshape(N, H // size, W // size, size, size, C)[...] = lines.swapaxes(2, 3)
        return y


class Transpose(Layer):
    """A sample (T, C) as (C, T): a `Linear` behind it mixes tokens, channel by channel."""

    kind = "transpose"
    gives_output = True
    gives_signal = True

    def infer_shape(self, input_shape: Shape) -> Shape:
        """Return (C, T); the input must have two axes."""
        if len(input_shape) != 2:
            raise ValueError(f"{self.name} takes tokens (T, C), not samples of shape {input_shape}")
        return input_shape[::-1]

    def forward(self, x: Array, train: bool = True) -> Array:
        """Return ``xᵀ`` of each sample."""
        return self._turned(x, self.buffer("y", (len(x), *self.output_shape)))  # (N, C, T)

    def backward(self, grad_y: Array, need_grad_in: bool = True) -> Array | None:
        """Return the gradient of each sample, transposed."""
        if not need_grad_in:
            return None
        return self._turned(grad_y, self.backend.lend((len(grad_y), *self.input_shape)))  # (N, T, C)

    def push_forward(self, dx: Array) -> Array:
        """Return the tangent of each sample, transposed."""
        return self._turned(dx, self.backend.lend((len(dx), *self.output_shape)))  # (N, C, T)

    def _turned(self, x: Array, out: Array) -> Array:
        out[...] = x.swapaxes(1, 2)  # in the order of memory that kernels need
        return out

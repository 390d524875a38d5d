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

"""The convolutional layer, channels last."""

from math import prod

from bdfa_np.backend.base import Array
from bdfa_np.layers.base import Layer, ParameterSpec, Shape, check_initial, initial_values


class Conv2d(Layer):
    """``y = x ⋆ W + b``, with ``x`` (N, H, W, C_in), ``W`` (k, k, C_in, channels) and ``b`` (channels,).

    Parameters
    ----------
    channels : int
        Number of output channels, C_out.
    kernel_size : int
        Side k of the square kernel.
    stride : int, default 1
        Step from one window to the next.
    padding : int, default 0
        Zeros put on each side.
    bias : bool, default True
        Whether there is a ``b``.
    initial : {"uniform", "zero", "xavier", "kaiming", "orthogonal"}, default "uniform"
        Initial ``W`` and ``b``, as of `Linear`; fan_in is k·k·C_in, fan_out k·k·C_out.

    Raises
    ------
    ValueError
        If a number is out of range, or ``initial`` is unknown.
    """

    kind = "conv"
    shares_batch = True
    gives_output = True
    gives_signal = True
    feedback_site = "layerwise"
    said_by_shape = ("channels",)
    x: Array
    W: Array
    b: Array
    dW: Array
    db: Array

    def __init__(
        self,
        channels: int,
        kernel_size: int,
        *,
        stride: int = 1,
        padding: int = 0,
        bias: bool = True,
        initial: str = "uniform",
    ) -> None:
        super().__init__()
        if min(channels, kernel_size, stride) < 1 or padding < 0:
            raise ValueError("Conv2d needs channels, kernel_size and stride of 1 or more, and padding of 0 or more")
        check_initial(initial)  # refuses an unknown one here, where the user wrote it
        self.channels = channels
        self.kernel_size = kernel_size
        self.stride = stride
        self.padding = padding
        self.bias = bias
        self.initial = initial

    def infer_shape(self, input_shape: Shape) -> Shape:
        """Return (Ho, Wo, channels); the input must be an image that at least one window fits on."""
        if len(input_shape) != 3:
            raise ValueError(f"{self.name} takes images (H, W, C), not samples of shape {input_shape}")
        sides = [(side + 2 * self.padding - self.kernel_size) // self.stride + 1 for side in input_shape[:2]]
        if min(sides) < 1:
            raise ValueError(
                f"{self.name}: no {self.kernel_size}x{self.kernel_size} window fits on samples of shape {input_shape}"
            )
        return (*sides, self.channels)

    @property
    def _weight_shape(self) -> Shape:
        return (self.kernel_size, self.kernel_size, self.input_shape[2], self.channels)

    def parameters(self) -> dict[str, ParameterSpec]:
        """Return ``W`` and, unless switched off, ``b``."""
        return initial_values(self.initial, self._weight_shape, self.bias)

    def feedback(self, num_outputs: int) -> ParameterSpec:
        """Return ``B``, shaped as ``W``, uniform within ±1/√fan_in."""
        return initial_values("uniform", self._weight_shape, bias=False)["W"]

    def multiply_adds(self) -> int:
        """Return k·k·C_in for each entry of the output."""
        return self.kernel_size * self.kernel_size * self.input_shape[2] * prod(self.output_shape)

    def forward(self, x: Array, train: bool = True) -> Array:
        """``y = x ⋆ W + b``."""
        self.x = x  # (N, H, W, C_in)
        y = self._convolved(x, self.buffer("y", (len(x), *self.output_shape)))
        if self.bias:
            self.backend.add_bias(y, self.b)
        return y  # (N, Ho, Wo, C_out)

    def carry(self, x: Array) -> Array:
        """Return ``x ⋆ W``, without bias, in lent memory."""
        return self._convolved(x, self.backend.lend((len(x), *self.output_shape)))

    def _convolved(self, x: Array, out: Array) -> Array:
        return self.backend.convolve(x, self.W, out, self.stride, self.padding)

    def backward(self, grad_y: Array, need_grad_in: bool = True) -> Array | None:
        """``dW += x ⋆ grad_y`` over the windows, ``db += Σ grad_y``; return ``grad_y ⋆ᵀ W``."""
        self.weight_gradient(self.x, grad_y, self.dW, self.accumulate)
        if self.bias:
            self.backend.column_sum(grad_y.reshape(-1, self.channels), out=self.db, accumulate=self.accumulate)
        self.accumulate = True
        return self._transposed(grad_y, self.W) if need_grad_in else None  # (N, H, W, C_in)

    def push_forward(self, dx: Array) -> Array:
        """Return ``dx ⋆ W``."""
        dy = self.backend.lend((len(dx), *self.output_shape))
        return self.backend.convolve(dx, self.W, dy, self.stride, self.padding)  # (N, Ho, Wo, C_out)

    def weight_gradient(self, x: Array, grad_y: Array, out: Array, accumulate: bool = False) -> Array:
        """Write (or add) what ``W`` would have to change for ``y`` to follow ``grad_y``, given ``x``."""
        return self.backend.convolve_weight_gradient(x, grad_y, out, self.stride, self.padding, accumulate)

    def project_feedback(self, signal: Array, B: Array) -> Array:
        """Return ``signal ⋆ᵀ B``: the transposed convolution by ``B`` in place of ``W``."""
        return self._transposed(signal, B)

    def _transposed(self, signal: Array, weights: Array) -> Array:
        out = self.backend.lend((len(signal), *self.input_shape))
        return self.backend.convolve_input_gradient(signal, weights, out, self.stride, self.padding)

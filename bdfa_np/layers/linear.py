"""The fully connected layer."""

from math import prod

from bdfa_np.backend.base import Array
from bdfa_np.layers.base import Layer, ParameterSpec, Shape, check_initial, initial_values


class Linear(Layer):
    """``y = x W + b``, with ``W`` (fan_in, units) and ``b`` (units,).

    It takes vectors (fan_in,), or tokens (T, fan_in), each of which it maps by the same weights.

    Parameters
    ----------
    units : int
        Number of outputs.
    bias : bool, default True
        Whether there is a ``b``.
    initial : {"uniform", "zero", "xavier", "kaiming", "orthogonal"}, default "uniform"
        Initial ``W`` and ``b``, as `initial_values` of `bdfa_np.layers.base` has them: ``uniform`` is within
        ±1/√fan_in; from ``zero`` a net of tanh or sigmoid units may start when its errors do not travel through ``W``
        (Nøkland, arXiv 1609.01596, section 3).

    Raises
    ------
    ValueError
        If ``units`` is less than 1, or ``initial`` is unknown.
    """

    kind = "linear"
    gives_output = True
    gives_signal = True
    feedback_site = "layerwise"
    said_by_shape = ("units",)
    x: Array
    W: Array
    b: Array
    dW: Array
    db: Array

    def __init__(self, units: int, *, bias: bool = True, initial: str = "uniform") -> None:
        super().__init__()
        if units < 1:
            raise ValueError(f"Linear needs at least one unit, not {units}")
        check_initial(initial)  # refuses an unknown one here, where the user wrote it
        self.units = units
        self.bias = bias
        self.initial = initial

    def infer_shape(self, input_shape: Shape) -> Shape:
        """Return (units,), or (T, units); the input must be a vector, or tokens."""
        if len(input_shape) not in (1, 2):
            raise ValueError(f"{self.name} takes vectors, not samples of shape {input_shape}: put Flatten() before it")
        return (*input_shape[:-1], self.units)

    @property
    def _weight_shape(self) -> Shape:
        return (self.input_shape[-1], self.units)

    def parameters(self) -> dict[str, ParameterSpec]:
        """Return ``W`` and, unless switched off, ``b``."""
        return initial_values(self.initial, self._weight_shape, self.bias)

    def feedback(self, num_outputs: int) -> ParameterSpec:
        """Return ``B``, shaped as ``W``, uniform within ±1/√fan_in."""
        return initial_values("uniform", self._weight_shape, bias=False)["W"]

    def multiply_adds(self) -> int:
        """Return fan_in · units, for each token."""
        return prod(self.input_shape) * self.units

    def forward(self, x: Array, train: bool = True) -> Array:
        """``y = x W + b``."""
        self.x = x  # (N, fan_in), or (N, T, fan_in)
        y = self._product(x, self.W, self.buffer("y", (len(x), *self.output_shape)))
        if self.bias:
            self.backend.add_bias(y, self.b)
        return y  # (N, units), or (N, T, units)

    def carry(self, x: Array) -> Array:
        """Return ``x W``, without bias, in lent memory."""
        return self._product(x, self.W, self.backend.lend((len(x), *self.output_shape)))

    def backward(self, grad_y: Array, need_grad_in: bool = True) -> Array | None:
        """``dW += xᵀ grad_y``, ``db += Σ grad_y``, over samples and tokens; return ``grad_y Wᵀ``."""
        # dW_l = h_{l-1}ᵀ δ_l: Luo, eq. 20; Luo, eq. 21; Luo, eq. 22; again Luo, eq. 38
        self.weight_gradient(self.x, grad_y, self.dW, self.accumulate)
        if self.bias:
            self.backend.column_sum(rows(grad_y), out=self.db, accumulate=self.accumulate)
        self.accumulate = True
        if not need_grad_in:
            return None
        return self._product(grad_y, self.W.T, self.backend.lend(self.x.shape))  # (N, fan_in), or (N, T, fan_in)

    def push_forward(self, dx: Array) -> Array:
        """Return ``dx W``."""
        return self._product(dx, self.W, self.backend.lend((len(dx), *self.output_shape)))

    def weight_gradient(self, x: Array, grad_y: Array, out: Array, accumulate: bool = False) -> Array:
        """Write (or add) what ``W`` would have to change for ``y`` to follow ``grad_y``, given ``x``: ``xᵀ grad_y``."""
        return self.backend.matmul(rows(x).T, rows(grad_y), out=out, accumulate=accumulate)

    def project_feedback(self, signal: Array, B: Array) -> Array:
        """Return ``signal Bᵀ``: feedback alignment's stand-in for ``signal Wᵀ`` (Lillicrap et al., 2016)."""
        return self._product(signal, B.T, self.backend.lend((len(signal), *self.input_shape)))

    def _product(self, a: Array, matrix: Array, out: Array) -> Array:
        self.backend.matmul(rows(a), matrix, out=rows(out))
        return out


def rows(a: Array) -> Array:
    """Return vectors (N, n), or tokens (N, T, n), as the rows of a matrix."""
    return a.reshape(-1, a.shape[-1])

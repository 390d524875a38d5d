"""Layer normalisation: each token, or each vector, by its own statistics."""

import math

from bdfa_np.backend.base import Array
from bdfa_np.layers.base import Layer, ParameterSpec
from bdfa_np.layers.linear import rows


class LayerNorm(Layer):
    """``y = γ x̂ + β``, ``x̂ = (x - μ) / √(v + ε)``, over the last axis of a sample of any shape.

    ``μ`` and ``v`` are mean and (biased) variance of the C entries of a vector, of each token (T, C) or of each place
    (H, W, C); so no sample hangs on another, in training and in use alike (Ba et al., arXiv 1607.06450, eq. 4).

    Parameters
    ----------
    epsilon : float, default 1e-5
        ``ε``, above 0.

    Raises
    ------
    ValueError
        If ``epsilon`` is out of range.
    """

    kind = "layernorm"
    gives_output = True
    gives_signal = True
    x_hat: Array
    gamma: Array
    beta: Array
    dgamma: Array
    dbeta: Array

    def __init__(self, epsilon: float = 1e-5) -> None:
        super().__init__()
        if not 0 < epsilon < math.inf:
            raise ValueError(f"epsilon of a LayerNorm must be a finite number above 0, not {epsilon}")
        self.epsilon = epsilon

    def parameters(self) -> dict[str, ParameterSpec]:
        """Return ``gamma``, from 1, and ``beta``, from 0; both (C,)."""
        C = self.input_shape[-1]
        return {"gamma": ParameterSpec((C,), constant=1.0), "beta": ParameterSpec((C,))}

    def forward(self, x: Array, train: bool = True) -> Array:
        """Normalise each row, then scale and move each of its entries."""
        self.x_hat, y = self.over_input(x, "x_hat"), self.buffer("y", x.shape)
        x_hat = rows(self.x_hat)  # (M, C), a row for each vector
        self.xp.subtract(rows(x), rows(x).mean(axis=1, keepdims=True), out=x_hat)
        self.inverse_deviation = 1 / self.xp.sqrt(self._mean_product(x_hat, "variance") + self.epsilon)  # (M, 1)
        x_hat *= self.inverse_deviation
        self.xp.multiply(self.x_hat, self.gamma, out=y)
        return self.backend.add_bias(y, self.beta)  # (N, ..., C)

    def backward(self, grad_y: Array, need_grad_in: bool = True) -> Array | None:
        """``dγ += Σ grad_y ⊙ x̂``, ``dβ += Σ grad_y``; return ``(g - mean(g) - x̂ ⊙ mean(g ⊙ x̂)) / √(v + ε)``.

        Here ``g`` is ``grad_y ⊙ γ``, and the means are over a row.
        """
        grad_x = self.xp.multiply(grad_y, self.x_hat, out=self.backend.lend(grad_y.shape))
        self.backend.column_sum(rows(grad_x), out=self.dgamma, accumulate=self.accumulate)
        self.backend.column_sum(rows(grad_y), out=self.dbeta, accumulate=self.accumulate)
        self.accumulate = True
        if not need_grad_in:
            return None
        return self._through_statistics(self.xp.multiply(grad_y, self.gamma, out=grad_x))  # (N, ..., C)

    def push_forward(self, dx: Array) -> Array:
        """Return ``γ ⊙ (dx - mean(dx) - x̂ ⊙ mean(dx ⊙ x̂)) / √(v + ε)``."""
        dy = self.buffer("tangent", dx.shape)
        dy[...] = dx
        return self.xp.multiply(self._through_statistics(dy), self.gamma, out=dy)

    def _through_statistics(self, g: Array) -> Array:
        """Make ``(g - mean(g) - x̂ ⊙ mean(g ⊙ x̂)) / √(v + ε)`` of ``g``, in place."""
        of_row, x_hat = rows(g), rows(self.x_hat)  # (M, C)
        along = self.xp.multiply(x_hat, self._mean_product(of_row, "along"), out=self.backend.lend(x_hat.shape))
        of_row -= of_row.mean(axis=1, keepdims=True)
        of_row -= along
        of_row *= self.inverse_deviation
        return g

    def _mean_product(self, a: Array, name: str) -> Array:
        """Return the mean of ``a ⊙ x̂`` over each row, as (M, 1)."""
        M, C = a.shape
        mean = self.backend.row_dots(a, rows(self.x_hat), self.buffer(name, (M,)))
        mean *= 1 / C
        return mean.reshape(M, 1)

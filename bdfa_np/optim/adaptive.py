"""A rate of its own for every parameter, from running figures of its gradient."""

from collections.abc import Sequence
from math import sqrt

from bdfa_np.backend import maths
from bdfa_np.backend.formula import formula
from bdfa_np.optim.base import Optimizer
from bdfa_np.parameters import ParameterVector


class Adagrad(Optimizer):
    """Adagrad, as Torch7's ``optim.adagrad`` (Duchi, Hazan and Singer, JMLR 12, 2011).

    ``v += g²``, ``w -= rate · g / (√v + ε)`` with ε = 1e-10.

    Parameters
    ----------
    vectors : ParameterVector or sequence of ParameterVector
        What is trained.
    learning_rate : float, default 1e-4
        The rate; may be changed between steps.
    lr_decay : float, default 0
        The rate of a step is ``learning_rate / (1 + steps taken · lr_decay)``.
    weight_decay : float, default 0
        L2 penalty: ``weight_decay · w`` is added to the gradient.
    """

    name = "adagrad"
    state_names = ("v",)
    epsilon = 1e-10

    def __init__(
        self,
        vectors: ParameterVector | Sequence[ParameterVector],
        learning_rate: float = 1e-4,
        *,
        lr_decay: float = 0.0,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(vectors, learning_rate, weight_decay=weight_decay)
        self.lr_decay = lr_decay

    @staticmethod
    @formula
    def update(w, v, g, *, rate, epsilon):
        """Scale the gradient by the root of the sum of all its squares."""
        v = v + g * g
        return w - rate * (g / (maths.sqrt(v) + epsilon)), v

    def constants(self) -> dict[str, float]:
        """Return the rate and ε."""
        return {"rate": self.rate, "epsilon": self.epsilon}


class RMSprop(Optimizer):
    """RMSprop, as Torch7's ``optim.rmsprop``: ``v = α v + (1 - α) g²``, ``w -= rate · g / (√v + ε)``.

    α = 0.99, ε = 1e-8 (Tieleman and Hinton, Coursera lecture 6.5, 2012; not centred, no momentum).

    Parameters
    ----------
    vectors : ParameterVector or sequence of ParameterVector
        What is trained.
    learning_rate : float, default 1e-4
        The rate; may be changed between steps.
    weight_decay : float, default 0
        L2 penalty: ``weight_decay · w`` is added to the gradient.
    """

    name = "rmsprop"
    state_names = ("v",)
    alpha = 0.99
    epsilon = 1e-8

    @staticmethod
    @formula
    def update(w, v, g, *, rate, alpha, gain, epsilon):
        """Scale the gradient by the root of its running mean square."""
        v = alpha * v + gain * (g * g)
        return w - rate * (g / (maths.sqrt(v) + epsilon)), v

    def constants(self) -> dict[str, float]:
        """Return the rate, α, 1 - α and ε."""
        return {"rate": self.rate, "alpha": self.alpha, "gain": 1 - self.alpha, "epsilon": self.epsilon}


class Adadelta(Optimizer):
    """Adadelta, as Torch7's ``optim.adadelta`` (Zeiler, arXiv 1212.5701).

    ``v = ρ v + (1 - ρ) g²``, ``δ = √(d + ε) / √(v + ε) · g``, ``d = ρ d + (1 - ρ) δ²``, ``w -= rate · δ`` with
    ρ = 0.9, ε = 1e-6. Torch7 has no rate here, which is a rate of 1; another one does not enter ``d``.

    Parameters
    ----------
    vectors : ParameterVector or sequence of ParameterVector
        What is trained.
    learning_rate : float, default 1
        The rate; may be changed between steps.
    weight_decay : float, default 0
        L2 penalty: ``weight_decay · w`` is added to the gradient.
    """

    name = "adadelta"
    state_names = ("v", "d")
    rho = 0.9
    epsilon = 1e-6

    def __init__(
        self,
        vectors: ParameterVector | Sequence[ParameterVector],
        learning_rate: float = 1.0,
        *,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(vectors, learning_rate, weight_decay=weight_decay)

    @staticmethod
    @formula
    def update(w, v, d, g, *, rate, rho, gain, epsilon):
        """Scale the gradient by the ratio of the roots of two running mean squares: the steps' and its own."""
        v = rho * v + gain * (g * g)
        delta = maths.sqrt(d + epsilon) / maths.sqrt(v + epsilon) * g
        return w - rate * delta, v, rho * d + gain * (delta * delta)

    def constants(self) -> dict[str, float]:
        """Return the rate, ρ, 1 - ρ and ε."""
        return {"rate": self.rate, "rho": self.rho, "gain": 1 - self.rho, "epsilon": self.epsilon}


class Adam(Optimizer):
    """Adam, as Torch7's ``optim.adam`` (Kingma and Ba, arXiv 1412.6980).

    ``m = β₁ m + (1 - β₁) g``, ``v = β₂ v + (1 - β₂) g²``,
    ``w -= rate · √(1 - β₂ᵗ) / (1 - β₁ᵗ) · m / (√v + ε)`` with β₁ = 0.9, β₂ = 0.999, ε = 1e-8: Torch7 adds ε
    *before* the bias correction, PyTorch after it.

    Parameters
    ----------
    vectors : ParameterVector or sequence of ParameterVector
        What is trained.
    learning_rate : float, default 1e-4
        The rate; may be changed between steps.
    lr_decay : float, default 0
        The rate of a step is ``learning_rate / (1 + steps taken · lr_decay)``.
    weight_decay : float, default 0
        L2 penalty: ``weight_decay · w`` is added to the gradient.
    """

    name = "adam"
    state_names = ("m", "v")
    beta1 = 0.9
    beta2 = 0.999
    epsilon = 1e-8

    def __init__(
        self,
        vectors: ParameterVector | Sequence[ParameterVector],
        learning_rate: float = 1e-4,
        *,
        lr_decay: float = 0.0,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(vectors, learning_rate, weight_decay=weight_decay)
        self.lr_decay = lr_decay

    @staticmethod
    @formula
    def update(w, m, v, g, *, rate, beta1, gain1, beta2, gain2, epsilon):
        """Descend along the running mean, scaled by the root of the running mean square."""
        m = beta1 * m + gain1 * g
        v = beta2 * v + gain2 * (g * g)
        return w - rate * (m / (maths.sqrt(v) + epsilon)), m, v

    def constants(self) -> dict[str, float]:
        """Return the rate with its bias correction, β₁, 1 - β₁, β₂, 1 - β₂ and ε."""
        t = self.steps + 1
        rate = self.rate * sqrt(1 - self.beta2**t) / (1 - self.beta1**t)
        return {
            "rate": rate,
            "beta1": self.beta1,
            "gain1": 1 - self.beta1,
            "beta2": self.beta2,
            "gain2": 1 - self.beta2,
            "epsilon": self.epsilon,
        }


class AdamW(Optimizer):
    """Adam with decoupled weight decay, as PyTorch's ``AdamW`` (Loshchilov and Hutter, arXiv 1711.05101, algorithm 2).

    ``w *= 1 - rate · λ``, ``m = β₁ m + (1 - β₁) g``, ``v = β₂ v + (1 - β₂) g²``,
    ``w -= rate / (1 - β₁ᵗ) · m / (√(v / (1 - β₂ᵗ)) + ε)`` with β₁ = 0.9, β₂ = 0.999, ε = 1e-8. The penalty is no part
    of the gradient, so ``m`` and ``v`` know nothing of it. ε is added after the bias correction, other than in `Adam`.

    Parameters
    ----------
    vectors : sequence of ParameterVector
        What is trained.
    learning_rate : float, default 1e-4
        The rate; may be changed between steps.
    weight_decay : float, default 0
        λ; PyTorch's default is 0.01.
    """

    name = "adamw"
    decoupled = True
    state_names = ("m", "v")
    beta1 = 0.9
    beta2 = 0.999
    epsilon = 1e-8

    @staticmethod
    @formula
    def update(w, m, v, g, *, keep, rate, beta1, gain1, beta2, gain2, correction, epsilon):
        """Shrink the weights, then descend along the running mean, scaled by the root of the running mean square."""
        m = beta1 * m + gain1 * g
        v = beta2 * v + gain2 * (g * g)
        return keep * w - rate * (m / (correction * maths.sqrt(v) + epsilon)), m, v

    def constants(self) -> dict[str, float]:
        """Return what is kept of a weight, the rate with its bias correction, β₁, 1 - β₁, β₂, 1 - β₂, √v's, and ε."""
        t = self.steps + 1
        return {
            "keep": 1 - self.rate * self.weight_decay,
            "rate": self.rate / (1 - self.beta1**t),
            "beta1": self.beta1,
            "gain1": 1 - self.beta1,
            "beta2": self.beta2,
            "gain2": 1 - self.beta2,
            "correction": 1 / sqrt(1 - self.beta2**t),
            "epsilon": self.epsilon,
        }


class Adamax(Optimizer):
    """Adamax, as Torch7's ``optim.adamax`` (Kingma and Ba, arXiv 1412.6980, section 7.1).

    ``m = β₁ m + (1 - β₁) g``, ``u = max(β₂ u, |g| + ε)``, ``w -= rate / (1 - β₁ᵗ) · m / u`` with β₁ = 0.9,
    β₂ = 0.999. ε = 1.2e-38 only keeps ``u`` from 0. Torch7's is 1e-38, a denormal in float32, which our kernels on CUDA
    take for 0; PyTorch's is 1e-8.

    Parameters
    ----------
    vectors : ParameterVector or sequence of ParameterVector
        What is trained.
    learning_rate : float, default 1e-4
        The rate; may be changed between steps.
    weight_decay : float, default 0
        L2 penalty: ``weight_decay · w`` is added to the gradient.
    """

    name = "adamax"
    state_names = ("m", "u")
    beta1 = 0.9
    beta2 = 0.999
    epsilon = 1.2e-38

    @staticmethod
    @formula
    def update(w, m, u, g, *, rate, beta1, gain1, beta2, epsilon):
        """Descend along the running mean, scaled by the decaying maximum of the gradient's magnitude."""
        m = beta1 * m + gain1 * g
        u = maths.maximum(beta2 * u, maths.abs(g) + epsilon)
        return w - rate * (m / u), m, u

    def constants(self) -> dict[str, float]:
        """Return the rate with its bias correction, β₁, 1 - β₁, β₂ and ε."""
        rate = self.rate / (1 - self.beta1 ** (self.steps + 1))
        return {
            "rate": rate,
            "beta1": self.beta1,
            "gain1": 1 - self.beta1,
            "beta2": self.beta2,
            "epsilon": self.epsilon,
        }

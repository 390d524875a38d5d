"""Descent along the gradient, at one rate for all parameters: plain, with momentum, and with an average."""

import math
from collections.abc import Mapping, Sequence

from bdfa_np.backend.base import Array
from bdfa_np.backend.formula import Formula, formula
from bdfa_np.optim.base import Optimizer
from bdfa_np.parameters import ParameterVector


@formula
def descend(w, g, *, rate):
    """``w -= rate · g``."""
    return w - rate * g


class SGD(Optimizer):
    """Stochastic gradient descent, as Torch7's ``optim.sgd``, whose dampening equals the momentum unless given.

    ``m = g`` at the first step, then ``m = μ m + (1 - τ) g``; ``w -= rate · m``. With τ = 0 it is PyTorch's ``SGD``,
    whose steps along a constant gradient grow to 1/(1 - μ) times those of τ = μ.

    Parameters
    ----------
    vectors : ParameterVector or sequence of ParameterVector
        What is trained.
    learning_rate : float, default 1e-4
        The rate; may be changed between steps.
    momentum : float, default 0
        μ; without it there is no state.
    dampening : float, optional
        τ; the momentum unless given.
    lr_decay : float, default 0
        The rate of a step is ``learning_rate / (1 + steps taken · lr_decay)``.
    weight_decay : float, default 0
        L2 penalty: ``weight_decay · w`` is added to the gradient.
    """

    name = "sgd"
    state_names: tuple[str, ...] = ("m",)

    def __init__(
        self,
        vectors: ParameterVector | Sequence[ParameterVector],
        learning_rate: float = 1e-4,
        *,
        momentum: float = 0.0,
        dampening: float | None = None,
        lr_decay: float = 0.0,
        weight_decay: float = 0.0,
    ) -> None:
        if not momentum:
            self.state_names = ()
        super().__init__(vectors, learning_rate, weight_decay=weight_decay)
        self.momentum = momentum
        self.dampening = momentum if dampening is None else dampening
        self.lr_decay = lr_decay

    @staticmethod
    @formula
    def update(w, m, g, *, rate, momentum, gain):
        """Descend along the gradient's running mean; without dampening, along its running sum."""
        m = momentum * m + gain * g
        return w - rate * m, m

    def step_formula(self) -> Formula:
        """Return the formula with momentum, or `descend` where there is none."""
        return self.update if self.momentum else descend

    def constants(self) -> dict[str, float]:
        """Return the rate and, where there is momentum, the shares of the mean and of the gradient."""
        if not self.momentum:
            return {"rate": self.rate}
        momentum, dampening = (self.momentum, self.dampening) if self.steps else (0.0, 0.0)
        return {"rate": self.rate, "momentum": momentum, "gain": 1 - dampening}


class NAG(Optimizer):
    """Nesterov's accelerated gradient, as Torch7's ``optim.nag`` (Sutskever et al., ICML 2013).

    ``v = μ v - rate · g(w + μ v)``, ``w += v``, with ``v = 0`` before the first step. The gradient is that of the
    look-ahead point, weight decay included: `look_ahead` moves ``w`` there before the forward pass, and the step
    goes on from there, since ``(w + μ v) - rate · g`` is the new ``w``.

    Parameters
    ----------
    vectors : ParameterVector or sequence of ParameterVector
        What is trained.
    learning_rate : float, default 1e-4
        The rate; may be changed between steps.
    momentum : float
        μ, greater than 0.
    lr_decay : float, default 0
        The rate of a step is ``learning_rate / (1 + steps taken · lr_decay)``.
    weight_decay : float, default 0
        L2 penalty: ``weight_decay · w`` is added to the gradient.

    Raises
    ------
    ValueError
        If the momentum is not greater than 0.
    """

    name = "nag"
    state_names = ("v",)

    def __init__(
        self,
        vectors: ParameterVector | Sequence[ParameterVector],
        learning_rate: float = 1e-4,
        *,
        momentum: float,
        lr_decay: float = 0.0,
        weight_decay: float = 0.0,
    ) -> None:
        if not momentum > 0:
            raise ValueError("nag needs a momentum greater than 0")
        super().__init__(vectors, learning_rate, weight_decay=weight_decay)
        self.momentum = momentum
        self.lr_decay = lr_decay
        self._ahead = False

    def look_ahead(self) -> None:
        """Move the weights by ``μ v``; a second call before the step changes nothing."""
        if self._ahead:
            return
        for vector, state in zip(self._vectors, self._state, strict=True):
            w = vector.values
            vector.backend.elementwise(ahead, (w, state["v"]), (w,), momentum=self.momentum)
        self._ahead = True

    def step(self) -> None:
        """Update every vector from its gradients at the look-ahead point.

        Raises
        ------
        RuntimeError
            If `look_ahead` was not called since the last step.
        """
        if not self._ahead:
            raise RuntimeError("nag takes its gradient at another point: call look_ahead() before the forward pass")
        super().step()
        self._ahead = False

    @staticmethod
    @formula
    def update(w, v, g, *, rate, momentum):
        """Descend from the look-ahead point, and add the same to the velocity."""
        return w - rate * g, momentum * v - rate * g

    def constants(self) -> dict[str, float]:
        """Return the rate and μ."""
        return {"rate": self.rate, "momentum": self.momentum}

    def load_state(self, state: Mapping[str, Array]) -> None:
        """Take over state vectors by name; the weights that belong to them are not looking ahead."""
        super().load_state(state)
        self._ahead = False


@formula
def ahead(w, v, *, momentum):
    """``w + μ v``."""
    return w + momentum * v


class ASGD(Optimizer):
    """Averaged stochastic gradient descent, as Torch7's ``optim.asgd`` (Bottou's sgd-2.0; Xu, arXiv 1107.2490).

    With ``t`` the steps taken before: ``η = η₀ / (1 + λ η₀ t)^α``, ``w = (1 - λ η) w - η g``,
    ``ax += μ (w - ax)`` with ``μ = 1 / max(1, t - t₀)``; λ = 1e-4, α = 0.75, t₀ = 1e6, and the learning rate is η₀.

    The average ``ax`` is kept beside the weights and never put in their place, as in Torch7: it is
    ``state()["0.ax"]``, in a checkpoint too. Up to step t₀ it is the weights themselves.

    Parameters
    ----------
    vectors : ParameterVector or sequence of ParameterVector
        What is trained.
    learning_rate : float, default 1e-4
        η₀; may be changed between steps.
    weight_decay : float, default 0
        L2 penalty: ``weight_decay · w`` is added to the gradient.
    """

    name = "asgd"
    state_names = ("ax",)
    decay = 1e-4
    alpha = 0.75
    average_from = 1e6

    @property
    def rate(self) -> float:
        """The rate η of the next step."""
        return self.scale * self.learning_rate / math.pow(1 + self.decay * self.learning_rate * self.steps, self.alpha)

    @staticmethod
    @formula
    def update(w, ax, g, *, rate, keep, mu):
        """Shrink the weights, descend along the gradient, and take the new weights into the average."""
        w = keep * w - rate * g
        return w, ax + mu * (w - ax)

    def step_formula(self) -> Formula:
        """Return the formula that averages, or, up to step t₀, the one whose average is the new weights."""
        return self.update if self.mu < 1 else shrink_and_descend

    @property
    def mu(self) -> float:
        """The share μ of the new weights in the average."""
        return 1 / max(1, self.steps - self.average_from)

    def constants(self) -> dict[str, float]:
        """Return the rate, what is kept of a weight, and, where there is an average, μ."""
        shared = {"rate": self.rate, "keep": 1 - self.decay * self.rate}
        return {**shared, "mu": self.mu} if self.mu < 1 else shared


@formula
def shrink_and_descend(w, ax, g, *, rate, keep):
    """``w = (1 - λ η) w - η g``, for the weights and for their average."""
    w = keep * w - rate * g
    return w, w

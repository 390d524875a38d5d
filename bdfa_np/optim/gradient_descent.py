"""Descent along the gradient, at one rate for all parameters: plain, with momentum, and with an average."""

import math
from collections.abc import Mapping, Sequence

from bdfa_np.backend.base import Array
from bdfa_np.optim.base import Block, Optimizer
from bdfa_np.parameters import ParameterVector


class SGD(Optimizer):
    """Stochastic gradient descent, as Torch7's ``optim.sgd``: dampening equals the momentum.

    ``m = g`` at the first step, then ``m = μ m + (1 - μ) g``; ``w -= rate · m``.
    """

    name = "sgd"
    options = frozenset({"lr_decay", "weight_decay", "momentum"})
    state_names: tuple[str, ...] = ("m",)

    def __init__(self, vectors: Sequence[ParameterVector], learning_rate: float, **options: float) -> None:
        if not options.get("momentum"):
            self.state_names = ()
        super().__init__(vectors, learning_rate, **options)

    def update(self, block: Block) -> None:
        """Descend along the gradient, or along its running mean where there is momentum."""
        direction = block.g
        if self.momentum:
            direction = m = block.state["m"]
            if self.steps == 0:
                m[...] = block.g
            else:
                self.xp.multiply(block.g, 1 - self.momentum, out=block.scratch)
                m *= self.momentum
                m += block.scratch
        self.xp.multiply(direction, self.rate, out=block.scratch)
        self.xp.subtract(block.w, block.scratch, out=block.w)


class NAG(Optimizer):
    """Nesterov's accelerated gradient, as Torch7's ``optim.nag`` (Sutskever et al., ICML 2013).

    ``v = μ v - rate · g(w + μ v)``, ``w += v``, with ``v = 0`` before the first step. The gradient is that of the
    look-ahead point, weight decay included: `look_ahead` moves ``w`` there before the forward pass, and the step
    goes on from there, since ``(w + μ v) - rate · g`` is the new ``w``.
    """

    name = "nag"
    options = frozenset({"lr_decay", "weight_decay", "momentum"})
    needs_momentum = True
    state_names = ("v",)

    def __init__(self, vectors: Sequence[ParameterVector], learning_rate: float, **options: float) -> None:
        super().__init__(vectors, learning_rate, **options)
        self._ahead = False

    def look_ahead(self) -> None:
        """Move the weights by ``μ v``; a second call before the step changes nothing."""
        if self._ahead:
            return
        for block in self._blocks:
            self.xp.multiply(block.state["v"], self.momentum, out=block.scratch)
            self.xp.add(block.w, block.scratch, out=block.w)
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

    def update(self, block: Block) -> None:
        """Descend from the look-ahead point, and add the same to the velocity."""
        xp, v, scratch = self.xp, block.state["v"], block.scratch
        xp.multiply(block.g, self.rate, out=scratch)
        v *= self.momentum
        v -= scratch
        xp.subtract(block.w, scratch, out=block.w)

    def load_state(self, state: Mapping[str, Array]) -> None:
        """Take over state vectors by name; the weights that belong to them are not looking ahead."""
        super().load_state(state)
        self._ahead = False


class ASGD(Optimizer):
    """Averaged stochastic gradient descent, as Torch7's ``optim.asgd`` (Bottou's sgd-2.0; Xu, arXiv 1107.2490).

    With ``t`` the steps taken before: ``η = η₀ / (1 + λ η₀ t)^α``, ``w = (1 - λ η) w - η g``,
    ``ax += μ (w - ax)`` with ``μ = 1 / max(1, t - t₀)``; λ = 1e-4, α = 0.75, t₀ = 1e6, and the learning rate is η₀.

    The average ``ax`` is kept beside the weights and never put in their place, as in Torch7: it is
    ``state()["0.ax"]``, in a checkpoint too. Up to step t₀ it is the weights themselves.
    """

    name = "asgd"
    state_names = ("ax",)
    decay = 1e-4
    alpha = 0.75
    average_from = 1e6

    @property
    def rate(self) -> float:
        """The rate η of the next step."""
        return self.learning_rate / math.pow(1 + self.decay * self.learning_rate * self.steps, self.alpha)

    def update(self, block: Block) -> None:
        """Shrink the weights, descend along the gradient, and take the new weights into the average."""
        xp, w, ax, scratch = self.xp, block.w, block.state["ax"], block.scratch
        xp.multiply(block.g, self.rate, out=scratch)
        w *= 1 - self.decay * self.rate
        w -= scratch
        mu = 1 / max(1, self.steps - self.average_from)
        if mu == 1:
            ax[...] = w
        else:
            xp.subtract(w, ax, out=scratch)
            scratch *= mu
            ax += scratch

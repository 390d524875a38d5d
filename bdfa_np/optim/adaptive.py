"""A rate of its own for every parameter, from running figures of its gradient."""

from math import sqrt

from bdfa_np.optim.base import Block, Optimizer


class RMSprop(Optimizer):
    """RMSprop, as Torch7's ``optim.rmsprop``: ``v = α v + (1 - α) g²``, ``w -= rate · g / (√v + ε)``.

    α = 0.99, ε = 1e-8 (Tieleman and Hinton, Coursera lecture 6.5, 2012; not centred, no momentum).
    """

    name = "rmsprop"
    state_names = ("v",)
    alpha = 0.99
    epsilon = 1e-8

    def update(self, block: Block) -> None:
        """Scale the gradient by the root of its running mean square."""
        xp, v, scratch = self.xp, block.state["v"], block.scratch
        xp.multiply(block.g, block.g, out=scratch)
        scratch *= 1 - self.alpha
        v *= self.alpha
        v += scratch
        xp.sqrt(v, out=scratch)
        scratch += self.epsilon
        xp.divide(block.g, scratch, out=scratch)
        scratch *= self.rate
        xp.subtract(block.w, scratch, out=block.w)


class Adam(Optimizer):
    """Adam, as Torch7's ``optim.adam`` (Kingma and Ba, arXiv 1412.6980).

    ``m = β₁ m + (1 - β₁) g``, ``v = β₂ v + (1 - β₂) g²``,
    ``w -= rate · √(1 - β₂ᵗ) / (1 - β₁ᵗ) · m / (√v + ε)`` with β₁ = 0.9, β₂ = 0.999, ε = 1e-8: Torch7 adds ε
    *before* the bias correction, PyTorch after it.
    """

    name = "adam"
    options = frozenset({"lr_decay", "weight_decay"})
    state_names = ("m", "v")
    beta1 = 0.9
    beta2 = 0.999
    epsilon = 1e-8

    def update(self, block: Block) -> None:
        """Descend along the running mean, scaled by the root of the running mean square."""
        xp, m, v, scratch = self.xp, block.state["m"], block.state["v"], block.scratch
        xp.multiply(block.g, 1 - self.beta1, out=scratch)
        m *= self.beta1
        m += scratch
        xp.multiply(block.g, block.g, out=scratch)
        scratch *= 1 - self.beta2
        v *= self.beta2
        v += scratch
        t = self.steps + 1
        xp.sqrt(v, out=scratch)
        scratch += self.epsilon
        xp.divide(m, scratch, out=scratch)
        scratch *= self.rate * sqrt(1 - self.beta2**t) / (1 - self.beta1**t)
        xp.subtract(block.w, scratch, out=block.w)


class Adamax(Optimizer):
    """Adamax, as Torch7's ``optim.adamax`` (Kingma and Ba, arXiv 1412.6980, section 7.1).

    ``m = β₁ m + (1 - β₁) g``, ``u = max(β₂ u, |g| + ε)``, ``w -= rate / (1 - β₁ᵗ) · m / u`` with β₁ = 0.9,
    β₂ = 0.999. ε = 1e-38 only keeps ``u`` from 0; PyTorch's is 1e-8.
    """

    name = "adamax"
    state_names = ("m", "u")
    beta1 = 0.9
    beta2 = 0.999
    epsilon = 1e-38

    def update(self, block: Block) -> None:
        """Descend along the running mean, scaled by the decaying maximum of the gradient's magnitude."""
        xp, m, u, scratch = self.xp, block.state["m"], block.state["u"], block.scratch
        xp.multiply(block.g, 1 - self.beta1, out=scratch)
        m *= self.beta1
        m += scratch
        xp.abs(block.g, out=scratch)
        scratch += self.epsilon
        u *= self.beta2
        xp.maximum(u, scratch, out=u)
        xp.divide(m, u, out=scratch)
        scratch *= self.rate / (1 - self.beta1 ** (self.steps + 1))
        xp.subtract(block.w, scratch, out=block.w)


class Adagrad(Optimizer):
    """Adagrad, as Torch7's ``optim.adagrad`` (Duchi, Hazan and Singer, JMLR 12, 2011).

    ``v += g²``, ``w -= rate · g / (√v + ε)`` with ε = 1e-10.
    """

    name = "adagrad"
    options = frozenset({"lr_decay", "weight_decay"})
    state_names = ("v",)
    epsilon = 1e-10

    def update(self, block: Block) -> None:
        """Scale the gradient by the root of the sum of all its squares."""
        xp, v, scratch = self.xp, block.state["v"], block.scratch
        xp.multiply(block.g, block.g, out=scratch)
        v += scratch
        xp.sqrt(v, out=scratch)
        scratch += self.epsilon
        xp.divide(block.g, scratch, out=scratch)
        scratch *= self.rate
        xp.subtract(block.w, scratch, out=block.w)


class Adadelta(Optimizer):
    """Adadelta, as Torch7's ``optim.adadelta`` (Zeiler, arXiv 1212.5701).

    ``v = ρ v + (1 - ρ) g²``, ``δ = √(d + ε) / √(v + ε) · g``, ``d = ρ d + (1 - ρ) δ²``, ``w -= rate · δ`` with
    ρ = 0.9, ε = 1e-6. Torch7 has no rate here, which is a rate of 1; another one does not enter ``d``.
    """

    name = "adadelta"
    default_learning_rate = 1.0
    state_names = ("v", "d")
    second_scratch = True
    rho = 0.9
    epsilon = 1e-6

    def update(self, block: Block) -> None:
        """Scale the gradient by the ratio of the roots of two running mean squares: the steps' and its own."""
        xp, v, d, delta, scratch = self.xp, block.state["v"], block.state["d"], block.second, block.scratch
        xp.multiply(block.g, block.g, out=scratch)
        scratch *= 1 - self.rho
        v *= self.rho
        v += scratch
        xp.add(d, self.epsilon, out=delta)
        xp.sqrt(delta, out=delta)
        xp.add(v, self.epsilon, out=scratch)
        xp.sqrt(scratch, out=scratch)
        delta /= scratch
        delta *= block.g
        xp.multiply(delta, delta, out=scratch)
        scratch *= 1 - self.rho
        d *= self.rho
        d += scratch
        delta *= self.rate
        xp.subtract(block.w, delta, out=block.w)

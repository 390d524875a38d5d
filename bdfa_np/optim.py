"""Optimizers: a few lines each over flat vectors, by the formulas of Torch7's package ``optim``.

Every optimizer walks a vector in blocks that stay in cache, so each line below is one pass over a block.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt

from bdfa_np.backend.base import Array, Backend
from bdfa_np.parameters import ParameterVector, check_same_names


@dataclass(frozen=True)
class Block:
    """Views of one stretch of a vector: parameters, gradient, optimizer state, and scratch space."""

    w: Array
    g: Array
    state: dict[str, Array]
    scratch: Array


class Optimizer:
    """Base of all optimizers.

    Parameters
    ----------
    vectors : sequence of ParameterVector
        What is trained: the weights and, under a rule that trains its feedback so, the feedback.
    learning_rate : float
        The rate; may be changed between steps (halving does).
    lr_decay : float, default 0
        The rate of a step is ``learning_rate / (1 + steps taken · lr_decay)``, in the optimizers that have it.
    weight_decay : float, default 0
        L2 penalty: ``weight_decay · w`` is added to the gradient.
    momentum : float, default 0
        In the optimizers that have it.

    Raises
    ------
    ValueError
        If a vector has no gradients, or an option is given that this optimizer does not have.
    """

    name: str
    options: frozenset[str] = frozenset({"weight_decay"})
    """Which of ``lr_decay``, ``weight_decay`` and ``momentum`` this optimizer has."""
    state_names: tuple[str, ...] = ()

    def __init__(
        self,
        vectors: Sequence[ParameterVector],
        learning_rate: float,
        *,
        lr_decay: float = 0.0,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
    ) -> None:
        given = {"lr_decay": lr_decay, "weight_decay": weight_decay, "momentum": momentum}
        for option, value in given.items():
            if value and option not in self.options:
                raise ValueError(f"{self.name} has no {option}")
        self.learning_rate = learning_rate
        self.lr_decay = lr_decay
        self.weight_decay = weight_decay
        self.momentum = momentum
        self.steps = 0
        self._state: list[dict[str, Array]] = []
        self._blocks: list[Block] = []
        for vector in vectors:
            self._adopt(vector, vector.backend)

    def _adopt(self, vector: ParameterVector, backend: Backend) -> None:
        if vector.gradients is None:
            raise ValueError("an optimizer can only train a vector that has gradients")
        self.xp = backend.xp
        size = len(vector.values)
        state = {name: backend.zeros((size,)) for name in self.state_names}
        self._state.append(state)
        scratch = backend.empty((max((s.stop - s.start for s in backend.blocks(size)), default=0),))
        for part in backend.blocks(size):
            part_of_state = {name: array[part] for name, array in state.items()}
            w, g = vector.values[part], vector.gradients[part]
            self._blocks.append(Block(w, g, part_of_state, scratch[: len(w)]))

    @property
    def rate(self) -> float:
        """The rate of the next step, decay included."""
        return self.learning_rate / (1 + self.steps * self.lr_decay)

    def step(self) -> None:
        """Update every vector from its gradients; weight decay is added to the gradients in place."""
        for block in self._blocks:
            if self.weight_decay:
                self.xp.multiply(block.w, self.weight_decay, out=block.scratch)
                self.xp.add(block.g, block.scratch, out=block.g)
            self.update(block)
        self.steps += 1

    def update(self, block: Block) -> None:
        """Update one block; ``self.steps`` counts the steps taken before this one."""
        raise NotImplementedError

    def state(self) -> dict[str, Array]:
        """Return references to the state vectors, named ``0.v`` for the first vector's ``v`` and so on."""
        return {f"{i}.{name}": array for i, state in enumerate(self._state) for name, array in state.items()}

    def load_state(self, state: Mapping[str, Array]) -> None:
        """Take over state vectors by name.

        Raises
        ------
        ValueError
            If names or lengths differ from this optimizer's own.
        """
        own = self.state()
        check_same_names(own, state)
        for name, array in own.items():
            if array.shape != state[name].shape:
                raise ValueError(f"optimizer state {name} has {len(state[name])} entries where {len(array)} are wanted")
        for name, array in own.items():
            array[...] = state[name]


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


OPTIMIZERS: dict[str, type[Optimizer]] = {"sgd": SGD, "rmsprop": RMSprop, "adam": Adam}
"""By the names that ``--optimization`` takes."""

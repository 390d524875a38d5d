"""What all optimizers share: the walk over vectors in blocks, the rate, weight decay, and the saved state."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bdfa_np.backend.base import Array, Backend
from bdfa_np.parameters import ParameterVector, check_same_names


@dataclass(frozen=True)
class Block:
    """Views of one stretch of a vector: parameters, gradient, optimizer state, and scratch space.

    ``second`` is more scratch space in the optimizers that ask for it, and empty in all others.
    """

    w: Array
    g: Array
    state: dict[str, Array]
    scratch: Array
    second: Array


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
        If a vector has no gradients, an option is given that this optimizer does not have, or one that it
        cannot do without is missing.
    """

    name: str
    options: frozenset[str] = frozenset({"weight_decay"})
    """Which of ``lr_decay``, ``weight_decay`` and ``momentum`` this optimizer has."""
    default_learning_rate: float = 1e-4
    """The rate of a run that gives none."""
    needs_momentum: bool = False
    """Whether there is nothing to compute without a momentum."""
    follows_rate: bool = True
    """Whether a rate that is changed between steps makes a difference."""
    state_names: tuple[str, ...] = ()
    second_scratch: bool = False

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
        if self.needs_momentum and not momentum > 0:
            raise ValueError(f"{self.name} needs a momentum greater than 0")
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
        longest = max((part.stop - part.start for part in backend.blocks(size)), default=0)
        scratch = backend.empty((longest,))
        second = backend.empty((longest if self.second_scratch else 0,))
        for part in backend.blocks(size):
            part_of_state = {name: array[part] for name, array in state.items()}
            w, g = vector.values[part], vector.gradients[part]
            self._blocks.append(Block(w, g, part_of_state, scratch[: len(w)], second[: len(w)]))

    @property
    def rate(self) -> float:
        """The rate of the next step, decay included."""
        return self.learning_rate / (1 + self.steps * self.lr_decay)

    def look_ahead(self) -> None:
        """Move the weights to where the next step's gradient is to be taken: call it before every forward pass.

        Here that is where they are. Whatever moves them here has them at the true iterate again after `step`.
        """

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

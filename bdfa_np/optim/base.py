"""What all optimizers share: the rate, weight decay, the saved state, and the step over whole vectors."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import ClassVar

from bdfa_np.backend.base import Array
from bdfa_np.backend.formula import Formula, formula
from bdfa_np.habits import Habits
from bdfa_np.optim.arguments import advised, vectors_of
from bdfa_np.parameters import ParameterVector, copy_named
from bdfa_np.representation import one_line, settings
from bdfa_np.system.text import counted


class Optimizer(Habits):
    """Base of all optimizers; what one takes is what its constructor shows.

    What an optimizer does to one parameter is its `update`, a formula; `step` applies it to whole vectors.

    Parameters
    ----------
    vectors : ParameterVector or sequence of ParameterVector
        What is trained: a network's ``weights``, or a rule's ``trained``, which may have its feedback in it.
    learning_rate : float, default 1e-4
        The rate; may be changed between steps (halving does).
    weight_decay : float, default 0
        L2 penalty: ``weight_decay · w`` is added to the gradient.

    Raises
    ------
    TypeError
        If what shall be trained is no vector of parameters, or an argument is one that the optimizer does not take.
    ValueError
        If a vector has no gradients.
    """

    habits: ClassVar[dict[str, str]] = {
        "zero_grad": "network.forget_gradients() lets the next backward overwrite the gradients",
        "param_groups": "the rate is optimizer.learning_rate, which may be changed between steps",
        "lr": "the rate is optimizer.learning_rate, which may be changed between steps",
        "state_dict": "optimizer.state() gives its state by name",
        "load_state_dict": "optimizer.load_state(...) takes over what optimizer.state() gave",
    }
    name: str
    options: frozenset[str]
    """Which of ``momentum``, ``dampening``, ``lr_decay`` and ``weight_decay`` its constructor takes."""
    default_learning_rate: float
    """The rate of a run that gives none, as of a constructor's call that gives none."""
    needs_momentum: bool
    """Whether there is nothing to compute without a momentum: its constructor demands one."""
    follows_rate: bool = True
    """Whether a rate that is changed between steps makes a difference."""
    decoupled: bool = False
    """Whether weight decay shrinks the weights themselves, in `update`, and is not added to the gradient."""
    state_names: tuple[str, ...] = ()
    lr_decay: float = 0.0
    """The rate of a step is ``learning_rate / (1 + steps taken · lr_decay)``, in the optimizers that have it."""
    scale: float = 1.0
    """What a schedule multiplies the rate by; it follows from the epoch alone, and is no part of the saved state."""

    def __init_subclass__(cls) -> None:
        """Read from the constructor what the command line has to know of it; let it say what it does not take."""
        if "__init__" in vars(cls):
            cls.__init__ = advised(cls.__init__)  # type: ignore[method-assign]
        parameters = inspect.signature(cls.__init__).parameters
        cls.options = frozenset(name for name, one in parameters.items() if one.kind is one.KEYWORD_ONLY)
        cls.default_learning_rate = parameters["learning_rate"].default
        cls.needs_momentum = "momentum" in cls.options and parameters["momentum"].default is inspect.Parameter.empty

    @advised
    def __init__(
        self,
        vectors: ParameterVector | Sequence[ParameterVector],
        learning_rate: float = 1e-4,
        *,
        weight_decay: float = 0.0,
    ) -> None:
        self._vectors = vectors_of(vectors, type(self).__name__)
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.steps = 0
        self._state = [
            {name: vector.backend.zeros(vector.values.shape) for name in self.state_names} for vector in self._vectors
        ]

    def __repr__(self) -> str:
        """Return its settings, what it trains, and the steps taken."""
        size = sum(vector.values.size for vector in self._vectors)
        changed = settings(self, always=("learning_rate",))
        taken = counted(self.steps, "step") + " taken" if self.steps else ""
        return one_line(self, [*changed, counted(size, "parameter"), taken])

    update: Formula
    """What a step does to one parameter: from ``w``, its state, ``g`` and constants to ``w`` and its state."""

    def step_formula(self) -> Formula:
        """Return the formula of the next step; an optimizer that has several overrides this."""
        return self.update

    def constants(self) -> dict[str, float]:
        """Return the constants of the next step's formula; ``self.steps`` counts the steps before it."""
        raise NotImplementedError

    @property
    def rate(self) -> float:
        """The rate of the next step, decay and schedule included."""
        return self.scale * self.learning_rate / (1 + self.steps * self.lr_decay)

    def look_ahead(self) -> None:
        """Move the weights to where the next step's gradient is to be taken: call it before every forward pass.

        Here that is where they are. Whatever moves them here has them at the true iterate again after `step`.
        """

    def step(self) -> None:
        """Update every vector from its gradients; weight decay that is not decoupled is added to these in place."""
        update, constants = self.step_formula(), self.constants()
        for vector, state in zip(self._vectors, self._state, strict=True):
            w, g, backend = vector.values, vector.gradients, vector.backend
            assert g is not None
            if self.weight_decay and not self.decoupled:
                backend.elementwise(decayed, (g, w), (g,), weight_decay=self.weight_decay)
            backend.elementwise(update, (w, *state.values(), g), (w, *state.values()), **constants)
        self.steps += 1

    def state(self) -> dict[str, Array]:
        """Return the state vectors on the host, named ``0.v`` for the first vector's ``v`` and so on.

        On the CPU they are the optimizer's own; copy what you want to keep.
        """
        return {name: self._vectors[0].backend.to_host(array) for name, array in self._named_state().items()}

    def load_state(self, state: Mapping[str, Array]) -> None:
        """Take over state vectors from the host, by name.

        Raises
        ------
        ValueError
            If names or lengths differ from this optimizer's own; nothing is changed then.
        """
        copy_named(self._named_state(), state, self._vectors[0].backend)

    def _named_state(self) -> dict[str, Array]:
        return {f"{i}.{name}": array for i, state in enumerate(self._state) for name, array in state.items()}


@formula
def decayed(g, w, *, weight_decay):
    """Return the gradient with the L2 penalty's added to it."""
    return g + weight_decay * w

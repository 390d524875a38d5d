"""Steps by the gradient's sign alone."""

import functools
from collections.abc import Sequence
from typing import Any

from bdfa_np.backend.base import Formula
from bdfa_np.optim.base import Optimizer
from bdfa_np.parameters import ParameterVector


class Rprop(Optimizer):
    """Rprop, as Torch7's ``optim.rprop`` (Riedmiller and Braun, ICNN 1993), for gradients of the whole training set.

    With ``s = sign(g · p)``, ``p`` the gradient that the last step went by: ``Δ *= η⁺`` where ``s > 0``, ``Δ *= η⁻``
    where ``s < 0``, and Δ is kept within 1e-6 and 50. Then ``p = g``, or 0 where ``s < 0``, and
    ``w -= sign(p) · Δ``: a weight whose gradient has turned rests for a step. η⁺ = 1.2, η⁻ = 0.5.

    The learning rate is the first Δ of every weight; changed later, it has no effect.
    """

    name = "rprop"
    options = frozenset()
    default_learning_rate = 0.1
    follows_rate = False
    state_names = ("delta", "p")
    increase = 1.2
    decrease = 0.5
    smallest = 1e-6
    largest = 50.0

    def __init__(self, vectors: Sequence[ParameterVector], learning_rate: float, **options: float) -> None:
        super().__init__(vectors, learning_rate, **options)
        for state in self._state:
            state["delta"].fill(learning_rate)

    @staticmethod
    @functools.cache
    def formula(maths: Any) -> Formula:
        """Lengthen the steps of weights whose gradient kept its sign, shorten the others', and step."""

        def update(w, delta, p, g, up, down, smallest, largest, one, zero):
            s = maths.sign(g * p)
            turned = maths.minimum(s, zero)  # -1 where the sign has turned, else 0
            delta = delta * (one + up * maths.maximum(s, zero)) * (one + down * turned)
            delta = maths.minimum(maths.maximum(delta, smallest), largest)
            p = g * (one + turned)
            return w - maths.sign(p) * delta, delta, p

        return update

    def constants(self) -> tuple[float, ...]:
        """Return η⁺ - 1, 1 - η⁻, the bounds of Δ, 1 and 0."""
        return self.increase - 1, 1 - self.decrease, self.smallest, self.largest, 1.0, 0.0

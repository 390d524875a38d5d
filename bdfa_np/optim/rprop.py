"""Steps by the gradient's sign alone."""

from collections.abc import Sequence

from bdfa_np.optim.base import Block, Optimizer
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
    second_scratch = True
    increase = 1.2
    decrease = 0.5
    smallest = 1e-6
    largest = 50.0

    def __init__(self, vectors: Sequence[ParameterVector], learning_rate: float, **options: float) -> None:
        super().__init__(vectors, learning_rate, **options)
        for state in self._state:
            state["delta"].fill(learning_rate)

    def update(self, block: Block) -> None:
        """Lengthen the steps of weights whose gradient kept its sign, shorten the others', and step."""
        xp, delta, p, s, factor = self.xp, block.state["delta"], block.state["p"], block.scratch, block.second
        xp.multiply(block.g, p, out=s)
        xp.sign(s, out=s)
        xp.maximum(s, 0, out=factor)
        factor *= self.increase - 1
        factor += 1
        delta *= factor
        turned = xp.minimum(s, 0, out=s)  # -1 where the sign has turned, else 0
        xp.multiply(turned, 1 - self.decrease, out=factor)
        factor += 1
        delta *= factor
        xp.clip(delta, self.smallest, self.largest, out=delta)
        turned += 1
        xp.multiply(block.g, turned, out=p)
        xp.sign(p, out=s)
        s *= delta
        xp.subtract(block.w, s, out=block.w)

"""Steps by the gradient's sign alone."""

from collections.abc import Sequence

from bdfa_np.backend import maths
from bdfa_np.backend.formula import formula
from bdfa_np.optim.base import Optimizer
from bdfa_np.parameters import ParameterVector


class Rprop(Optimizer):
    """Rprop, as Torch7's ``optim.rprop`` (Riedmiller and Braun, ICNN 1993), for gradients of the whole training set.

    With ``s = sign(g · p)``, ``p`` the gradient that the last step went by: ``Δ *= η⁺`` where ``s > 0``, ``Δ *= η⁻``
    where ``s < 0``, and Δ is kept within 1e-6 and 50. Then ``p = g``, or 0 where ``s < 0``, and
    ``w -= sign(p) · Δ``: a weight whose gradient has turned rests for a step. η⁺ = 1.2, η⁻ = 0.5.

    Parameters
    ----------
    vectors : ParameterVector or sequence of ParameterVector
        What is trained.
    learning_rate : float, default 0.1
        The first Δ of every weight; changed later, it has no effect.
    """

    name = "rprop"
    follows_rate = False
    state_names = ("delta", "p")
    increase = 1.2
    decrease = 0.5
    smallest = 1e-6
    largest = 50.0

    def __init__(self, vectors: ParameterVector | Sequence[ParameterVector], learning_rate: float = 0.1) -> None:
        super().__init__(vectors, learning_rate)
        for state in self._state:
            state["delta"].fill(learning_rate)

    @staticmethod
    @formula
    def update(w, delta, p, g, *, up, down, smallest, largest):
        """Lengthen the steps of weights whose gradient kept its sign, shorten the others', and step."""
        s = maths.sign(g * p)
        turned = maths.minimum(s, 0)  # -1 where the sign has turned, else 0
        delta = delta * (1 + up * maths.maximum(s, 0)) * (1 + down * turned)
        delta = maths.minimum(maths.maximum(delta, smallest), largest)
        p = g * (1 + turned)
        return w - maths.sign(p) * delta, delta, p

    def constants(self) -> dict[str, float]:
        """Return η⁺ - 1, 1 - η⁻, and the bounds of Δ."""
        return {
            "up": self.increase - 1,
            "down": 1 - self.decrease,
            "smallest": self.smallest,
            "largest": self.largest,
        }

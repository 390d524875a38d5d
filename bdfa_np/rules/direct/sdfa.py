"""Error-sign direct feedback alignment."""

from typing import ClassVar

from bdfa_np.backend.base import Array
from bdfa_np.losses import LossResult
from bdfa_np.rules.direct.dfa import DFA
from bdfa_np.rules.pathways import FeedbackMatrix, Pathway, Pathways
from bdfa_np.rules.signs import scaled_sign


class SDFA(DFA):
    """``δ_l = (sign(e) B_l) ⊙ f'(a_l)``: DFA that hands on no more of the error than its signs.

    Under ``ce`` and ``mse``, whose ``e`` is divided by N, it is ``sign(e) / N``. Outputs that do not saturate have
    ``sign(e) = 1 - 2t``, whatever they are; where ``e`` is exactly 0, as it may be in float32, its sign is 0. The
    output layer learns from ``e`` itself (Frenkel, Lefebvre and Bol, 2021, arXiv 1909.01311). The signal does not end
    as the error falls, so that units want a bound, as tanh and sigm have: ReLU's run away.

    Parameters
    ----------
    network, **drawing
        As of `DFA`.

    Raises
    ------
    ValueError
        As of `DFA`.
    """

    name = "sdfa"
    summary = "error-sign DFA: every block gets the signs of the output error through a fixed random matrix"
    formula = "δ_l = (sign(e) B_l) ⊙ f'(a_l)"
    trains = "W"
    errors_from = "the output"
    source = "Frenkel, Lefebvre and Bol, 2021, arXiv 1909.01311"
    pathways: ClassVar[Pathways] = (Pathway("direct", (FeedbackMatrix("B", "fixed"),), start="sign(e)"),)

    def signal(self, result: LossResult) -> Array:
        """Return ``sign(e)``, or ``sign(e) / N`` where the loss divides ``e`` by N; (N, K)."""
        e = result.error
        signs: Array = self.backend.xp.empty_like(e)
        self.backend.elementwise(scaled_sign, (e,), (signs,), scale=result.scale)
        return signs

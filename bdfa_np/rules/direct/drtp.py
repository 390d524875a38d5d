"""Direct random target projection."""

from typing import ClassVar

from bdfa_np.backend.base import Array
from bdfa_np.losses import LossResult
from bdfa_np.rules.direct.dfa import DFA
from bdfa_np.rules.pathways import FeedbackMatrix, Pathway, Pathways


class DRTP(DFA):
    """``δ_l = (-t B_l) ⊙ f'(a_l)``: every block gets the target itself, which is known before the outputs are.

    The signal does not end as the error falls, so that units want a bound, as tanh and sigm have: ReLU's run away.
    Under ``ce`` and ``mse``, whose ``e`` is divided by N, it is ``-t / N``. The output layer learns from ``e``
    (Frenkel, Lefebvre and Bol, 2021, arXiv 1909.01311; their code projects ``+t``, which is the same in distribution
    where ``B`` is drawn evenly around 0).

    Parameters
    ----------
    network, **drawing
        As of `DFA`.

    Raises
    ------
    ValueError
        As of `DFA`.
    """

    name = "drtp"
    summary = "direct random target projection: every block gets the target through a fixed random matrix"
    formula = "δ_l = (-t B_l) ⊙ f'(a_l)"
    trains = "W"
    errors_from = "the target"
    source = "Frenkel, Lefebvre and Bol, 2021, arXiv 1909.01311"
    pathways: ClassVar[Pathways] = (Pathway("direct", (FeedbackMatrix("B", "fixed"),), start="-t"),)

    def signal(self, result: LossResult) -> Array:
        """Return ``-t``, or ``-t / N`` where the loss divides ``e`` by N; (N, K)."""
        signal: Array = result.targets * -result.scale
        return signal

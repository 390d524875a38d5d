"""Kolen and Pollack's rule: feedback that learns what the weights learn."""

from typing import ClassVar

from bdfa_np.losses import LossResult
from bdfa_np.parameters import ParameterVector
from bdfa_np.rules.layerwise.fa import FA
from bdfa_np.rules.pathways import FeedbackMatrix, Pathway, Pathways


class KP(FA):
    """``δ_l = (δ_{l+1} B_{l+1}ᵀ) ⊙ f'(a_l)``; ``dB_l = dW_l``, by W's optimizer at its rate and weight decay.

    ``W`` and ``B`` get the same update, so that under SGD with the decay λ ``W_t - B_t = (1 - ηλ)ᵗ (W_0 - B_0)``: decay
    alone brings them together, and without it their difference stays as it was (Kolen and Pollack, 1994; Akrout et al.,
    arXiv 1904.05391, eq. 16-17, who transpose ``B``). ``B`` starts as that of `FA`; max-norm leaves it alone.
    """

    name = "kp"
    summary = "Kolen and Pollack: B learns what W learns, and weight decay brings the two together"
    formula = "δ_l = (δ_{l+1} B_{l+1}ᵀ) ⊙ f'(a_l)"
    trains = "W, and B by dB_l = dW_l with W's optimizer, rate and weight decay"
    source = "Kolen and Pollack, 1994; Akrout et al., 2019, arXiv 1904.05391, eq. 16-17"
    pathways: ClassVar[Pathways] = (
        Pathway("down", (FeedbackMatrix("B", "trained", learns_from="W_l", by="dW", transposed=True),)),
    )
    starts_at_zero = False
    trains_feedback = True
    across_processes = True  # dW is the sum already

    @property
    def trained(self) -> list[ParameterVector]:
        """The weights and the feedback."""
        return [self.network.weights, self.feedback]

    @property
    def clipped(self) -> list[ParameterVector]:
        """The weights and the feedback, whose gradient is theirs."""
        return self.trained

    def train_feedback(self, result: LossResult) -> None:
        """Leave ``dB = dW`` for the optimizer."""
        for name in self.B:
            dW = self.network.weights.gradient(f"{name}.W")
            self.feedback.gradient(f"{name}.B")[...] = dW  # Akrout eq. 16-17: one and the same, but for the decay

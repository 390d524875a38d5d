"""Feedback alignment."""

from typing import ClassVar

from bdfa_np.backend.base import Array
from bdfa_np.declaration import Option
from bdfa_np.layers.base import Layer
from bdfa_np.network import Sequential
from bdfa_np.rules.layerwise.base import Layerwise
from bdfa_np.rules.options import RFB_MAG
from bdfa_np.rules.pathways import FeedbackMatrix, Pathway, Pathways


class FA(Layerwise):
    """``δ_l = (δ_{l+1} B_{l+1}ᵀ) ⊙ f'(a_l)`` with fixed random ``B``, shaped as ``W`` (Lillicrap et al., 2016).

    Parameters
    ----------
    network : Sequential
        The network to train.
    magnitude : float, default 0
        ``B`` is uniform within ±magnitude; 0 takes ±1/√fan_in of its layer.
    """

    name = "fa"
    summary = "feedback alignment: the signal passes each layer through a fixed random matrix"
    formula = "δ_l = (δ_{l+1} B_{l+1}ᵀ) ⊙ f'(a_l)"
    trains = "W"
    source = "Lillicrap et al., 2016, doi 10.1038/ncomms13276"
    pathways: ClassVar[Pathways] = (Pathway("down", (FeedbackMatrix("B", "fixed", transposed=True),)),)
    options: ClassVar[tuple[Option, ...]] = (RFB_MAG,)
    starts_at_zero = True
    trains_feedback = False

    def __init__(self, network: Sequential, *, magnitude: float = 0.0) -> None:
        super().__init__(network)
        self.magnitude = magnitude
        self.draw_feedback(self.feedback_layers(), magnitude, trained=self.trains_feedback)

    def matrix(self, layer: Layer) -> Array:
        """Return ``B``."""
        return self.B[layer.name]

"""Back-propagation."""

from typing import ClassVar

from bdfa_np.backend.base import Array
from bdfa_np.layers.base import Layer
from bdfa_np.rules.base import Rule
from bdfa_np.rules.pathways import FeedbackMatrix, Pathway, Pathways


class BP(Rule):
    """``δ_l = (δ_{l+1} W_{l+1}ᵀ) ⊙ f'(a_l)``: the exact gradient (Rumelhart, Hinton, Williams, 1986; Luo, eq. 6-7)."""

    name = "bp"
    keeps_signals = False
    group = "exact"
    summary = "back-propagation: the exact gradient, through the transposed weights"
    formula = "δ_l = (δ_{l+1} W_{l+1}ᵀ) ⊙ f'(a_l)"
    trains = "W"
    errors_from = "the layer above"
    source = "Rumelhart, Hinton and Williams, 1986; Luo et al., arXiv 1702.07097, eq. 6-7"
    pathways: ClassVar[Pathways] = (Pathway("down", (FeedbackMatrix("W", "forward", transposed=True),)),)

    def visit(self, layer: Layer, signal: Array, wanted: bool) -> Array | None:
        """Go through the layer's exact ``backward``."""
        return layer.backward(signal, wanted)  # Luo, eq. 6; Luo, eq. 7

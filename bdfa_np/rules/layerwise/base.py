"""What layerwise rules share: the signal passes every layer that has weights through another matrix than ``Wᵀ``."""

from abc import abstractmethod

from bdfa_np.backend.base import Array
from bdfa_np.layers.base import Layer
from bdfa_np.rules.base import Rule


class Layerwise(Rule):
    """``δ_l = (δ_{l+1} V_{l+1}ᵀ) ⊙ f'(a_l)``, with a matrix ``V`` in place of ``W``; a rule says which."""

    @abstractmethod
    def matrix(self, layer: Layer) -> Array:
        """Return ``V`` of a layer, shaped as its ``W``."""

    def visit(self, layer: Layer, signal: Array, wanted: bool) -> Array | None:
        """Go through ``Vᵀ`` where a layer has weights and something below wants to learn, exactly elsewhere."""
        if not (wanted and layer.feedback_site == "layerwise"):
            return layer.backward(signal, wanted)
        layer.backward(signal, need_grad_in=False)  # dW_l = h_{l-1}ᵀ δ_l: Luo eq. 20-22 under bfa
        return layer.project_feedback(signal, self.matrix(layer))

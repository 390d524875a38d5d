"""What layerwise rules share: the signal passes every layer that has weights through another matrix than ``Wᵀ``."""

from abc import abstractmethod
from typing import ClassVar

from bdfa_np.backend.base import Array
from bdfa_np.layers.base import Layer
from bdfa_np.rules.base import Rule
from bdfa_np.rules.pathways import FeedbackMatrix, Pathway, Pathways


class Layerwise(Rule):
    """``δ_l = (δ_{l+1} V_{l+1}ᵀ) ⊙ f'(a_l)``, with a matrix ``V`` in place of ``W``; a rule says which."""

    group = "layerwise"
    keeps_signals = False
    errors_from = "the layer above"
    pathways: ClassVar[Pathways] = (Pathway("down", (FeedbackMatrix("V", transposed=True),)),)

    @abstractmethod
    def matrix(self, layer: Layer) -> Array:
        """Return ``V`` of a layer, shaped as its ``W``."""

    def feedback_layers(self) -> list[Layer]:
        """Return the layers that a signal passes through ``V``: all but the lowest, below which nothing is sent."""
        return [layer for layer in self.network.tree() if layer.feedback_site == "layerwise" and self.wanted[layer]]

    def visit(self, layer: Layer, signal: Array, wanted: bool) -> Array | None:
        """Go through ``Vᵀ`` where a layer has weights and something below wants to learn, exactly elsewhere."""
        if not (wanted and layer.feedback_site == "layerwise"):
            return layer.backward(signal, wanted)
        layer.backward(signal, need_grad_in=False)  # dW_l = h_{l-1}ᵀ δ_l
        V = self.matrix(layer)
        self.check_shape(f"matrix of {layer.name}", V, layer.parameters()["W"].shape)
        # δ_{l+1} V_{l+1}ᵀ, where V is B: Luo, eq. 8; Luo, eq. 9; under bfa Luo, eq. 18; Luo, eq. 19
        return layer.project_feedback(signal, V)

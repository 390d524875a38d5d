"""Back-propagation."""

from bdfa_np.backend.base import Array
from bdfa_np.layers.base import Layer
from bdfa_np.rules.base import Rule


class BP(Rule):
    """``δ_l = (δ_{l+1} W_{l+1}ᵀ) ⊙ f'(a_l)``: the exact gradient (Rumelhart, Hinton, Williams, 1986; Luo eq. 6-7)."""

    name = "bp"

    def visit(self, layer: Layer, signal: Array, wanted: bool) -> Array | None:
        """Go through the layer's exact ``backward``."""
        return layer.backward(signal, wanted)  # Luo eq. 6-7

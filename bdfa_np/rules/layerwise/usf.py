"""Uniform sign-concordant feedback."""

from bdfa_np.backend.base import Array
from bdfa_np.layers.base import Layer
from bdfa_np.rules.layerwise.signs import SignConcordant
from bdfa_np.rules.signs import scaled_sign


class USF(SignConcordant):
    """``δ_l = (δ_{l+1} V_{l+1}ᵀ) ⊙ f'(a_l)`` with ``V_l = s · sign(W_l)``, of the ``W`` that the pass used.

    The feedback knows the signs of the weights, and no more (Liao, Leibo and Poggio, arXiv 1510.05067; Moskovitz,
    Litwin-Kumar and Abbott, arXiv 1812.06488). Where all ``|W| = s`` it is back-propagation. `SignConcordant` says what
    ``s`` is.
    """

    name = "usf"
    summary = "uniform sign-concordant feedback: the signs of the weights, in one magnitude"
    formula = "δ_l = (δ_{l+1} V_{l+1}ᵀ) ⊙ f'(a_l), V_l = s · sign(W_l)"
    trains = "W"
    source = "Liao, Leibo and Poggio, 2016, arXiv 1510.05067; Moskovitz et al., 2018, arXiv 1812.06488"

    def matrix(self, layer: Layer) -> Array:
        """Return ``s · sign(W)``."""
        W = self.network.weights[f"{layer.name}.W"]
        V = self.backend.lend(W.shape)
        self.backend.elementwise(scaled_sign, (W,), (V,), scale=self.s[layer.name])
        return V

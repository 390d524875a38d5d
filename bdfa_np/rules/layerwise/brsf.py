"""Sign-concordant feedback whose magnitudes are drawn anew for each batch."""

from bdfa_np.backend import maths
from bdfa_np.backend.base import Array
from bdfa_np.backend.formula import formula
from bdfa_np.layers.base import Layer
from bdfa_np.rules.layerwise.signs import SignConcordant


class BRSF(SignConcordant):
    """``δ_l = (δ_{l+1} V_{l+1}ᵀ) ⊙ f'(a_l)`` with ``V_l = |M_l| ⊙ sign(W_l)``, of the ``W`` that the pass used.

    ``M`` is uniform within ±√3·s, ±√(6/(fan_in + fan_out)) with the scale ``xavier``, and drawn anew for each training
    pass (Liao, Leibo and Poggio, arXiv 1510.05067; Moskovitz, Litwin-Kumar and Abbott, arXiv 1812.06488). It is a
    function of seed, layer and pass alone, so a resumed run draws the same. `SignConcordant` says what ``s`` is.
    """

    name = "brsf"
    summary = "batch-wise random magnitudes: the signs of the weights, in magnitudes drawn for each batch"
    formula = "δ_l = (δ_{l+1} V_{l+1}ᵀ) ⊙ f'(a_l), V_l = |M_l| ⊙ sign(W_l)"
    trains = "W"
    source = "Liao, Leibo and Poggio, 2016, arXiv 1510.05067; Moskovitz et al., 2018, arXiv 1812.06488"

    def matrix(self, layer: Layer) -> Array:
        """Return ``|M| ⊙ sign(W)``."""
        W = self.network.weights[f"{layer.name}.W"]
        V = self.backend.lend(W.shape)
        self.backend.elementwise(with_sign, (self.magnitudes(layer, V), W), (V,))
        return V

    def magnitudes(self, layer: Layer, out: Array) -> Array:
        """Write ``M`` of the last training pass into ``out``; return it."""
        key = self.network.streams.key("magnitudes", layer.name, layer.training_pass)
        return self.backend.uniform(out, key, 3**0.5 * self.s[layer.name])


@formula
def with_sign(M, W):
    """``|M| sign(W)``, and 0 where ``W`` is 0."""
    return abs(M) * maths.sign(W)

"""Sign-concordant feedback with fixed random magnitudes."""

from bdfa_np.backend.base import Array
from bdfa_np.layers.base import Layer, ParameterSpec
from bdfa_np.network import Sequential
from bdfa_np.parameters import ParameterVector
from bdfa_np.rules.layerwise.brsf import with_sign
from bdfa_np.rules.layerwise.signs import SignConcordant


class FRSF(SignConcordant):
    """``δ_l = (δ_{l+1} V_{l+1}ᵀ) ⊙ f'(a_l)`` with ``V_l = |M_l| ⊙ sign(W_l)``, of the ``W`` that the pass used.

    ``M`` is uniform within ±√3·s, ±√(6/(fan_in + fan_out)) with the scale ``xavier``, and drawn once: ``feedback`` has
    it, by names such as ``linear2.M`` (Liao, Leibo and Poggio, arXiv 1510.05067; Moskovitz, Litwin-Kumar and Abbott,
    arXiv 1812.06488). With ``M = |W|`` it is back-propagation, until a sign changes. `SignConcordant` says what ``s``
    is.
    """

    name = "frsf"
    summary = "fixed random magnitudes: the signs of the weights, in magnitudes drawn once"
    formula = "δ_l = (δ_{l+1} V_{l+1}ᵀ) ⊙ f'(a_l), V_l = |M_l| ⊙ sign(W_l)"
    trains = "W"
    source = "Liao, Leibo and Poggio, 2016, arXiv 1510.05067; Moskovitz et al., 2018, arXiv 1812.06488"

    def __init__(self, network: Sequential, *, scale: str = "xavier") -> None:
        super().__init__(network, scale=scale)
        layers = self.feedback_layers()
        starts = {layer.name: layer.parameters()["W"] for layer in layers}
        specs = {f"{name}.M": ParameterSpec(W.shape, 3**0.5 * self.s[name]) for name, W in starts.items()}
        self.feedback = ParameterVector(specs, self.backend, trained=False)
        self.feedback.draw(self.network.streams, "feedback")
        self.B = {layer.name: self.feedback[f"{layer.name}.M"] for layer in layers}

    def matrix(self, layer: Layer) -> Array:
        """Return ``|M| ⊙ sign(W)``."""
        W = self.network.weights[f"{layer.name}.W"]
        V = self.backend.lend(W.shape)
        self.backend.elementwise(with_sign, (self.B[layer.name], W), (V,))
        return V

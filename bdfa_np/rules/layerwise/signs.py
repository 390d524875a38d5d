"""What the sign-concordant rules share: feedback that has the signs of the weights, in magnitudes of its own."""

from typing import ClassVar

from bdfa_np.declaration import Option
from bdfa_np.layers.base import Layer, fans
from bdfa_np.network import Sequential
from bdfa_np.rules.layerwise.base import Layerwise
from bdfa_np.rules.pathways import FeedbackMatrix, Pathway, Pathways

SCALES = ("xavier", "weights")

SIGN_SCALE = Option(
    "sign_scale",
    None,
    "{owners}: spread of V: xavier, √(2/(fan_in + fan_out)), or that with which W starts.  [default: xavier]",
    kind=str,
    choices=SCALES,
    keyword="scale",
    follows="xavier",
    source="xavier: the constants of BioTorch",
)


class SignConcordant(Layerwise):
    """``V = magnitudes ⊙ sign(W)``, of the ``W`` that the pass used; ``sign(0) = 0``.

    The standard deviation of V's magnitudes, with their signs, is ``s``: with the scale ``xavier``
    ``√(2/(fan_in + fan_out))``, as in BioTorch, whose weights start with the same one (``--init xavier``). Of weights
    that start uniform within ±1/√fan_in it is √(6·fan_in/(fan_in + fan_out)) times the standard deviation: 1.73 times
    in a square layer. The scale ``weights`` takes that with which ``W`` starts, whatever ``--init`` is: 1/√(3·fan_in)
    of ``uniform``, √(2/(fan_in + fan_out)) of ``xavier``, √(2/fan_in) of ``kaiming``, and of ``orthogonal`` 1/√ of the
    longer side of W as a matrix of its last axis by all others.

    Parameters
    ----------
    network : Sequential
        The network to train; weights that start at zero would stay there, and so would all signals.
    scale : {"xavier", "weights"}, default "xavier"
        What ``s`` is.

    Raises
    ------
    ValueError
        If the scale is unknown, or is that of weights that start at one value.
    """

    pathways: ClassVar[Pathways] = (
        Pathway("down", (FeedbackMatrix("V", "signs", learns_from="W_l", by="sign", transposed=True),)),
    )
    options: ClassVar[tuple[Option, ...]] = (SIGN_SCALE,)

    def __init__(self, network: Sequential, *, scale: str = "xavier") -> None:
        super().__init__(network)
        if scale not in SCALES:
            raise ValueError(f"unknown sign scale {scale!r}: choose from {', '.join(SCALES)}")
        self.scale = scale
        self.s = {layer.name: self._spread(layer) for layer in self.feedback_layers()}

    def _spread(self, layer: Layer) -> float:
        start = layer.parameters()["W"]
        if self.scale == "xavier":
            return (2 / sum(fans(start.shape))) ** 0.5
        if not start.standard_deviation:
            raise ValueError(f"the weights of {layer.name} start without a spread: --sign-scale xavier needs none")
        return start.standard_deviation

"""What direct rules share: a signal of the output's width goes to the end of each block at once."""

from typing import ClassVar, cast

from bdfa_np.backend.base import Array
from bdfa_np.layers.base import Layer
from bdfa_np.layers.feedback import ErrorFeedback
from bdfa_np.losses import LossResult
from bdfa_np.network import Sequential
from bdfa_np.rules.base import Rule
from bdfa_np.rules.pathways import FeedbackMatrix, Pathway, Pathways


class Direct(Rule):
    """``δ_l = (s B_l) ⊙ f'(a_l)`` with a signal ``s`` (N, K), which is the output error ``e`` unless a rule says other.

    The network's `ErrorFeedback` sites end its blocks. Each block gets the projected signal at its top and goes
    backward exactly inside; nothing is computed for what lies below a block's lowest weights. A rule draws its ``B``
    in its constructor, one for each of `sites`.

    Parameters
    ----------
    network : Sequential
        The network to train, with an `ErrorFeedback` at the end of every hidden block.

    Attributes
    ----------
    sites : list of ErrorFeedback
        From input to output.

    Raises
    ------
    ValueError
        If the network has no feedback site.
    """

    group = "direct"
    keeps_signals = False
    errors_from = "the output"
    pathways: ClassVar[Pathways] = (Pathway("direct", (FeedbackMatrix("B"),)),)

    def __init__(self, network: Sequential) -> None:
        super().__init__(network)
        self.sites = cast("list[ErrorFeedback]", [layer for layer in network.tree() if self.cuts(layer)])
        if not self.sites:
            raise ValueError(f"{self.name} needs an ErrorFeedback layer at the end of each hidden block")

    def cuts(self, layer: Layer) -> bool:
        """Return whether this is a site, where the error is handed to a block."""
        return layer.feedback_site == "direct"

    def signal(self, result: LossResult) -> Array:
        """Return what every site projects, (N, K): the output error ``e``."""
        return result.error

    def inject(self, site: Layer) -> Array:
        """Return ``s B_l``."""
        s, B = self.signal(self.result), self.B[site.name]  # (N, K) and (K, n)
        self.check_shape("signal", s, self.result.error.shape)
        return site.project_feedback(s, B)  # e B_l of Luo, eq. 10; under bdfa of Luo, eq. 36; Luo, eq. 37

    def visit(self, layer: Layer, signal: Array, wanted: bool) -> Array | None:
        """Go backward exactly inside a block."""
        return layer.backward(signal, wanted)  # under bdfa dW_l = h_{l-1}ᵀ δ_l of Luo, eq. 38

"""Direct feedback alignment."""

from typing import ClassVar, cast

from bdfa_np.backend.base import Array
from bdfa_np.declaration import Option
from bdfa_np.layers.base import Layer
from bdfa_np.layers.feedback import ErrorFeedback
from bdfa_np.losses import LossResult
from bdfa_np.network import Sequential
from bdfa_np.rules.base import Rule
from bdfa_np.rules.options import RFB_MAG


class DFA(Rule):
    """``δ_l = (e B_l) ⊙ f'(a_l)`` with fixed random ``B_l`` (Nøkland, arXiv 1609.01596, eq. 7; Luo eq. 10).

    The network's `ErrorFeedback` sites end its blocks. Each block gets the projected error at its top and goes
    backward exactly inside; nothing is computed for what lies below a block's lowest weights.

    Parameters
    ----------
    network : Sequential
        The network to train, with an `ErrorFeedback` at the end of every hidden block.
    magnitude : float, default 0
        ``B`` is uniform within ±magnitude; 0 takes ±1/√n of its site's n entries.

    Raises
    ------
    ValueError
        If the network has no feedback site.
    """

    name = "dfa"
    group = "direct"
    summary = "direct feedback alignment: every block gets the output error through a fixed random matrix"
    formula = "δ_l = (e B_l) ⊙ f'(a_l)"
    trains = "W"
    errors_from = "the output"
    source = "Nøkland, 2016, arXiv 1609.01596, eq. 7"
    options: ClassVar[tuple[Option, ...]] = (RFB_MAG,)
    starts_at_zero = True

    def __init__(self, network: Sequential, *, magnitude: float = 0.0) -> None:
        super().__init__(network)
        self.magnitude = magnitude
        self.sites = cast("list[ErrorFeedback]", [layer for layer in network.tree() if self.cuts(layer)])
        if not self.sites:
            raise ValueError(f"{self.name} needs an ErrorFeedback layer at the end of each hidden block")
        self.draw_feedback(self.sites, magnitude)

    def cuts(self, layer: Layer) -> bool:
        """Return whether this is a site, where the error is handed to a block."""
        return layer.feedback_site == "direct"

    def signal(self, result: LossResult) -> Array:
        """Return what every site projects, (N, K): the output error ``e``."""
        return result.error

    def inject(self, site: Layer) -> Array:
        """Return ``e B_l``."""
        e, B = self.signal(self.result), self.B[site.name]  # (N, K) and (K, n)
        self.check_shape("signal", e, self.result.error.shape)
        return site.project_feedback(e, B)  # e B_l of Luo eq. 10, and of 36-37 under bdfa

    def visit(self, layer: Layer, signal: Array, wanted: bool) -> Array | None:
        """Go backward exactly inside a block."""
        return layer.backward(signal, wanted)  # dW_l = h_{l-1}ᵀ δ_l: Luo eq. 38 under bdfa

"""Direct feedback alignment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bdfa_np.backend.base import Array
from bdfa_np.layers.feedback import ErrorFeedback
from bdfa_np.rules.base import Rule

if TYPE_CHECKING:
    from bdfa_np.network import Sequential
    from bdfa_np.options.config import Config


class DFA(Rule):
    """``δ_l = (e B_l) ⊙ f'(a_l)`` with fixed random ``B_l`` (Nøkland, arXiv 1609.01596, eq. 7).

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
    options = frozenset({"rfb_mag"})

    def __init__(self, network: Sequential, *, magnitude: float = 0.0) -> None:
        super().__init__(network)
        self.sites = [layer for layer in network.layers if isinstance(layer, ErrorFeedback)]
        if not self.sites:
            raise ValueError(f"{self.name} needs an ErrorFeedback layer at the end of each hidden block")
        network.allocate_feedback(self.sites, magnitude)
        self.lowest_of_block = self._lowest_of_block()

    @classmethod
    def from_config(cls, network: Sequential, config: Config) -> DFA:
        """Make the rule with ``rfb_mag``."""
        return cls(network, magnitude=config.rfb_mag)

    def _lowest_of_block(self) -> set[str]:
        """Return the names of the layers with weights that have no other below them in their block."""
        lowest, open_block = set(), True
        for layer in self.network.layers:
            if isinstance(layer, ErrorFeedback):
                open_block = True
            elif open_block and layer.parameters():
                lowest.add(layer.name)
                open_block = False
        return lowest

    def backward(self, error: Array) -> None:
        """Hand the error to each block through its ``B``, then go backward inside the block."""
        signal: Array | None = error
        for layer in self.layers_downward():
            if isinstance(layer, ErrorFeedback):
                signal = layer.project_feedback(error)
                self.reached(layer, signal)
            elif signal is not None:
                self.reached(layer, signal)
                signal = layer.backward(signal, need_grad_in=layer.name not in self.lowest_of_block)

"""Back-propagation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bdfa_np.backend.base import Array
from bdfa_np.rules.base import Rule

if TYPE_CHECKING:
    from bdfa_np.network import Sequential
    from bdfa_np.options.config import Config


class BP(Rule):
    """``δ_l = (δ_{l+1} W_{l+1}ᵀ) ⊙ f'(a_l)``: the exact gradient (Rumelhart, Hinton, Williams, 1986)."""

    name = "bp"

    @classmethod
    def from_config(cls, network: Sequential, config: Config) -> BP:
        """Make the rule; it has no options."""
        return cls(network)

    def backward(self, error: Array) -> None:
        """Send the error down through every layer's exact ``backward``."""
        signal: Array | None = error
        for layer in self.layers_downward():
            assert signal is not None
            self.reached(layer, signal)
            signal = layer.backward(signal, need_grad_in=layer is not self.lowest)

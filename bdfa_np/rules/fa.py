"""Feedback alignment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bdfa_np.backend.base import Array
from bdfa_np.layers.base import Layer
from bdfa_np.rules.base import Rule

if TYPE_CHECKING:
    from bdfa_np.network import Sequential
    from bdfa_np.options.config import Config


class FA(Rule):
    """``δ_l = (δ_{l+1} B_{l+1}ᵀ) ⊙ f'(a_l)`` with fixed random ``B``, shaped as ``W`` (Lillicrap et al., 2016).

    Parameters
    ----------
    network : Sequential
        The network to train.
    magnitude : float, default 0
        ``B`` is uniform within ±magnitude; 0 takes ±1/√fan_in of its layer.
    """

    name = "fa"
    options = frozenset({"rfb_mag"})

    trains_feedback = False

    def __init__(self, network: Sequential, *, magnitude: float = 0.0) -> None:
        super().__init__(network)
        network.allocate_feedback(self.feedback_layers(), magnitude, trained=self.trains_feedback)

    @classmethod
    def from_config(cls, network: Sequential, config: Config) -> FA:
        """Make the rule with ``rfb_mag``."""
        return cls(network, magnitude=config.rfb_mag)

    def feedback_layers(self) -> list[Layer]:
        """Return the layers whose ``B`` stands in for ``Wᵀ``: all but the lowest, below which nothing is sent."""
        layers = self.network.layers
        return [layer for layer in layers if layer.feedback_site == "layerwise" and layer is not self.lowest]

    def backward(self, error: Array) -> None:
        """Send the error down through ``Bᵀ`` where a layer has one, through exact ``backward`` elsewhere."""
        signal: Array | None = error
        for layer in self.layers_downward():
            assert signal is not None
            self.reached(layer, signal)
            if layer is self.lowest:
                layer.backward(signal, need_grad_in=False)
            elif layer.feedback_site == "layerwise":
                layer.backward(signal, need_grad_in=False)
                signal = layer.project_feedback(signal)
            else:
                signal = layer.backward(signal)

"""Indirect feedback alignment: the error goes to the lowest block alone, and from there up."""

from collections.abc import Sequence
from typing import ClassVar

from bdfa_np.backend.base import Array
from bdfa_np.layers import BatchNorm, Dropout, ErrorFeedback, Flatten, Layer, Linear
from bdfa_np.layers.activation import NonLinearity
from bdfa_np.losses import LossResult
from bdfa_np.network import Sequential
from bdfa_np.rules.direct.base import Direct
from bdfa_np.rules.pathways import FeedbackMatrix, Pathway, Pathways

PASSED = (Flatten, Linear, NonLinearity, BatchNorm, Dropout, ErrorFeedback)
"""The layers of a fully connected net, of which the signal's way up knows."""


class IFA(Direct):
    """``δ_1 = (e B_1) ⊙ f'(a_1)``, then ``δ_l = (δ_{l-1} W_l) ⊙ f'(a_l)`` upward for l = 2..L.

    Indirect feedback alignment (Nøkland, arXiv 1609.01596, eq. 8): one fixed random ``B``, at the end of the lowest
    block. Every other block gets the signal at the output of the ``Linear`` below through its own forward weights, in
    the direction in which they work; the layers above the topmost site go backward exactly, and the blocks exactly
    inside, batch normalisation and dropout among them.

    Parameters
    ----------
    network : Sequential
        A fully connected network, with an `ErrorFeedback` at the end of every hidden block of one `Linear`.

    Raises
    ------
    ValueError
        If the network has no feedback site, a layer that is of no fully connected net, or a block of several `Linear`
        layers or none.
    """

    name = "ifa"
    summary = "indirect feedback alignment: the lowest block gets the output error, each other one the signal below it"
    formula = "δ_1 = (e B_1) ⊙ f'(a_1), then δ_l = (δ_{l-1} W_l) ⊙ f'(a_l) for l = 2..L"
    trains = "W"
    errors_from = "the output for the lowest block, the layer below for all others"
    source = "Nøkland, 2016, arXiv 1609.01596, eq. 8"
    pathways: ClassVar[Pathways] = (
        Pathway("lowest", (FeedbackMatrix("B", "fixed"),)),
        Pathway("up", (FeedbackMatrix("W", "forward"),), start="δ_1"),
    )
    fully_connected_only = True

    def __init__(self, network: Sequential) -> None:
        super().__init__(network)
        for layer in network.layers:
            if not isinstance(layer, PASSED):
                raise ValueError(f"ifa is for fully connected nets, and cannot send a signal up through {layer.name}")
        self.blocks, self.top = self._cut(network.layers)
        self.linears = [self._only_linear(block) for block in self.blocks]
        self.draw_feedback(self.sites[:1])

    def _cut(self, layers: Sequence[Layer]) -> tuple[list[Sequence[Layer]], Sequence[Layer]]:
        """Return the layers of each block, without its site, and those above the topmost site."""
        blocks, start = [], 0
        for number, layer in enumerate(layers):
            if self.cuts(layer):
                blocks.append(layers[start:number])
                start = number + 1
        return blocks, layers[start:]

    def _only_linear(self, block: Sequence[Layer]) -> Linear:
        found = [layer for layer in block if isinstance(layer, Linear)]
        if len(found) != 1:
            site = self.sites[self.blocks.index(block)].name
            held = f"{len(found)} ({', '.join(layer.name for layer in found)})" if found else "none"
            raise ValueError(f"ifa needs one Linear in each block, and the one that ends with {site} has {held}")
        return found[0]

    def walk(self, layers: Sequence[Layer], signal: Array | None) -> Array | None:
        """Carry the error through what lies above the sites, then go from block to block, the lowest first."""
        super().walk(self.top, signal)
        signal = self.inject(self.sites[0])  # e B_1: Nøkland eq. 8
        for site, linear, block in zip(self.sites, self.linears, self.blocks, strict=True):
            if site is not self.sites[0]:
                signal = site.project_feedback(self.delta, linear.W)  # δ_{l-1} W_l
            self.reached(site, signal)
            super().walk(block, signal)
        del self.delta  # which would hold on to memory until the next step
        return None

    def deltas(self, result: LossResult) -> dict[str, Array]:
        """Return the signals as `Rule.deltas` does, and in its order."""
        found = super().deltas(result)
        return {layer.name: found[layer.name] for layer in reversed(self.network.layers) if layer.name in found}

    def visit(self, layer: Layer, signal: Array, wanted: bool) -> Array | None:
        """Go backward exactly inside a block; the signal at its ``Linear`` is what the next one above is sent."""
        if isinstance(layer, Linear):
            self.delta = signal  # (N, n_l); δ_l
        return super().visit(layer, signal, wanted)

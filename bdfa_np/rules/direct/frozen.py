"""The control of all rules: hidden layers that never learn."""

from collections.abc import Sequence
from typing import ClassVar

from bdfa_np.backend.base import Array
from bdfa_np.layers.base import Layer, tree_of
from bdfa_np.network import Sequential
from bdfa_np.parameters import ParameterVector
from bdfa_np.rules.base import Rule
from bdfa_np.rules.pathways import Pathway, Pathways


class Frozen(Rule):
    """``δ_{L+1} = e``, and no ``δ_l``: the output layer learns alone, on features that are as they were drawn.

    A rule that trains hidden layers at all does better. Nothing is computed for hidden layers, and nothing moves their
    parameters: no momentum, no weight decay (a gradient of zero would still leave that), no bound on norms. The running
    averages of their batch normalisation go on; its ``γ`` and ``β`` do not.

    Parameters
    ----------
    network : Sequential
        The network to train. Its output layer is the last that has weights; what comes after it learns too.

    Raises
    ------
    ValueError
        If there is no such layer, or it is inside of a container, where it is not plain which of them is the last.
    """

    name = "frozen"
    group = "control"
    summary = "the output layer learns alone: the control that tells whether a rule trains hidden layers at all"
    formula = "δ_{L+1} = e, and no δ_l"
    trains = "W of the output layer"
    errors_from = "nowhere"
    source = "the random features that every rule is to better"
    pathways: ClassVar[Pathways] = (Pathway("none"),)

    def __init__(self, network: Sequential) -> None:
        self.output = _with_output(network.layers)
        super().__init__(network)
        if not self.output:
            raise ValueError("frozen needs an output layer with a W")
        names = (f"{layer.name}.{name}" for layer in self.output for name in layer.parameters())
        self._parts = network.weights.part(names)

    @property
    def trained(self) -> list[ParameterVector]:
        """The parameters of the output layer."""
        return self._parts

    @property
    def clipped(self) -> list[ParameterVector]:
        """The same: nothing else has a gradient."""
        return self._parts

    def learns(self, layer: Layer) -> bool:
        """Return whether this is the output layer, or above it."""
        return layer in self.output

    def visit(self, layer: Layer, signal: Array, wanted: bool) -> Array | None:
        """Go through the exact ``backward``; nothing below the output layer is reached."""
        return layer.backward(signal, wanted)  # dW_{L+1} = h_Lᵀ e


def _with_output(layers: Sequence[Layer]) -> Sequence[Layer]:
    """Return the output layer of a net, and what stands above it; nothing where no layer has weights."""
    for place in reversed(range(len(layers))):
        inside = list(tree_of([layers[place]]))
        if not any("W" in layer.parameters() for layer in inside):
            continue
        if len(inside) > 1:
            raise ValueError(
                f"frozen trains the output layer alone, and the last weights are inside of {layers[place].name}: let "
                "the net end with a Linear"
            )
        return layers[place:]
    return []

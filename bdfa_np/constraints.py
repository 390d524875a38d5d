"""Bounds on the norms of weight vectors."""

from collections.abc import Iterable

from bdfa_np.backend.base import Array
from bdfa_np.layers.base import Layer
from bdfa_np.network import Sequential
from bdfa_np.representation import one_line, settings

OFF = 400.0
"""The bound that stands for no bound, as in the original."""


class MaxNorm:
    """Scales each unit's incoming, then its outgoing, weight vector back to at most a given norm.

    The incoming vector of a unit is a column of a linear layer's ``W``, or one filter (k, k, C_in) of a
    convolution's; the outgoing one is a row, or one input channel (k, k, C_out). Biases and feedback are left alone.

    Parameters
    ----------
    network : Sequential
        The network.
    incoming, outgoing : float, default 400
        The bounds; 400 is off.
    layers : iterable of Layer, optional
        Whose weights are bounded; all of the network's unless given.
    """

    def __init__(
        self,
        network: Sequential,
        *,
        incoming: float = OFF,
        outgoing: float = OFF,
        layers: Iterable[Layer] | None = None,
    ) -> None:
        self.backend = network.backend
        self.incoming, self.outgoing = incoming, outgoing
        bounded = network.tree() if layers is None else layers
        matrices = [network.weights[f"{layer.name}.W"] for layer in bounded if "W" in layer.parameters()]
        self._bounds: list[tuple[Array, tuple[int, ...], float]] = []
        for W in matrices:
            *kernel, into, out = range(W.ndim)
            if incoming != OFF:
                self._bounds.append((W, (*kernel, into), incoming))
            if outgoing != OFF:
                self._bounds.append((W, (*kernel, out), outgoing))

    def __repr__(self) -> str:
        """Return the bounds that are on."""
        return one_line(self, settings(self, leave_out=("network", "layers")) or ["off"])

    def apply(self) -> None:
        """Scale back, in place, what exceeds its bound."""
        for W, axes, bound in self._bounds:
            self.backend.limit_norms(W, axes, bound)

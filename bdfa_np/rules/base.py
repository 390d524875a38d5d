"""What a learning rule is: which signal reaches which layer, and how feedback weights learn."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from bdfa_np.backend.base import Array
from bdfa_np.layers.base import Layer
from bdfa_np.losses import LossResult

if TYPE_CHECKING:
    from bdfa_np.network import Sequential
    from bdfa_np.options.config import Config
    from bdfa_np.parameters import ParameterVector


class Rule(ABC):
    """A learning rule over one network.

    A training step is ``forward``, the loss, `backward`, `train_feedback`, and the optimizer over `trained`.

    Parameters
    ----------
    network : Sequential
        The network to train; the rule gives its layers the feedback weights that it needs.

    Raises
    ------
    ValueError
        If the network has nothing to train, or lacks what the rule needs.
    """

    name: str
    options: frozenset[str] = frozenset()
    """The options of the configuration that this rule has, of those that not every rule has."""

    def __init__(self, network: Sequential) -> None:
        self.network = network
        self.backend = network.backend
        trainable = [layer for layer in network.layers if layer.parameters()]
        if not trainable:
            raise ValueError(f"{self.name} needs a network with at least one layer that has weights")
        self.lowest = trainable[0]
        """The lowest layer with weights: no signal needs to go below it."""
        self._record: dict[str, Array] | None = None

    @classmethod
    @abstractmethod
    def from_config(cls, network: Sequential, config: Config) -> Rule:
        """Make the rule with the options of a resolved configuration."""

    @abstractmethod
    def backward(self, error: Array) -> None:
        """Write every layer's parameter gradients, from the output error (N, K) of the last forward pass."""

    def train_feedback(self, result: LossResult) -> None:
        """Learn from this batch what the rule's feedback weights learn; most rules keep them fixed."""

    @property
    def trained(self) -> list[ParameterVector]:
        """The vectors that the optimizer updates."""
        return [self.network.weights]

    def deltas(self, error: Array) -> dict[str, Array]:
        """Go backward once and return a copy of the signal that reached each layer's output.

        For a `Linear` that is ``δ`` (N, units), with ``dW = xᵀ δ``. Parameter gradients are those of this
        error alone, and the next `backward` starts anew.

        Parameters
        ----------
        error : array (N, K)
            The output error of the last forward pass, for example ``loss(logits, labels).error``.

        Returns
        -------
        dict of str to array
            By layer name, from the output layer down; layers that no signal reaches are left out.
        """
        self._record = {}
        self.network.forget_gradients()
        try:
            self.backward(error)
            return self._record
        finally:
            self._record = None
            self.network.forget_gradients()

    def reached(self, layer: Layer, signal: Array) -> None:
        """Note the signal at a layer's output, where somebody asked for it."""
        if self._record is not None:
            self._record[layer.name] = signal.copy()

    def layers_downward(self) -> list[Layer]:
        """Return the layers that a signal visits, from the output layer to the lowest that has weights."""
        layers = self.network.layers
        return layers[layers.index(self.lowest) :][::-1]

"""Bidirectional feedback alignment: FA whose feedback matrices learn to draw the input from the label."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bdfa_np.backend.base import Array
from bdfa_np.layers import NON_LINEARITIES
from bdfa_np.layers.base import Layer
from bdfa_np.layers.feedback import ErrorFeedback
from bdfa_np.layers.linear import Linear
from bdfa_np.layers.reshape import Flatten
from bdfa_np.losses import LossResult
from bdfa_np.rules.fa import FA

if TYPE_CHECKING:
    from bdfa_np.config import Config
    from bdfa_np.network import Sequential
    from bdfa_np.parameters import ParameterVector

OUTPUTS = ("sigmoid", "linear")


class BFA(FA):
    """FA in which ``B`` is trained in a feedback phase of its own (Luo et al., arXiv 1702.07097, eq. 15-29).

    After the forward phase, which is FA with the current ``B``, the input is generated from the label through
    ``B``, and ``B`` learns with an error that the forward weights carry::

        g_{L+1} = t;   g_l = f(g_{l+1} B_{l+1}ᵀ) for l = L..1;   x̂ = σ_x(g_1 B_1ᵀ)
        ε_0 = x̂ - x;   ε_l = (ε_{l-1} W_l) ⊙ f'(g_l);            dB_l = ε_{l-1}ᵀ g_l for l = 1..L+1

    The phase has no biases. ``B`` is trained by the same optimizer, at the same rate, as ``W``.

    Parameters
    ----------
    network : Sequential
        A fully connected net: [Flatten], then Linear, non-linearity and feedback site in turn, then Linear.
    magnitude : float, default 0
        The initial ``B`` is uniform within ±magnitude; 0 takes ±1/√fan_in of its layer.
    output : {"sigmoid", "linear"}, default "sigmoid"
        ``σ_x``. Luo hands ``x̂ - x`` on without a slope, which is exact for a linear ``σ_x`` under the squared
        loss and for a sigmoid under cross-entropy; take the sigmoid for inputs within 0..1.

    Raises
    ------
    ValueError
        If the output is unknown, or the network is not fully connected.
    """

    name = "bfa"
    options = frozenset({"rfb_mag", "feedback_output"})

    trains_feedback = True

    def __init__(self, network: Sequential, *, magnitude: float = 0.0, output: str = "sigmoid") -> None:
        super().__init__(network, magnitude=magnitude)
        if output not in OUTPUTS:
            raise ValueError(f"unknown feedback output {output!r}: choose from {', '.join(OUTPUTS)}")
        self.output = self._twin(NON_LINEARITIES["sigm"](), network.input_shape) if output == "sigmoid" else None
        self.linears, self.generators = self._read(network)

    @classmethod
    def from_config(cls, network: Sequential, config: Config) -> BFA:
        """Make the rule with ``rfb_mag`` and ``feedback_output``."""
        return cls(network, magnitude=config.rfb_mag, output=config.feedback_output or "sigmoid")

    def feedback_layers(self) -> list[Layer]:
        """Return all linear layers: the lowest one's ``B`` draws the input."""
        return [layer for layer in self.network.layers if layer.feedback_site == "layerwise"]

    def _read(self, network: Sequential) -> tuple[list[Linear], list[Layer]]:
        """Return the linear layers, and for each hidden one a non-linearity of the generating direction."""
        linears: list[Linear] = []
        generators: list[Layer] = []
        for layer in network.layers:
            if isinstance(layer, Linear):
                linears.append(layer)
            elif type(layer) in NON_LINEARITIES.values() and len(generators) == len(linears) - 1:
                generators.append(self._twin(type(layer)(), layer.input_shape))
            elif not isinstance(layer, (ErrorFeedback, Flatten)):
                raise ValueError(f"bfa trains fully connected nets, and cannot generate through {layer.name}")
        if len(generators) != len(linears) - 1:
            raise ValueError("bfa needs one non-linearity between each linear layer and the next, and none at the end")
        return linears, generators

    def _twin(self, layer: Layer, shape: tuple[int, ...]) -> Layer:
        layer.bind(f"generating_{layer.kind}", shape, self.backend, self.network.streams)
        return layer

    @property
    def trained(self) -> list[ParameterVector]:
        """The weights and the feedback."""
        return [self.network.weights, self.network.feedback]

    def generate(self, labels: Array) -> Array:
        """Draw the inputs that belong to labels (Luo, figure 6).

        Parameters
        ----------
        labels : integer array (N,)
            Classes, counted from 0.

        Returns
        -------
        array (N, *input_shape)
            ``x̂``.
        """
        drawn = self._generate(self.one_hot(self.backend.asarray(labels)))
        return drawn.reshape(len(labels), *self.network.input_shape).copy()

    def _generate(self, t: Array) -> Array:
        """Return ``x̂`` (N, n_0), leaving each ``g_l`` in ``self.g``: g_1..g_L, then t."""
        self.g = [t]
        for linear, f in zip(self.linears[:0:-1], self.generators[::-1], strict=True):
            self.g.insert(0, f.forward(linear.project_feedback(self.g[0])))
        drawn = self.linears[0].project_feedback(self.g[0])
        return drawn if self.output is None else self.output.forward(drawn)

    def train_feedback(self, result: LossResult) -> None:
        """Run the feedback phase; the gradients of ``B`` are left for the optimizer."""
        x = self.linears[0].x  # (N, n_0)
        drawn = self._generate(self.one_hot(result.labels))
        epsilon = self.backend.xp.subtract(drawn, x, out=drawn)
        for index, linear in enumerate(self.linears):
            dB = self.network.feedback.gradient(f"{linear.name}.B")
            self.backend.matmul(epsilon.T, self.g[index], out=dB)
            if index < len(self.generators):
                f = self.generators[index]
                carried = self.backend.matmul(epsilon, linear.W, out=f.buffer("carried", self.g[index].shape))
                propagated = f.backward(carried)
                assert propagated is not None
                epsilon = propagated

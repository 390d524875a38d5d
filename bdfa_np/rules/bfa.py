"""Bidirectional feedback alignment: FA whose feedback matrices learn to draw the input from the label."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bdfa_np.backend.base import Array
from bdfa_np.layers import NON_LINEARITIES, BatchNorm, Conv2d, Dropout, ErrorFeedback, Flatten, Layer, Linear, MaxPool2d
from bdfa_np.losses import LossResult
from bdfa_np.rules.fa import FA

if TYPE_CHECKING:
    from bdfa_np.layers import Shape
    from bdfa_np.network import Sequential
    from bdfa_np.options.config import Config
    from bdfa_np.parameters import ParameterVector

OUTPUTS = ("sigmoid", "linear")


class BFA(FA):
    """FA in which ``B`` is trained in a feedback phase of its own (Luo et al., arXiv 1702.07097, eq. 15-29).

    After the forward phase, which is FA with the current ``B``, the input is generated from the label through
    ``B``, and ``B`` learns with an error that the forward weights carry::

        g_{L+1} = t;   g_l = f(g_{l+1} B_{l+1}ᵀ) for l = L..1;   x̂ = σ_x(g_1 B_1ᵀ)
        ε_0 = x̂ - x;   ε_l = (ε_{l-1} W_l) ⊙ f'(g_l);            dB_l = ε_{l-1}ᵀ g_l for l = 1..L+1

    The phase has no biases, dropout or batch normalisation. ``B`` is trained by the same optimizer, at the same
    rate, as ``W``. Luo describes fully connected nets. Through a convolution ``g Bᵀ`` is here the transposed
    convolution by ``B`` and ``ε W`` the convolution; max pooling is undone by giving each place its nearest
    window's value, which needs no forward pass, so that a label alone can be drawn; ``ε`` passes it by the
    transpose. With W = B the phase then still follows the exact gradient of its loss.

    Parameters
    ----------
    network : Sequential
        Blocks of Linear or Conv2d, a non-linearity, and whatever of the other layers, then a Linear.
    magnitude : float, default 0
        The initial ``B`` is uniform within ±magnitude; 0 takes ±1/√fan_in of its layer.
    output : {"sigmoid", "linear"}, default "sigmoid"
        ``σ_x``. Luo hands ``x̂ - x`` on without a slope, which is exact for a linear ``σ_x`` under the squared
        loss and for a sigmoid under cross-entropy; take the sigmoid for inputs within 0..1.

    Raises
    ------
    ValueError
        If the output is unknown, or the network has a layer that cannot be generated through.
    """

    name = "bfa"
    options = frozenset({"rfb_mag", "feedback_output"})

    trains_feedback = True

    def __init__(self, network: Sequential, *, magnitude: float = 0.0, output: str = "sigmoid") -> None:
        super().__init__(network, magnitude=magnitude)
        if output not in OUTPUTS:
            raise ValueError(f"unknown feedback output {output!r}: choose from {', '.join(OUTPUTS)}")
        self.output = self._twin(NON_LINEARITIES["sigm"](), network.input_shape) if output == "sigmoid" else None
        self.stages = self._read(network)

    @classmethod
    def from_config(cls, network: Sequential, config: Config) -> BFA:
        """Make the rule with ``rfb_mag`` and ``feedback_output``."""
        return cls(network, magnitude=config.rfb_mag, output=config.feedback_output or "sigmoid")

    def feedback_layers(self) -> list[Layer]:
        """Return all layers that can hold a ``B``: the lowest one's draws the input."""
        return [layer for layer in self.network.layers if layer.feedback_site == "layerwise"]

    def _read(self, network: Sequential) -> list[Layer]:
        """Return what the phase passes, from the input up; each non-linearity is a twin that leaves the net's alone."""
        stages: list[Layer] = []
        for layer in network.layers:
            if type(layer) in NON_LINEARITIES.values():
                stages.append(self._twin(type(layer)(), layer.input_shape))
            elif isinstance(layer, (Linear, Conv2d, MaxPool2d, Flatten)):
                stages.append(layer)
            elif not isinstance(layer, (ErrorFeedback, BatchNorm, Dropout)):
                raise ValueError(f"bfa cannot generate through {layer.name}")
        if not isinstance(stages[-1], Linear):
            raise ValueError("bfa generates from the label through a linear layer: the net must end with one")
        return stages

    def _twin(self, layer: Layer, shape: Shape) -> Layer:
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
        (K,) = self.network.output_shape
        return self._generate(self.backend.one_hot(self.backend.asarray(labels), K)).copy()

    def _generate(self, t: Array) -> Array:
        """Return ``x̂``, and leave in ``self.g`` what came to each layer that holds a ``B``, by its name."""
        self.g, g = {}, t
        for stage in reversed(self.stages):
            if isinstance(stage, (Linear, Conv2d)):
                self.g[stage.name] = g
                g = stage.project_feedback(g)
            elif isinstance(stage, MaxPool2d):
                g = stage.unpool(g)
            elif isinstance(stage, Flatten):
                g = g.reshape(len(t), *stage.input_shape)
            else:
                g = stage.forward(g)
        return g if self.output is None else self.output.forward(g)

    def train_feedback(self, result: LossResult) -> None:
        """Run the feedback phase; the gradients of ``B`` are left for the optimizer."""
        drawn = self._generate(result.targets)
        epsilon: Array = self.backend.xp.subtract(drawn, self.network.x, out=drawn)
        for stage in self.stages:
            if isinstance(stage, (Linear, Conv2d)):
                dB = self.network.feedback.gradient(f"{stage.name}.B")
                stage.weight_gradient(epsilon, self.g[stage.name], out=dB)
                if stage is self.stages[-1]:
                    return
                epsilon = stage.carry(epsilon)
            elif isinstance(stage, MaxPool2d):
                epsilon = stage.unpool_gradient(epsilon)
            elif isinstance(stage, Flatten):
                epsilon = stage.forward(epsilon)
            else:
                propagated = stage.backward(epsilon)
                assert propagated is not None
                epsilon = propagated

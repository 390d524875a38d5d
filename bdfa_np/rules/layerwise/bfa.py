"""Bidirectional feedback alignment: FA whose feedback matrices learn to draw the input from the label."""

from typing import ClassVar

from bdfa_np.backend.base import Array
from bdfa_np.declaration import Option
from bdfa_np.layers import (
    GELU,
    BatchNorm,
    Conv2d,
    Dropout,
    ErrorFeedback,
    Flatten,
    Layer,
    LeakyReLU,
    Linear,
    MaxPool2d,
    ReLU,
    Shape,
    Sigmoid,
    Tanh,
)
from bdfa_np.layers.activation import NonLinearity
from bdfa_np.losses import LossResult, check_labels
from bdfa_np.network import Sequential
from bdfa_np.parameters import ParameterVector
from bdfa_np.rules.layerwise.fa import FA
from bdfa_np.rules.options import FEEDBACK_ALPHA, FEEDBACK_TARGET, RFB_MAG
from bdfa_np.rules.pathways import FeedbackMatrix, Pathway, Pathways
from bdfa_np.rules.targets import ALPHA, MIXED, SHARED_TARGETS, feedback_target

OUTPUTS = ("sigmoid", "linear")

FEEDBACK_OUTPUT = Option(
    "feedback_output",
    None,
    "bfa: σ of the drawn input; auto: sigmoid for inputs in [0, 1].  [default: auto]",
    kind=str,
    choices=("auto", *OUTPUTS),
    keyword="output",
    # Only this normalization makes inputs that a sigmoid can draw: within [0, 1].
    follows=lambda config: "sigmoid" if config.normalization == "scale" else "linear",
    follows_from=("whiten", "normalization"),
    canonical=lambda value: None if value == "auto" else value,
    source="Luo et al., arXiv 1702.07097, eq. 25-26, which leave it open",
)


class BFA(FA):
    """FA in which ``B`` is trained in a feedback phase of its own (Luo et al., arXiv 1702.07097, eq. 15-29).

    After the forward phase, which is FA with the current ``B``, the input is generated from the feedback target ``Y``,
    Luo's being the label ``t``, through ``B``, and ``B`` learns with an error that the forward weights carry::

        g_{L+1} = Y;   g_l = f(g_{l+1} B_{l+1}ᵀ) for l = L..1;   x̂ = σ_x(g_1 B_1ᵀ)
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
    target : {"label", "mixed", "centred"}, default "label"
        The feedback target ``Y`` (N, K): ``t`` (eq. 23), ``t + α ŷ`` (eq. 51, there of BDFA), or ``t - 1/K``, which
        takes out what all classes have in common.
    alpha : float, default 0.25
        ``α`` of the target ``mixed``.

    Raises
    ------
    ValueError
        If the output or the target is unknown, or the network has a layer that cannot be generated through.
    """

    name = "bfa"
    summary = "bidirectional feedback alignment: B learns to draw the input from the label"
    formula = "δ_l = (δ_{l+1} B_{l+1}ᵀ) ⊙ f'(a_l)"
    trains = "W, and B by dB_l = ε_{l-1}ᵀ g_l, the gradient of ½‖x̂ - x‖² of the drawn input"
    source = "Luo et al., arXiv 1702.07097, eq. 15-29"
    pathways: ClassVar[Pathways] = (
        Pathway("down", (FeedbackMatrix("B", "trained", transposed=True),)),
        Pathway(
            "down",
            (FeedbackMatrix("B", "trained", learns_from="ε_{l-1}", by="dB", transposed=True),),
            start="Y",
            signal="g",
            trains_feedback=True,
            end="x̂",
        ),
        Pathway("up", (FeedbackMatrix("W", "forward"),), "ε_0", "ε", trains_feedback=True, beside="x"),
    )
    options: ClassVar[tuple[Option, ...]] = (RFB_MAG, FEEDBACK_TARGET, FEEDBACK_ALPHA, FEEDBACK_OUTPUT)
    trains_feedback = True
    across_processes = True

    def __init__(
        self,
        network: Sequential,
        *,
        magnitude: float = 0.0,
        output: str = "sigmoid",
        target: str = "label",
        alpha: float = ALPHA,
    ) -> None:
        super().__init__(network, magnitude=magnitude)
        if output not in OUTPUTS:
            raise ValueError(f"unknown feedback output {output!r}: choose from {', '.join(OUTPUTS)}")
        if target not in SHARED_TARGETS:
            raise ValueError(f"unknown feedback target {target!r}: choose from {', '.join(SHARED_TARGETS)}")
        self.output = output
        self.target = target
        self.alpha = alpha
        self._drawn_through = _Slope(Sigmoid(), network.input_shape, self) if output == "sigmoid" else None
        self.stages = self._read(network)

    def feedback_layers(self) -> list[Layer]:
        """Return all layers that can have a ``B``: the lowest one's draws the input."""
        return [layer for layer in self.network.tree() if layer.feedback_site == "layerwise"]

    def _read(self, network: Sequential) -> list["_Stage"]:
        """Return what the phase passes, from the input up."""
        stages = []
        for layer in network.layers:
            if type(layer) not in _STAGES:
                raise ValueError(f"bfa cannot generate through {layer.name}")
            make = _STAGES[type(layer)]
            if make is not None:
                stages.append(make(layer, layer.input_shape, self))
        if not (stages and isinstance(stages[-1].layer, Linear)):
            raise ValueError("bfa generates from the label through a linear layer: the net must end with one")
        return stages

    @property
    def trained(self) -> list[ParameterVector]:
        """The weights and the feedback."""
        return [self.network.weights, self.feedback]

    def generate(self, labels: Array) -> Array:
        """Draw the inputs that belong to labels (Luo, figure 6), each from the feedback target of its label.

        That is ``t - 1/K`` under the target ``centred``, else ``t``: under ``mixed`` too, since a label alone has no
        outputs that could be mixed with it.

        Parameters
        ----------
        labels : integer array (N,)
            Classes, counted from 0.

        Returns
        -------
        array (N, *input_shape)
            ``x̂``.

        Raises
        ------
        ValueError
            If the labels are not integers within 0..K-1.
        """
        if not hasattr(labels, "__len__"):
            raise ValueError(f"labels are an array or a list of classes: write generate([{labels!r}]) for one")
        (K,) = self.network.output_shape
        classes = self.backend.asarray(labels)
        check_labels(self.backend.to_host(classes), len(classes), K)
        return self._generate(self._target(self.backend.one_hot(classes, K))).copy()

    def _target(self, t: Array, probabilities: Array | None = None) -> Array:
        """Return ``Y`` (N, K) of one-hot labels ``t``, and of ``ŷ`` where there is one."""
        if self.target == "label" or (self.target == MIXED and probabilities is None):
            return t  # g_{L+1} = t of Luo, eq. 23
        return feedback_target(self.backend, self.target, t, probabilities, self.alpha)

    def _generate(self, Y: Array) -> Array:
        """Return ``x̂`` (N, *input_shape), and leave in each stage what came to it from above."""
        g = Y  # (N, K)
        for stage in reversed(self.stages):
            g = stage.down(g)  # Luo, eq. 23; Luo, eq. 24; Luo, eq. 25
        return g if self._drawn_through is None else self._drawn_through.down(g)  # σ_x of Luo, eq. 25

    def train_feedback(self, result: LossResult) -> None:
        """Run the feedback phase; the gradients of ``B`` are left for the optimizer.

        What they descend is ½‖x̂ - x‖² (Luo, eq. 16), whose value nobody needs: its gradient by ``x̂`` is ``ε_0``.
        """
        drawn = self._generate(self._target(result.targets, result.probabilities))
        epsilon: Array = self.backend.xp.subtract(drawn, self.network.x, out=drawn)  # Luo, eq. 26: ε_0 = x̂ - x
        for stage in self.stages:
            stage.learn(epsilon)  # Luo, eq. 29
            if stage is not self.stages[-1]:
                epsilon = stage.up(epsilon)  # Luo, eq. 27; Luo, eq. 28
        self.feedback.sum_gradients()


class _Stage:
    """A layer in the feedback phase.

    Parameters
    ----------
    layer : Layer
        The layer.
    shape : tuple of int
        Shape of one sample at its input.
    rule : BFA
        Whose phase it is.
    """

    def __init__(self, layer: Layer, shape: Shape, rule: BFA) -> None:
        self.layer = layer
        self.shape = shape

    def down(self, g: Array) -> Array:
        """Return what is generated at the layer's input from ``g`` at its output."""
        raise NotImplementedError

    def up(self, epsilon: Array) -> Array:
        """Carry the error of what was generated from the layer's input to its output."""
        raise NotImplementedError

    def learn(self, epsilon: Array) -> None:
        """Leave the gradient of ``B``, where there is one, by the error at the layer's input."""


class _Weights(_Stage):
    layer: Linear | Conv2d

    def __init__(self, layer: Layer, shape: Shape, rule: BFA) -> None:
        super().__init__(layer, shape, rule)
        self.B, self.dB = rule.B[layer.name], rule.feedback.gradient(f"{layer.name}.B")

    def down(self, g: Array) -> Array:
        self.g = g
        return self.layer.project_feedback(g, self.B)  # g_{l+1} B_{l+1}ᵀ

    def up(self, epsilon: Array) -> Array:
        return self.layer.carry(epsilon)  # ε_{l-1} W_l

    def learn(self, epsilon: Array) -> None:
        self.layer.weight_gradient(epsilon, self.g, out=self.dB)  # dB_l = ε_{l-1}ᵀ g_l


class _Slope(_Stage):
    def __init__(self, layer: NonLinearity, shape: Shape, rule: BFA) -> None:
        twin = type(layer)(**layer.constants())  # what the net's own keeps for its backward stays
        super().__init__(twin, shape, rule)
        self.layer.bind(f"generating_{layer.kind}", shape, rule.backend, rule.network.streams)

    def down(self, g: Array) -> Array:
        return self.layer.forward(g)  # f, or σ_x

    def up(self, epsilon: Array) -> Array:
        propagated = self.layer.backward(epsilon)  # times f' at g_l
        assert propagated is not None
        return propagated


class _Pooling(_Stage):
    layer: MaxPool2d

    def down(self, g: Array) -> Array:
        return self.layer.unpool(g)

    def up(self, epsilon: Array) -> Array:
        return self.layer.unpool_gradient(epsilon)


class _Reshaping(_Stage):
    def down(self, g: Array) -> Array:
        return g.reshape(len(g), *self.shape)

    def up(self, epsilon: Array) -> Array:
        return self.layer.forward(epsilon)


_STAGES: dict[type[Layer], type[_Stage] | None] = {
    Linear: _Weights,
    Conv2d: _Weights,
    Tanh: _Slope,
    Sigmoid: _Slope,
    ReLU: _Slope,
    LeakyReLU: _Slope,
    GELU: _Slope,
    MaxPool2d: _Pooling,
    Flatten: _Reshaping,
    ErrorFeedback: None,
    BatchNorm: None,
    Dropout: None,
}
"""What the phase makes of each kind of layer; None: it passes the layer by."""

"""Product feedback alignment: feedback that is a product of a fixed and of a trained matrix."""

from typing import ClassVar

from bdfa_np.backend.base import Array
from bdfa_np.declaration import Option, at_least
from bdfa_np.layers.base import Layer, ParameterSpec, Shape, fans
from bdfa_np.layers.conv import Conv2d
from bdfa_np.layers.linear import Linear
from bdfa_np.losses import LossResult
from bdfa_np.network import Sequential
from bdfa_np.parameters import ParameterVector
from bdfa_np.rules.layerwise.base import Layerwise
from bdfa_np.rules.pathways import FeedbackMatrix, Pathway, Pathways

EXPANSION = 10

FEEDBACK_EXPANSION = Option(
    "feedback_expansion",
    None,
    f"{{owners}}: times as many units as a layer has that its signal expands to.  [default: {EXPANSION}]",
    kind=int,
    check=at_least(1, at_most=1000),
    keyword="expansion",
    follows=EXPANSION,
    source="Li and Benna, arXiv 2405.20594",
)


class PFA(Layerwise):
    """``δ_l = ((δ_{l+1} M_{l+1}) R_{l+1}) ⊙ f'(a_l)``; ``dR_l = (δ_l M_l)ᵀ h_{l-1}``, by W's optimizer, rate and decay.

    A fixed random ``M`` (n_l, r·n_l), normal of standard deviation 1/√(r·n_l) so that ``M Mᵀ ≈ I``, expands the signal
    to r times the layer's n_l units, and a trained ``R`` (r·n_l, n_{l-1}) brings it down. R learns what W learns, in
    the product with M, so that ``R ≈ Mᵀ Wᵀ`` and ``M R ≈ Wᵀ`` in time. In a convolution M (C_out, r·C_out) acts at each
    position, and R is (k, k, C_in, r·C_out) (Li and Benna, arXiv 2405.20594).

    The authors draw both uniform (Xavier), and drop weight decay after the first epoch; here R starts uniform within
    ±1/√fan_in, and decay is W's throughout. ``--clip-norm`` scales ``dR`` as ``dW``, of which it is the image by M.

    Parameters
    ----------
    network : Sequential
        The network to train.
    expansion : int, default 10
        ``r``: R, its gradient and what the optimizer keeps of it have r times the size of W's.

    Attributes
    ----------
    M : dict of str to array
        By the names of the layers whose ``δ`` they take. ``feedback`` has R, by names such as ``linear2.R``.

    Raises
    ------
    ValueError
        If the expansion is less than 1, or a layer that a signal passes is neither a `Linear` nor a `Conv2d`.
    """

    name = "pfa"
    summary = "product feedback alignment: through a fixed expansion and a trained matrix"
    formula = "δ_l = ((δ_{l+1} M_{l+1}) R_{l+1}) ⊙ f'(a_l)"
    trains = "W, and R by dR_l = (δ_l M_l)ᵀ h_{l-1} with W's optimizer, rate and weight decay"
    source = "Li and Benna, 2024, arXiv 2405.20594"
    pathways: ClassVar[Pathways] = (
        Pathway("down", (FeedbackMatrix("M", "fixed"), FeedbackMatrix("R", "trained", learns_from="h_{l-1}", by="dR"))),
    )
    options: ClassVar[tuple[Option, ...]] = (FEEDBACK_EXPANSION,)
    keeps_signals = False
    across_processes = True

    def __init__(self, network: Sequential, *, expansion: int = EXPANSION) -> None:
        super().__init__(network)
        if expansion < 1:
            raise ValueError(f"an expansion must be 1 or more, not {expansion}")
        self.expansion = expansion
        specs = {}
        self.M: dict[str, Array] = {}
        for layer in self.feedback_layers():
            if not isinstance(layer, (Linear, Conv2d)):
                raise ValueError(f"pfa cannot go back through {layer.name}: only through Linear and Conv2d")
            shape = layer.parameters()["W"].shape
            n, expanded = shape[-1], expansion * shape[-1]
            normal = network.streams.generator("feedback", f"{layer.name}.M").normal(size=(n, expanded))
            self.M[layer.name] = self.backend.asarray(normal / expanded**0.5)
            specs[f"{layer.name}.R"] = ParameterSpec(self._shape(layer, shape), fans(shape)[0] ** -0.5)
        self.feedback = ParameterVector(specs, self.backend, trained=True)
        self.feedback.draw(network.streams, "feedback")
        self.B = {name: self.feedback[f"{name}.R"] for name in self.M}

    def _shape(self, layer: Layer, shape: Shape) -> Shape:
        *into, n = shape
        return (*into, self.expansion * n) if isinstance(layer, Conv2d) else (self.expansion * n, *into)

    @property
    def trained(self) -> list[ParameterVector]:
        """The weights and R."""
        return [self.network.weights, self.feedback]

    @property
    def clipped(self) -> list[ParameterVector]:
        """The weights and R, whose gradient is the image of theirs."""
        return self.trained

    def buffers(self) -> dict[str, Array]:
        """Return the matrices M, which are drawn once."""
        return {f"{name}.M": M for name, M in self.M.items()}

    def matrix(self, layer: Layer) -> Array:
        """Return ``M R``, transposed where ``W`` is: what a signal goes through in all, shaped as ``W``."""
        M, R = self.M[layer.name], self.B[layer.name]
        V = self.backend.lend(layer.parameters()["W"].shape)
        columns = R.reshape(-1, M.shape[1]) if isinstance(layer, Conv2d) else R.T
        self.backend.matmul(columns, M.T, out=V.reshape(-1, len(M)))
        return V

    def visit(self, layer: Layer, signal: Array, wanted: bool) -> Array | None:
        """Go through M and R where a layer has them, exactly elsewhere; leave ``dR`` for the optimizer."""
        if layer.name not in self.M:
            return layer.backward(signal, wanted)
        adds = layer.accumulate
        layer.backward(signal, need_grad_in=False)
        if isinstance(layer, Conv2d):
            return self._through_images(layer, signal, adds)
        assert isinstance(layer, Linear)
        return self._through_vectors(layer, signal)

    def train_feedback(self, result: LossResult) -> None:
        """Add up the ``dR`` that went backward."""
        self.feedback.sum_gradients()

    def _through_vectors(self, layer: Linear, signal: Array) -> Array:
        M, R, dR = self.M[layer.name], self.B[layer.name], self.feedback.gradient(f"{layer.name}.R")
        n, expanded = M.shape
        passed = self.backend.lend((*signal.shape[:-1], expanded))
        self.backend.matmul(signal.reshape(-1, n), M, out=passed.reshape(-1, expanded))  # δ M, (N, r·n)
        layer.weight_gradient(passed, layer.x, out=dR)  # dR = (δ M)ᵀ h
        return layer.project_feedback(passed, R.T)  # (δ M) R

    def _through_images(self, layer: Conv2d, signal: Array, adds: bool) -> Array:
        """Multiply the matrices first, since there are more positions than channels: nothing of δ M's size is made."""
        M, dR = self.M[layer.name], self.feedback.gradient(f"{layer.name}.R")
        n, expanded = M.shape
        dW = layer.dW
        if adds:  # which has more in it than this pass
            dW = layer.weight_gradient(layer.x, signal, out=self.backend.lend(dW.shape))
        self.backend.matmul(dW.reshape(-1, n), M, out=dR.reshape(-1, expanded))  # h ⋆ (δ M) = (h ⋆ δ) M
        return layer.project_feedback(signal, self.matrix(layer))  # (δ M) ⋆ᵀ R = δ ⋆ᵀ (R Mᵀ)

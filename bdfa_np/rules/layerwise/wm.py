"""Weight mirrors: feedback that learns the weights from noise."""

from collections.abc import Iterable, Iterator, Sequence
from math import prod
from typing import ClassVar

from bdfa_np.backend.base import Array, Batch
from bdfa_np.backend.formula import formula
from bdfa_np.declaration import Option, fraction, not_negative
from bdfa_np.layers.activation import NonLinearity
from bdfa_np.layers.base import Layer, tree_of
from bdfa_np.layers.conv import Conv2d
from bdfa_np.layers.linear import Linear
from bdfa_np.network import Sequential
from bdfa_np.rules.layerwise.fa import FA
from bdfa_np.rules.options import RFB_MAG
from bdfa_np.rules.pathways import FeedbackMatrix, Pathway, Pathways

NOISE = 0.05
"""Noise is uniform within ±NOISE."""
MIRROR_LR = 0.01
MIRROR_DECAY = 0.001

OPTIONS = (
    Option(
        "mirror_lr",
        None,
        f"{{owners}}: rate η_m at which B learns in the mirror phase.  [default: {MIRROR_LR:g}]",
        kind=float,
        check=not_negative,
        follows=MIRROR_LR,
        source="Akrout et al., arXiv 1904.05391, and their code",
    ),
    Option(
        "mirror_decay",
        None,
        f"{{owners}}: decay λ_m of B in a step of the mirror phase.  [default: {MIRROR_DECAY:g}]",
        kind=float,
        check=fraction,
        follows=MIRROR_DECAY,
    ),
)


class WM(FA):
    """``δ_l = (δ_{l+1} B_{l+1}ᵀ) ⊙ f'(a_l)``, with weight mirrors: ``B`` learns W (Akrout et al., arXiv 1904.05391).

    After each training step, and before the first for as many steps as an epoch has, a mirror phase: each layer with a
    ``B`` is given noise ``x``, uniform within ±0.05, as a batch of the size of the last::

        y = f(x W_l + b_l);   B_l ← (1 - λ_m) B_l + η_m xᵀ y

    Where y is linear the expected step is ``η_m N (0.05²/3) W_l``. ``f`` is the next non-linearity above in the same
    branch before any other weights, and else the identity, as for the output layer; batch normalisation, dropout,
    pooling and skips are left out. In a convolution ``x`` is an image of noise and ``xᵀ y`` the gradient of ``W`` with
    y for δ, divided by the number of output positions; a `Linear` on tokens counts these alike. The noise of a step is
    a function of seed, layer and step alone.

    The authors' code also means to bring ``B`` back to a size, but assigns the result nowhere: without decay ``B``
    grows for ever, by about half of ``W`` an epoch of MNIST at batch 64. So ``λ_m`` is not 0 unless asked for, and a
    run says what ‖B‖/‖W‖ is after each epoch.

    Parameters
    ----------
    network : Sequential
        The network to train.
    magnitude : float, default 0
        The initial ``B`` is uniform within ±magnitude; 0 takes ±1/√fan_in of its layer.
    mirror_lr : float, default 0.01
        ``η_m``.
    mirror_decay : float, default 0.001
        ``λ_m``; at least 0 and less than 1.

    Raises
    ------
    ValueError
        If a layer with a ``B`` is neither a `Linear` nor a `Conv2d`.
    """

    name = "wm"
    summary = "weight mirrors: B learns W from noise, in a phase of its own after each step"
    formula = "δ_l = (δ_{l+1} B_{l+1}ᵀ) ⊙ f'(a_l)"
    trains = "W, and B by B_l ← (1 - λ_m) B_l + η_m xᵀ y, of noise x and y = f(x W_l + b_l)"
    source = "Akrout et al., 2019, arXiv 1904.05391"
    pathways: ClassVar[Pathways] = (
        Pathway("down", (FeedbackMatrix("B", "trained", learns_from="W_l", by="noise", transposed=True),)),
    )
    options: ClassVar[tuple[Option, ...]] = (RFB_MAG, *OPTIONS)
    starts_at_zero = False
    across_processes = True

    def __init__(
        self,
        network: Sequential,
        *,
        magnitude: float = 0.0,
        mirror_lr: float = MIRROR_LR,
        mirror_decay: float = MIRROR_DECAY,
    ) -> None:
        super().__init__(network, magnitude=magnitude)
        self.mirror_lr = mirror_lr
        self.mirror_decay = mirror_decay
        self._mirrored = {layer: f for layer, f in followed(network.layers) if layer.name in self.B}
        for layer in self._mirrored:
            if not isinstance(layer, (Linear, Conv2d)):
                raise ValueError(f"wm cannot send noise through {layer.name}: only through Linear and Conv2d")

    def before_training(self, batches: Iterable[Batch]) -> None:
        """Mirror for as many steps as there are batches, each of its batch's size."""
        for step, (x, _) in enumerate(batches):
            self._mirror_all(len(x), "mirror before training", step)

    def after_step(self) -> None:
        """Mirror once."""
        self._mirror_all(self.batch_size, "mirror", self.network.training_passes)

    def _mirror_all(self, N: int, stream: str, step: int) -> None:
        for layer in self._mirrored:
            x = self.backend.lend((N, *layer.input_shape))
            noise = self.backend.uniform(x, self.network.streams.key(stream, layer.name, step), NOISE)
            self.mirror(layer, noise[self.backend.share.rows])

    def mirror(self, layer: Layer, x: Array) -> None:
        """Move the ``B`` of a layer by one step of the mirror phase.

        Parameters
        ----------
        layer : Layer
            A layer that has a ``B``.
        x : array (N, *input_shape)
            Noise at its input.
        """
        assert isinstance(layer, (Linear, Conv2d))
        f, B = self._mirrored[layer], self.B[layer.name]
        y = layer.carry(x)
        if layer.bias:
            self.backend.add_bias(y, layer.b)
        if f is not None:
            f.apply(y)  # y = f(x W_l + b_l)
        step = layer.weight_gradient(x, y, out=self.backend.lend(B.shape))  # xᵀ y
        self.backend.share.sum(step)
        rate = self.mirror_lr * layer.output_shape[-1] / prod(layer.output_shape)  # by the number of positions
        self.backend.elementwise(mirrored, (B, step), (B,), rate=rate, keep=1 - self.mirror_decay)

    def epoch_notes(self) -> Iterator[str]:
        """Yield ‖B‖/‖W‖ of each layer, from the lowest up."""
        ratios = [self._norm(B) / self._norm(self.network.weights[f"{name}.W"]) for name, B in self.B.items()]
        yield f"‖B‖/‖W‖, from the lowest layer up: {' '.join(f'{ratio:.3g}' for ratio in ratios)}"

    def _norm(self, a: Array) -> float:
        squares = self.backend.xp.square(a).sum(dtype="float64")
        return float(self.backend.to_host(squares)) ** 0.5


def followed(branch: Sequence[Layer]) -> Iterator[tuple[Layer, NonLinearity | None]]:
    """Yield each layer of a branch, and of those inside, that a signal passes through ``B``, and the f that follows."""
    for place, layer in enumerate(branch):
        if layer.feedback_site == "layerwise":
            yield layer, _next(branch[place + 1 :])
        for inside in layer.branches():
            yield from followed(inside)


def _next(above: Sequence[Layer]) -> NonLinearity | None:
    for layer in above:
        if isinstance(layer, NonLinearity):
            return layer
        if any(inner.feedback_site == "layerwise" for inner in tree_of([layer])):
            return None
    return None


@formula
def mirrored(B, xy, *, rate, keep):
    """``(1 - λ_m) B + η_m xᵀ y``."""
    return keep * B + rate * xy

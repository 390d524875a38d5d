"""Forward direct feedback alignment: feedback is estimated by a forward pass of tangents."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, ClassVar

from bdfa_np.backend.base import Array
from bdfa_np.declaration import Option
from bdfa_np.layers import ErrorFeedback, Layer
from bdfa_np.layers.base import tree_of
from bdfa_np.losses import LossResult
from bdfa_np.network import Sequential
from bdfa_np.optim import OPTIMIZERS
from bdfa_np.rules.direct.base import Direct
from bdfa_np.rules.options import FEEDBACK_LR, FEEDBACK_OPTIMIZER
from bdfa_np.rules.pathways import FeedbackMatrix, Pathway, Pathways

LEARNING_RATE = 0.01
LEARNING_RATE_OF_OPTIMIZER = 1e-4


def _learning_rate(config: Any) -> float:
    return LEARNING_RATE_OF_OPTIMIZER if config.feedback_optimizer else LEARNING_RATE


class FDFA(Direct):
    """``δ_l = (e B_l) ⊙ f'(a_l)``, ``B_l`` being a running mean of what forward gradients say of ``∂o/∂h_l``.

    After ``B_l`` has carried a batch's error, noise enters at every site at once and goes forward as a tangent; what
    comes out at the logits says how they depend on what went in (Bacho and Chu, Neural Networks 170, 2024,
    arXiv 2212.07282)::

        p_l ~ N(0, 1) (N, n_l);   d (N, K) the tangent of the logits
        B_l ← (1 - β) B_l + β (1/N) dᵀ p_l

    In expectation ``dᵀ p_l / N`` is the batch's mean Jacobian ``∂o/∂h_l``: the noise of other sites averages out.

    Parameters
    ----------
    network : Sequential
        The network to train, with an `ErrorFeedback` at the end of every hidden block.
    learning_rate : float, optional
        ``β``, 0.01 unless given; with an optimizer its rate, 1e-4 unless given.
    optimizer : str, optional
        One of `bdfa_np.optim.OPTIMIZERS` that needs no momentum, which is handed ``B_l - dᵀ p_l / N`` for a gradient
        instead: the authors take ``adam``. It is one of the rule's own `optimizers`, and so halved with the net's.

    Raises
    ------
    ValueError
        If the network has no feedback site, or a layer above the lowest one that no tangent can pass.

    Notes
    -----
    ``B`` starts at 0: the hidden layers stand still in the first step.
    """

    name = "fdfa"
    summary = "forward direct feedback alignment: a forward pass of random tangents estimates each B"
    formula = "δ_l = (e B_l) ⊙ f'(a_l)"
    trains = "W, and B by B_l ← (1 - β) B_l + β dᵀ p_l / N, with p_l ~ N(0, 1) and d the tangent of the outputs"
    source = "Bacho and Chu, 2024, arXiv 2212.07282"
    pathways: ClassVar[Pathways] = (
        Pathway("direct", (FeedbackMatrix("B", "trained", learns_from="p_l", by="dᵀp"),)),
        Pathway("up", (FeedbackMatrix("W", "forward"),), "p_1", "p", trains_feedback=True, end="d"),
    )
    options: ClassVar[tuple[Option, ...]] = (
        replace(FEEDBACK_OPTIMIZER, default_text="a running mean"),
        replace(
            FEEDBACK_LR,
            follows=_learning_rate,
            follows_from=("feedback_optimizer",),
            default_text=f"{LEARNING_RATE:g}, or {LEARNING_RATE_OF_OPTIMIZER:g} with --feedback-optimizer",
            source="Bacho and Chu, arXiv 2212.07282",
        ),
    )

    across_processes = True

    def __init__(
        self, network: Sequential, *, learning_rate: float | None = None, optimizer: str | None = None
    ) -> None:
        super().__init__(network)
        for layer in self._above_the_lowest_site():
            if not _carries_tangents(layer):
                raise ValueError(
                    f"fdfa sends tangents forward through every layer above the lowest site, and {layer.name} has no "
                    f"{'carry_forward' if layer.branches() else 'push_forward'}"
                )
        if learning_rate is None:
            learning_rate = LEARNING_RATE if optimizer is None else LEARNING_RATE_OF_OPTIMIZER
        self.learning_rate = learning_rate
        specs = {site: replace(self.feedback_spec(site), bound=0.0) for site in self.sites}
        self.hold_feedback(specs, trained=optimizer is not None)
        if optimizer is not None:
            self.optimizers = [OPTIMIZERS[optimizer]([self.feedback], learning_rate)]

    def train_feedback(self, result: LossResult) -> None:
        """Move every ``B`` towards what this batch's tangents say, or leave the optimizer a gradient that does."""
        own, N = len(result.error), self.backend.share.whole(len(result.error))
        noise = {site.name: self.noise(site, N)[self.backend.share.rows] for site in self.sites}
        d = self.network.push_forward(entering=noise)  # (N, K)
        if self.optimizers:
            self._leave_gradients(d * (-1 / N), noise)
            return
        self.feedback.values *= 1 - self.learning_rate
        with self.steps() as steps:
            for site in self.sites:
                p = noise[site.name].reshape(own, -1)  # (N, n)
                self.backend.matmul((d * (self.learning_rate / N)).T, p, out=steps[site.name], accumulate=True)

    def _leave_gradients(self, d: Array, noise: Mapping[str, Array]) -> None:
        """Leave ``B - dᵀ p / N`` for the optimizer, given ``-d / N``."""
        first = self.backend.share.is_first
        for site in self.sites:
            dB, p = self.feedback.gradient(f"{site.name}.B"), noise[site.name].reshape(len(d), -1)  # (K, n) and (N, n)
            dB[...] = self.B[site.name] if first else 0  # of one of the processes that are added up
            self.backend.matmul(d.T, p, out=dB, accumulate=True)
        self.feedback.sum_gradients()

    def noise(self, site: ErrorFeedback, N: int) -> Array:
        """Return ``p_l`` (N, ...) of a whole batch, drawn anew for each training pass and by it alone."""
        key = self.network.streams.key("tangents", site.name, site.training_pass)
        return self.backend.normal(site.buffer("noise", (N, *site.output_shape)), key)

    def _above_the_lowest_site(self) -> Iterator[Layer]:
        layers, lowest = self.network.layers, self.sites[0]
        (start,) = (number for number, layer in enumerate(layers) if lowest in tree_of([layer]))
        return tree_of(layers[start:])


def _carries_tangents(layer: Layer) -> bool:
    method = "carry_forward" if layer.branches() else "push_forward"
    return getattr(type(layer), method) is not getattr(Layer, method)

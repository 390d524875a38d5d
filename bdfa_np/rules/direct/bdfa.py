"""Bidirectional direct feedback alignment: DFA whose feedback matrices learn."""

from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar

from bdfa_np.backend import maths
from bdfa_np.backend.base import Array
from bdfa_np.backend.formula import formula
from bdfa_np.declaration import LARGEST, Option
from bdfa_np.layers import ErrorFeedback
from bdfa_np.losses import LossResult
from bdfa_np.network import Sequential
from bdfa_np.rules.direct.dfa import DFA
from bdfa_np.rules.direct.feedback import OF_TRAINED, where_kept
from bdfa_np.rules.options import FEEDBACK_ALPHA, FEEDBACK_LR, FEEDBACK_TARGET
from bdfa_np.rules.pathways import FeedbackMatrix, Pathway, Pathways
from bdfa_np.rules.targets import ALPHA, SHARED_TARGETS, feedback_target

LEARNING_RATE = 5e-5
TARGETS = (*SHARED_TARGETS, "torch")
TARGET = "centred"
"""Unless another is given. ``torch``, which the Torch program has, gains nothing over a fixed ``B``."""

OPTIONS = (
    replace(FEEDBACK_TARGET, choices=TARGETS, follows=TARGET),
    replace(FEEDBACK_LR, follows=LEARNING_RATE, source="the Torch code"),
    FEEDBACK_ALPHA,
)


class BDFA(DFA):
    """DFA in which each hidden layer trains its own ``B`` to predict its activity from a feedback target ``Y``.

    After ``B_l`` has carried a batch's error, with ``h_l`` the block's output (Luo et al., arXiv 1702.07097,
    eq. 30-42 and 51)::

        s_i = <Y_i B_l, h_{l,i}>
        B_l += η_B Σ_i (1 - σ(s_i)) Y_iᵀ h_{l,i}

    Luo prints the update, eq. 42, as ``-l_i tᵀ``: a number times a label vector, which is not of ``B``'s shape. What
    stands here is what their Torch code computes: plain ascent on Σ log σ(s_i), outside the optimizer, so that no
    halving or decay touches ``η_B``.

    Parameters
    ----------
    network : Sequential
        The network to train, with an `ErrorFeedback` at the end of every hidden block.
    magnitude, initial, sparsity
        How the initial ``B`` is drawn, as `DFA` has it. Of a sparse one, only the entries that it keeps learn.
    learning_rate : float, default 5e-5
        ``η_B``.
    target : {"centred", "label", "mixed", "torch"}, default "centred"
        The feedback target ``Y`` (N, K); see `feedback_target`. The Torch program has ``torch``.
    alpha : float, default 0.25
        ``α`` of the targets ``torch`` and ``mixed``.

    Raises
    ------
    ValueError
        If the target is unknown, the network has no feedback site, or a power of ``alpha`` is beyond float32.
    """

    name = "bdfa"
    summary = "bidirectional direct feedback alignment: each B learns to predict its block's activity"
    formula = "δ_l = (e B_l) ⊙ f'(a_l)"
    trains = "W, and B by B_l += η_B Σ_i (1 - σ(s_i)) Y_iᵀ h_{l,i}, with s_i = <Y_i B_l, h_{l,i}>"
    source = "Luo et al., arXiv 1702.07097, eq. 30-42 and 51"
    pathways: ClassVar[Pathways] = (
        Pathway("direct", (FeedbackMatrix("B", "trained"),)),
        Pathway("direct", (FeedbackMatrix("B", "trained"),), "Y", "â", trains_feedback=True, beside="h"),
    )
    options: ClassVar[tuple[Option, ...]] = (*OF_TRAINED, *OPTIONS)
    across_processes = True

    def __init__(
        self,
        network: Sequential,
        *,
        magnitude: float = 0.0,
        initial: str | None = "uniform",
        sparsity: int | None = None,
        learning_rate: float = LEARNING_RATE,
        target: str = TARGET,
        alpha: float = ALPHA,
    ) -> None:
        super().__init__(network, magnitude=magnitude, initial=initial, sparsity=sparsity)
        if target not in TARGETS:
            raise ValueError(f"unknown feedback target {target!r}: choose from {', '.join(TARGETS)}")
        self.learning_rate = learning_rate
        if target == "torch" and alpha > LARGEST ** (1 / len(self.sites)):
            raise ValueError(
                f"--feedback-alpha {alpha:g} to the power of {len(self.sites)}, as many as there are hidden blocks, is "
                "more than float32 holds: give a smaller one"
            )
        self.target = target
        self.alpha = alpha

    def feedback_target(self, result: LossResult, k: int) -> Array:
        """Return ``Y`` (N, K) for the k-th feedback site from the top, counted from 1.

        ``torch`` is ``αᵏ o`` with the label's entry set to 1, what the Torch program computes by scaling one
        shared tensor in place; ``label`` is ``t`` (Luo, eq. 39); ``mixed`` is ``t + α ŷ`` (Luo, eq. 51);
        ``centred`` is ``t - 1/K``, which takes out what the rows of all classes would learn in common.
        """
        t = result.targets
        if self.target != "torch":
            return feedback_target(self.backend, self.target, t, result.probabilities, self.alpha)
        Y = self.backend.xp.empty_like(t)
        self.backend.elementwise(replaced_at_label, (result.outputs, t), (Y,), scale=self.alpha**k)
        return Y

    def _misses(self, result: LossResult) -> Iterator[tuple[ErrorFeedback, Array, Array, Array]]:
        """Yield each site, from the top, with its ``Y`` (N, K), ``h`` (N, n) and ``1 - σ(s)`` (N,)."""
        backend = self.backend
        for k, site in enumerate(reversed(self.sites), start=1):
            Y = self.feedback_target(result, k)  # (N, K)
            h, B = site.h.reshape(len(Y), -1), self.B[site.name]  # (N, n) and (K, n)
            a_hat = backend.matmul(Y, B, out=backend.lend(h.shape))  # (N, n); Luo, eq. 39: â_l = t B_l
            s = backend.row_dots(a_hat, h, out=backend.xp.empty(len(Y), Y.dtype))  # (N,); s_i = <Y_i B_l, h_{l,i}>
            miss = backend.xp.empty_like(s)
            # (N,); the loss 1 - σ(s_i) of each sample, one a site: Luo, eq. 31; Luo, eq. 40; Luo, eq. 41
            backend.elementwise(miss_of, (s,), (miss,))
            yield site, Y, h, miss

    def feedback_fit(self, result: LossResult) -> dict[str, float]:
        """Return the mean of ``σ(s_i)`` over a batch, by site: near 1, ``B`` learns no more."""
        return {site.name: 1 - float(miss.astype("float64").mean()) for site, _, _, miss in self._misses(result)}

    def train_feedback(self, result: LossResult) -> None:
        """Update every site's ``B`` in place."""
        backend = self.backend
        with self.steps() as steps:
            for site, Y, h, miss in self._misses(result):
                B, step = self.B[site.name], steps[site.name]  # (K, n)
                scaled = backend.xp.multiply(Y, (self.learning_rate * miss)[:, None], out=Y)  # (N, K)
                if self.sparsity is None:
                    # (K, n); what the Torch code has where Luo, eq. 42 is printed with other shapes
                    backend.matmul(scaled.T, h, out=step, accumulate=True)
                else:
                    dB = backend.matmul(scaled.T, h, out=backend.xp.empty_like(B))
                    backend.elementwise(where_kept, (dB, B), (dB,))
                    step += dB


@formula
def replaced_at_label(o, t, *, scale):
    """``scale · o`` where ``t`` is 0, and 1 where it is 1."""
    return (1 - t) * (scale * o) + t


@formula
def miss_of(s):
    """``1 - σ(s)``, in a form that cannot overflow."""
    return 0.5 * (1 - maths.tanh(0.5 * s))

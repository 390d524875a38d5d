"""Bidirectional direct feedback alignment: DFA whose feedback matrices learn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bdfa_np.backend import maths
from bdfa_np.backend.base import Array
from bdfa_np.backend.formula import formula
from bdfa_np.losses import LossResult
from bdfa_np.rules.dfa import DFA

if TYPE_CHECKING:
    from bdfa_np.network import Sequential
    from bdfa_np.options.config import Config

FEEDBACK_LR = 5e-5
FEEDBACK_ALPHA = 0.25
TARGETS_WITH_ALPHA = ("torch", "mixed")
TARGETS = (*TARGETS_WITH_ALPHA, "label", "centred")


class BDFA(DFA):
    """DFA in which each hidden layer trains its own ``B`` to predict its activity from a feedback target ``Y``.

    After ``B_l`` has carried a batch's error, with ``h_l`` the block's output (Luo et al., arXiv 1702.07097,
    eq. 30-42 and 51, in the form of their Torch code)::

        s_i = <Y_i B_l, h_{l,i}>
        B_l += η_B Σ_i (1 - σ(s_i)) Y_iᵀ h_{l,i}

    It is plain ascent on Σ log σ(s_i), outside the optimizer: no halving or decay touches ``η_B``.

    Parameters
    ----------
    network : Sequential
        The network to train, with an `ErrorFeedback` at the end of every hidden block.
    magnitude : float, default 0
        The initial ``B`` is uniform within ±magnitude; 0 takes ±1/√n of its site's n entries.
    learning_rate : float, default 5e-5
        ``η_B``.
    target : {"torch", "label", "mixed", "centred"}, default "torch"
        The feedback target ``Y`` (N, K); see `feedback_target`.
    alpha : float, default 0.25
        ``α`` of the targets ``torch`` and ``mixed``.

    Raises
    ------
    ValueError
        If the target is unknown, or the network has no feedback site.
    """

    name = "bdfa"
    options = frozenset({"rfb_mag", "feedback_lr", "feedback_target", "feedback_alpha"})

    def __init__(
        self,
        network: Sequential,
        *,
        magnitude: float = 0.0,
        learning_rate: float = FEEDBACK_LR,
        target: str = "torch",
        alpha: float = FEEDBACK_ALPHA,
    ) -> None:
        super().__init__(network, magnitude=magnitude)
        if target not in TARGETS:
            raise ValueError(f"unknown feedback target {target!r}: choose from {', '.join(TARGETS)}")
        self.learning_rate = learning_rate
        self.target = target
        self.alpha = alpha

    @classmethod
    def from_config(cls, network: Sequential, config: Config) -> BDFA:
        """Make the rule with ``rfb_mag`` and the options of the feedback's training."""
        return cls(
            network,
            magnitude=config.rfb_mag,
            learning_rate=FEEDBACK_LR if config.feedback_lr is None else config.feedback_lr,
            target=config.feedback_target or "torch",
            alpha=FEEDBACK_ALPHA if config.feedback_alpha is None else config.feedback_alpha,
        )

    def feedback_target(self, result: LossResult, k: int) -> Array:
        """Return ``Y`` (N, K) for the k-th feedback site from the top, counted from 1.

        ``torch`` is ``αᵏ o`` with the label's entry set to 1, what the Torch program computes by scaling one
        shared tensor in place; ``label`` is ``t`` (Luo eq. 39); ``mixed`` is ``t + α ŷ`` (Luo eq. 51);
        ``centred`` is ``t - 1/K``, which takes out what the rows of all classes would learn in common.
        """
        elementwise, t = self.backend.elementwise, result.targets
        Y = self.backend.xp.empty_like(t)
        if self.target == "torch":
            elementwise(replaced_at_label, (result.outputs, t), (Y,), scale=self.alpha**k)
        elif self.target == "mixed":
            elementwise(with_share, (t, result.probabilities), (Y,), alpha=self.alpha)
        elif self.target == "centred":
            elementwise(less_mean, (t,), (Y,), mean=1 / t.shape[1])
        else:
            Y[...] = t
        return Y

    def train_feedback(self, result: LossResult) -> None:
        """Update every site's ``B`` in place."""
        backend = self.backend
        for k, site in enumerate(reversed(self.sites), start=1):
            Y = self.feedback_target(result, k)  # (N, K)
            h = site.h.reshape(len(Y), -1)  # (N, n)
            prediction = backend.matmul(Y, site.B, out=site.buffer("prediction", h.shape))
            s = backend.row_dots(prediction, h, out=backend.xp.empty(len(Y), Y.dtype))  # <Y B, h>, (N,)
            miss = backend.xp.empty_like(s)
            backend.elementwise(miss_of, (s,), (miss,))  # 1 - σ(s)
            Y *= (self.learning_rate * miss)[:, None]
            backend.matmul(Y.T, h, out=site.B, accumulate=True)


@formula
def replaced_at_label(o, t, *, scale):
    """``scale · o`` where ``t`` is 0, and 1 where it is 1."""
    return (1 - t) * (scale * o) + t


@formula
def with_share(t, probability, *, alpha):
    """``t + α ŷ``."""
    return t + alpha * probability


@formula
def less_mean(t, *, mean):
    """``t - 1/K``."""
    return t - mean


@formula
def miss_of(s):
    """``1 - σ(s)``, in a form that cannot overflow."""
    return 0.5 * (1 - maths.tanh(0.5 * s))

"""Feedback targets: what trained feedback learns from in the label's place."""

from bdfa_np.backend.base import Array, Backend
from bdfa_np.backend.formula import formula

MIXED = "mixed"
SHARED_TARGETS = ("label", MIXED, "centred")
"""Those of `BFA` and `BDFA`."""
TARGETS_WITH_ALPHA = (MIXED, "torch")
"""``torch`` is of `BDFA` alone."""
ALPHA = 0.25
"""``α`` unless given, as Luo et al. have it for CIFAR-10."""


def feedback_target(backend: Backend, target: str, t: Array, probabilities: Array | None, alpha: float) -> Array:
    """Return a feedback target as an array of its own.

    Parameters
    ----------
    backend : Backend
        Where the arrays are.
    target : {"label", "mixed", "centred"}
        ``t`` (Luo et al., arXiv 1702.07097, eq. 23 and 39), ``t + α ŷ`` (eq. 51), or ``t - 1/K``, which takes out
        what all classes have in common.
    t : array (N, K)
        The one-hot labels.
    probabilities : array (N, K) or None
        ``ŷ``, which ``mixed`` alone needs.
    alpha : float
        ``α``, which ``mixed`` alone reads.

    Returns
    -------
    array (N, K)
    """
    Y = backend.xp.empty_like(t)
    if target == MIXED:
        assert probabilities is not None
        backend.elementwise(with_share, (t, probabilities), (Y,), alpha=alpha)
    elif target == "centred":
        backend.elementwise(less_mean, (t,), (Y,), mean=1 / t.shape[1])
    else:
        Y[...] = t
    return Y


@formula
def with_share(t, probability, *, alpha):
    """``t + α ŷ``."""
    return t + alpha * probability


@formula
def less_mean(t, *, mean):
    """``t - 1/K``."""
    return t - mean

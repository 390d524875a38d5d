"""Losses: the value reported, and the output error ``e`` handed to the learning rule."""

from dataclasses import dataclass
from typing import Any

from bdfa_np.backend.base import Array, Backend


@dataclass(frozen=True)
class LossResult:
    """What a loss says of one batch of N samples and K classes.

    Attributes
    ----------
    value : float
        The loss reported, a mean over the batch.
    error : array (N, K)
        The output error ``e``: what the learning rule sends back.
    labels : array (N,)
        The labels, on the backend.
    outputs : array (N, K)
        The net's raw outputs ``o``: the logits under ``bce``, log-probabilities under ``ce``.
    probabilities : array (N, K)
        ``ŷ``.
    """

    value: float
    error: Array
    labels: Array
    outputs: Array
    probabilities: Array


class Loss:
    """A loss over logits (N, K) and integer labels (N,).

    Parameters
    ----------
    backend : Backend
        The backend of the network whose logits it is given.
    """

    name: str

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.xp = backend.xp

    def __call__(self, logits: Array, labels: Array) -> LossResult:
        """Return the loss, the output error and what else rules need.

        Parameters
        ----------
        logits : array (N, K)
            The network's output.
        labels : integer array (N,)
            Classes, counted from 0.

        Raises
        ------
        ValueError
            If labels are not N integers within 0..K-1.
        """
        N, K = logits.shape
        kind = getattr(getattr(labels, "dtype", None), "kind", None)
        if kind not in ("i", "u") or labels.shape != (N,):
            raise ValueError(f"labels must be an array of {N} integers")
        if N == 0 or labels.min() < 0 or labels.max() >= K:
            raise ValueError(f"labels must lie within 0..{K - 1}, and there must be at least one")
        return self.compute(logits, self.backend.asarray(labels))

    def compute(self, logits: Array, labels: Array) -> LossResult:
        """Compute the result for labels that have been checked."""
        raise NotImplementedError

    def label_entries(self, labels: Array) -> tuple[Any, Array]:
        """Return the index that picks each sample's entry for its own label from an (N, K) array."""
        return self.xp.arange(len(labels)), labels


class BinaryCrossEntropy(Loss):
    """``bce``: binary cross-entropy of σ(o) against the one-hot target, mean over the N·K entries.

    Its error is ``e = σ(o) - t``, summed over the batch: **not divided by N**. The published learning rates
    assume that: 1e-4 here is 0.0128 on a mean gradient at batch size 128 (Luo et al., arXiv 1702.07097).
    """

    name = "bce"

    def compute(self, logits: Array, labels: Array) -> LossResult:
        """Return mean softplus(o) - t o and ``σ(o) - t``, both free of overflow for any o."""
        xp, o = self.xp, logits
        at_label = self.label_entries(labels)
        z = xp.exp(-xp.abs(o))  # in (0, 1], whatever the sign of o
        sigmoid = xp.where(o >= 0, 1, z) / (1 + z)
        softplus = xp.maximum(o, 0) + xp.log1p(z)
        error = sigmoid.copy()
        error[at_label] -= 1
        value = (float(softplus.sum()) - float(o[at_label].sum())) / o.size
        return LossResult(value, error, labels, outputs=o, probabilities=sigmoid)


class CrossEntropy(Loss):
    """``ce``: softmax cross-entropy, mean over N; its error is ``e = (softmax(o) - t) / N``."""

    name = "ce"

    def compute(self, logits: Array, labels: Array) -> LossResult:
        """Return mean -log softmax(o) at the label, and the error."""
        xp = self.xp
        N = len(logits)
        at_label = self.label_entries(labels)
        o = logits - logits.max(axis=1, keepdims=True)
        log_probabilities = o - xp.log(xp.exp(o).sum(axis=1, keepdims=True))
        softmax = xp.exp(log_probabilities)
        error = softmax.copy()
        error[at_label] -= 1
        error /= N
        value = -float(log_probabilities[at_label].sum()) / N
        return LossResult(value, error, labels, outputs=log_probabilities, probabilities=softmax)


LOSSES: dict[str, type[Loss]] = {"bce": BinaryCrossEntropy, "ce": CrossEntropy}
"""By the names that ``--criterion`` takes."""

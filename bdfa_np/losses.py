"""Losses: the value reported, and the output error ``e`` handed to the learning rule."""

from dataclasses import dataclass
from typing import ClassVar

from bdfa_np.backend import maths
from bdfa_np.backend.base import Array, Backend
from bdfa_np.backend.formula import formula
from bdfa_np.habits import Habits
from bdfa_np.representation import one_line
from bdfa_np.system.text import counted


# Comparing two of these compares arrays, which has no single truth value: so eq=False.
@dataclass(frozen=True, eq=False)
class LossResult(Habits):
    """What a loss says of one batch of N samples and K classes; all arrays are on the backend.

    Attributes
    ----------
    terms : array (N, K)
        What the loss reported is the sum of, over all entries, divided by N.
    error : array (N, K)
        The output error ``e``: what the learning rule sends back.
    labels : array (N,)
        The labels.
    targets : array (N, K)
        ``t``: 1 at the label, 0 elsewhere.
    outputs : array (N, K)
        The net's raw outputs ``o``: the logits under ``bce`` and ``mse``, log-probabilities under ``ce``.
    probabilities : array (N, K)
        ``ŷ``; under ``mse`` the outputs themselves.
    scale : float
        What every entry of ``e`` is multiplied by: 1 under ``bce``, 1/N under ``ce`` and ``mse``. A rule that
        sends something else in place of ``e`` multiplies it by the same.
    """

    terms: Array
    error: Array
    labels: Array
    targets: Array
    outputs: Array
    probabilities: Array
    scale: float

    habits: ClassVar[dict[str, str]] = {
        "backward": "a learning rule goes backward: rule = DFA(network), then rule.backward(result)",
        "item": "the loss as a number is result.value",
        "detach": "the loss as a number is result.value",
        "numpy": "the loss as a number is result.value",
    }

    def __repr__(self) -> str:
        """Return the loss, and of what."""
        N, K = self.error.shape
        return one_line(self, [f"value {self.value:.4g}", counted(N, "sample"), counted(K, "output")])

    @property
    def value(self) -> float:
        """The loss reported, a mean over the batch; to ask for it is to wait for the backend's device."""
        return float(self.terms.sum(dtype="float64")) / len(self.terms)


class Loss(Habits):
    """A loss over logits (N, K) and integer labels (N,).

    Parameters
    ----------
    backend : Backend
        The backend of the network whose logits it is given.
    """

    habits: ClassVar[dict[str, str]] = {
        "forward": "a loss is called: loss(logits, labels)",
        "backward": "a learning rule goes backward: rule.backward(loss(network.forward(x), labels))",
    }
    name: str
    gives_probabilities = False
    """Whether ``ŷ`` is a distribution over the K classes, which sums to 1."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend

    def __repr__(self) -> str:
        """Return where it computes."""
        return one_line(self, [repr(self.backend)])

    def __call__(self, logits: Array, labels: Array) -> LossResult:
        """Return the loss, the output error and what else rules need.

        Parameters
        ----------
        logits : array (N, K)
            The network's output.
        labels : integer array (N,)
            Classes, counted from 0. On the host they are checked; whoever brings them to a device checks them before
            (`check_labels`), and one that is out of range makes the loss NaN there.

        Raises
        ------
        ValueError
            If the logits are not of the shape (N, K), or labels on the host are not N integers within 0..K-1.
        """
        shape = getattr(logits, "shape", None)
        if shape is None or len(shape) != 2:
            found = f"a {type(logits).__name__}" if shape is None else f"an array of shape {tuple(shape)}"
            raise ValueError(
                f"a loss takes logits (N, K), and not {found}: loss(network.forward(x), labels), in this order"
            )
        if not self.backend.on_device(labels):
            check_labels(labels, *logits.shape)
            labels = self.backend.asarray(labels)
        return self.compute(logits, labels, self.backend.one_hot(labels, logits.shape[1]))

    def compute(self, logits: Array, labels: Array, targets: Array) -> LossResult:
        """Compute the result for labels that have been checked, and their one-hot targets."""
        raise NotImplementedError


def check_labels(labels: Array, N: int, K: int) -> None:
    """Check labels on the host.

    Raises
    ------
    ValueError
        If they are not N integers within 0..K-1, or N is 0.
    """
    problem = _problem_of_labels(labels, N)
    if problem:
        raise ValueError(f"labels must be an array of {N} integers{problem}")
    if N == 0 or labels.min() < 0 or labels.max() >= K:
        found = "" if N == 0 else f": these are from {labels.min()} to {labels.max()}"
        raise ValueError(f"labels must lie within 0..{K - 1}, and there must be at least one{found}")


def _problem_of_labels(labels: Array, N: int) -> str:
    """Return what is wrong with the type or the shape of labels, and what to do where that is plain."""
    dtype, shape = getattr(labels, "dtype", None), getattr(labels, "shape", None)
    kind = getattr(dtype, "kind", None)
    if kind is None or shape is None:
        return f", not a {type(labels).__name__}: numpy.asarray(labels) makes one"
    if len(shape) == 2 and shape[0] == N and shape[1] > 1:
        return f", not one-hot rows of shape {shape}: labels.argmax(axis=1) gives the classes"
    if kind == "f":
        return f", not {dtype} numbers: labels.astype('int64') makes whole numbers of them"
    if kind not in ("i", "u"):
        return f", not of type {dtype}: numpy.unique(labels, return_inverse=True)[1] numbers the classes"
    if shape == (N, 1):
        return f", not a column of shape {shape}: labels.ravel() makes a row of it"
    return "" if shape == (N,) else f", one a sample, not of shape {shape}"


class BinaryCrossEntropy(Loss):
    """``bce``: binary cross-entropy of σ(o) against the one-hot target, mean over the N·K entries.

    Its error is ``e = σ(o) - t``, summed over the batch: **not divided by N**. The published learning rates
    assume that: 1e-4 here is 0.0128 on a mean gradient at batch size 128 (Luo et al., arXiv 1702.07097).
    """

    name = "bce"

    @staticmethod
    @formula
    def bce(o, t, *, share):
        """Return ``σ(o)``, ``σ(o) - t`` and ``(softplus(o) - t o) / K``, free of overflow for any o."""
        z = maths.exp(-maths.abs(o))  # in (0, 1], whatever the sign of o
        sigmoid = maths.where(o >= 0, 1, z) / (1 + z)  # ŷ = σ_y(o): Luo, eq. 14; Luo, eq. 34
        softplus = maths.maximum(o, 0) + maths.log1p(z)
        error = sigmoid - t  # e = ŷ - t: Luo, eq. 17; Luo, eq. 35
        return sigmoid, error, share * (softplus - t * o)  # the loss: Luo, eq. 15; Luo, eq. 30

    def compute(self, logits: Array, labels: Array, targets: Array) -> LossResult:
        """Return the three, entry by entry."""
        xp, o, t = self.backend.xp, logits, targets
        probabilities, error, terms = xp.empty_like(o), xp.empty_like(o), xp.empty_like(o)
        self.backend.elementwise(self.bce, (o, t), (probabilities, error, terms), share=1 / o.shape[1])
        return LossResult(terms, error, labels, t, outputs=o, probabilities=probabilities, scale=1.0)


class CrossEntropy(Loss):
    """``ce``: softmax cross-entropy, mean over N; its error is ``e = (softmax(o) - t) / N``."""

    name = "ce"
    gives_probabilities = True

    @staticmethod
    @formula
    def ce(log_probability, t, *, batch_size):
        """Return ``softmax(o)``, ``(softmax(o) - t) / N`` and ``-t log softmax(o)``."""
        probability = maths.exp(log_probability)
        return probability, (probability - t) / batch_size, -t * log_probability

    def compute(self, logits: Array, labels: Array, targets: Array) -> LossResult:
        """Return the three, entry by entry, of the rows' log-softmax."""
        xp, t = self.backend.xp, targets
        o, N = self.backend.log_softmax(logits), self.backend.share.whole(len(logits))
        probabilities, error, terms = xp.empty_like(o), xp.empty_like(o), xp.empty_like(o)
        self.backend.elementwise(self.ce, (o, t), (probabilities, error, terms), batch_size=N)
        return LossResult(terms, error, labels, t, outputs=o, probabilities=probabilities, scale=1 / N)


class MeanSquaredError(Loss):
    """``mse``: the mean over the N·K entries of ``(o - t)²``; its error is ``e = (o - t) / N``, and ``ŷ`` is ``o``.

    ``e`` is K/2 times the gradient of the loss reported, so that it has the scale of ``ce``'s. The outputs are taken
    as they are: no probabilities, of any size and sign.
    """

    name = "mse"

    @staticmethod
    @formula
    def mse(o, t, *, batch_size, share):
        """Return ``(o - t) / N`` and ``(o - t)² / K``."""
        difference = o - t
        return difference / batch_size, share * (difference * difference)

    def compute(self, logits: Array, labels: Array, targets: Array) -> LossResult:
        """Return the two, entry by entry."""
        xp, o, t, N = self.backend.xp, logits, targets, self.backend.share.whole(len(logits))
        error, terms = xp.empty_like(o), xp.empty_like(o)
        self.backend.elementwise(self.mse, (o, t), (error, terms), batch_size=N, share=1 / o.shape[1])
        return LossResult(terms, error, labels, t, outputs=o, probabilities=o, scale=1 / N)


LOSSES: dict[str, type[Loss]] = {"bce": BinaryCrossEntropy, "ce": CrossEntropy, "mse": MeanSquaredError}
"""By the names that ``--criterion`` takes."""

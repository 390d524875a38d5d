"""Measures of what a net does: confusion counts, error rates, and the angle between two signals."""

import numpy as np
import numpy.typing as npt

from bdfa_np.backend.base import Array, Backend
from bdfa_np.losses import LossResult


class ConfusionMatrix:
    """Counts of (true class, predicted class).

    Parameters
    ----------
    num_classes : int
        K; classes are counted from 0.

    Attributes
    ----------
    counts : integer array (K, K)
        Rows are true classes, columns predictions.
    """

    def __init__(self, num_classes: int) -> None:
        self.counts = np.zeros((num_classes, num_classes), dtype=np.int64)

    def add(self, labels: npt.NDArray[np.integer], predictions: npt.NDArray[np.integer]) -> None:
        """Count a batch of labels (N,) and predictions (N,), both on the host."""
        K = len(self.counts)
        self.counts += np.bincount(labels * K + predictions, minlength=K * K).reshape(K, K)

    @property
    def total(self) -> int:
        """Number of samples counted."""
        return int(self.counts.sum())

    @property
    def error_rate(self) -> float:
        """Fraction of samples predicted wrongly; NaN where nothing was counted."""
        return (self.total - int(np.trace(self.counts))) / self.total if self.total else float("nan")

    def class_error_rates(self) -> list[float]:
        """Return for each true class the fraction predicted wrongly; NaN for a class that did not occur."""
        rates = []
        for true, row in enumerate(self.counts):
            count = int(row.sum())
            rates.append((count - int(row[true])) / count if count else float("nan"))
        return rates


class Tally:
    """The loss and the predictions of many batches, added up where the backend computes.

    Nothing is brought to the host before it is asked for.

    Parameters
    ----------
    backend : Backend
        Where the batches are.
    num_classes : int
        K.
    """

    def __init__(self, backend: Backend, num_classes: int) -> None:
        self._backend = backend
        self._counts = backend.xp.zeros((num_classes, num_classes), "int64")
        self._sums = backend.xp.zeros(4, "float64")

    def clear(self) -> None:
        """Start anew."""
        self._counts.fill(0)
        self._sums.fill(0)

    def add(self, logits: Array, result: LossResult) -> None:
        """Count a batch: its logits (N, K), and what the loss says of them."""
        self._backend.tally(logits, result.labels, result.terms, self._counts, self._sums)

    def confusion(self) -> "ConfusionMatrix":
        """Return the counts so far."""
        confusion = ConfusionMatrix(len(self._counts))
        confusion.counts += self._backend.to_host(self._counts)
        return confusion

    @property
    def loss(self) -> float:
        """The mean loss over the samples so far."""
        return float(self._backend.to_host(self._sums)[0]) / self.confusion().total

    @property
    def first_bad(self) -> tuple[int, float] | None:
        """The first batch (from 1) whose loss was no finite number, and what it was; None while there is none."""
        _, _, batch, value = self._backend.to_host(self._sums).tolist()
        return (int(batch), value) if batch else None


def alignment_angle(a: npt.ArrayLike, b: npt.ArrayLike) -> float:
    """Return the angle between two signals, taken as flat vectors, in degrees.

    Below 90 a step along one also descends along the other; feedback alignment is named after its falling
    (Lillicrap et al., 2016).

    Parameters
    ----------
    a, b : array_like
        Two arrays of the same shape, for example a rule's ``δ`` and back-propagation's.

    Returns
    -------
    float
        From 0 to 180; NaN where one of the two is zero.

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if a.shape != b.shape:
        raise ValueError(f"signals of shapes {a.shape} and {b.shape} have no angle between them")
    norms = np.linalg.norm(a) * np.linalg.norm(b)
    if norms == 0:
        return float("nan")
    return float(np.degrees(np.arccos(np.clip(np.vdot(a, b) / norms, -1, 1))))

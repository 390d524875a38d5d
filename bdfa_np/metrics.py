"""Measures of what a net does: confusion counts, error rates, and the angle between two signals."""

import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from bdfa_np.backend.base import Array, Backend
from bdfa_np.losses import LossResult
from bdfa_np.parallel.share import Team
from bdfa_np.representation import one_line
from bdfa_np.system.text import counted
from bdfa_np.tables import Table

_MOST_CLASSES = 30
"""A notebook shows every count up to so many classes; of more, the classes that are most often taken for another."""
_MOST_PAIRS = 20


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

    def __repr__(self) -> str:
        """Return how many samples were counted, and the share predicted wrongly."""
        error = f"error {self.error_rate:.2%}" if self.total else ""
        return one_line(self, [counted(len(self.counts), "class", "classes"), counted(self.total, "sample"), error])

    def _repr_html_(self) -> str:
        """Return what a notebook shows."""
        return self.to_html()

    def to_html(self, class_names: Sequence[str] = (), title: str = "") -> str:
        """Return the table of all counts as HTML; of more than 30 classes, that of the commonest mistakes.

        Parameters
        ----------
        class_names : sequence of str, optional
            The names of the K classes; their numbers unless given.
        title : str, optional
            A line above; what was counted unless given.
        """
        kind = self.table if len(self.counts) <= _MOST_CLASSES else self.mistakes
        return replace(kind(class_names), title=title or repr(self)).to_html()

    def table(self, class_names: Sequence[str] = ()) -> Table:
        """Return all counts, true classes as rows and predictions as columns, with each class's error.

        Parameters
        ----------
        class_names : sequence of str, optional
            The names of the K classes; their numbers unless given.
        """
        names = self._names(class_names)
        rows = [
            [name, *row.tolist(), percent(rate)]
            for name, row, rate in zip(names, self.counts, self.class_error_rates(), strict=True)
        ]
        return Table(["true class", *names, "error"], rows, right=["error"])

    def mistakes(self, class_names: Sequence[str] = (), most: int = _MOST_PAIRS) -> Table:
        """Return the pairs of true class and another that was predicted, the commonest first.

        Parameters
        ----------
        class_names : sequence of str, optional
            The names of the K classes; their numbers unless given.
        most : int, default 20
            How many pairs at most.
        """
        names, wrong = self._names(class_names), self.counts.copy()
        np.fill_diagonal(wrong, 0)
        order = np.argsort(-wrong, axis=None, kind="stable")[:most]
        pairs = [divmod(int(place), len(wrong)) for place in order if wrong.flat[place]]
        rows = [[names[true], names[taken], int(wrong[true, taken])] for true, taken in pairs]
        return Table(["true class", "predicted", "samples"], rows)

    def _names(self, class_names: Sequence[str]) -> list[str]:
        return list(class_names) or [str(number) for number in range(len(self.counts))]

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

    def __repr__(self) -> str:
        """Return what was added up; to ask for it is to wait for the backend's device."""
        confusion = self.confusion()
        loss = [f"loss {self.loss:.4g}", f"error {confusion.error_rate:.2%}"] if confusion.total else []
        return one_line(
            self, [counted(len(self._counts), "class", "classes"), counted(confusion.total, "sample"), *loss]
        )

    def clear(self) -> None:
        """Start anew."""
        self._counts.fill(0)
        self._sums.fill(0)

    def add(self, logits: Array, result: LossResult) -> None:
        """Count a batch: its logits (N, K), and what the loss says of them."""
        self._backend.tally(logits, result.labels, result.terms, self._counts, self._sums)

    def gather(self, team: Team) -> None:
        """Put in place of what this process has added up what all of a team have."""
        host = self._backend.to_host
        parts = team.gather((host(self._counts).copy(), host(self._sums).copy()))
        bad = [sums[2:] for _, sums in parts if sums[2]]  # each the first batch of a process whose loss was not finite
        asarray = self._backend.xp.asarray  # which keeps float64
        self.clear()
        for counts, sums in parts:
            self._counts += asarray(counts)
            self._sums[:2] += asarray(sums[:2])
        if bad:
            self._sums[2:] = asarray(min(bad, key=lambda found: float(found[0])))

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


def percent(rate: float) -> str:
    """Return a rate in per cent, or a dash where there is none: of a class without samples."""
    return "-" if np.isnan(rate) else f"{rate:.2%}"


def alignment_angle(a: npt.ArrayLike, b: npt.ArrayLike) -> float:
    """Return the angle between two signals, taken as flat vectors, in degrees.

    Below 90 a step along one also descends along the other; feedback alignment is named after its falling
    (Lillicrap et al., 2016).

    Parameters
    ----------
    a, b : array_like
        Two arrays of the same shape, on the host or on a device, for example a rule's ``δ`` and back-propagation's.

    Returns
    -------
    float
        From 0 to 180; NaN where one of the two is zero.

    Raises
    ------
    ValueError
        If the shapes differ.

    Warns
    -----
    RuntimeWarning
        If one of the two is zero everywhere, which says why there is no angle.
    """
    a, b = _on_host(a), _on_host(b)
    if a.shape != b.shape:
        raise ValueError(f"signals of shapes {a.shape} and {b.shape} have no angle between them")
    norms = np.linalg.norm(a) * np.linalg.norm(b)
    if norms == 0:
        warnings.warn(ZERO_SIGNAL, RuntimeWarning, stacklevel=2)
        return float("nan")
    return float(np.degrees(np.arccos(np.clip(np.vdot(a, b) / norms, -1, 1))))


ZERO_SIGNAL = (
    "a signal that is zero everywhere has no direction, so the angle is NaN. Where a net's weights start at zero, "
    "back-propagation sends nothing below the top layer before the first step: measure after a step, or give the "
    'layers initial="uniform"'
)
"""What is said of an angle to a signal that is zero."""


def _on_host(signal: Any) -> npt.NDArray[np.float64]:
    """Return a signal in float64; CuPy's arrays are converted by their own method alone."""
    held = signal.get() if hasattr(signal, "__cuda_array_interface__") else signal
    return np.asarray(held, dtype=np.float64)

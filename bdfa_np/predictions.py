"""A trained net in use: what it says of samples, and how much of that is right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bdfa_np.batches import evaluate
from bdfa_np.data import Batches
from bdfa_np.errors import DataError
from bdfa_np.losses import Loss
from bdfa_np.metrics import ConfusionMatrix
from bdfa_np.network import Sequential
from bdfa_np.representation import one_line
from bdfa_np.system.text import counted

BATCH_SIZE = 256
"""Samples that are predicted at once: few enough for the buffers of a net of convolutions."""


# Comparing two of these compares arrays, which has no single truth value: so eq=False.
@dataclass(frozen=True, eq=False)
class Predictions:
    """Predictions for N samples.

    Parameters
    ----------
    logits : ndarray of float32, shape (N, K)
        The net's raw outputs ``o``.
    outputs : ndarray of float32, shape (N, K)
        ``ŷ``, as the loss makes it of the logits.
    class_names : tuple of str
        The names of the K classes.
    are_probabilities : bool
        Whether the K outputs of a sample are probabilities that sum to 1.
    """

    logits: NDArray[Any]
    outputs: NDArray[Any]
    class_names: tuple[str, ...]
    are_probabilities: bool

    @property
    def labels(self) -> NDArray[np.int64]:
        """The class of each sample, (N,): that of the largest logit."""
        return np.asarray(self.logits.argmax(axis=1), np.int64)

    @property
    def names(self) -> list[str]:
        """The name of each sample's class."""
        return [self.class_names[label] for label in self.labels]

    @property
    def scores(self) -> NDArray[Any]:
        """``ŷ`` (N, K): the softmax under ``ce``; under ``bce`` K sigmoids, each a yes or no to its own class."""
        return self.outputs

    @property
    def probabilities(self) -> NDArray[Any]:
        """The probability of each class, (N, K), under ``ce``.

        Raises
        ------
        AttributeError
            Under another loss, whose outputs are no probabilities: they do not sum to 1.
        """
        if not self.are_probabilities:
            raise AttributeError(
                "these are no probabilities: under bce a net has K sigmoids, which do not sum to 1, and under mse its "
                "raw outputs: take .scores, or train with criterion='ce'"
            )
        return self.outputs

    @property
    def kind(self) -> str:
        """What the outputs are called: ``"probability"`` or ``"score"``."""
        return "probability" if self.are_probabilities else "score"

    def top(self, count: int) -> list[list[tuple[str, float]]]:
        """Return each sample's most likely classes with their outputs, the most likely first.

        Parameters
        ----------
        count : int
            How many; all K where there are no more.

        Raises
        ------
        ValueError
            If it is below 1.
        """
        if count < 1:
            raise ValueError(f"the number of classes must be 1 or more, not {count}")
        order = np.argsort(-self.logits, axis=1, kind="stable")[:, :count]
        return [
            [(self.class_names[label], float(self.outputs[sample, label])) for label in labels]
            for sample, labels in enumerate(order)
        ]

    def __len__(self) -> int:
        """Return N."""
        return len(self.logits)

    def __repr__(self) -> str:
        """Return how many samples, and the classes of the first."""
        shown = ", ".join(self.names[:5]) + (", ..." if len(self) > 5 else "")
        return one_line(self, [f"{counted(len(self), 'sample')}: {shown}"])


@dataclass(frozen=True)
class Evaluation:
    """How well a net does on some samples.

    Attributes
    ----------
    loss : float
        Mean over the samples.
    confusion : ConfusionMatrix
        Of all samples.
    class_names : tuple of str
        The names of the K classes.
    """

    loss: float
    confusion: ConfusionMatrix
    class_names: tuple[str, ...]

    @property
    def error(self) -> float:
        """The fraction of samples that were predicted wrongly."""
        return self.confusion.error_rate

    @property
    def accuracy(self) -> float:
        """The fraction of samples that were predicted rightly."""
        return 1 - self.error

    def __repr__(self) -> str:
        """Return error, loss and the number of samples."""
        figures = [f"error {self.error:.2%}", f"loss {self.loss:.4f}"]
        return one_line(self, [*figures, counted(self.confusion.total, "sample")])

    def _repr_html_(self) -> str:
        """Return what a notebook shows: the confusion matrix, or, of many classes, the commonest mistakes."""
        return self.confusion.to_html(self.class_names, title=repr(self))


def predictions(network: Sequential, loss: Loss, x: NDArray[Any], class_names: tuple[str, ...]) -> Predictions:
    """Return what a network says of prepared samples (N, ...), in arrays of their own on the host."""
    backend = network.backend
    logits, outputs = [], []
    with backend.non_finite_allowed():
        for start in range(0, len(x), BATCH_SIZE):
            o = network.predict(x[start : start + BATCH_SIZE])  # (n, K)
            # What is made of the logits does not depend on the labels, which a loss wants all the same.
            result = loss(o, np.zeros(len(o), np.int64))
            logits.append(backend.to_host(o))
            outputs.append(backend.to_host(result.probabilities).copy())
    return Predictions(np.concatenate(logits), np.concatenate(outputs), class_names, loss.gives_probabilities)


def evaluation(
    network: Sequential, loss: Loss, x: NDArray[Any], labels: NDArray[np.int64], class_names: tuple[str, ...]
) -> Evaluation:
    """Return how well a network does on prepared samples (N, ...).

    Raises
    ------
    DataError
        If there is not one label for each sample.
    """
    if len(labels) != len(x):
        raise DataError(f"{counted(len(x), 'sample')} but {counted(len(labels), 'label')}: give every sample one label")
    mean, confusion = evaluate(network, loss, Batches(x, labels, BATCH_SIZE))
    return Evaluation(mean, confusion, class_names)


def numbered(labels: ArrayLike, class_names: tuple[str, ...]) -> NDArray[np.int64]:
    """Return labels, which may be names, as the numbers of their classes.

    Raises
    ------
    DataError
        If one is neither.
    """
    found = np.asarray(labels)
    if found.ndim != 1 or found.dtype.kind not in "iuUO" or found.size == 0:
        raise DataError(
            f"labels of shape {found.shape} and type {found.dtype}: give each sample its class, as a number or a name"
        )
    if found.dtype.kind in "UO":
        number = {name: index for index, name in enumerate(class_names)}
        unknown = next((name for name in found if str(name) not in number), None)
        if unknown is not None:
            raise DataError(f"label {unknown!r} is no class of the net's, which are {', '.join(class_names[:20])}")
        return np.array([number[str(name)] for name in found], np.int64)
    if found.min() < 0 or found.max() >= len(class_names):
        raise DataError(f"labels must lie within 0..{len(class_names) - 1}, not {found.min()}..{found.max()}")
    return found.astype(np.int64)

"""Samples in two dimensions: as they come in, and as the last hidden layer has them."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bdfa_np.errors import ConfigError
from bdfa_np.figures.drawn import of_runs
from bdfa_np.figures.parts import weights
from bdfa_np.figures.parts.composed import MOST_PANELS, compose, heading, shown
from bdfa_np.figures.parts.names import REPLACED, legible
from bdfa_np.figures.parts.panels import Panel
from bdfa_np.figures.parts.points import MOST_IN_LEGEND, Legend, Points
from bdfa_np.figures.views import Subject
from bdfa_np.layers.base import tree_of
from bdfa_np.model import Model
from bdfa_np.predictions import BATCH_SIZE
from bdfa_np.system.extras import install_command

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SAMPLES = 1000
METHODS = ("pca", "tsne")


@of_runs
def embedding(
    subjects: list[Subject], *, axes: Axes | None = None, count: int = SAMPLES, method: str = "pca"
) -> Figure | Axes:
    """Draw samples in the plane in which they vary most, before the net and after its last hidden layer.

    Points are samples of the part that the run tests on. Ten classes have a colour and a marker each; of more, only
    the means are told apart, with names where there is room.

    Parameters
    ----------
    subjects : list of Subject
        Or run folders, studies and results of training, one after another; of several seeds the first is drawn.
    axes : matplotlib.axes.Axes, optional
        Where to draw the only run's last hidden layer; a new figure, with its input too, unless given.
    count : int, default 1000
        Samples, at most; drawn at random, the same ones each time.
    method : {"pca", "tsne"}, default "pca"
        The two principal components, or t-SNE by scikit-learn (extra ``sklearn``), which keeps neighbours together and
        distorts all else.

    Returns
    -------
    Figure or Axes
        The input of the first run, then a panel a run.

    Raises
    ------
    ConfigError
        If scikit-learn is missing and t-SNE is asked for.
    ValueError
        If the method is unknown, or the count below 3.
    """
    if method not in METHODS or count < 3:
        raise ValueError(f"method must be {' or '.join(METHODS)} and count 3 or more, not {method!r} and {count}")
    drawn, left_out = shown(subjects)
    if axes is None and len(drawn) == MOST_PANELS:  # one place is the input's
        drawn, left_out = drawn[:-1], left_out + 1
    panels: list[Panel] = []
    for number, subject in enumerate(drawn):
        model = subject.runs[0].model()
        _, prepared, labels = subject.runs[0].test_set()
        chosen = sorted(np.random.default_rng(0).permutation(len(labels))[:count].tolist())
        part = f"{len(chosen):,} of {len(labels):,} {model.config.tested_on} samples"
        if number == 0 and axes is None:
            title = f"the input, {part}"
            panels.append(_panel(prepared[chosen], labels[chosen], model, title, method))
        what = f"{prod(last_hidden_shape(model)):,} units of the last hidden layer"
        title = f"{subject.short_legend}: {what}" if len(drawn) > 1 else what
        panels.append(_panel(last_hidden(model, prepared[chosen]), labels[chosen], model, title, method))
    names = subject_names(drawn[0].runs[0].model())
    replaced = f" ({REPLACED})" if legible(drawn[0].runs[0].model().class_names)[1] else ""
    foot = Legend(names) if len(names) <= MOST_IN_LEGEND else None
    means = f", and the means of {len(names)} classes, named where there is room" if foot is None else ""
    return compose(panels, heading(f"Samples as the net has them{means}{replaced}", drawn, left_out), axes, foot)


def subject_names(model: Model) -> list[str]:
    """Return the names of a net's classes as they can be drawn."""
    return legible(model.class_names)[0]


def _panel(values: NDArray[Any], labels: NDArray[np.int64], model: Model, title: str, method: str) -> Points:
    if method == "tsne":
        return Points(title, neighbours(values), labels, subject_names(model), ("t-SNE 1", "t-SNE 2"))
    places, shares = principal(values)
    axes_names = tuple(f"component {number}: {share:.0%} of variance" for number, share in enumerate(shares, 1))
    return Points(title, places, labels, subject_names(model), (axes_names[0], axes_names[1]))


def _hidden_layers(model: Model) -> int:
    """Return how many of a net's layers come before the last that has weights, or holds some that have."""
    layers = model.network.layers
    return max(place for place, layer in enumerate(layers) if any("W" in one.parameters() for one in tree_of([layer])))


def last_hidden_shape(model: Model) -> tuple[int, ...]:
    """Return the shape of a sample at the input of the last layer with weights."""
    return model.network.layers[_hidden_layers(model)].input_shape


def last_hidden(model: Model, prepared: NDArray[Any]) -> NDArray[Any]:
    """Return what comes to the last layer with weights, of prepared samples.

    Parameters
    ----------
    model : Model
        The net.
    prepared : ndarray, shape (N, *input_shape)
        As it takes them.

    Returns
    -------
    ndarray, shape (N, n)
    """
    network, backend, found = model.network, model.backend, []
    with network.computing(), backend.non_finite_allowed():
        for start in range(0, len(prepared), BATCH_SIZE):
            h = backend.asarray(prepared[start : start + BATCH_SIZE])
            for layer in network.layers[: _hidden_layers(model)]:
                h = layer.forward(h, train=False)
            found.append(weights.host(model, h).reshape(len(h), -1).copy())
    return np.concatenate(found)


def principal(values: NDArray[Any]) -> tuple[NDArray[np.float64], tuple[float, float]]:
    """Return samples in the coordinates of their two principal components.

    Parameters
    ----------
    values : ndarray, shape (N, ...)
        Samples.

    Returns
    -------
    places : ndarray of float64, shape (N, 2)
        The sign of a component is such that its largest weight is positive.
    shares : tuple of 2 floats
        Of the whole variance; 0 where there is none.
    """
    rows = values.reshape(len(values), -1).astype(np.float64)
    U, S, V = np.linalg.svd(rows - rows.mean(axis=0), full_matrices=False)
    places, shares = np.zeros((len(rows), 2)), [0.0, 0.0]
    for number in range(min(2, len(S))):
        sign = 1.0 if V[number, np.abs(V[number]).argmax()] >= 0 else -1.0
        places[:, number] = sign * U[:, number] * S[number]
        shares[number] = float(S[number] ** 2 / (np.square(S).sum() or 1.0))
    return places, (shares[0], shares[1])


def neighbours(values: NDArray[Any]) -> NDArray[np.float64]:
    """Return samples as t-SNE places them, (N, 2)."""
    try:
        from sklearn.manifold import TSNE
    except ImportError:
        raise ConfigError(f"t-SNE is scikit-learn's: install it with {install_command('sklearn')}") from None
    perplexity = min(30.0, (len(values) - 1) / 3)
    rows = values.reshape(len(values), -1)
    return np.asarray(TSNE(perplexity=perplexity, init="pca", random_state=0).fit_transform(rows), np.float64)

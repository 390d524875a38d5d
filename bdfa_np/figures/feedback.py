"""What the feedback weights draw: at the input where they reach it, else carried there by the lowest weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bdfa_np.errors import ConfigError
from bdfa_np.figures.drawn import of_runs
from bdfa_np.figures.features import UNITS, of_units
from bdfa_np.figures.parts import weights
from bdfa_np.figures.parts.composed import compose, heading, named, shown
from bdfa_np.figures.parts.names import legible
from bdfa_np.figures.parts.panels import Matrix, Message, Panel, by_class, some_classes
from bdfa_np.figures.parts.scale import Scale
from bdfa_np.figures.views import Subject
from bdfa_np.layers import BatchNorm, Conv2d, Dropout, ErrorFeedback, Flatten, Layer, Linear, MaxPool2d
from bdfa_np.layers.activation import NonLinearity
from bdfa_np.model import Model
from bdfa_np.rules import BFA, Direct, Layerwise, Rule

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@of_runs
def feedback(subjects: list[Subject], *, axes: Axes | None = None) -> Figure | Axes:
    """Draw what the feedback weights B say of the input.

    Under ``bfa``, whose B reaches the input, they are drawn as `features` draws W: the units of the lowest layer with
    the largest norm of theirs. Under the other rules an error of 1 at one class's output is carried down by B, and from
    where B ends by the weights, to an image for each class: ``B_1 W_1ᵀ`` under a direct rule, under a layerwise one
    ``B_{L+1}ᵀ ... B_2ᵀ W_1ᵀ``. Non-linearities, batch normalisation and dropout are passed by, and pooling is undone by
    giving each place its nearest window's value. Where B learns, the B that the seed draws stands in a row above,
    carried down by the same weights.

    Parameters
    ----------
    subjects : list of Subject
        Or run folders, studies and results of training, one after another; of several seeds the first is drawn.
    axes : matplotlib.axes.Axes, optional
        Where to draw the only one; a new figure unless given.

    Returns
    -------
    Figure or Axes
        A panel a run. Each image is an `AxesImage`, in the order in which they are drawn.

    Raises
    ------
    ConfigError
        If none of the runs has feedback weights.
    """
    drawn, left_out = shown(subjects)
    panels = [panel(subject.runs[0].model()) for subject in drawn]
    if all(isinstance(one, Message) for one in panels):
        raise ConfigError("; ".join(dict.fromkeys(one.text for one in panels if isinstance(one, Message))))
    return compose(named(panels, drawn), heading("What feedback says of the input", drawn, left_out), axes)


def panel(model: Model) -> Panel:
    """Return one net's, or why there is nothing to draw."""
    rule, name = model.rule, model.config.gradient
    if not rule.B and not isinstance(rule, Layerwise):
        return Message("no feedback", f"{name} has no feedback weights to draw: its signals pass none")
    lowest = weights.lowest_layer(model.network)
    if isinstance(rule, BFA):
        return _at_the_input(model, lowest)
    now = carried(model, rule)
    if now is None:
        return _as_it_is(model)
    before = _as_drawn(model)
    rows = [now] if before is None else [before, now]
    return _by_class(model, np.stack(rows), _formula(model, lowest))


def _at_the_input(model: Model, lowest: Layer) -> Panel:
    values = weights.by_unit(model.network, lowest, weights.host(model, model.rule.B[lowest.name]))
    chosen = weights.largest(values, UNITS)
    which = weights.chosen_text(len(chosen), len(values))
    return of_units(model, values[chosen], f"B of {lowest.name}, what each unit draws: {which}", "feedback weight")


def _formula(model: Model, lowest: Layer) -> str:
    """Return what is drawn for a class."""
    rule = model.rule
    if isinstance(rule, Direct):
        return f"each class's row of B at {rule.sites[0].name}, carried to the input by W of {lowest.name}"
    carriers = [layer.name for layer in reversed(model.network.tree()) if _is_passed_by_feedback(rule, layer)]
    return (
        f"each class's error through the feedback of {', '.join(carriers)}, carried to the input by W of {lowest.name}"
    )


def _is_passed_by_feedback(rule: Rule, layer: Layer) -> bool:
    return layer.feedback_site == "layerwise" and rule.wanted[layer]


def carried(model: Model, rule: Rule) -> NDArray[Any] | None:
    """Return what an error of 1 at each class's output comes to at the input, through a rule's feedback.

    Parameters
    ----------
    model : Model
        The net.
    rule : Rule
        A direct or a layerwise one of this net.

    Returns
    -------
    ndarray, shape (K, *input_shape), or None
        None where there is a layer that nothing linear can be carried through.
    """
    network, backend = model.network, model.backend
    (K,) = network.output_shape
    signal = backend.one_hot(backend.asarray(np.arange(K)), K)  # (K, K)
    layers = list(reversed(network.layers))
    if isinstance(rule, Direct):
        lowest = rule.sites[0]
        if lowest not in layers:
            return None
        signal = lowest.project_feedback(signal, rule.B[lowest.name])
        layers = layers[layers.index(lowest) + 1 :]
    for layer in layers:
        if isinstance(layer, (Linear, Conv2d)):
            matrix = layer.W
            if isinstance(rule, Layerwise) and _is_passed_by_feedback(rule, layer):
                matrix = rule.matrix(layer)
            signal = layer.project_feedback(signal, matrix)
        elif isinstance(layer, MaxPool2d):
            signal = layer.unpool(signal)
        elif isinstance(layer, Flatten):
            signal = signal.reshape(K, *layer.input_shape)
        elif not isinstance(layer, (NonLinearity, BatchNorm, Dropout, ErrorFeedback)):
            return None
    return weights.host(model, signal).copy()


def _as_drawn(model: Model) -> NDArray[Any] | None:
    """Return what `carried` gives with the B that the seed draws, if B has learnt since."""
    rule = model.rule
    began = type(rule)(model.network, **model.config.rule_arguments())
    same = all(np.array_equal(weights.host(model, began.B[name]), weights.host(model, rule.B[name])) for name in rule.B)
    return None if same else carried(model, began)


def _by_class(model: Model, rows: NDArray[Any], formula: str) -> Panel:
    """Return a panel of images of the classes, (R, K, *input_shape), before which those of the B as drawn may stand."""
    K = rows.shape[1]
    labels = some_classes(K)
    some = f"; {len(labels)} of {K} classes" if len(labels) < K else ""
    states = ["as drawn", "trained"] if len(rows) > 1 else [""]
    values = rows[:, labels]
    if values.ndim == 3:
        names = legible(model.class_names)[0]
        row_names = [f"{names[label]} {state}".rstrip() for state in states for label in labels]
        flat = values.reshape(-1, values.shape[2])
        return Matrix(f"{formula}{some}", flat, Scale.signed(flat, "signal"), rows="class", names=row_names)
    values = np.stack([weights.in_colours(model, row) for row in values])
    scale = Scale.signed(values, f"signal{weights.channels_text(model, values[0])}")
    images = [weights.drawable(row, scale) for row in values]
    return by_class(f"{formula}{some}", images, labels, model.class_names, states, scale)


def _as_it_is(model: Model) -> Panel:
    """Return a panel of the lowest B itself, of a net through which nothing is carried to the input."""
    if not model.rule.B:
        why = "what its signals pass follows from W alone, and this net has layers that it cannot be carried through"
        return Message("no feedback", f"{model.config.gradient} holds no feedback weights to draw: {why}")
    name, B = next(iter(model.rule.B.items()))
    values = weights.host(model, B).reshape(-1, B.shape[-1]) if B.ndim != 2 else weights.host(model, B)
    title = f"B of {name} itself: this net has layers that it cannot be carried through"
    scale = Scale.signed(values, "feedback weight")
    if isinstance(model.rule, Direct):
        return Matrix(title, values, scale, "class", "unit")
    return Matrix(title, values.T, scale, "unit", "input of the layer")

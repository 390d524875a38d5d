"""What the units of a layer do: how large their activities are, how many are saturated or dead."""

from math import nan

from bdfa_np.backend.base import Array, Backend
from bdfa_np.diagnostics.vectors import row_norms
from bdfa_np.layers.activation import NonLinearity, ReLU, Sigmoid, Tanh
from bdfa_np.layers.base import Layer

SATURATED_BELOW = 0.05
"""The share of its largest slope below which an entry of a bounded unit counts as saturated."""
LARGEST_SLOPE: dict[type[NonLinearity], float] = {Tanh: 1.0, Sigmoid: 0.25}


def activity(backend: Backend, layer: Layer, h: Array) -> dict[str, float]:
    """Return the quantities of the group ``activity`` of one layer.

    Parameters
    ----------
    backend : Backend
        Where ``h`` is.
    layer : Layer
        What put it out just now: a non-linearity, or a layer with weights that none follows.
    h : array (N, ...)
        The activities of a batch.
    """
    norm = float(row_norms(backend, h).mean())
    finite = norm - norm == 0
    return {
        "activity_norm": norm,
        "saturated": saturated(backend, layer) if finite else nan,
        "dead": dead(backend, layer, h) if finite else nan,
    }


def saturated(backend: Backend, layer: Layer) -> float:
    """Return the share of entries, units times images, whose slope is small; NaN where units have no bound."""
    largest = next((slope for kind, slope in LARGEST_SLOPE.items() if isinstance(layer, kind)), None)
    if largest is None or not isinstance(layer, NonLinearity):
        return nan
    slope = layer.push_forward(backend.xp.ones_like(layer.y))
    return float(backend.to_host((slope < SATURATED_BELOW * largest).mean(dtype="float64")))


def dead(backend: Backend, layer: Layer, h: Array) -> float:
    """Return the share of units, or of channels, that no image of the batch moves; NaN where units cannot die."""
    if not isinstance(layer, ReLU):
        return nan
    silent = (h.reshape(-1, h.shape[-1]) <= 0).all(axis=0)
    return float(backend.to_host(silent.mean(dtype="float64")))

"""Pictures to be: a few of the lowest layer's weights as they are now."""

from collections.abc import Collection, Mapping
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bdfa_np.layers import Patches
from bdfa_np.layers.base import Layer, Shape
from bdfa_np.model import Model
from bdfa_np.network import Sequential

UNITS = 16
"""Of how many units the weights are kept."""
LARGEST_ROW = 4096
"""Rows of a ``B`` that are longer are left out: of every measurement, a file would hold megabytes."""


def snapshots(
    model: Model, lowest: Layer, state: Mapping[str, Any], groups: Collection[str]
) -> dict[str, NDArray[np.float32]]:
    """Return the pictures of some groups.

    Parameters
    ----------
    model : Model
        The net and its rule.
    lowest : Layer
        The lowest layer with weights.
    state : mapping
        The values, as `Model.state` gives them.
    groups : collection of str
        ``weights`` has ``features``, the weights into the first 16 units or channels; ``feedback`` has ``feedback``,
        those of the lowest layer's ``B``: in the shape of the features where ``B`` has W's shape, else its rows
        (K, n) of the first 16 classes.
    """
    found: dict[str, NDArray[np.float32]] = {}
    if "weights" in groups:
        found["features"] = _features(model.network, state["weights"][f"{lowest.name}.W"])
    if "feedback" in groups:
        B = state["feedback"].get(f"{lowest.name}.B")
        rows = next((B for name, B in state["feedback"].items() if B.ndim == 2 and _is_site(model, name)), None)
        if B is not None and B.shape == state["weights"][f"{lowest.name}.W"].shape:
            found["feedback"] = _features(model.network, B)
        elif rows is not None and rows.shape[1] <= LARGEST_ROW:
            found["feedback"] = rows[:UNITS].astype(np.float32)
    return found


def _is_site(model: Model, name: str) -> bool:
    return any(layer.feedback_site == "direct" and name == f"{layer.name}.B" for layer in model.network.tree())


def _features(network: Sequential, W: NDArray[Any]) -> NDArray[np.float32]:
    """Return the weights into the first units, each in the shape of what it looks at."""
    rows = np.moveaxis(W, -1, 0)[:UNITS].astype(np.float32)
    return rows.reshape(len(rows), *_seen_shape(network, W.shape[:-1]))


def _seen_shape(network: Sequential, shape: Shape) -> Shape:
    """Return the shape of what a unit looks at: a kernel's window, the whole input, or a patch of it."""
    if len(shape) > 1:
        return shape
    if prod(network.input_shape) == shape[0]:
        return network.input_shape
    for layer in network.tree():
        if isinstance(layer, Patches) and layer.output_shape[-1] == shape[0]:
            return (layer.size, layer.size, layer.input_shape[-1])
    return shape

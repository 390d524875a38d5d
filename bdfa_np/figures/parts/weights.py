"""The weights that meet the input, each unit's in the shape of what it looks at."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bdfa_np.data.preprocess.yuv import WEIGHTS
from bdfa_np.figures.parts.scale import Scale
from bdfa_np.layers import Layer, Patches
from bdfa_np.model import Model
from bdfa_np.network import Sequential

Values = NDArray[Any]


def lowest_layer(network: Sequential) -> Layer:
    """Return the lowest layer that has a ``W``."""
    return next(layer for layer in network.tree() if "W" in layer.parameters())


def by_unit(network: Sequential, layer: Layer, W: Values) -> Values:
    """Return what is shaped as the weights of the lowest layer, unit by unit.

    Parameters
    ----------
    network : Sequential
        The net.
    layer : Layer
        Its lowest layer with weights.
    W : ndarray, shape (fan_in, units) or (k, k, C_in, units)
        On the host.

    Returns
    -------
    ndarray, shape (units, h, w, C) or (units, fan_in)
        Images where what a unit looks at is one: the whole input, a patch of it, or a window.
    """
    units = np.moveaxis(W, -1, 0)
    if units.ndim == 4:
        return units
    fan_in = units.shape[1]
    if len(network.input_shape) == 3 and fan_in == prod(network.input_shape):
        return units.reshape(-1, *network.input_shape)
    below = network.tree()[: network.tree().index(layer)]
    patches = next((found for found in below if isinstance(found, Patches)), None)
    if patches is not None and fan_in == patches.output_shape[-1]:
        return units.reshape(-1, patches.size, patches.size, network.input_shape[2])
    return units


def in_colours(model: Model, values: Values) -> Values:
    """Return images of weights of Y, U and V as those of red, green and blue, and all others as they are.

    With ``y = M rgb`` weights ``w`` of ``y`` are ``Mᵀ w`` of ``rgb``.
    """
    is_yuv = model.preprocessing is not None and model.preprocessing.format == "yuv"
    return values @ WEIGHTS if is_yuv and values.ndim == 4 else values


def drawable(values: Values, scale: Scale) -> list[Values]:
    """Return images (n, h, w, C) as `Tiles` takes them.

    One channel is left to the colour map; three are colours, in which 0 is grey and the ends of the scale are 0 and 1;
    of any other number the channels stand side by side.
    """
    channels = values.shape[3]
    if channels == 3:
        span = scale.highest - scale.lowest
        return list(np.clip((values - scale.lowest) / span, 0, 1))
    return list(np.moveaxis(values, 3, 2).reshape(len(values), values.shape[1], -1))


def largest(values: Values, count: int) -> list[int]:
    """Return which of n arrays have the largest norms, the largest first; of equal ones the first."""
    norms = np.linalg.norm(values.reshape(len(values), -1).astype(np.float64), axis=1)
    return [int(place) for place in np.argsort(-norms, kind="stable")[:count]]


def columns_for(count: int, at_most: int = 5) -> int:
    """Return how many images of several stand in a row, so that the whole is about square."""
    return max(1, min(at_most, int(np.ceil(np.sqrt(count)))))


def host(model: Model, array: Any) -> Values:
    """Return an array of the model's as one of NumPy's."""
    return np.asarray(model.backend.to_host(array))


def chosen_text(count: int, of: int, order: str = "norm") -> str:
    """Return which of a layer's units were chosen, in words."""
    if count == of:
        return f"all {of} units"
    return f"the {count} of {of} units with the largest norm" if order == "norm" else f"the first {count} of {of} units"


def channels_text(model: Model, values: Values) -> str:
    """Return what is to be known of the channels of images of weights, for the label of their scale."""
    found = []
    if values.shape[3] == 3:
        found.append("red, green and blue from dark to light, grey: 0")
    elif values.shape[3] > 1:
        found.append(f"the {values.shape[3]} channels side by side")
    if model.preprocessing is not None and model.preprocessing.whitening is not None:
        found.append("of whitened pixels")
    return f" ({'; '.join(found)})" if found else ""

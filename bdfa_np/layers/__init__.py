"""Hand-written layers: each shows its formula, its forward and its backward on one screen."""

from bdfa_np.layers.activation import NON_LINEARITIES, ReLU, Sigmoid, Tanh
from bdfa_np.layers.base import Layer, ParameterSpec, Shape
from bdfa_np.layers.feedback import ErrorFeedback
from bdfa_np.layers.linear import Linear
from bdfa_np.layers.reshape import Flatten

__all__ = [
    "NON_LINEARITIES",
    "ErrorFeedback",
    "Flatten",
    "Layer",
    "Linear",
    "ParameterSpec",
    "ReLU",
    "Shape",
    "Sigmoid",
    "Tanh",
]

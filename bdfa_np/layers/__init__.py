"""Hand-written layers: each shows its formula, its forward and its backward on one screen."""

from bdfa_np.layers.activation import GELU, NON_LINEARITIES, LeakyReLU, ReLU, Sigmoid, Tanh
from bdfa_np.layers.average import AvgPool2d, GlobalAvgPool
from bdfa_np.layers.base import Layer, ParameterSpec, Shape
from bdfa_np.layers.batchnorm import BatchNorm
from bdfa_np.layers.container import Container
from bdfa_np.layers.conv import Conv2d
from bdfa_np.layers.dropout import Dropout
from bdfa_np.layers.feedback import ErrorFeedback
from bdfa_np.layers.layernorm import LayerNorm
from bdfa_np.layers.linear import Linear
from bdfa_np.layers.pool import MaxPool2d
from bdfa_np.layers.reshape import Flatten, Patches, Transpose
from bdfa_np.layers.residual import Residual
from bdfa_np.layers.shortcut import PadShortcut

__all__ = [
    "GELU",
    "NON_LINEARITIES",
    "AvgPool2d",
    "BatchNorm",
    "Container",
    "Conv2d",
    "Dropout",
    "ErrorFeedback",
    "Flatten",
    "GlobalAvgPool",
    "Layer",
    "LayerNorm",
    "LeakyReLU",
    "Linear",
    "MaxPool2d",
    "PadShortcut",
    "ParameterSpec",
    "Patches",
    "ReLU",
    "Residual",
    "Shape",
    "Sigmoid",
    "Tanh",
    "Transpose",
]

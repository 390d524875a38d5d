"""A small VGG: three times two 3x3 convolutions and a pooling, then 512 units.

Simonyan and Zisserman, arXiv 1409.1556, table 1, made small enough for 32x32 pixels.
"""

from bdfa_np.backend.base import Backend
from bdfa_np.declaration import Option
from bdfa_np.layers import BatchNorm, Conv2d, ErrorFeedback, Flatten, Layer, Linear, MaxPool2d, ReLU, Shape
from bdfa_np.network import Sequential
from bdfa_np.networks.inputs import check_images
from bdfa_np.networks.options import Settings
from bdfa_np.random_streams import Streams

SUMMARY = "six 3x3 convolutions with batch norm, three poolings, 512 units; relu"
SOURCE = "after Simonyan and Zisserman, arXiv 1409.1556"
CHANNELS = (64, 128, 256)
"""Of the two convolutions before each pooling."""
UNITS = 512
SMALLEST = 8
OPTIONS: tuple[Option, ...] = ()
STARTS_AT_ZERO = False
"""The slope of its units at 0 is 0, and between two sites signals travel through weights."""


def build(config: Settings, input_shape: Shape, num_classes: int, rng: Streams, backend: Backend) -> Sequential:
    """Build the net for images (H, W, C) of at least 8x8 pixels, of which the poolings leave 1x1."""
    check_images(input_shape, SMALLEST)
    layers: list[Layer] = []
    for channels in CHANNELS:
        for _ in range(2):
            layers += [Conv2d(channels, 3, padding=1, bias=False, initial=config.initial), BatchNorm(), ReLU()]
        layers += [MaxPool2d(2), ErrorFeedback()]
    layers += [Flatten(), Linear(UNITS, initial=config.initial), ReLU(), ErrorFeedback()]
    layers.append(Linear(num_classes, initial=config.initial))
    return Sequential(layers, input_shape, backend=backend, rng=rng)

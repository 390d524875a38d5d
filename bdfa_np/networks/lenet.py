"""LeNet as BioTorch has it: three 5x5 convolutions, of which two are pooled, and two fully connected layers.

There is no non-linearity between the last two layers, as there (Sanfiz and Akrout, arXiv 2108.13446, ``le_net.py``).
"""

from bdfa_np.backend.base import Backend
from bdfa_np.declaration import Option
from bdfa_np.layers import Conv2d, ErrorFeedback, Flatten, Layer, Linear, MaxPool2d, ReLU, Shape
from bdfa_np.network import Sequential
from bdfa_np.networks.inputs import check_images
from bdfa_np.networks.options import Settings
from bdfa_np.random_streams import Streams

SUMMARY = "three 5x5 convolutions, two of them pooled (max), 84 units; relu"
SOURCE = "BioTorch: Sanfiz and Akrout, arXiv 2108.13446"
CHANNELS = {1: (6, 16, 120), 3: (32, 64, 128)}
"""Of the convolutions, by the channels of the images."""
UNITS = 84
SMALLEST = 32
OPTIONS: tuple[Option, ...] = ()
STARTS_AT_ZERO = False
"""The slope of its units at 0 is 0."""


def build(config: Settings, input_shape: Shape, num_classes: int, rng: Streams, backend: Backend) -> Sequential:
    """Build the net for images (H, W, C) of at least 32x32 pixels; more than one channel counts as colours."""
    check_images(input_shape, SMALLEST)
    layers: list[Layer] = []
    for number, channels in enumerate(CHANNELS[1 if input_shape[2] == 1 else 3], start=1):
        layers += [Conv2d(channels, 5, initial=config.initial), ReLU()]
        layers += [MaxPool2d(2)] if number <= 2 else []
        layers.append(ErrorFeedback())
    layers += [Flatten(), Linear(UNITS, initial=config.initial), ErrorFeedback()]
    layers.append(Linear(num_classes, initial=config.initial))
    return Sequential(layers, input_shape, backend=backend, rng=rng)

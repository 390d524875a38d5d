"""The convolutional net of the original: three convolutional blocks, two fully connected ones, then the classes."""

from bdfa_np.backend.base import Backend
from bdfa_np.declaration import Option
from bdfa_np.layers import (
    NON_LINEARITIES,
    BatchNorm,
    Conv2d,
    Dropout,
    ErrorFeedback,
    Flatten,
    Layer,
    Linear,
    MaxPool2d,
    Shape,
)
from bdfa_np.network import Sequential
from bdfa_np.networks.inputs import check_images
from bdfa_np.networks.options import BATCHNORM, BIAS, DROPOUT, INPUT_DROPOUT, NONLIN, Settings
from bdfa_np.random_streams import Streams

CHANNELS = (96, 128, 256)
UNITS = (2048, 2048)
SMALLEST = 15
SUMMARY = "three 5x5 convolutions with pooling (max), 2x2048 units"
SOURCE = "Luo, Fu and Glass, bdfa-torch, conv.lua"
STARTS_AT_ZERO = True
"""Unless --nonlin says otherwise."""

OPTIONS = (
    NONLIN,
    DROPOUT,
    INPUT_DROPOUT,
    Option("batchnorm", 0, BATCHNORM, choices=(0, 1, 2), torch="-batchnorm"),
    BIAS,
)
"""The options that this net has."""


def build(config: Settings, input_shape: Shape, num_classes: int, rng: Streams, backend: Backend) -> Sequential:
    """Build the net for images (H, W, C) of at least 15x15 pixels, on which the three poolings fit.

    ``dropout`` 1 drops 0.25 after the first two blocks' non-linearity and 0.5 after the later layers'; 2 leaves
    out the latter. What is dropped of the input is ``input_dropout``. ``batchnorm`` 1 normalises every block, 2 the
    second alone.
    """
    check_images(input_shape, SMALLEST)
    layers: list[Layer] = [Dropout(config.input_dropout)] if config.input_dropout else []

    def end_of_block(number: int, drop: float, epsilon: float, pool: list[Layer]) -> list[Layer]:
        tail: list[Layer] = []
        if config.batchnorm == 1 or (config.batchnorm == 2 and number == 2):
            tail.append(BatchNorm(bias=config.bias, epsilon=epsilon))
        tail.append(NON_LINEARITIES[config.nonlin]())
        if config.dropout == 1 or (config.dropout == 2 and number <= 2):
            tail.append(Dropout(drop))
        return [*tail, *pool, ErrorFeedback()]

    for number, channels in enumerate(CHANNELS, start=1):
        layers.append(Conv2d(channels, 5, padding=2, bias=config.bias, initial=config.initial))
        layers += end_of_block(number, 0.25 if number <= 2 else 0.5, 1e-3, [MaxPool2d(3, 2)])
    layers.append(Flatten())
    for number, units in enumerate(UNITS, start=len(CHANNELS) + 1):
        layers.append(Linear(units, bias=config.bias, initial=config.initial))
        layers += end_of_block(number, 0.5, 1e-5, [])
    layers.append(Linear(num_classes, bias=config.bias, initial=config.initial))
    return Sequential(layers, input_shape, backend=backend, rng=rng)

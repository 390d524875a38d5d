"""The residual nets for CIFAR: 6n + 2 weighted layers, in three stages of n residual blocks.

He, Zhang, Ren and Sun, arXiv 1512.03385, section 4.2. ``resnet20`` has n = 3, ``resnet56`` n = 9.
"""

from collections.abc import Sequence

from bdfa_np.backend.base import Backend
from bdfa_np.declaration import Option
from bdfa_np.layers import (
    BatchNorm,
    Conv2d,
    ErrorFeedback,
    GlobalAvgPool,
    Layer,
    Linear,
    PadShortcut,
    ReLU,
    Residual,
    Shape,
)
from bdfa_np.network import Sequential
from bdfa_np.networks.inputs import check_images
from bdfa_np.networks.options import Settings
from bdfa_np.random_streams import Streams

SUMMARY = "3 stages of 3 (resnet56: 9) blocks of two 3x3 convolutions; relu"
SOURCE = "He et al., arXiv 1512.03385, section 4.2"
BLOCKS = {"resnet20": 3, "resnet56": 9}
"""Of each stage."""
CHANNELS = (16, 32, 64)
"""Of the stages."""
OPTIONS = (
    Option(
        "shortcut",
        "pad",
        "Where shapes change: pad: every second pixel, channels filled up with zeros; projection: 1x1 convolution.",
        choices=("pad", "projection"),
        source="He et al., arXiv 1512.03385, section 4.1, options A and B",
    ),
)
"""The options that these nets have."""
STARTS_AT_ZERO = False
"""The slope of its units at 0 is 0, and inside a block signals travel through weights."""


def build(config: Settings, input_shape: Shape, num_classes: int, rng: Streams, backend: Backend) -> Sequential:
    """Build the net for images (H, W, C) of any size; the first convolution counts to the lowest block."""
    check_images(input_shape, 1)
    first = CHANNELS[0]
    layers: list[Layer] = [*convolution(config, first), ReLU()]
    channels_in = first
    for channels in CHANNELS:
        for _ in range(BLOCKS[config.network]):
            layers += [block(config, channels_in, channels), ReLU(), ErrorFeedback()]
            channels_in = channels
    layers += [GlobalAvgPool(), Linear(num_classes, initial=config.initial)]
    return Sequential(layers, input_shape, backend=backend, rng=rng)


def convolution(config: Settings, channels: int, size: int = 3, stride: int = 1) -> Sequence[Layer]:
    """Return a convolution that keeps the image's size, or halves it, and its batch normalisation."""
    padding = size // 2
    return [
        Conv2d(channels, size, stride=stride, padding=padding, bias=False, initial=config.initial),
        BatchNorm(),
    ]


def block(config: Settings, channels_in: int, channels: int) -> Residual:
    """Return two convolutions beside a shortcut; the image is halved where channels are added."""
    stride = 1 if channels == channels_in else 2
    branch = [*convolution(config, channels, stride=stride), ReLU(), *convolution(config, channels)]
    if stride == 1:
        return Residual(branch)
    if config.shortcut == "projection":
        return Residual(branch, convolution(config, channels, size=1, stride=stride))
    return Residual(branch, [PadShortcut(channels, stride)])

"""LeNet-5: two 5x5 convolutions with average pooling, and three fully connected layers, of tanh units.

LeCun, Bottou, Bengio and Haffner, Proceedings of the IEEE 86(11), 1998, section II.B, in the form that is usual today:
every map of the second convolution sees every one of the first, poolings have no weights, and the output is linear.
"""

from bdfa_np.backend.base import Backend
from bdfa_np.declaration import Option
from bdfa_np.layers import AvgPool2d, Conv2d, ErrorFeedback, Flatten, Layer, Linear, Shape, Tanh
from bdfa_np.network import Sequential
from bdfa_np.networks.inputs import check_images
from bdfa_np.networks.options import Settings
from bdfa_np.random_streams import Streams

SUMMARY = "two 5x5 convolutions with pooling (mean), 120 and 84 units; tanh"
SOURCE = "LeCun et al., Proceedings of the IEEE 86(11), 1998"
CHANNELS = (6, 16)
UNITS = (120, 84)
UNPADDED = 32
"""From so many rows and columns on there is no padding: images of 28x28 are padded to 32x32."""
SMALLEST = 12
OPTIONS: tuple[Option, ...] = ()
STARTS_AT_ZERO = True


def build(config: Settings, input_shape: Shape, num_classes: int, rng: Streams, backend: Backend) -> Sequential:
    """Build the net for images (H, W, C); smaller ones than 32x32 get two rows and columns of zeros on each side."""
    check_images(input_shape, SMALLEST)
    padding = 2 if min(input_shape[:2]) < UNPADDED else 0
    layers: list[Layer] = []
    for channels in CHANNELS:
        layers += [Conv2d(channels, 5, padding=padding, initial=config.initial), Tanh(), AvgPool2d(2), ErrorFeedback()]
        padding = 0
    layers.append(Flatten())
    for units in UNITS:
        layers += [Linear(units, initial=config.initial), Tanh(), ErrorFeedback()]
    layers.append(Linear(num_classes, initial=config.initial))
    return Sequential(layers, input_shape, backend=backend, rng=rng)

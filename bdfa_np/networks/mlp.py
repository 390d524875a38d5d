"""The fully connected net of the original: ``num_layers`` blocks of ``num_hidden`` units, then the classes."""

from bdfa_np.backend.base import Backend
from bdfa_np.layers import NON_LINEARITIES, BatchNorm, Dropout, ErrorFeedback, Flatten, Layer, Linear, Shape
from bdfa_np.network import Sequential
from bdfa_np.networks.initial import initial_weights
from bdfa_np.options.config import Config
from bdfa_np.random_streams import Streams


def build(config: Config, input_shape: Shape, num_classes: int, rng: Streams, backend: Backend) -> Sequential:
    """Build the net for samples of ``input_shape``.

    ``dropout`` 1 drops 0.1 of the input and 0.5 of every hidden layer, 2 the former alone; ``batchnorm`` 1
    normalises before every hidden non-linearity.
    """
    initial = initial_weights(config)
    layers: list[Layer] = [Flatten()]
    if config.dropout:
        layers.append(Dropout(0.1))
    for _ in range(config.num_layers):
        layers.append(Linear(config.num_hidden, bias=config.bias, initial=initial))
        if config.batchnorm:
            layers.append(BatchNorm(bias=config.bias))
        layers.append(NON_LINEARITIES[config.nonlin]())
        if config.dropout == 1:
            layers.append(Dropout(0.5))
        layers.append(ErrorFeedback())
    layers.append(Linear(num_classes, bias=config.bias, initial=initial))
    return Sequential(layers, input_shape, backend=backend, rng=rng)

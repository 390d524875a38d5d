"""The fully connected net of the original: ``num_layers`` blocks of ``num_hidden`` units, then the classes."""

from bdfa_np.backend.base import Backend
from bdfa_np.declaration import Option, at_least
from bdfa_np.layers import NON_LINEARITIES, BatchNorm, Dropout, ErrorFeedback, Flatten, Layer, Linear, Shape
from bdfa_np.network import Sequential
from bdfa_np.networks.options import BATCHNORM, BIAS, DROPOUT, INPUT_DROPOUT, NONLIN, Settings
from bdfa_np.random_streams import Streams

SUMMARY = "fully connected hidden layers of equal width"
SOURCE = "Luo, Fu and Glass, bdfa-torch, mlp.lua"
STARTS_AT_ZERO = True
"""Unless --nonlin says otherwise."""
OPTIONS = (
    NONLIN,
    Option("num_layers", 2, "Hidden layers of mlp; 0: none.", check=at_least(0, at_most=1000), torch="-num_layers"),
    Option("num_hidden", 800, "Units of each hidden layer.", check=at_least(1, at_most=1_000_000), torch="-num_hidden"),
    DROPOUT,
    INPUT_DROPOUT,
    Option("batchnorm", 0, BATCHNORM, choices=(0, 1), torch="-batchnorm"),
    BIAS,
)
"""The options that this net has."""


def build(config: Settings, input_shape: Shape, num_classes: int, rng: Streams, backend: Backend) -> Sequential:
    """Build the net for samples of ``input_shape``.

    ``dropout`` 1 drops 0.5 of every hidden layer; what is dropped of the input is ``input_dropout``. ``batchnorm`` 1
    normalises before every hidden non-linearity.
    """
    layers: list[Layer] = [Flatten()]
    if config.input_dropout:
        layers.append(Dropout(config.input_dropout))
    for _ in range(config.num_layers):
        layers.append(Linear(config.num_hidden, bias=config.bias, initial=config.initial))
        if config.batchnorm:
            layers.append(BatchNorm(bias=config.bias))
        layers.append(NON_LINEARITIES[config.nonlin]())
        if config.dropout == 1:
            layers.append(Dropout(0.5))
        layers.append(ErrorFeedback())
    layers.append(Linear(num_classes, bias=config.bias, initial=config.initial))
    return Sequential(layers, input_shape, backend=backend, rng=rng)

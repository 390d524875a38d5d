"""The fully connected net of the original: ``num_layers`` blocks of ``num_hidden`` units, then the classes."""

from bdfa_np.backend.base import Backend
from bdfa_np.config import Config
from bdfa_np.layers import NON_LINEARITIES, ErrorFeedback, Flatten, Layer, Linear, Shape
from bdfa_np.network import Sequential
from bdfa_np.streams import Streams


def build(config: Config, input_shape: Shape, num_classes: int, rng: Streams, backend: Backend) -> Sequential:
    """Build the net for samples of ``input_shape``.

    Weights start at zero where the rule's errors do not travel through them and the non-linearity has a slope
    at zero; under ``bp``, and with ``relu``, they must not.
    """
    initial = "uniform" if config.gradient == "bp" or config.nonlin == "relu" else "zero"
    non_linearity = NON_LINEARITIES[config.nonlin]
    layers: list[Layer] = [Flatten()]
    for _ in range(config.num_layers):
        layers += [Linear(config.num_hidden, bias=config.bias, initial=initial), non_linearity(), ErrorFeedback()]
    layers.append(Linear(num_classes, bias=config.bias, initial=initial))
    return Sequential(layers, input_shape, backend=backend, rng=rng)

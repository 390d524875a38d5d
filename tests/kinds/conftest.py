"""Every kind of layer of this folder, each in a network of its own."""

import numpy as np
import pytest
from layer_checks import LAYERS

from bdfa_np import Sequential
from bdfa_np.backend.cpu.backend import NumpyBackend
from bdfa_np.layers import GELU, AvgPool2d, GlobalAvgPool, LayerNorm, LeakyReLU, Patches, Transpose

KINDS = (AvgPool2d, GELU, GlobalAvgPool, LayerNorm, LeakyReLU, Patches, Transpose)
NAMES = [name for name, (make, _) in LAYERS.items() if "tokens" in name or isinstance(make(), KINDS)]


@pytest.fixture(params=NAMES)
def bound(request):
    """Give what returns a layer in its network, a batch, and a direction in the space of its outputs."""
    make, shape = LAYERS[request.param]

    def bind(dtype="float64", backend=None):
        network = Sequential([make()], shape, backend=backend or NumpyBackend(dtype), rng=1)
        generator = np.random.default_rng(0)
        for parameter in network.weights:  # gains and offsets, too, are to differ from unit to unit
            view = network.weights[parameter]
            view += network.backend.asarray(generator.normal(size=view.shape))
        x = generator.normal(size=(6, *shape))
        direction = generator.normal(size=(6, *network.output_shape))
        return network, x.astype(network.backend.dtype), direction.astype(network.backend.dtype)

    return bind

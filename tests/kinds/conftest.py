"""Every kind of layer of this folder, each in a network of its own."""

import numpy as np
import pytest

from bdfa_np import Linear, Sequential
from bdfa_np.backend.cpu.backend import NumpyBackend
from bdfa_np.layers import GlobalAvgPool, Patches, Transpose

LAYERS = {
    "tokens through linear": (lambda: Linear(4), (5, 3)),
    "tokens through linear without bias": (lambda: Linear(4, bias=False), (5, 3)),
    "patches": (lambda: Patches(2), (4, 6, 3)),
    "patches of the whole image": (lambda: Patches(3), (3, 3, 1)),
    "transpose": (Transpose, (4, 3)),
    "global average": (GlobalAvgPool, (3, 4, 5)),
    "mean over tokens": (GlobalAvgPool, (7, 3)),
}


@pytest.fixture(params=LAYERS)
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

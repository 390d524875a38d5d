"""Each kind of layer on the stand-in for CUDA, against NumPy: no copy to the host, and the same numbers."""

import numpy as np

from bdfa_np.backend.cpu.backend import NumpyBackend
from bdfa_np.backend.cuda.backend import CupyBackend

pytest_plugins = ["cuda_fixtures"]


def test_a_layer_computes_on_cuda_what_it_does_on_the_cpu(bound, stand_in):
    found = []
    for backend in (CupyBackend("float64"), NumpyBackend("float64")):
        network, *given = bound(backend=backend)
        (layer,) = network.layers
        x, direction = map(backend.asarray, given)
        layer.forward(x)  # which compiles what is to be compiled
        with stand_in.no_host_copies():
            arrays = [layer.forward(x).copy(), layer.push_forward(x).copy(), layer.backward(direction)]
        found.append([backend.to_host(array) for array in (*arrays, network.weights.gradients)])
    for actual, expected in zip(*found, strict=True):
        assert (actual.dtype, actual.shape) == (expected.dtype, expected.shape)
        np.testing.assert_allclose(actual, expected, rtol=1e-11, atol=1e-13)

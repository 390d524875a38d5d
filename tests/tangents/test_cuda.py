"""Tangents on the stand-in for CuPy: as on NumPy, and without a look at the host."""

import numpy as np
import pytest
from layer_checks import LAYERS, Bound, relative_error

from bdfa_np.backend.cpu.backend import NumpyBackend
from bdfa_np.backend.cuda.backend import CupyBackend

pytest_plugins = ["cuda_fixtures"]


@pytest.mark.parametrize("train", [True, False], ids=["in training", "in use"])
@pytest.mark.parametrize("name", LAYERS)
def test_a_layers_tangent_is_that_of_the_cpu_and_the_transpose_of_its_backward(name, train, stand_in):
    on_device, on_host = (Bound(*LAYERS[name], make("float64"), train) for make in (CupyBackend, NumpyBackend))
    backend = on_device.network.backend
    x, dx, du = (backend.asarray(array) for array in (on_device.x, on_device.dx, on_device.du))
    with stand_in.no_host_copies():
        on_device.layer.forward(x, train)
        pushed = on_device.layer.push_forward(dx)
        back = on_device.layer.backward(du)
    pushed, back = backend.to_host(pushed), backend.to_host(back)
    along = pushed * on_device.du
    assert abs(along.sum() - (on_device.dx * back).sum()) < 1e-12 * np.abs(along).sum()
    on_host.forward(on_host.x)
    if not (train and any(layer.kind == "dropout" for layer in on_host.network.tree())):  # each draws its own masks
        assert relative_error(pushed, on_host.layer.push_forward(on_host.dx)) < 1e-12

"""On the stand-in for CuPy, which refuses what CuPy refuses, the same is measured as with NumPy."""

import numpy as np
import pytest

from bdfa_np.backend.cpu.backend import NumpyBackend
from bdfa_np.backend.cuda.backend import CupyBackend

pytest_plugins = ["cuda_fixtures"]
pytestmark = pytest.mark.usefixtures("stand_in")


@pytest.mark.parametrize(("net", "gradient"), [("images", "dfa"), ("skips", "pfa")])
def test_what_is_measured_is_the_same(nets, measure, train, probe, monkeypatch, net, gradient):
    def measured(backend):
        for module in ("bdfa_np.model", "bdfa_np.diagnostics.twin"):
            monkeypatch.setattr(f"{module}.make_backend", lambda *_, **__: backend("float64"))
        model = nets(net, gradient)
        train(model, probe, 1)
        return measure(model)

    expected, actual = measured(NumpyBackend), measured(CupyBackend)
    for name, values in expected.values.items():
        np.testing.assert_allclose(actual.values[name], values, rtol=1e-6, atol=1e-6, err_msg=name)
        assert type(actual.values[name]) is np.ndarray
    for name, picture in expected.snapshots.items():
        np.testing.assert_allclose(actual.snapshots[name], picture, rtol=1e-6)

"""The error function in both precisions against SciPy's, where it is 1, and compiled with the same bits."""

import numpy as np
import pytest
import scipy.special

from bdfa_np.backend.cpu import compiling
from bdfa_np.backend.cpu.error_function import erf

EDGES = np.array([0.0, -0.0, 1e-30, 3.83, 4, 1e30, -1e30, np.inf, -np.inf, np.nan])
X = np.concatenate([np.linspace(-5, 5, 20_000), EDGES])


def test_in_float64_it_is_scipys():
    np.testing.assert_array_equal(erf(X), scipy.special.erf(X))


def test_in_float32_it_is_near_scipys_and_exactly_1_far_out():
    found = erf(X.astype(np.float32))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, scipy.special.erf(X), rtol=5e-7)
    assert erf(np.array([3.85, -3.85, 30], np.float32)).tolist() == [1, -1, 1]


@pytest.mark.skipif(not compiling.can_compile(), reason="needs Numba")
def test_compiled_it_has_the_same_bits(monkeypatch):
    found = []
    for after in (float("inf"), 0):
        monkeypatch.setattr(compiling, "COMPILE_AFTER", after)
        found.append(erf(X.astype(np.float32).reshape(3, -1)))
    np.testing.assert_array_equal(found[1], found[0])
    np.testing.assert_array_equal(np.signbit(found[1]), np.signbit(found[0]))

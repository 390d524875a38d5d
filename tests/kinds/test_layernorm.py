"""Layer normalisation: what it makes of a row by hand, which rows hang together, and bad input."""

import math

import numpy as np
import pytest

from bdfa_np import LayerNorm, Sequential
from bdfa_np.backend.cpu.backend import NumpyBackend


def alone(shape, dtype="float64", epsilon=1e-5):
    network = Sequential([LayerNorm(epsilon)], shape, backend=NumpyBackend(dtype))
    return network["layernorm1"]


def test_a_row_gets_mean_beta_and_deviation_gamma_whatever_the_other_rows_are():
    layer = alone((2, 3, 4))
    x = np.random.default_rng(0).normal(3, 2, (5, 2, 3, 4))
    rows = x.reshape(-1, 4)
    plain = (rows - rows.mean(axis=1, keepdims=True)) / np.sqrt(rows.var(axis=1, keepdims=True) + 1e-5)
    np.testing.assert_allclose(layer.forward(x.copy()).reshape(-1, 4), plain, rtol=1e-12)
    layer.gamma[...], layer.beta[...] = [1, 2, 3, 4], [0, -1, 5, 2]
    np.testing.assert_allclose(layer.forward(x, train=False).reshape(-1, 4), plain * layer.gamma + layer.beta)


def test_a_row_by_hand():
    layer = alone((2,), epsilon=3.0)
    assert layer.forward(np.array([[5.0, 3]])).tolist() == [[0.5, -0.5]]  # variance 1, and 3 more


def test_a_row_of_equal_entries_is_beta_and_its_gradient_is_finite():
    layer = alone((3,))
    layer.beta[...] = 7
    assert (layer.forward(np.full((2, 3), 4.0)) == 7).all()
    assert np.isfinite(layer.backward(np.eye(3)[:2])).all()


def test_in_float32_a_large_mean_takes_away_no_more_than_it_must():
    x = np.random.default_rng(1).normal(100, 1, (40, 64)).astype(np.float32)
    single, double = (alone((64,), dtype).forward(x.astype(dtype)) for dtype in ("float32", "float64"))
    assert np.abs(single - double).max() < 2e-5 * np.abs(double).max()


@pytest.mark.parametrize("epsilon", [0, -1e-5, math.inf, math.nan])
def test_an_epsilon_that_cannot_be_is_refused(epsilon):
    with pytest.raises(ValueError, match="epsilon of a LayerNorm must be a finite number above 0"):
        LayerNorm(epsilon)

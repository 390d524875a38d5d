"""Average pooling in blocks and in threads, against windows taken one at a time."""

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from bdfa_np.backend.cpu import average
from bdfa_np.backend.cpu.backend import NumpyBackend

CASES = [  # N, H, W, C, size, stride
    (3, 12, 12, 5, 3, 2),
    (5, 7, 7, 3, 3, 2),
    (2, 6, 9, 2, 2, 2),
    (2, 8, 8, 2, 2, 3),
    (2, 8, 9, 3, 3, 1),
    (1, 3, 3, 1, 3, 2),
    (2, 5, 6, 2, 1, 1),
    (2, 9, 9, 2, 4, 3),
]


def pooled(x, size, stride):
    N, H, W, C = x.shape
    y = np.full((N, (H - size) // stride + 1, (W - size) // stride + 1, C), np.nan, x.dtype)
    assert NumpyBackend(x.dtype.name).average_pool(x, size, stride, y) is y
    return y


def gradient(grad_y, size, stride, shape):
    out = np.full(shape, np.nan, grad_y.dtype)
    assert NumpyBackend(grad_y.dtype.name).average_pool_gradient(grad_y, size, stride, out) is out
    return out


def drawn(case):
    return np.random.default_rng(3).normal(size=case[:4])


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("bytes_a_block", [1, 2**20])
@pytest.mark.parametrize("case", CASES)
def test_each_window_gives_its_mean_and_each_entry_gets_its_shares(case, bytes_a_block, threads, monkeypatch):
    monkeypatch.setattr(average, "BLOCK_BYTES", bytes_a_block)
    x, (size, stride) = drawn(case), case[4:]
    with threadpool_limits(threads, user_api="blas"):
        y = pooled(x, size, stride)
        grad_y = np.random.default_rng(4).normal(size=y.shape)
        grad_x = gradient(grad_y, size, stride, x.shape)
    expected = np.zeros_like(x)
    for i, j in np.ndindex(y.shape[1:3]):
        window = slice(None), slice(i * stride, i * stride + size), slice(j * stride, j * stride + size)
        np.testing.assert_allclose(y[:, i, j], x[window].mean(axis=(1, 2)), rtol=1e-12, atol=1e-15)
        expected[window] += grad_y[:, i : i + 1, j : j + 1] / size**2
    np.testing.assert_allclose(grad_x, expected, rtol=1e-12, atol=1e-15)


def test_a_number_that_is_none_spoils_the_windows_that_it_is_in_and_no_others():
    x = np.ones((1, 4, 4, 1))
    x[0, 1, 1], x[0, 3, 3] = np.nan, np.inf
    np.testing.assert_array_equal(pooled(x, 2, 2).ravel(), [np.nan, 1, 1, np.inf])


def test_the_means_of_a_few_windows_by_hand():
    x = np.arange(9.0).reshape(1, 3, 3, 1)
    assert pooled(x, 2, 1).ravel().tolist() == [2, 3, 5, 6]
    assert gradient(np.array([4.0, 8, 16, 32]).reshape(1, 2, 2, 1), 2, 1, x.shape).ravel().tolist() == [
        *(1, 3, 2),
        *(5, 15, 10),
        *(4, 12, 8),
    ]

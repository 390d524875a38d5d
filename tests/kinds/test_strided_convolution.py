"""Convolutions of any kernel, stride and padding, against sums over windows one place at a time."""

from itertools import product

import numpy as np
import pytest

from bdfa_np import Conv2d, Sequential
from bdfa_np.backend.cpu.backend import NumpyBackend
from bdfa_np.backend.cuda.backend import CupyBackend

pytest_plugins = ["cuda_fixtures"]

SIDES = {1: (7, 6), 2: (9, 8), 3: (11, 9)}
"""By the stride: of most kernels, some rows or columns at the end are in no window."""


def cases():
    """Yield kernel size, stride, padding, sides, and channels in and out."""
    for number, (k, stride) in enumerate(product(range(1, 8), (1, 2, 3))):
        for padding in {0, k // 2, k - 1}:
            H, W = SIDES[stride]
            yield k, stride, padding, max(H, k), max(W, k), *((2, 5), (3, 4), (7, 8), (16, 3))[(number + padding) % 4]


def by_hand(x, W, u, v, stride, padding):
    """Return forward pass, gradients of W and x for a direction ``u``, and the tangent of ``v``, window by window."""
    k, N, (Ho, Wo) = len(W), len(x), u.shape[1:3]
    border = ((0, 0), (padding, padding), (padding, padding), (0, 0))
    padded, pushed = np.pad(x, border), np.pad(v, border)
    y, dy, dW, back = np.zeros(u.shape), np.zeros(u.shape), np.zeros(W.shape), np.zeros(padded.shape)
    flat = W.reshape(-1, W.shape[-1])
    for i, j in product(range(Ho), range(Wo)):
        place = slice(None), slice(i * stride, i * stride + k), slice(j * stride, j * stride + k)
        y[:, i, j] = padded[place].reshape(N, -1) @ flat
        dy[:, i, j] = pushed[place].reshape(N, -1) @ flat
        dW += (padded[place].reshape(N, -1).T @ u[:, i, j]).reshape(W.shape)
        back[place] += (u[:, i, j] @ flat.T).reshape(padded[place].shape)
    H, width = x.shape[1:3]
    return y, dW, back[:, padding : padding + H, padding : padding + width], dy


def by_layer(backend, x, W, u, v, stride, padding):
    layer = Conv2d(W.shape[-1], len(W), stride=stride, padding=padding, bias=False)
    Sequential([layer], x.shape[1:], backend=backend)
    x, u, v = map(backend.asarray, (x, u, v))
    layer.W[...] = backend.asarray(W)
    y, dy = layer.forward(x).copy(), layer.push_forward(v).copy()
    grad_x = layer.backward(u)
    return [backend.to_host(array) for array in (y, layer.dW, grad_x, dy)]


def check(backend, tolerance):
    """Compare every case; the sums of float32 are measured against the exact ones of the same numbers."""
    for number, (k, stride, padding, H, W, C, K) in enumerate(cases()):
        rng = np.random.default_rng(number)
        Ho, Wo = ((side + 2 * padding - k) // stride + 1 for side in (H, W))
        shapes = (3, H, W, C), (k, k, C, K), (3, Ho, Wo, K), (3, H, W, C)
        given = [rng.normal(size=shape).astype(backend.dtype).astype("float64") for shape in shapes]
        found = by_layer(backend, *given, stride, padding)
        for name, actual, expected in zip(
            ("y", "dW", "grad_x", "tangent"), found, by_hand(*given, stride, padding), strict=True
        ):
            error = np.abs(actual - expected).max() / np.abs(expected).max()
            assert error < tolerance, (name, k, stride, padding, H, W, C, K)


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-12), ("float32", 2e-5)])
def test_every_kernel_stride_and_padding_is_the_sum_over_its_windows(dtype, tolerance):
    check(NumpyBackend(dtype), tolerance)


def test_and_so_it_is_on_cuda(stand_in):
    del stand_in
    check(CupyBackend("float64"), 1e-12)


def test_a_window_that_fits_nowhere_is_refused():
    with pytest.raises(ValueError, match=r"conv1: no 7x7 window fits on samples of shape \(4, 9, 1\)"):
        Sequential([Conv2d(2, 7, stride=3, padding=1)], (4, 9, 1))

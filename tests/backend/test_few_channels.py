"""Convolution of images of few channels, against the backend's direct one and sums in float64."""

import threading

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from bdfa_np.backend.cpu import convolution, few_channels
from bdfa_np.backend.cpu.backend import NumpyBackend

TOLERANCE = {"float32": 2e-5, "float64": 1e-10}

CASES = [  # N, H, W, C, K, k, stride, padding
    (3, 32, 32, 3, 16, 5, 1, 2),
    (2, 28, 28, 1, 6, 5, 1, 0),
    (5, 9, 12, 2, 7, 3, 1, 1),
    (2, 11, 10, 3, 4, 3, 2, 1),
    (1, 5, 5, 3, 2, 5, 1, 0),
    (4, 6, 7, 4, 1, 1, 1, 0),
    (2, 5, 5, 3, 5, 5, 3, 4),
]


def problem(case, dtype, seed=0):
    N, H, W, C, K, k, stride, padding = case
    Ho, Wo = ((side + 2 * padding - k) // stride + 1 for side in (H, W))
    generator = np.random.default_rng(seed)
    return [generator.standard_normal(shape).astype(dtype) for shape in ((N, H, W, C), (k, k, C, K), (N, Ho, Wo, K))]


def apart(a, b):
    return np.abs(a - b).max() / np.abs(b).max()


def in_float64(function, arrays, like, *arguments):
    """Return what the direct kernel gives in float64."""
    out = np.zeros(like.shape)
    return function(*(a.astype("float64") for a in arrays), out, *arguments, NumpyBackend("float64")._workspace)


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", CASES)
def test_outputs_are_those_of_the_direct_convolution(case, dtype, threads):
    x, W, y = problem(case, dtype)
    expected = in_float64(convolution.convolve, (x, W), y, *case[6:])
    y.fill(np.nan)
    with threadpool_limits(threads, user_api="blas"):
        assert few_channels.convolve(x, W, y, *case[6:], NumpyBackend(dtype)._workspace) is y
    assert apart(y, expected) < TOLERANCE[dtype]


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("accumulate", [False, True])
@pytest.mark.parametrize("case", CASES)
def test_the_weights_gradient_is_that_of_the_direct_convolution(case, accumulate, dtype, threads):
    x, W, grad_y = problem(case, dtype)
    expected = in_float64(convolution.convolve_weight_gradient, (x, grad_y), W, *case[6:], False)
    out = W.copy()
    memory = NumpyBackend(dtype)._workspace
    with threadpool_limits(threads, user_api="blas"):
        few_channels.convolve_weight_gradient(x, grad_y, out, *case[6:], accumulate, memory)
    assert apart(out, expected + W if accumulate else expected) < TOLERANCE[dtype]


@pytest.mark.parametrize("threads", [1, 3])
def test_the_same_number_of_threads_gives_the_same_bits(threads):
    x, W, grad_y = problem(CASES[0], "float32")
    memory = NumpyBackend("float32")._workspace
    results = []
    with threadpool_limits(threads, user_api="blas"):
        for _ in range(5):
            y, dW = np.empty_like(grad_y), np.empty_like(W)
            few_channels.convolve(x, W, y, 1, 2, memory)
            few_channels.convolve_weight_gradient(x, grad_y, dW, 1, 2, False, memory)
            results.append((y, dW))
    for y, dW in results[1:]:
        np.testing.assert_array_equal(y, results[0][0])
        np.testing.assert_array_equal(dW, results[0][1])


def test_it_suits_pictures_and_not_the_channels_of_a_later_layer():
    assert few_channels.suits((5, 5, 3, 96))
    assert few_channels.suits((5, 5, 1, 32))
    assert not few_channels.suits((5, 5, 96, 128))
    assert not few_channels.suits((3, 3, 8, 8))
    assert not few_channels.suits((11, 11, 3, 512))


@pytest.mark.parametrize(("weights", "outputs"), [(75 * 96, 128), (1, 10**6), (62_500, 16), (10**6, 16), (10**9, 16)])
def test_outputs_are_multiplied_by_multiples_of_sixteen_that_keep_the_product_small(weights, outputs):
    assert few_channels.chunk_of(weights) == outputs


def test_no_two_threads_use_the_same_scratch_memory():
    users, memory = {}, NumpyBackend("float32")._workspace

    def watched(name, shape, dtype=None):
        users.setdefault(name, set()).add(threading.get_ident())
        return memory(name, shape, dtype)

    x, W, grad_y = problem(CASES[0], "float32")
    with threadpool_limits(3, user_api="blas"):
        few_channels.convolve_weight_gradient(x, grad_y, W, 1, 2, False, watched)
    assert len(users) == 13
    assert {len(threads) for threads in users.values()} == {1}

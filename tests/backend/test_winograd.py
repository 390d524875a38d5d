"""Winograd's convolution: its transforms in exact fractions, its kernels against sums in float64."""

import tracemalloc
from fractions import Fraction

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view
from threadpoolctl import threadpool_limits

from bdfa_np.backend.cpu import winograd
from bdfa_np.backend.cpu.backend import NumpyBackend

TOLERANCE = 5e-5
"""The project's for a fast algorithm in float32 is 1e-4; these shapes keep twice as close."""

TILES = [(outputs, size) for size in (2, 3, 4, 5) for outputs in range(2, 10 - size)]

SHAPES = [  # N, H, W, C, K, k, padding
    (2, 15, 15, 7, 6, 5, 2),
    (3, 7, 7, 5, 9, 5, 2),
    (1, 7, 7, 4, 4, 5, 2),
    (2, 8, 13, 3, 5, 5, 0),
    (2, 9, 6, 3, 5, 5, 1),
    (2, 6, 7, 2, 3, 5, 4),
    (5, 10, 10, 1, 4, 5, 2),
    (5, 10, 10, 4, 1, 5, 2),
    (2, 5, 5, 3, 2, 5, 0),
    (1, 5, 6, 1, 1, 5, 0),
    (4, 12, 12, 5, 6, 3, 1),
    (3, 11, 14, 2, 3, 3, 0),
    (2, 3, 3, 2, 2, 3, 2),
    (2, 9, 8, 3, 4, 4, 1),
    (70, 9, 9, 2, 3, 5, 2),
]


def fractions(count, seed):
    numerators = np.random.default_rng(seed).integers(-99, 99, count)
    return [Fraction(int(numerator), place) for place, numerator in enumerate(numerators, start=1)]


def times(matrix, vector):
    return [sum((a * b for a, b in zip(row, vector, strict=True)), Fraction(0)) for row in matrix]


def transposed(matrix):
    return [list(column) for column in zip(*matrix, strict=True)]


def problem(shape, dtype="float32", seed=0):
    """Return x, W and an output gradient of a convolution."""
    N, H, W, C, K, k, padding = shape
    generator = np.random.default_rng(seed)
    shapes = [(N, H, W, C), (k, k, C, K), (N, H + 2 * padding - k + 1, W + 2 * padding - k + 1, K)]
    return [generator.standard_normal(shape).astype(dtype) for shape in shapes]


def float64_windows(x, size, padding):
    """Return the windows of x, padded, as (N, Ho, Wo, C, k, k)."""
    padded = np.pad(x.astype("float64"), ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    return sliding_window_view(padded, (size, size), axis=(1, 2))


def exact_convolution(x, W, padding):
    return np.einsum("nhwcij,ijck->nhwk", float64_windows(x, len(W), padding), W.astype("float64"), optimize=True)


def exact_weight_gradient(x, grad_y, size, padding):
    windows = float64_windows(x, size, padding)
    return np.einsum("nhwcij,nhwk->ijck", windows, grad_y.astype("float64"), optimize=True)


def exact_input_gradient(grad_y, W, padding, shape):
    """Hand every output's gradient back to the inputs that it was made of, one place in the filter at a time."""
    size, (_, H, width, _), (_, Ho, Wo, _) = len(W), shape, grad_y.shape
    padded = np.zeros((len(grad_y), H + 2 * padding, width + 2 * padding, W.shape[2]))
    for i in range(size):
        for j in range(size):
            padded[:, i : i + Ho, j : j + Wo] += grad_y.astype("float64") @ W[i, j].T.astype("float64")
    return padded[:, padding : padding + H, padding : padding + width]


def apart(a, b):
    return np.abs(a - b).max() / np.abs(b).max()


def workspace():
    return NumpyBackend("float32")._workspace


def convolved(x, W, grad_y, padding, memory=None):
    """Return the outputs and both gradients, from memory that holds NaN where nothing is written."""
    memory = memory or workspace()
    y, dW, dx = (np.full_like(array, np.nan) for array in (grad_y, W, x))
    winograd.convolve(x, W, y, 1, padding, memory)
    winograd.convolve_weight_gradient(x, grad_y, dW, 1, padding, False, memory)
    winograd.convolve_input_gradient(grad_y, W, dx, 1, padding, memory)
    return y, dW, dx


@pytest.mark.parametrize(("outputs", "size"), TILES)
def test_the_transforms_give_the_filters_outputs_exactly(outputs, size):
    A_t, G, B_t = winograd.toom_cook(outputs, size)
    g, d = fractions(size, 1), fractions(outputs + size - 1, 2)
    products = [a * b for a, b in zip(times(G, g), times(B_t, d), strict=True)]
    assert times(A_t, products) == [sum(g[j] * d[i + j] for j in range(size)) for i in range(outputs)]


@pytest.mark.parametrize(("outputs", "size"), TILES)
def test_the_transposed_transforms_multiply_polynomials_exactly(outputs, size):
    A_t, G, B_t = winograd.toom_cook(outputs, size)
    g, y = fractions(size, 3), fractions(outputs, 4)
    product = [Fraction(0)] * (outputs + size - 1)
    for i, a in enumerate(g):
        for j, b in enumerate(y):
            product[i + j] += a * b
    values = [a * b for a, b in zip(times(G, g), times(transposed(A_t), y), strict=True)]
    assert times(transposed(B_t), values) == product


@pytest.mark.parametrize(("outputs", "size"), TILES)
def test_float32_holds_the_transforms_of_inputs_and_outputs_exactly(outputs, size):
    A_t, _, B_t = winograd.toom_cook(outputs, size)
    held = winograd.matrices(outputs, size)
    assert [[Fraction(float(value)) for value in row] for row in held.output] == A_t
    assert [[Fraction(float(value)) for value in row] for row in held.input] == B_t


def test_a_filter_read_backwards_is_transformed_as_its_mirror_image_is():
    held = winograd.matrices(4, 5)
    g = np.arange(1, 6, dtype="float32")
    np.testing.assert_allclose(held.weight_mirrored @ g, held.weight @ g[::-1], rtol=1e-5)


@pytest.mark.parametrize(
    ("height", "width", "outputs", "down", "across"),
    [(15, 15, 4, 4, 4), (7, 7, 4, 2, 2), (3, 3, 3, 1, 1), (6, 6, 3, 2, 2), (2, 2, 2, 1, 1), (1, 9, 3, 1, 3)],
)
def test_the_side_of_a_tile_is_the_one_that_takes_the_fewest_products(height, width, outputs, down, across):
    assert winograd.tiling(5, height, width) == (outputs, 5, down, across)


@pytest.mark.parametrize("shape", SHAPES)
def test_outputs_and_gradients_are_those_of_a_direct_sum(shape):
    x, W, grad_y = problem(shape)
    padding = shape[-1]
    y, dW, dx = convolved(x, W, grad_y, padding)
    assert apart(y, exact_convolution(x, W, padding)) < TOLERANCE
    assert apart(dW, exact_weight_gradient(x, grad_y, len(W), padding)) < TOLERANCE
    assert apart(dx, exact_input_gradient(grad_y, W, padding, x.shape)) < TOLERANCE


@pytest.mark.parametrize("shape", [(8, 15, 15, 96, 128, 5, 2), (16, 7, 7, 128, 256, 5, 2)])
def test_pictures_between_0_and_1_keep_within_the_projects_tolerance(shape):
    x, W, grad_y = problem(shape)
    x = np.random.default_rng(5).random(x.shape, np.float32)
    y, dW, _ = convolved(x, W, grad_y, 2)
    assert apart(y, exact_convolution(x, W, 2)) < 1e-4
    assert apart(dW, exact_weight_gradient(x, grad_y, 5, 2)) < 1e-4


@pytest.mark.parametrize("shape", SHAPES[:5])
@pytest.mark.parametrize("threads", [1, 3])
def test_the_gradient_of_the_weights_is_added_where_that_is_asked_for(shape, threads):
    x, W, grad_y = problem(shape)
    total = W.copy()
    with threadpool_limits(threads, user_api="blas"):
        winograd.convolve_weight_gradient(x, grad_y, total, 1, shape[-1], True, workspace())
    assert apart(total, W + exact_weight_gradient(x, grad_y, len(W), shape[-1])) < TOLERANCE


@pytest.mark.parametrize("shape", SHAPES)
def test_the_three_kernels_belong_to_one_bilinear_form(shape):
    x, W, grad_y = problem(shape, seed=7)
    y, dW, dx = (array.astype("float64") for array in convolved(x, W, grad_y, shape[-1]))
    value = np.vdot(y, grad_y)
    scale = np.linalg.norm(y) * np.linalg.norm(grad_y)
    assert abs(value - np.vdot(W, dW)) < TOLERANCE * scale
    assert abs(value - np.vdot(x, dx)) < TOLERANCE * scale


@pytest.mark.parametrize("threads", [2, 3])
@pytest.mark.parametrize("shape", [SHAPES[0], SHAPES[2], SHAPES[-1]])
def test_the_same_number_of_threads_gives_the_same_bits(shape, threads):
    x, W, grad_y = problem(shape)
    with threadpool_limits(threads, user_api="blas"):
        first = convolved(x, W, grad_y, shape[-1])
        for _ in range(5):
            for a, b in zip(first, convolved(x, W, grad_y, shape[-1]), strict=True):
                np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("threads", [2, 3, 8])
def test_threads_change_nothing_but_rounding(threads):
    shape = SHAPES[-1]
    x, W, grad_y = problem(shape)
    with threadpool_limits(1, user_api="blas"):
        alone = convolved(x, W, grad_y, shape[-1])
    with threadpool_limits(threads, user_api="blas"):
        together = convolved(x, W, grad_y, shape[-1])
    assert all(apart(a, b) < TOLERANCE for a, b in zip(together, alone, strict=True))


def test_what_memory_held_before_makes_no_difference():
    memory, dirty = workspace(), {}

    def filled(name, shape, dtype=None):
        array = memory(name, shape, dtype)
        array.fill(np.nan)
        dirty[name] = array
        return array

    x, W, grad_y = problem(SHAPES[0])
    for a, b in zip(convolved(x, W, grad_y, 2, filled), convolved(x, W, grad_y, 2), strict=True):
        np.testing.assert_array_equal(a, b)
    assert dirty
    assert {array.dtype for array in dirty.values()} == {np.dtype("float32")}


def test_a_second_call_takes_no_new_memory():
    memory = workspace()
    x, W, grad_y = problem((40, 15, 15, 8, 8, 5, 2))
    y, dW, dx = np.zeros_like(grad_y), np.zeros_like(W), np.zeros_like(x)

    def step():
        winograd.convolve(x, W, y, 1, 2, memory)
        winograd.convolve_weight_gradient(x, grad_y, dW, 1, 2, True, memory)
        winograd.convolve_input_gradient(grad_y, W, dx, 1, 2, memory)

    step()
    tracemalloc.start()
    try:
        step()
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        step()
        after, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 4096
    assert peak - before < 64 * 1024  # far below one block's scratch memory


def test_an_infinite_input_makes_outputs_around_it_non_finite_without_a_warning_in_any_thread():
    shape = (6, 15, 15, 4, 4, 5, 2)
    x, W, grad_y = problem(shape)
    x[:, 7, 7, 0] = np.inf
    with threadpool_limits(3, user_api="blas"), NumpyBackend().non_finite_allowed():
        y, _, _ = convolved(x, W, grad_y, 2)
    assert not np.isfinite(y[:, 5:10, 5:10]).any()


def test_another_stride_than_1_is_refused():
    x, W, grad_y = problem(SHAPES[0])
    with pytest.raises(AssertionError):
        winograd.convolve(x, W, grad_y, 2, 2, workspace())
    with pytest.raises(AssertionError):
        winograd.convolve_weight_gradient(x, grad_y, W, 2, 2, False, workspace())
    with pytest.raises(AssertionError):
        winograd.convolve_input_gradient(grad_y, W, x, 2, 2, workspace())


@pytest.mark.parametrize(
    ("W_shape", "y_shape", "stride", "padding", "dtype", "expected"),
    [
        ((5, 5, 96, 128), (64, 15, 15, 128), 1, 2, "float32", True),
        ((5, 5, 128, 256), (64, 7, 7, 256), 1, 2, "float32", True),
        ((3, 3, 64, 64), (64, 8, 8, 64), 1, 1, "float32", True),
        ((5, 5, 96, 128), (64, 15, 15, 128), 1, 2, "float64", False),
        ((5, 5, 96, 128), (64, 15, 15, 128), 2, 2, "float32", False),
        ((5, 5, 96, 128), (64, 15, 15, 128), 1, 5, "float32", False),
        ((5, 5, 3, 96), (64, 32, 32, 96), 1, 2, "float32", False),
        ((5, 5, 96, 3), (64, 32, 32, 3), 1, 2, "float32", False),
        ((7, 7, 96, 128), (64, 15, 15, 128), 1, 3, "float32", False),
        ((1, 1, 96, 128), (64, 15, 15, 128), 1, 0, "float32", False),
        ((5, 5, 96, 128), (1, 7, 7, 128), 1, 2, "float32", False),
    ],
)
def test_it_suits_float32_of_stride_1_with_enough_channels_and_tiles(
    W_shape, y_shape, stride, padding, dtype, expected
):
    assert winograd.suits(W_shape, y_shape, stride, padding, np.dtype(dtype)) is expected

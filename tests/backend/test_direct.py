"""Direct convolution, compiled: against sums in float64 by the reference; which shapes it is chosen for."""

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from bdfa_np.backend.cpu import compiling, convolution, direct, whole_image, winograd
from bdfa_np.backend.cpu import few_channels as few
from bdfa_np.backend.cpu.backend import NumpyBackend

numba = pytest.importorskip("numba")

TOLERANCE = {"float32": 2e-5, "float64": 1e-10}

CASES = [  # N, H, W, C, K, k, stride, padding
    (2, 9, 10, 16, 16, 3, 1, 1),
    (5, 12, 11, 5, 7, 3, 1, 1),
    (1, 28, 28, 1, 6, 5, 1, 0),
    (2, 13, 9, 3, 6, 5, 1, 2),
    (70, 6, 6, 6, 16, 5, 1, 0),
    (2, 11, 10, 4, 20, 3, 2, 1),
    (3, 9, 9, 16, 32, 1, 2, 0),
    (2, 7, 9, 6, 33, 5, 3, 4),
    (2, 8, 7, 17, 4, 2, 3, 0),
    (5, 6, 6, 32, 18, 4, 2, 3),
    (3, 9, 16, 16, 16, 3, 1, 1),  # rows of whole tiles
    (3, 9, 8, 8, 8, 3, 1, 0),
]


def problem(case, dtype="float32"):
    N, H, W, C, K, k, stride, padding = case
    Ho, Wo = ((side + 2 * padding - k) // stride + 1 for side in (H, W))
    generator = np.random.default_rng(0)
    return [generator.standard_normal(shape).astype(dtype) for shape in ((N, H, W, C), (k, k, C, K), (N, Ho, Wo, K))]


def products(way, x, W, grad_y, stride, padding, memory, into=None):
    """Return the outputs, the weights' gradient (added to ``into``, if given) and the inputs' gradient."""
    y, dx = np.full_like(grad_y, np.nan), np.full_like(x, np.nan)
    dW = np.full_like(W, np.nan) if into is None else into.copy()
    way.convolve(x, W, y, stride, padding, memory)
    way.convolve_weight_gradient(x, grad_y, dW, stride, padding, into is not None, memory)
    way.convolve_input_gradient(grad_y, W, dx, stride, padding, memory)
    return y, dW, dx


def expected(arrays, case):
    exact = [array.astype("float64") for array in arrays]
    return products(convolution, *exact, *case[6:], NumpyBackend("float64")._workspace)


def assert_close(found, exact, dtype):
    for a, b in zip(found, exact, strict=True):
        assert a.dtype == dtype
        assert np.abs(a - b).max() / np.abs(b).max() < TOLERANCE[dtype]


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", CASES)
def test_outputs_and_gradients_are_those_of_the_reference(case, dtype, threads):
    arrays = problem(case, dtype)
    with threadpool_limits(threads, user_api="blas"):
        found = products(direct, *arrays, *case[6:], NumpyBackend(dtype)._workspace)
    assert_close(found, expected(arrays, case), dtype)


@pytest.mark.parametrize("case", CASES)
def test_the_weights_gradient_is_added_where_asked(case):
    x, W, grad_y = problem(case)
    memory = NumpyBackend()._workspace
    _, alone, _ = products(direct, x, W, grad_y, *case[6:], memory)
    _, added, _ = products(direct, x, W, grad_y, *case[6:], memory, into=W)
    np.testing.assert_array_equal(added, alone + W)


@pytest.mark.parametrize("case", CASES)
def test_an_image_has_the_same_bits_alone_in_a_batch_and_with_any_threads(case):
    x, W, grad_y = problem(case)
    memory = NumpyBackend()._workspace
    with threadpool_limits(1, user_api="blas"):
        y, _, dx = products(direct, x, W, grad_y, *case[6:], memory)
        last_y, _, last_dx = products(direct, x[-1:], W, grad_y[-1:], *case[6:], memory)
    with threadpool_limits(3, user_api="blas"):
        shared_y, _, shared_dx = products(direct, x, W, grad_y, *case[6:], memory)
    for one, other in ((last_y, y[-1:]), (last_dx, dx[-1:]), (shared_y, y), (shared_dx, dx)):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("threads", [1, 3])
def test_the_same_number_of_threads_gives_the_same_bits_of_the_weights_gradient(threads):
    x, W, grad_y = problem(CASES[1])
    with threadpool_limits(threads, user_api="blas"):
        results = [products(direct, x, W, grad_y, 1, 1, NumpyBackend()._workspace)[1] for _ in range(4)]
    for result in results[1:]:
        np.testing.assert_array_equal(result, results[0])


@pytest.mark.parametrize("case", CASES)
def test_memory_may_hold_anything_before(case):
    x, W, grad_y = problem(case)
    clean = products(direct, x, W, grad_y, *case[6:], NumpyBackend()._workspace)

    def dirty(name, shape, dtype=None):
        return np.full(shape, np.nan, np.float32)

    for a, b in zip(products(direct, x, W, grad_y, *case[6:], dirty), clean, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("case", [CASES[0], CASES[2], CASES[5]])
def test_arrays_need_not_be_contiguous(case):
    x, W, grad_y = problem(case)
    whole = products(direct, x, W, grad_y, *case[6:], NumpyBackend()._workspace)
    x, W, grad_y = (np.repeat(array, 2, axis=-1)[..., ::2] for array in (x, W, grad_y))
    assert not x.flags.c_contiguous
    memory = NumpyBackend()._workspace
    y, dW, dx = (np.empty(result.shape, np.float32) for result in whole)
    direct.convolve(x, W, y, *case[6:], memory)
    direct.convolve_weight_gradient(x, grad_y, dW, *case[6:], False, memory)
    direct.convolve_input_gradient(grad_y, W, dx, *case[6:], memory)
    for a, b in zip((y, dW, dx), whole, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_reaches_all_that_depends_on_it(value):
    case = CASES[1]
    x, W, grad_y = problem(case)
    x[2, 5, 4, 3] = grad_y[1, 6, 5, 2] = value
    found = products(direct, x, W, grad_y, *case[6:], NumpyBackend()._workspace)
    with np.errstate(invalid="ignore"):
        reference = products(convolution, x, W, grad_y, *case[6:], NumpyBackend()._workspace)
    for a, b in zip(found, reference, strict=True):
        assert 0 < np.isfinite(a).sum() < a.size
        np.testing.assert_array_equal(np.isfinite(a), np.isfinite(b))


def test_outputs_side_by_side_are_taken_for_one_where_that_fills_vectors_better():
    from bdfa_np.backend.cpu.tiles import vector_bytes

    lanes = vector_bytes() // 4
    assert direct.together(lanes, 32, 3, 1, 4) == 1
    assert direct.together(lanes // 2 + 1, 32, 3, 1, 4) == 1
    assert direct.together(lanes // 4, 32, 3, 1, 4) == 4
    assert direct.together(lanes // 4, 31, 3, 1, 4) == 1  # a row of outputs is cut into equal parts
    assert direct.together(lanes // 4, 32, 1, 2, 4) == 1  # together their windows would be wider than one by one


def test_weights_of_outputs_side_by_side_stand_among_zeros():
    W = np.arange(1, 7).reshape(1, 3, 1, 2)
    wider = direct.widened(W, 2, 1)[0, :, 0]
    np.testing.assert_array_equal(wider, [[1, 2, 0, 0], [3, 4, 1, 2], [5, 6, 3, 4], [0, 0, 5, 6]])


def test_results_end_where_they_should():
    x, W, grad_y = problem(CASES[1])
    y = np.full((7, *grad_y.shape[1:]), 5, np.float32)
    dx = np.full((7, *x.shape[1:]), 5, np.float32)
    direct.convolve(x, W, y[1:6], 1, 1, NumpyBackend()._workspace)
    direct.convolve_input_gradient(grad_y, W, dx[1:6], 1, 1, NumpyBackend()._workspace)
    for out in (y, dx):
        assert (out[[0, -1]] == 5).all()


WAYS = [  # x, W, stride, padding, the way
    ((64, 32, 32, 16), (3, 3, 16, 16), 1, 1, direct),
    ((64, 16, 16, 32), (3, 3, 32, 32), 1, 1, direct),
    ((64, 32, 32, 16), (3, 3, 16, 32), 2, 1, direct),
    ((64, 16, 16, 32), (1, 1, 32, 64), 2, 0, direct),
    ((64, 32, 32, 1), (5, 5, 1, 6), 1, 0, direct),
    ((64, 14, 14, 6), (5, 5, 6, 16), 1, 0, direct),
    ((64, 32, 32, 3), (5, 5, 3, 32), 1, 0, direct),
    ((64, 5, 5, 16), (5, 5, 16, 120), 1, 0, whole_image),
    ((64, 5, 5, 64), (5, 5, 64, 128), 1, 0, whole_image),
    ((64, 8, 8, 64), (3, 3, 64, 64), 1, 1, winograd),
    ((64, 14, 14, 32), (5, 5, 32, 64), 1, 0, winograd),
    ((64, 16, 16, 96), (5, 5, 96, 128), 1, 2, winograd),
    ((64, 8, 8, 128), (5, 5, 128, 256), 1, 2, winograd),
    ((64, 32, 32, 3), (5, 5, 3, 96), 1, 2, convolution),  # few_channels' way, which has no input gradient
    ((64, 16, 16, 64), (3, 3, 64, 64), 2, 1, convolution),
    ((2, 8, 8, 16), (3, 3, 16, 16), 1, 1, convolution),  # so little that compiling never pays
    ((64, 32, 32, 16), (3, 3, 16, 16), 1, 3, convolution),
]


def way_of(x_shape, W_shape, stride, padding):
    sides = [(side + 2 * padding - W_shape[0]) // stride + 1 for side in x_shape[1:3]]
    return NumpyBackend()._way(x_shape, W_shape, (x_shape[0], *sides, W_shape[3]), stride, padding)


@pytest.mark.parametrize(("x_shape", "W_shape", "stride", "padding", "way"), WAYS)
def test_each_shape_goes_the_way_that_is_the_fastest_for_it(x_shape, W_shape, stride, padding, way):
    assert way_of(x_shape, W_shape, stride, padding) is way


@pytest.mark.parametrize(("x_shape", "W_shape", "stride", "padding", "way"), WAYS)
def test_without_numba_nothing_goes_the_compiled_way(monkeypatch, x_shape, W_shape, stride, padding, way):
    monkeypatch.setattr(direct, "can_compile", lambda: False)
    assert way_of(x_shape, W_shape, stride, padding) in (convolution, winograd, whole_image)


def test_the_choice_does_not_hang_on_how_often_it_was_made():
    first = [way_of(*case[:4]) for case in WAYS]
    assert all([way_of(*case[:4]) for case in WAYS] == first for _ in range(compiling.COMPILE_AFTER + 1))


def test_the_backend_convolves_by_the_way_it_chose():
    case = (64, 14, 14, 6, 16, 5, 1, 0)
    x, W, grad_y = problem(case)
    y, dW, dx = np.empty_like(grad_y), np.zeros_like(W), np.empty_like(x)
    backend = NumpyBackend()
    backend.convolve(x, W, y, 1, 0)
    backend.convolve_weight_gradient(x, grad_y, dW, 1, 0, accumulate=True)
    backend.convolve_input_gradient(grad_y, W, dx, 1, 0)
    for a, b in zip((y, dW, dx), products(direct, x, W, grad_y, 1, 0, backend._workspace), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_filters_as_large_as_the_images_are_one_product(dtype):
    case = (9, 5, 5, 3, 7, 5, 1, 0)
    arrays = problem(case, dtype)
    assert whole_image.suits(arrays[1].shape, arrays[0].shape, 0)
    memory = NumpyBackend(dtype)._workspace
    found = products(whole_image, *arrays, 1, 0, memory)
    assert_close(found, expected(arrays, case), dtype)
    _, added, _ = products(whole_image, *arrays, 1, 0, memory, into=arrays[1])
    np.testing.assert_array_equal(added, found[1] + arrays[1])


def test_filters_that_do_not_cover_the_images_are_not_one_product():
    assert not whole_image.suits((5, 5, 3, 7), (9, 5, 5, 3), 1)
    assert not whole_image.suits((5, 5, 3, 7), (9, 5, 6, 3), 0)
    assert not whole_image.suits((3, 3, 3, 7), (9, 5, 5, 3), 0)


def test_images_of_few_channels_go_the_way_for_them_without_numba(monkeypatch):
    monkeypatch.setattr(direct, "can_compile", lambda: False)
    x, W, grad_y = problem((8, 16, 16, 3, 16, 3, 1, 1))
    y, way = np.empty_like(grad_y), np.empty_like(grad_y)
    backend = NumpyBackend()
    backend.convolve(x, W, y, 1, 1)
    few.convolve(x, W, way, 1, 1, backend._workspace)
    np.testing.assert_array_equal(y, way)

"""Max pooling in blocks and threads, against windows taken one at a time."""

import threading

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from bdfa_np.backend.cpu import compiling, convolution, pool
from bdfa_np.backend.cpu.backend import NumpyBackend


@pytest.fixture(
    params=[
        "blocks",
        pytest.param("compiled", marks=pytest.mark.skipif(not compiling.can_compile(), reason="needs Numba")),
    ],
    autouse=True,
)
def way(request, monkeypatch):
    """Pool in each of the two ways."""
    monkeypatch.setattr(compiling, "COMPILE_AFTER", 0 if request.param == "compiled" else float("inf"))
    return request.param


CASES = [  # N, H, W, C, size, stride
    (3, 32, 32, 5, 3, 2),
    (2, 15, 15, 4, 3, 2),
    (5, 7, 7, 3, 3, 2),
    (2, 6, 9, 2, 2, 2),
    (2, 8, 8, 2, 2, 3),
    (2, 8, 9, 3, 3, 1),
    (1, 3, 3, 1, 3, 2),
    (2, 5, 6, 2, 1, 1),
    (2, 9, 9, 2, 4, 3),
]


def images(case, dtype="float32"):
    """Return images with many equal entries, zeros of both signs among them."""
    generator = np.random.default_rng(3)
    return generator.choice(np.array([-1, -0.0, 0.0, 0.5, 2], dtype), size=case[:4])


def pooled(x, size, stride):
    N, H, W, C = x.shape
    shape = (N, (H - size) // stride + 1, (W - size) // stride + 1, C)
    y, chosen = np.full(shape, np.nan, x.dtype), np.full(shape, 99, np.uint8)
    backend = NumpyBackend(x.dtype.name)
    assert pool.max_pool(x, size, stride, y, chosen, backend._workspace) is y
    return y, chosen


def gradient(grad_y, chosen, size, stride, shape):
    out = np.full(shape, np.nan, grad_y.dtype)
    backend = NumpyBackend(grad_y.dtype.name)
    assert pool.max_pool_gradient(grad_y, chosen, size, stride, out, backend._workspace) is out
    return out


def each_window(x, size, stride):
    """Give every output's index and its window's entries, row by row."""
    N, H, W, C = x.shape
    for n, i, j, c in np.ndindex(N, (H - size) // stride + 1, (W - size) // stride + 1, C):
        yield (n, i, j, c), x[n, i * stride : i * stride + size, j * stride : j * stride + size, c].ravel()


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("bytes_a_block", [1, 2**20])
@pytest.mark.parametrize("case", CASES)
def test_each_window_gives_its_maximum_and_the_first_place_that_holds_it(case, bytes_a_block, threads, monkeypatch):
    monkeypatch.setattr(pool, "BLOCK_BYTES", bytes_a_block)
    x = images(case)
    with threadpool_limits(threads, user_api="blas"):
        y, chosen = pooled(x, *case[4:])
    for index, window in each_window(x, *case[4:]):
        assert y[index] == max(window)
        assert chosen[index] == list(window).index(max(window))


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", CASES)
def test_each_windows_gradient_is_added_where_its_maximum_came_from(case, dtype, threads):
    size, stride = case[4:]
    x = images(case, dtype)
    with threadpool_limits(threads, user_api="blas"):
        _, chosen = pooled(x, size, stride)
        # Whole numbers: their sums are exact in any order.
        grad_y = np.random.default_rng(4).integers(-9, 9, chosen.shape).astype(dtype)
        result = gradient(grad_y, chosen, size, stride, x.shape)
    expected = np.zeros_like(x)
    for (n, i, j, c), place in np.ndenumerate(chosen):
        expected[n, i * stride + place // size, j * stride + place % size, c] += grad_y[n, i, j, c]
    np.testing.assert_array_equal(result, expected)
    assert result.dtype == dtype


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("bytes_a_block", [1, 2**20])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", CASES)
def test_each_window_gets_the_tangent_of_the_entry_that_it_chose(case, dtype, bytes_a_block, threads, monkeypatch):
    monkeypatch.setattr(pool, "BLOCK_BYTES", bytes_a_block)
    size, stride = case[4:]
    generator = np.random.default_rng(4)
    dx = generator.normal(size=case[:4]).astype(dtype)
    dx[0, 1, 0], dx[-1, 0, 1] = np.nan, np.inf
    with threadpool_limits(threads, user_api="blas"):
        _, chosen = pooled(images(case, dtype), size, stride)
        out = np.full(chosen.shape, -9, dtype)
        assert pool.max_pool_tangent(dx, chosen, size, stride, out, NumpyBackend(dtype)._workspace) is out
    expected = np.empty_like(out)
    for (n, i, j, c), place in np.ndenumerate(chosen):
        expected[n, i, j, c] = dx[n, i * stride + place // size, j * stride + place % size, c]
    np.testing.assert_array_equal(out, expected)


def test_a_window_that_holds_nan_gives_nan_and_a_place_within_it():
    x = images((2, 9, 9, 3))
    x[:, 4, 4] = np.nan
    y, chosen = pooled(x, 3, 2)
    for index, window in each_window(x, 3, 2):
        assert np.isnan(y[index]) == np.isnan(window).any()
    assert chosen.max() < 9


def test_infinities_are_entries_like_others():
    x = images((2, 9, 9, 3))
    x[:, ::2, 1::2] = -np.inf
    x[:, 3:5, 3:6] = np.inf
    y, chosen = pooled(x, 3, 2)
    for index, window in each_window(x, 3, 2):
        assert y[index] == max(window)
        assert chosen[index] == list(window).index(max(window))


@pytest.mark.parametrize("step", [1, 2, 3, 4, 99])
def test_blocks_cover_a_share_and_nothing_beyond_it(step):
    parts = list(convolution.image_blocks(slice(5, 9), 10, step * 10))
    assert [i for part in parts for i in range(part.start, part.stop)] == [5, 6, 7, 8]


def test_no_two_threads_use_the_same_scratch_memory(way):
    memory = NumpyBackend("float32")._workspace
    x = images(CASES[0])
    y, chosen = np.empty((3, 15, 15, 5), "float32"), np.empty((3, 15, 15, 5), np.uint8)

    def users_of(kernel, *arguments):
        users = {}

        def watched(name, shape, dtype=None):
            users.setdefault(name, set()).add(threading.get_ident())
            return memory(name, shape, dtype)

        with threadpool_limits(3, user_api="blas"):
            kernel(*arguments, watched)
        assert all(len(threads) == 1 for threads in users.values())
        return len(users)

    found = [
        users_of(pool.max_pool, x, 3, 2, y, chosen),
        users_of(pool.max_pool_gradient, y, chosen, 3, 2, x),
        users_of(pool.max_pool_tangent, x, chosen, 3, 2, y),
    ]
    assert found == ([9, 6, 3] if way == "blocks" else [0, 0, 0])

"""Each kernel of the CUDA backend, compiled for the host, against NumPy's: odd sizes, ties, and what is no number."""

import numpy as np
import pytest

from bdfa_np.backend.cpu.backend import NumpyBackend
from bdfa_np.backend.cuda import backend as cuda_backend
from bdfa_np.backend.cuda.backend import CupyBackend
from bdfa_np.layers import Tanh

pytest_plugins = ["cuda_fixtures"]
pytestmark = pytest.mark.usefixtures("stand_in")

RNG = np.random.default_rng(4)
REFERENCE = NumpyBackend("float64")


@pytest.fixture
def cuda():
    return CupyBackend("float64")


def both(cuda, name, arrays, out_shapes, *numbers, dtypes=None):
    """Call a kernel that takes arrays, then numbers, then what it writes to; return what both backends wrote."""
    found = []
    for backend in (cuda, REFERENCE):
        given = [backend.asarray(array.copy()) for array in arrays]
        out = [backend.empty(shape, dtype) for shape, dtype in zip(out_shapes, dtypes or [None] * 9, strict=False)]
        getattr(backend, name)(*given, *numbers, *out)
        found.append([backend.to_host(array) for array in (out or given)])
    return found


def same(found, rtol=1e-12):
    for actual, expected in zip(*found, strict=True):
        assert actual.dtype == expected.dtype
        np.testing.assert_allclose(actual, expected, rtol=rtol, atol=1e-14)


def test_of_equal_logits_the_first_is_counted_and_one_that_is_no_number_is_the_largest(cuda):
    logits = np.array([[1.0, 2, 2], [3, 3, 3], [0, np.nan, 5], [np.nan, np.nan, 1], [np.inf, 1, np.inf], [-1, -2, -1]])
    labels, terms = np.array([0, 1, 2, 0, 1, 2]), np.full((6, 3), 0.25)
    found = []
    for backend in (cuda, REFERENCE):
        counts, sums = backend.xp.zeros((3, 3), "int64"), backend.xp.zeros(4, "float64")
        given = [backend.asarray(array) for array in (logits, labels)]
        for bad in (0, 1, 1):  # the second and the third batch have no finite loss
            entries = terms.copy()
            entries[0, 0] = np.inf if bad else 0.25
            backend.tally(*given, backend.asarray(entries), counts, sums)
        found.append([backend.to_host(counts), backend.to_host(sums)])
    assert found[1][0].tolist() == [[3, 3, 0], [6, 0, 0], [3, 3, 0]]
    assert found[1][1].tolist() == [np.inf, 3, 2, np.inf]
    same(found)


def test_a_tally_counts_more_rows_than_a_block_has_threads(cuda):
    logits, labels, terms = RNG.normal(size=(700, 11)), RNG.integers(0, 11, 700), RNG.normal(size=(700, 11))
    found = []
    for backend in (cuda, REFERENCE):
        counts, sums = backend.xp.zeros((11, 11), "int64"), backend.xp.zeros(4, "float64")
        backend.tally(*(backend.asarray(array) for array in (logits, labels, terms)), counts, sums)
        found.append([backend.to_host(counts), backend.to_host(sums)])
    same(found)


@pytest.mark.parametrize("shape", [(1, 1), (5, 3), (300, 10)])
def test_log_softmax_is_free_of_overflow(cuda, shape):
    for scale in (1, 1e4, 1e300):
        o = RNG.normal(size=shape) * scale
        same([[backend.to_host(backend.log_softmax(backend.asarray(o)))] for backend in (cuda, REFERENCE)])


def test_targets_have_a_one_at_the_label(cuda):
    labels = RNG.integers(0, 7, 300)
    same([[backend.to_host(backend.one_hot(backend.asarray(labels), 7))] for backend in (cuda, REFERENCE)])


@pytest.mark.parametrize("n", [1, 255, 256, 257, 1000])
def test_rows_of_any_length_are_multiplied(cuda, n):
    same(both(cuda, "row_dots", (RNG.normal(size=(300, n)), RNG.normal(size=(300, n))), [(300,)]))


@pytest.mark.parametrize(
    ("shape", "axes"),
    [((300, 7), (0,)), ((7, 300), (1,)), ((3, 3, 5, 4), (0, 1, 2)), ((3, 3, 5, 4), (0, 1, 3)), ((1, 1), (0,))],
)
def test_norms_are_limited_along_all_axes_that_are_bounded(cuda, shape, axes):
    W = RNG.normal(size=shape)
    bound = float(np.median(np.sqrt((W**2).sum(axis=axes))))  # half of the vectors are too long
    found = []
    for backend in (cuda, REFERENCE):
        held = backend.asarray(W.copy())
        backend.limit_norms(held, axes, bound)
        found.append([backend.to_host(held)])
    same(found)


@pytest.mark.parametrize("columns_bytes", [2**28, 2000])
@pytest.mark.parametrize(
    ("N", "H", "W", "C", "K", "size", "stride", "padding"),
    [(3, 7, 6, 2, 5, 3, 1, 1), (2, 9, 8, 3, 4, 4, 3, 2), (1, 5, 5, 1, 1, 5, 1, 0), (4, 6, 7, 2, 3, 1, 2, 0)],
)
def test_convolutions_of_any_shape_and_their_gradients(
    cuda, N, H, W, C, K, size, stride, padding, columns_bytes, monkeypatch
):
    monkeypatch.setattr(cuda_backend, "COLUMNS_BYTES", columns_bytes)  # the batch is cut, or not
    Ho, Wo = ((side + 2 * padding - size) // stride + 1 for side in (H, W))
    x, weights, grad = (RNG.normal(size=shape) for shape in ((N, H, W, C), (size, size, C, K), (N, Ho, Wo, K)))
    shapes = {"convolve": (x, weights, grad.shape), "convolve_weight_gradient": (x, grad, weights.shape)}
    shapes["convolve_input_gradient"] = (grad, weights, x.shape)
    for name, (first, second, shape) in shapes.items():
        for accumulate in (False, True)[: 1 + (name == "convolve_weight_gradient")]:
            found = []
            for backend in (cuda, REFERENCE):
                out = backend.asarray(np.full(shape, 2.0))
                more = {"accumulate": True} if accumulate else {}
                getattr(backend, name)(backend.asarray(first), backend.asarray(second), out, stride, padding, **more)
                found.append([backend.to_host(out)])
            same(found, rtol=1e-11)


@pytest.mark.parametrize(("size", "stride"), [(2, 2), (3, 2), (3, 1), (2, 3), (1, 1), (5, 5)])
def test_pooling_of_any_shape_with_ties_and_its_gradient(cuda, size, stride):
    x = RNG.integers(0, 3, (2, 8, 7, 3)).astype(float)
    Ho, Wo = ((side - size) // stride + 1 for side in (8, 7))
    shape = (2, Ho, Wo, 3)
    grad = RNG.normal(size=shape)
    found = []
    for backend in (cuda, REFERENCE):
        y, chosen = backend.empty(shape), backend.empty(shape, "uint8")
        backend.max_pool(backend.asarray(x), size, stride, y, chosen)
        grad_x, up, down = backend.empty(x.shape), backend.empty(x.shape), backend.empty(shape)
        backend.max_pool_gradient(backend.asarray(grad), chosen, size, stride, grad_x)
        backend.unpool(backend.asarray(grad), stride, up)
        backend.unpool_gradient(backend.asarray(x), stride, down)
        found.append([backend.to_host(array) for array in (y, chosen, grad_x, up, down)])
    same(found)


def test_a_window_with_an_entry_that_is_no_number_has_none_as_its_maximum(cuda):
    x = RNG.normal(size=(1, 4, 4, 1))
    x[0, 1, 0], x[0, 2, 3] = np.nan, np.nan
    y = cuda.empty((1, 2, 2, 1))
    cuda.max_pool(cuda.asarray(x), 2, 2, y, cuda.empty(y.shape, "uint8"))
    assert np.isnan(cuda.to_host(y)).ravel().tolist() == [True, False, False, True]


@pytest.mark.parametrize("shape", [(9, 12, 11, 3), (2, 1, 1, 2), (1, 8, 8, 1)])
def test_crops_of_any_shape_are_scaled_and_mirrored(cuda, shape):
    N, side = shape[0], min(shape[1:3])
    margin = np.arange(N) % (side // 4 + 1)
    draws = margin // 2, margin - margin // 2, margin, np.arange(N) % 2 == 1
    images = RNG.normal(size=shape)
    found = []
    for backend in (cuda, REFERENCE):
        out = backend.empty(shape)
        backend.crop_and_mirror(backend.asarray(images), *draws, out)
        found.append([backend.to_host(out)])
    same(found)


@pytest.mark.parametrize(("m", "k", "n"), [(1, 1, 1), (1, 5, 3), (4, 1, 3), (7, 5, 1), (33, 17, 9)])
def test_products_of_matrices_and_their_transposes_are_written_or_added(cuda, m, k, n):
    a, b = RNG.normal(size=(m, k)), RNG.normal(size=(k, n))
    for first in (a, np.asfortranarray(a)):
        for second in (b, np.asfortranarray(b)):
            left, right = (cuda.asarray(array.T.copy()).T if array.flags.f_contiguous else cuda.asarray(array)
                           for array in (first, second))  # fmt: skip
            out = cuda.asarray(np.full((m, n), 2.0))
            cuda.matmul(left, right, out, accumulate=True)
            np.testing.assert_allclose(cuda.to_host(out), a @ b + 2, rtol=1e-12)
            cuda.matmul(left, right, out)
            np.testing.assert_allclose(cuda.to_host(out), a @ b, rtol=1e-12, atol=1e-14)
    with pytest.raises(ValueError, match="does not fit"):
        cuda.matmul(cuda.asarray(a), cuda.asarray(b), cuda.empty((m + 1, n)))
    with pytest.raises(ValueError, match="does not fit"):
        cuda.matmul(cuda.asarray(a), cuda.asarray(RNG.normal(size=(k + 1, n))), cuda.empty((m, n)))


def test_columns_are_added_up_and_a_bias_is_added_to_every_row(cuda):
    a, b = RNG.normal(size=(70, 9)), RNG.normal(size=9)
    total = cuda.asarray(np.ones(9))
    cuda.column_sum(cuda.asarray(a), total, accumulate=True)
    np.testing.assert_allclose(cuda.to_host(total), 1 + a.sum(axis=0), rtol=1e-12)
    cuda.column_sum(cuda.asarray(a), total)
    np.testing.assert_allclose(cuda.to_host(total), a.sum(axis=0), rtol=1e-12)
    np.testing.assert_array_equal(cuda.to_host(cuda.add_bias(cuda.asarray(a), cuda.asarray(b))), a + b)


@pytest.mark.parametrize("keep", [1.0, 0.9, 0.5, 0.01])
def test_a_mask_is_a_function_of_its_key_and_keeps_the_share_that_it_should(cuda, keep):
    x = np.arange(1.0, 40_002)
    given = cuda.asarray(x)

    def drawn(*key):
        mask, y = cuda.empty(x.shape), cuda.empty(x.shape)
        assert cuda.dropout(given, key, keep, mask, y) is y
        np.testing.assert_array_equal(cuda.to_host(y), x * cuda.to_host(mask))
        return cuda.to_host(mask)

    mask = drawn(0, 11, 22, 3)
    assert set(np.unique(mask)) <= {0, 1 / keep}
    deviation = np.sqrt(keep * (1 - keep) / x.size)
    assert abs((mask > 0).mean() - keep) <= 5 * deviation
    assert (mask == drawn(0, 11, 22, 3)).all()
    if keep < 1:
        for other in ((1, 11, 22, 3), (0, 12, 22, 3), (0, 11, 23, 3), (0, 11, 22, 4), (0, 11, 22, 3 + 2**32)):
            assert abs(np.corrcoef(mask, drawn(*other))[0, 1]) < 5 / np.sqrt(x.size)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size", [1, 2, 3, 40_001])
def test_what_is_drawn_is_a_function_of_the_key_and_of_the_pass_that_is_replayed(dtype, size):
    cuda = CupyBackend(dtype)
    for draw, numbers in ((cuda.uniform, (0.3,)), (cuda.normal, ())):

        def drawn(*key, draw=draw, numbers=numbers):
            out = cuda.asarray(np.full(size, np.nan))
            assert draw(out, key, *numbers) is out
            assert out.dtype == dtype
            return cuda.to_host(out)

        first = drawn(0, 11, 22, 3)
        np.testing.assert_array_equal(first, drawn(0, 11, 22, 3))
        for other in ((1, 11, 22, 3), (0, 12, 22, 3), (0, 11, 23, 3), (0, 11, 22, 4), (0, 11, 22, 3 + 2**32)):
            assert not np.isin(drawn(*other), first).all()
        cuda.later.fill(5)
        replayed = drawn(0, 11, 22, 3)
        cuda.later.fill(0)
        np.testing.assert_array_equal(replayed, drawn(0, 11, 22, 8))


def test_a_formula_takes_contiguous_arrays_of_one_shape(cuda):
    a = cuda.asarray(RNG.normal(size=(4, 3)))
    for out in (cuda.empty((3, 4)), cuda.empty((3, 4)).T):
        with pytest.raises(ValueError, match="contiguous arrays of one shape"):
            cuda.elementwise(Tanh.activated, (a,), (out,))


def test_more_entries_than_can_be_counted_are_refused(cuda):
    with pytest.raises(ValueError, match="take smaller batches"):
        cuda._kernels.places("add_bias", 2**31)


def test_floats_and_whole_numbers_come_in_the_backends_types(cuda):
    for array, dtype in ((np.zeros(3, np.float32), "float64"), (np.zeros(3, np.uint8), "int64"), ([1.5], "float64")):
        assert cuda.asarray(array).dtype == dtype
    assert cuda.asarray(cuda.asarray([1.0])).dtype == "float64"
    assert cuda.describe().startswith("cupy float64 on ")

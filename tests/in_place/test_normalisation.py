"""The passes of batch normalisation: right, in few passes, and the same bits compiled, shared or neither."""

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from bdfa_np.backend.cpu import compiling, normalisation, threads

SHAPES = [(1, 1), (1, 5), (5, 1), (300, 1), (7, 3), (64, 800), (4099, 33), (9, 300), (40_001, 2)]
needs_numba = pytest.mark.skipif(not compiling.can_compile(), reason='Numba is not installed: pip install ".[fast]"')


def drawn(shape, dtype, seed):
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def results(shape, dtype, in_place=False):
    """Do all four, on columns whose mean is large beside their deviation; also 0 and -0 alone."""
    C = shape[1]
    x, g = drawn(shape, dtype, 0) + 10, drawn(shape, dtype, 1)
    g[:, 0] = -0.0
    mean, variance, sum_g, sum_gx = np.full((4, C), np.nan, dtype)
    scale, shift, along = drawn((3, C), dtype, 2)
    y, grad_x = np.full((2, *shape), np.nan, dtype)
    normalisation.moments(x, mean, variance)
    normalisation.normalise(x, mean, scale, shift, y)
    normalisation.centred_sums(g, x, mean, sum_g, sum_gx)
    given = g.copy()
    normalisation.normalise_gradient(g, x, mean, along, shift, scale, g if in_place else grad_x)
    return x, given, [mean, variance, y, sum_g, sum_gx, g if in_place else grad_x], (scale, shift, along)


@pytest.fixture(
    params=[("blocks", "float64"), ("blocks", "float32"), pytest.param(("compiled", "float32"), marks=needs_numba)],
    ids="-".join,
)
def dtype(request, monkeypatch):
    """Go one of the two ways, in a precision."""
    way, precision = request.param
    monkeypatch.setattr(compiling, "COMPILE_AFTER", 0 if way == "compiled" else float("inf"))
    return precision


@pytest.mark.parametrize("in_place", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_they_are_what_numpy_says_in_float64(shape, dtype, in_place):
    tolerance = 1e-13 if dtype == "float64" else 1e-5
    x, g, (mean, variance, y, sum_g, sum_gx, grad_x), vectors = results(shape, dtype, in_place)
    x, g, (scale, shift, along) = x.astype(float), g.astype(float), (vector.astype(float) for vector in vectors)
    mu = x.mean(axis=0)
    np.testing.assert_allclose(mean, mu, rtol=tolerance / 10)
    np.testing.assert_allclose(variance, ((x - mu) ** 2).mean(axis=0), rtol=tolerance, atol=tolerance**2)
    np.testing.assert_allclose(y, (x - mean) * scale + shift, rtol=tolerance, atol=tolerance)
    reach = np.abs(g).sum(axis=0)
    np.testing.assert_allclose(sum_g, g.sum(axis=0), atol=tolerance * reach.max(), rtol=0)
    np.testing.assert_allclose(sum_gx, (g * (x - mean)).sum(axis=0), atol=10 * tolerance * reach.max(), rtol=0)
    np.testing.assert_allclose(grad_x, ((x - mean) * along + g - shift) * scale, rtol=tolerance, atol=tolerance)


@needs_numba
@pytest.mark.parametrize("shape", SHAPES)
def test_compiled_in_blocks_and_shared_among_threads_they_give_the_same_bits(shape, monkeypatch):
    found = []
    monkeypatch.setattr(threads, "LARGE", 4000)
    for after, count in ((float("inf"), 1), (0, 1), (0, 3), (float("inf"), 3)):
        monkeypatch.setattr(compiling, "COMPILE_AFTER", after)
        with threadpool_limits(count, user_api="blas"), threads.alone():
            found.append([array.tobytes() for array in results(shape, "float32")[2]])
    assert all(other == found[0] for other in found[1:])


def test_every_row_is_in_one_block():
    for M, C in [*SHAPES, (1, 5000), (100_000, 256), (513, 255)]:
        cut = normalisation.plan(M, C)
        assert [*cut.starts[1:], M] == [*cut.stops]
        assert cut.starts[0] == 0
        assert ((cut.stops - cut.starts) % cut.side == 0).all()
        assert (cut.stops > cut.starts).all()
        assert ((cut.stops - cut.starts) * C <= max(normalisation.BLOCK, C)).all()


def test_what_is_no_number_spoils_its_own_channel_alone(dtype):
    x = drawn((600, 4), dtype, 0)
    x[77, 2] = np.nan
    mean, variance = np.empty((2, 4), dtype)
    with np.errstate(invalid="ignore"):
        normalisation.moments(x, mean, variance)
    assert np.isnan([mean, variance])[:, 2].all()
    assert np.isfinite(np.delete([mean, variance], 2, axis=1)).all()

"""ZCA whitening."""

import os
import signal
import subprocess
import sys
import textwrap
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from bdfa_np.data import load_dataset
from bdfa_np.data.preprocess.zca import ZCA, check_dimensions
from bdfa_np.data.readers.cifar import read_records
from bdfa_np.errors import ConfigError, DataError

SHAPE = (4, 5, 3)
D = 60


def pictures(count: int, dtype: type = np.uint8, seed: int = 0) -> np.ndarray:
    """Images whose neighbouring pixels are correlated."""
    noise = np.random.default_rng(seed).normal(size=(count, 6, 7, 3))
    smooth = noise[:, :-2, :-2] + noise[:, 1:-1, 1:-1] + noise[:, 2:, 2:]
    values = (120 + 30 * smooth).clip(0, 255)
    return (values if np.issubdtype(dtype, np.floating) else values.round()).astype(dtype)


@pytest.fixture(scope="module")
def digits() -> np.ndarray:
    """Real digits, of whose 784 pixels many are 0 in every image."""
    return load_dataset("mnist-5k").train_images


@pytest.fixture(scope="module")
def colour_images() -> np.ndarray:
    """The upper left quarters of real colour images."""
    path = Path(os.environ.get("BDFA_DATA_DIR", "absent")) / "cifar-10-batches-bin" / "data_batch_1.bin"
    if not path.is_file():
        pytest.skip("BDFA_DATA_DIR names no folder with CIFAR-10's binary version")
    return np.ascontiguousarray(read_records(path, 10_000, (32, 32, 3))[1][:3000, :16, :16])


def flat(images: np.ndarray) -> np.ndarray:
    return images.reshape(len(images), -1).astype(np.float64)


def by_formula(images: np.ndarray, epsilon: float) -> tuple[np.ndarray, np.ndarray]:
    """Mean and P by a singular value decomposition of the centred images, without a covariance."""
    x = flat(images)
    mean = x.mean(axis=0)
    _, s, Vt = np.linalg.svd(x - mean, full_matrices=len(x) < x.shape[1])
    variances = s**2 / (len(x) - 1)
    kept = variances > x.shape[1] * 2.0**-52 * variances[0]
    Vt = Vt[: len(s)][kept]
    return mean, (Vt.T / np.sqrt(variances[kept] + epsilon)) @ Vt


def onto_span(images: np.ndarray) -> np.ndarray:
    """Return the projection onto the directions in which images vary."""
    x = flat(images)
    _, s, Vt = np.linalg.svd(x - x.mean(axis=0), full_matrices=False)
    Vt = Vt[s > 1e-7 * s[0]]
    return np.asarray(Vt.T @ Vt)


def whitened(zca: ZCA, images: np.ndarray) -> np.ndarray:
    return zca.apply(images, np.empty(images.shape, np.float32))


def disagreement(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.abs(found - expected).max() / np.abs(expected).max())


@pytest.mark.parametrize("dtype", [np.uint8, np.float16, np.float32, np.float64])
@pytest.mark.parametrize("count", [40, 300, 1024, 1025, 2500])
def test_the_matrices_are_those_of_the_formula_in_float64(count, dtype):
    images = pictures(count, dtype)
    zca = ZCA.fit(images, epsilon=0.1)
    mean, P = by_formula(images, 0.1)
    assert (zca.mean.dtype, zca.P.dtype, zca.P_inverse.dtype) == (np.float64,) * 3
    assert disagreement(zca.mean, mean) < 1e-13
    assert disagreement(zca.P, P) < 1e-10
    assert disagreement(zca.P_inverse, np.linalg.pinv(P, rcond=1e-9)) < 1e-10
    assert zca.epsilon == 0.1


def test_epsilon_is_one_hundred_thousandth_unless_given():
    zca = ZCA.fit(np.array([[0, 7], [2, 7]], np.uint8))
    assert zca.epsilon == 1e-5
    np.testing.assert_allclose(np.diag(zca.P), [1 / np.sqrt(2 + 1e-5), 0], rtol=1e-12)


def test_two_images_are_whitened_as_worked_by_hand():
    # Their mean is (1, 0) and their variance, over n-1, is 2 along the first axis and 0 along the second.
    zca = ZCA.fit(np.array([[0, 0], [2, 0]], np.uint8), epsilon=2)
    np.testing.assert_allclose(zca.mean, [1, 0])
    np.testing.assert_allclose(zca.P, [[0.5, 0], [0, 0]], atol=1e-15)
    np.testing.assert_allclose(zca.P_inverse, [[2, 0], [0, 0]], atol=1e-15)
    np.testing.assert_allclose(whitened(zca, np.array([[3, 1]], np.uint8)), [[1, 0]], rtol=1e-6)


@pytest.mark.oracle
@pytest.mark.parametrize("dtype", [np.uint8, np.float64])
def test_whitening_is_that_of_scikit_learn_rotated_back(dtype):
    decomposition = pytest.importorskip("sklearn.decomposition")
    images = pictures(2000, dtype)
    pca = decomposition.PCA(whiten=True, svd_solver="full").fit(flat(images))
    other = pictures(100, dtype, seed=1)
    expected = pca.transform(flat(other)) @ pca.components_
    found = whitened(ZCA.fit(images, epsilon=1e-12), other)
    assert disagreement(flat(found), expected) < 1e-6


@pytest.mark.parametrize("count", [2, 3, 1023, 1024, 1025, 3000])
def test_the_covariance_of_bytes_is_exact_until_its_last_rounding(count, monkeypatch):
    seen = []
    monkeypatch.setattr(np.linalg, "eigh", lambda matrix: (seen.append(matrix.copy()), (np.ones(12), np.eye(12)))[1])
    generator = np.random.default_rng(count)
    # Many bytes at both ends, where products are largest, and some pixels that never change.
    images = generator.choice(np.array([0, 0, 0, 255, 255, 1, 77], np.uint8), (count, 2, 2, 3))
    images[:, 0, 0] = [0, 255, 3]
    zca = ZCA.fit(images)
    x = images.reshape(count, -1).astype(np.int64)
    numerator = count * (x.T @ x) - np.outer(x.sum(axis=0), x.sum(axis=0))
    np.testing.assert_array_equal(seen[0], numerator / (count * (count - 1)))
    np.testing.assert_array_equal(zca.mean, x.sum(axis=0) / count)


def test_a_block_of_the_largest_products_is_summed_up_exactly(monkeypatch):
    seen = []
    monkeypatch.setattr(np.linalg, "eigh", lambda matrix: (seen.append(matrix.copy()), (np.ones(2), np.eye(2)))[1])
    # In 2048 rows of (0 - 128)² the sum passes 2^24, above which float32 skips the odd numbers.
    images = np.zeros((2049, 2), np.uint8)
    images[-1] = [127, 129]
    ZCA.fit(images)
    x = images.astype(np.int64)
    numerator = 2049 * (x.T @ x) - np.outer(x.sum(axis=0), x.sum(axis=0))
    np.testing.assert_array_equal(seen[0], numerator / (2049 * 2048))


def test_the_covariance_of_floats_about_a_large_mean_is_kept():
    images = pictures(300, np.float64) / 256 + 1e6
    mean, P = by_formula(images, 1e-3)
    zca = ZCA.fit(images, epsilon=1e-3)
    assert disagreement(zca.P, P) < 1e-8
    expected = (flat(images) - mean) @ P
    assert disagreement(flat(whitened(zca, images)), expected) < 2e-5


@pytest.mark.parametrize("count", [2, 30, 2000])
def test_the_matrices_are_symmetric_and_inverse_to_each_other(count):
    zca = ZCA.fit(pictures(count))
    np.testing.assert_array_equal(zca.P, zca.P.T)
    np.testing.assert_array_equal(zca.P_inverse, zca.P_inverse.T)
    np.testing.assert_allclose(zca.P @ zca.P_inverse, onto_span(pictures(count)), atol=1e-8)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_whitened_training_images_have_the_identity_as_their_covariance(dtype):
    images = pictures(2500, dtype)
    found = flat(whitened(ZCA.fit(images), images))
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(np.cov(found.T), np.eye(D), atol=1e-5)


def test_whitened_digits_are_uncorrelated_wherever_they_vary(digits):
    zca = ZCA.fit(digits)
    found = flat(whitened(zca, digits))
    covariance = np.cov(found.T)
    variances, V = np.linalg.eigh(np.cov(flat(digits).T))
    varying = V[:, variances > 1]
    np.testing.assert_allclose(varying.T @ covariance @ varying, np.eye(varying.shape[1]), atol=1e-4)
    np.testing.assert_allclose(zca.P @ zca.P_inverse, onto_span(digits), atol=1e-7)
    never = flat(digits).std(axis=0) == 0
    assert np.abs(found[:, never]).max() < 1e-4  # not 0: null directions are found to rounding only


def test_whitened_colour_images_have_the_identity_as_their_covariance(colour_images):
    found = flat(whitened(ZCA.fit(colour_images), colour_images))
    np.testing.assert_allclose(np.cov(found.T), np.eye(768), atol=1e-4)


@pytest.mark.parametrize("count", [100, 900, 3000])
def test_whitened_colour_images_agree_with_float64(colour_images, count):
    zca = ZCA.fit(colour_images[:count])
    expected = (flat(colour_images) - zca.mean) @ zca.P
    assert disagreement(flat(whitened(zca, colour_images)), expected) < 2e-5


@pytest.mark.parametrize("count", [50, 500, 4500])
def test_whitened_digits_agree_with_float64(digits, count):
    zca = ZCA.fit(digits[:count])
    for images in (digits[:count], digits[-500:]):
        expected = (flat(images) - zca.mean) @ zca.P
        assert disagreement(flat(whitened(zca, images)), expected) < 2e-5


def test_enlarged_images_agree_with_float64():
    # Of each square of four equal pixels three directions are null.
    images = pictures(1500).repeat(2, axis=1).repeat(2, axis=2)
    zca = ZCA.fit(images)
    expected = (flat(images) - zca.mean) @ zca.P
    assert disagreement(flat(whitened(zca, images)), expected) < 2e-5


def test_products_are_in_float32_where_that_is_good_enough_and_in_float64_elsewhere():
    # Not seen in the result but in the time: half of it.
    assert ZCA.fit(pictures(2000)).in_product_type[1].dtype == np.float32
    nearly_null = pictures(2000, np.float64)
    nearly_null[:, 0, 0, 0] = 100 + 1e-3 * np.arange(2000) / 2000
    assert ZCA.fit(nearly_null).in_product_type[1].dtype == np.float64


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_fewer_images_than_pixels_and_pixels_that_never_change_stay_finite(dtype):
    images = pictures(10, dtype)
    images[:, 0] = 0
    images[:, 1] = 255
    zca = ZCA.fit(images)
    assert np.isfinite(zca.P).all()
    other = pictures(50, dtype, seed=1)
    found = whitened(zca, other)
    assert np.isfinite(found).all()
    assert disagreement(flat(found), (flat(other) - zca.mean) @ zca.P) < 2e-5


def test_directions_without_variance_count_as_none_whatever_rounding_makes_of_them():
    zca = ZCA.fit(pictures(10), epsilon=1e-13)
    singular = np.linalg.svd(zca.P, compute_uv=False)
    assert np.count_nonzero(singular > 1e-12 * singular[0]) == 9
    np.testing.assert_allclose(zca.P @ zca.P_inverse, onto_span(pictures(10)), atol=1e-10)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_what_never_varied_in_training_is_nothing_in_other_images(dtype):
    train, other = pictures(300, dtype), pictures(50, dtype, seed=1)
    train[:, 0] = 7
    zca = ZCA.fit(train)
    found = whitened(zca, other)
    assert np.abs(found[:, 0]).max() < 1e-4
    other[:, 0] = 255
    assert disagreement(whitened(zca, other), found) < 2e-5


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_images_that_are_all_the_same_are_refused(dtype):
    with pytest.raises(DataError, match="all the same"):
        ZCA.fit(np.repeat(pictures(1, dtype), 5, axis=0))


def test_other_images_are_whitened_by_the_training_images_statistics():
    train, other = pictures(2000), pictures(70, seed=1) // 2
    zca = ZCA.fit(train)
    mean, P = by_formula(train, 1e-5)
    assert disagreement(flat(whitened(zca, other)), (flat(other) - mean) @ P) < 2e-5


@pytest.mark.parametrize("count", [1, 7, 1024, 1025, 2100])
def test_undoing_gives_the_images_back(count):
    images = pictures(2100)
    zca = ZCA.fit(images)
    found = zca.undo(whitened(zca, images[:count]), np.empty((count, *SHAPE), np.float32))
    assert found.dtype == np.float32
    assert disagreement(found, images[:count].astype(np.float64)) < 2e-5


def test_undoing_gives_digits_back(digits):
    zca = ZCA.fit(digits)
    found = zca.undo(whitened(zca, digits[:200]), np.empty((200, 28, 28, 1), np.float32))
    assert disagreement(found, digits[:200].astype(np.float64)) < 2e-5


@pytest.mark.parametrize("method", ["apply", "undo"])
def test_the_result_goes_where_and_in_the_shape_in_which_it_is_asked_for(method):
    images = pictures(1500, np.float32)
    function = getattr(ZCA.fit(images), method)
    expected = function(images, np.empty(images.shape, np.float32))
    out = np.empty((1500, 4, 10, 3), np.float32)[:, :, ::2]
    assert function(images, out) is out
    np.testing.assert_array_equal(out, expected)
    np.testing.assert_array_equal(function(images.reshape(1500, D), np.empty((1500, *SHAPE), np.float32)), expected)


def test_images_that_do_not_lie_in_one_piece_are_whitened_alike():
    images = pictures(1500)
    scattered = np.asfortranarray(images)
    np.testing.assert_array_equal(ZCA.fit(scattered).P, ZCA.fit(images).P)
    zca = ZCA.fit(images)
    np.testing.assert_array_equal(whitened(zca, scattered), whitened(zca, images))


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_progress_is_told_after_each_block(dtype):
    seen = []
    ZCA.fit(pictures(2500, dtype), progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1024, 2500), (2048, 2500), (2500, 2500)]


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_one_image_has_no_covariance(dtype):
    with pytest.raises(DataError, match="two training images or more"):
        ZCA.fit(pictures(1, dtype))


@pytest.mark.parametrize("epsilon", [0, -1e-5, float("nan"), float("inf")])
def test_an_epsilon_that_is_not_above_0_is_refused(epsilon):
    with pytest.raises(ConfigError, match="must be above 0"):
        ZCA.fit(pictures(10), epsilon)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e200])
def test_values_without_a_covariance_are_refused(value):
    images = pictures(10, np.float64)
    images[3, 2, 1, 0] = value
    with pytest.raises(DataError, match="not finite, or too large"):
        ZCA.fit(images)


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        ((8193,), "samples of 8193 values have d = 8193, above the limit of 8192: leave out --whiten"),
        (
            (96, 96, 3),
            "samples of 96 x 96 x 3 values have d = 27648, above the limit of 8192: scale .* --resize 52 or less",
        ),
        ((91, 91, 1), "--resize 90 or less"),
        ((1, 1, 9000), "leave out --whiten"),
    ],
)
def test_too_many_dimensions_are_refused_with_what_to_do(shape, said):
    with pytest.raises(ConfigError, match=said) as caught:
        check_dimensions(shape)
    assert "\n" not in str(caught.value)
    with pytest.raises(ConfigError, match=said):
        ZCA.fit(np.zeros((2, *shape), np.uint8))


@pytest.mark.parametrize("shape", [(8192,), (52, 52, 3), (90, 90, 1), (1, 1, 8192), (28, 28, 1)])
def test_as_many_dimensions_as_the_limit_are_accepted(shape):
    check_dimensions(shape)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_memory_does_not_grow_with_the_images(dtype):
    images = np.random.default_rng(0).integers(0, 256, (20_000, 12, 12, 1)).astype(dtype)
    out = np.empty(images.shape, np.float32)
    tracemalloc.start()
    try:
        ZCA.fit(images).apply(images, out)
        assert tracemalloc.get_traced_memory()[1] < 7_000_000
    finally:
        tracemalloc.stop()


def test_ctrl_c_stops_it_between_two_blocks():
    # One row's memory stands for more images than could be done in an hour.
    script = textwrap.dedent("""
        import numpy as np
        from bdfa_np.data.preprocess.zca import ZCA
        images = np.broadcast_to(np.zeros(1500, np.uint8), (50_000_000, 1500))
        ZCA.fit(images, progress=lambda done, total: print(done, flush=True))
        """)
    with subprocess.Popen(
        [sys.executable, "-P", "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=20)
    assert error.splitlines()[-1] == b"KeyboardInterrupt"

"""ZCA whitening: images turned into uncorrelated pixels of variance 1, as little changed as that allows."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bdfa_np.data.recipe import check_dimensions
from bdfa_np.errors import ConfigError, DataError
from bdfa_np.representation import one_line
from bdfa_np.system.text import counted

Array = NDArray[np.float64]
Progress = Callable[[int, int], None]

VERSION = 2
"""Part of what a prepared file is found by: raise it when the same images would come out otherwise."""

_ROWS_PER_BLOCK = 1024
_PROBES = 64
# Below 2e-5, what arrays of float32 may differ by: real images reach further than the random ones it is measured on.
_TOLERANCE = 1.5e-5


# Comparing two of these compares arrays, which has no single truth value: so eq=False.
@dataclass(frozen=True, eq=False)
class ZCA:
    """ZCA whitening, ``y = (x - mean) P``, and the way back.

    With the covariance ``C = V Λ Vᵀ`` of the training images, over n-1, ``P = V (Λ + ε)^(-1/2) Vᵀ`` and
    ``P⁻¹ = V (Λ + ε)^(1/2) Vᵀ``. An image is flattened in H·W·C order; d is the number of its values.

    Directions in which the training images do not vary have no part in either: eigenvalues below ``d 2⁻⁵² λ_max``,
    which rounding alone can have made, count as none, and there P and its (pseudo)inverse are 0. Divided by ``ε^(1/2)``
    instead, whatever other images have in these directions would outweigh all else.

    Parameters
    ----------
    mean : ndarray of float64, shape (d,)
        The mean training image.
    P : ndarray of float64, shape (d, d)
        The whitening matrix; symmetric. Where there is no inverse, both may be float32.
    P_inverse : ndarray of float64, shape (d, d), or None
        Its inverse; symmetric. None where only `apply` is wanted.
    epsilon : float, default 1e-5
        What was added to each variance, in the square of the images' own unit.

    References
    ----------
    Bell and Sejnowski, "The 'independent components' of natural scenes are edge filters", Vision Research 37 (1997);
    Krizhevsky, "Learning multiple layers of features from tiny images" (2009), appendix A.

    Examples
    --------
    >>> import numpy as np
    >>> images = np.random.default_rng(0).integers(0, 256, (100, 2, 2, 1), np.uint8)
    >>> whitened = ZCA.fit(images).apply(images, np.empty(images.shape, np.float32))
    >>> np.allclose(np.cov(whitened.reshape(100, 4).T), np.eye(4), atol=1e-5)
    True
    """

    mean: NDArray[Any]
    P: NDArray[Any]
    P_inverse: Array | None
    epsilon: float = 1e-5

    def __repr__(self) -> str:
        """Return the size of a sample, and ε."""
        return one_line(self, [f"{counted(len(self.mean), 'value')} a sample", f"epsilon={self.epsilon:g}"])

    @classmethod
    def fit(cls, train_images: NDArray[Any], epsilon: float = 1e-5, progress: Progress | None = None) -> "ZCA":
        """Return the whitening of these training images.

        Parameters
        ----------
        train_images : ndarray of uint8 or floating-point numbers, shape (n, H, W, C) or (n, d)
            The images that are trained on, and no others; n at least 2.
        epsilon : float, default 1e-5
            What is added to each variance, in the square of the images' unit, so that directions in which they hardly
            vary are not divided by nearly 0.
        progress : callable, optional
            Called after each block with the number of images that are done and the number of all.

        Returns
        -------
        ZCA
            Its mean, P and its inverse, in float64.

        Raises
        ------
        ConfigError
            If an image has more than 8192 values, or epsilon is not above 0.
        DataError
            If there are fewer than two images, all are the same, or values are not finite or their squares overflow.

        Notes
        -----
        Beside the images it takes memory for some five matrices of d x d float64 numbers.
        """
        check_dimensions(train_images.shape[1:])
        if not (math.isfinite(epsilon) and epsilon > 0):
            raise ConfigError(f"the epsilon of whitening must be above 0, not {epsilon}")
        if len(train_images) < 2:
            raise DataError("whitening needs two training images or more, for their covariance is over n-1")
        moments = _moments_of_bytes if train_images.dtype == np.uint8 else _moments_of_floats
        mean, covariance = moments(train_images, progress or (lambda _done, _total: None))
        # np.linalg, since importing SciPy's would start a second pool of BLAS threads.
        variances, V = np.linalg.eigh(covariance)
        del covariance  # of the size of V
        largest = variances[-1]
        # Also the few that rounding makes negative.
        varying = variances > len(variances) * np.finfo(np.float64).eps * largest
        if not varying.any():
            raise DataError("the training images are all the same: whitening leaves nothing of them")
        variances = np.maximum(variances, 0) + epsilon
        way, back = (np.where(varying, variances**power, 0) for power in (-0.25, 0.25))
        return cls(mean, _squared(V * way), _squared(V * back), epsilon)

    def apply(self, images: NDArray[Any], out: NDArray[np.float32]) -> NDArray[np.float32]:
        """Write the whitened images to ``out``.

        Parameters
        ----------
        images : ndarray of uint8 or floating-point numbers, shape (N, ...)
            Images of d values each, as they were to `fit`.
        out : ndarray of float32, N times d values
            Where the whitened images go.

        Returns
        -------
        ndarray
            ``out``.
        """
        mean, P = self.in_product_type
        for rows, target in _blocks(images, out):
            centred = np.subtract(rows, mean, dtype=mean.dtype)
            target[:] = (centred @ P).reshape(target.shape)
        return out

    def one_way(self) -> "ZCA":
        """Return what `apply` needs alone: mean and P in the type of its products, and no inverse."""
        mean, P = self.in_product_type
        return ZCA(mean, P, None, self.epsilon)

    def undo(self, images: NDArray[Any], out: NDArray[np.float32]) -> NDArray[np.float32]:
        """Write the images that these whitened images were to ``out``.

        Parameters
        ----------
        images : ndarray of floating-point numbers, shape (N, ...)
            Whitened images of d values each.
        out : ndarray of float32, N times d values
            Where the images go.

        Returns
        -------
        ndarray
            ``out``.
        """
        if self.P_inverse is None:
            raise ValueError("this whitening was kept without the way back")
        for rows, target in _blocks(images, out):
            coloured = rows.astype(np.float64) @ self.P_inverse
            coloured += self.mean
            target[:] = coloured.reshape(target.shape)
        return out

    @cached_property
    def in_product_type(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """Mean and P in float32, which takes half the time, where its products are good enough; else in float64.

        Where the images hardly vary in some direction (fewer images than pixels, enlarged images), P amplifies it by
        up to ε^(-1/2), and what is left of it in float32 is mostly rounding: errors of 1e-2 are then seen. This is
        measured on random images with the training images' mean and covariance.
        """
        if self.P_inverse is None:  # it was measured before it was kept
            return self.mean.astype(self.P.dtype), self.P
        generator = np.random.default_rng(0)
        probes = (generator.standard_normal((_PROBES, len(self.mean))) @ self.P_inverse + self.mean).astype(np.float32)
        expected = (probes - self.mean) @ self.P
        mean, P = self.mean.astype(np.float32), self.P.astype(np.float32)
        error = np.abs((probes - mean) @ P - expected).max()
        # Written so that an error that is not a number chooses float64.
        return (mean, P) if error <= _TOLERANCE * np.abs(expected).max() else (self.mean, self.P)


def _squared(root: Array) -> Array:
    # A product with its own transpose takes BLAS half the work, and comes out symmetric to the last bit.
    product: Array = root @ root.T
    return product


def _blocks(images: NDArray[Any], out: NDArray[Any]) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
    """Yield some images, flattened, and the part of ``out`` that is theirs."""
    for start in range(0, len(images), _ROWS_PER_BLOCK):
        block = slice(start, start + _ROWS_PER_BLOCK)
        yield _flattened(images[block]), out[block]


def _flattened(images: NDArray[Any]) -> NDArray[Any]:
    return images.reshape(len(images), -1)


def _moments_of_bytes(images: NDArray[np.uint8], progress: Progress) -> tuple[Array, Array]:
    """Return the mean and the covariance, over n-1, of images of bytes: but for their last rounding, exact.

    Bytes less 128 are whole numbers within ±128, and a sum of 1024 of their products is a whole number within
    1024·128² = 2^24. float32 holds every whole number up to there, so each partial sum of a block's product is exact
    at the speed of float32, in whatever order it is summed up. So are the sums over all blocks in float64, and up to
    741,455 images, so is n Σxxᵀ - Σx Σxᵀ, whose terms are below n²·2^14 <= 2^53: nothing is lost in the difference.
    """
    n, d = len(images), math.prod(images.shape[1:])
    sums, products = np.zeros(d), np.zeros((d, d))
    buffer, product = np.empty((min(n, _ROWS_PER_BLOCK), d), np.float32), np.empty((d, d), np.float32)
    for start in range(0, n, _ROWS_PER_BLOCK):
        rows = _flattened(images[start : start + _ROWS_PER_BLOCK])
        block = np.subtract(rows, np.float32(128), out=buffer[: len(rows)], dtype=np.float32)
        sums += block.sum(axis=0, dtype=np.float64)
        products += np.matmul(block.T, block, out=product)
        progress(start + len(rows), n)
    products *= n
    for row, total in enumerate(sums):  # the outer product as a whole would be another d x d numbers
        products[row] -= total * sums
    products /= n * (n - 1)
    return (sums + 128 * n) / n, products


def _moments_of_floats(images: NDArray[Any], progress: Progress) -> tuple[Array, Array]:
    """Return the mean and the covariance, over n-1, of floating-point images, computed in float64."""
    n, d = len(images), math.prod(images.shape[1:])
    with np.errstate(over="ignore", invalid="ignore"):
        mean = np.zeros(d)
        for start in range(0, n, _ROWS_PER_BLOCK):
            mean += _flattened(images[start : start + _ROWS_PER_BLOCK]).sum(axis=0, dtype=np.float64)
        mean /= n
        covariance, product = np.zeros((d, d)), np.empty((d, d))
        for start in range(0, n, _ROWS_PER_BLOCK):
            centred = np.subtract(_flattened(images[start : start + _ROWS_PER_BLOCK]), mean, dtype=np.float64)
            covariance += np.matmul(centred.T, centred, out=product)
            progress(start + len(centred), n)
        covariance /= n - 1
    if not np.isfinite(covariance).all():
        raise DataError("the training images hold values that are not finite, or too large to be whitened")
    return mean, covariance

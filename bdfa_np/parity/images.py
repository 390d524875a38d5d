"""Probes of the kernels that know images; see `bdfa_np.parity.kernels`."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from bdfa_np.backend.base import Array, Backend

Results = dict[str, Array]
"""What a kernel computed, by what it was asked; the arrays are on the backend."""


def normal(shape: tuple[int, ...], seed: int = 0) -> npt.NDArray[np.float64]:
    """Return normally distributed numbers, the same for the same shape and seed."""
    return np.random.default_rng([seed, *shape]).normal(size=shape)


WINDOWS = ((3, 7, 6, 2, 5, 3, 1, 1), (2, 9, 8, 3, 4, 4, 3, 2), (1, 5, 5, 1, 1, 5, 1, 0), (4, 6, 7, 2, 3, 1, 2, 0))
"""Convolutions: N, H, W, C, K, size, stride, padding."""


def convolutions() -> Iterator[tuple[str, tuple[Array, Array, Array], int, int]]:
    """Yield a title, x, W and the output's gradient, stride and padding."""
    for N, H, W, C, K, size, stride, padding in WINDOWS:
        Ho, Wo = ((side + 2 * padding - size) // stride + 1 for side in (H, W))
        arrays = normal((N, H, W, C)), normal((size, size, C, K)), normal((N, Ho, Wo, K))
        yield f"{size}x{size}, stride {stride}, padding {padding}", arrays, stride, padding


def convolve(backend: Backend) -> Results:
    """Convolve with strides, padding and odd sizes."""
    found = {}
    for title, (x, W, y), stride, padding in convolutions():
        found[title] = backend.convolve(backend.asarray(x), backend.asarray(W), backend.empty(y.shape), stride, padding)
    return found


def convolve_weight_gradient(backend: Backend) -> Results:
    """Go back to the weights, writing and adding."""
    found = {}
    for title, (x, W, grad_y), stride, padding in convolutions():
        for added in (False, True):
            out = backend.asarray(normal(W.shape, 1))
            given = backend.asarray(x), backend.asarray(grad_y), out, stride, padding
            found[f"{title}{', added' * added}"] = backend.convolve_weight_gradient(*given, accumulate=added)
    return found


def convolve_input_gradient(backend: Backend) -> Results:
    """Go back to the input."""
    found = {}
    for title, (x, W, grad_y), stride, padding in convolutions():
        given = backend.asarray(grad_y), backend.asarray(W), backend.asarray(np.full(x.shape, np.nan)), stride, padding
        found[title] = backend.convolve_input_gradient(*given)
    return found


POOLS = ((2, 2), (3, 2), (3, 1), (2, 3), (1, 1), (5, 5))
"""Size and stride; of images of 8 by 7, some rows and columns fill no window."""
IMAGES = (2, 8, 7, 3)


def pooled_shape(size: int, stride: int) -> tuple[int, ...]:
    """Return the shape that pooling leaves of `IMAGES`."""
    N, H, W, C = IMAGES
    return N, (H - size) // stride + 1, (W - size) // stride + 1, C


def with_ties() -> npt.NDArray[np.float64]:
    """Return images most of whose windows have several largest entries."""
    return np.random.default_rng(2).integers(0, 3, IMAGES).astype(np.float64)


def max_pool(backend: Backend) -> Results:
    """Pool windows that overlap, have ties, or hold what is no number."""
    found = {}
    holed = with_ties()
    holed[0, 1, 0], holed[1, 4, 3] = np.nan, np.nan
    for size, stride in POOLS:
        shape = pooled_shape(size, stride)
        y, chosen = backend.empty(shape), backend.empty(shape, "uint8")
        title = f"{size}x{size}, stride {stride}"
        found[title] = backend.max_pool(backend.asarray(with_ties()), size, stride, y, chosen)
        found[f"{title}, places"] = chosen
        y, chosen = backend.empty(shape), backend.empty(shape, "uint8")
        found[f"{title}, NaN"] = backend.max_pool(backend.asarray(holed), size, stride, y, chosen)
    return found


def drawn_places(backend: Backend, size: int, stride: int) -> Array:
    """Return which entry each window chose: drawn, not found by pooling, whose faults are another kernel's."""
    shape = pooled_shape(size, stride)
    chosen = backend.empty(shape, "uint8")
    chosen[...] = backend.asarray(np.random.default_rng(size).integers(0, size * size, shape))
    return chosen


def max_pool_gradient(backend: Backend) -> Results:
    """Hand gradients to the entries that windows chose, some of them several times."""
    found = {}
    for size, stride in POOLS:
        grad_y = backend.asarray(normal(pooled_shape(size, stride)))
        out = backend.asarray(np.full(IMAGES, np.nan))
        given = grad_y, drawn_places(backend, size, stride), size, stride, out
        found[f"{size}x{size}, stride {stride}"] = backend.max_pool_gradient(*given)
    return found


def max_pool_tangent(backend: Backend) -> Results:
    """Gather the entries that windows chose, what is no number among them."""
    found = {}
    dx = normal(IMAGES)
    dx[0, 1, 0], dx[1, 4, 3] = np.nan, np.inf
    for size, stride in POOLS:
        out = backend.asarray(np.full(pooled_shape(size, stride), -9.0))
        given = backend.asarray(dx), drawn_places(backend, size, stride), size, stride, out
        found[f"{size}x{size}, stride {stride}"] = backend.max_pool_tangent(*given)
    return found


def unpool(backend: Backend) -> Results:
    """Fill places from their nearest windows."""
    return {
        f"{size}x{size}, stride {stride}": backend.unpool(
            backend.asarray(normal(pooled_shape(size, stride))), stride, backend.empty(IMAGES)
        )
        for size, stride in POOLS
    }


def unpool_gradient(backend: Backend) -> Results:
    """Gather what `unpool` spread."""
    return {
        f"{size}x{size}, stride {stride}": backend.unpool_gradient(
            backend.asarray(normal(IMAGES)), stride, backend.empty(pooled_shape(size, stride))
        )
        for size, stride in POOLS
    }


def average_pool(backend: Backend) -> Results:
    """Average windows that overlap, have gaps between them, or hold what is no number."""
    holed = normal(IMAGES)
    holed[0, 1, 0], holed[1, 4, 3] = np.nan, np.inf
    return {
        f"{size}x{size}, stride {stride}{title}": backend.average_pool(
            backend.asarray(x), size, stride, backend.empty(pooled_shape(size, stride))
        )
        for size, stride in POOLS
        for title, x in (("", normal(IMAGES)), (", holed", holed))
    }


def average_pool_gradient(backend: Backend) -> Results:
    """Hand out the shares of gradients."""
    return {
        f"{size}x{size}, stride {stride}": backend.average_pool_gradient(
            backend.asarray(normal(pooled_shape(size, stride))), size, stride, backend.asarray(np.full(IMAGES, np.nan))
        )
        for size, stride in POOLS
    }


def crop_and_mirror(backend: Backend) -> Results:
    """Crop with every margin, mirrored and not, images of one pixel among them."""
    found = {}
    for shape in ((9, 12, 11, 3), (2, 1, 1, 2), (4, 8, 8, 1)):
        N, H, W, _ = shape
        margin = np.arange(N) % (min(H, W) // 4 + 1)
        draws = margin // 2, margin - margin // 2, margin, np.arange(N) % 2 == 1
        images = backend.asarray(normal(shape))
        found[str(shape)] = backend.crop_and_mirror(images, *draws, backend.asarray(np.full(shape, np.nan)))
    return found


def shift_and_mirror(backend: Backend) -> Results:
    """Move images by every distance up to beyond their size, each way, mirrored and not, into one that is not blank."""
    found = {}
    for H, W, C in ((5, 4, 3), (1, 1, 2), (8, 3, 1)):
        shifts = [(row, column) for row in range(-H - 1, H + 2) for column in range(-W - 1, W + 2)] * 2
        top, left = (np.array(one) for one in zip(*shifts, strict=True))
        shape = (len(shifts), H, W, C)
        images, blank = backend.asarray(normal(shape)), backend.asarray(normal((H, W, C), 1))
        mirrored = np.arange(len(shifts)) >= len(shifts) // 2
        out = backend.asarray(np.full(shape, np.nan))
        found[str((H, W, C))] = backend.shift_and_mirror(images, blank, top, left, mirrored, out)
    return found


IMAGE_PROBES = (
    convolve,
    convolve_weight_gradient,
    convolve_input_gradient,
    max_pool,
    max_pool_gradient,
    max_pool_tangent,
    unpool,
    unpool_gradient,
    average_pool,
    average_pool_gradient,
    crop_and_mirror,
    shift_and_mirror,
)

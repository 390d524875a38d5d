"""Probes of what batch normalisation asks of a backend; see `bdfa_np.parity.kernels`."""

import numpy as np

from bdfa_np.backend.base import Array, Backend
from bdfa_np.parity.images import Results, normal

SHAPES = ((1, 5), (300, 7), (300, 1), (3, 300))
"""Of (M, C): more rows, or columns, than a block of CUDA's has threads, and as few as there may be."""


def _unwritten(backend: Backend, *shape: int) -> Array:
    return backend.asarray(np.full(shape, np.nan))


def _vectors(backend: Backend, C: int, count: int) -> list[Array]:
    return [backend.asarray(normal((C,), 5 + seed)) for seed in range(count)]


def moments(backend: Backend) -> Results:
    """Take columns whose mean is large beside their deviation."""
    found: Results = {}
    for M, C in SHAPES:
        mean, variance = _unwritten(backend, C), _unwritten(backend, C)
        backend.moments(backend.asarray(normal((M, C)) + 3), mean, variance)
        found |= {f"mean of {M}x{C}": mean, f"variance of {M}x{C}": variance}
    return found


def normalise(backend: Backend) -> Results:
    """Shift and scale each column by its own numbers."""
    found: Results = {}
    for M, C in SHAPES:
        mean, scale, shift = _vectors(backend, C, 3)
        x, y = backend.asarray(normal((M, C))), _unwritten(backend, M, C)
        found[f"{M}x{C}"] = backend.normalise(x, mean, scale, shift, y)
    return found


def centred_sums(backend: Backend) -> Results:
    """Sum a gradient, alone and along what it is the gradient of."""
    found: Results = {}
    for M, C in SHAPES:
        x, g = backend.asarray(normal((M, C))), backend.asarray(normal((M, C), 1))
        (mean,), sum_g, sum_gx = _vectors(backend, C, 1), _unwritten(backend, C), _unwritten(backend, C)
        backend.centred_sums(g, x, mean, sum_g, sum_gx)
        found |= {f"Σ g of {M}x{C}": sum_g, f"Σ g (x - mean) of {M}x{C}": sum_gx}
    return found


def normalise_gradient(backend: Backend) -> Results:
    """Carry a gradient back, into memory of its own and in its own place."""
    found: Results = {}
    for M, C in SHAPES:
        x, g = backend.asarray(normal((M, C))), backend.asarray(normal((M, C), 1))
        mean, along, common, scale = _vectors(backend, C, 4)
        out = _unwritten(backend, M, C)
        found[f"{M}x{C}"] = backend.normalise_gradient(g, x, mean, along, common, scale, out)
        found[f"{M}x{C} in place"] = backend.normalise_gradient(g, x, mean, along, common, scale, g)
    return found


NORMALISATION_PROBES = (moments, normalise, centred_sums, normalise_gradient)

"""How many directions a batch of signals or activities really has."""

import numpy as np
from numpy.typing import NDArray

from bdfa_np.backend.base import Array, Backend
from bdfa_np.diagnostics.vectors import BLOCK


def effective_rank(backend: Backend, a: Array) -> float:
    """Return ``(Σ σ)² / Σ σ²`` of the singular values of a batch (N, ...) as a matrix of N rows.

    It is 1 where all images have one direction, and at most the smaller side, where all directions are alike; NaN where
    all entries are zero, or one is no finite number.

    The singular values are the roots of the eigenvalues of the product of the smaller side, in float64: those below
    1e-8 of the largest are rounding.
    """
    products = gram(backend, a)
    if not np.isfinite(products).all():
        return float("nan")
    eigenvalues = np.maximum(np.linalg.eigvalsh(products), 0)
    total = float(eigenvalues.sum())
    return float(np.sqrt(eigenvalues).sum() ** 2) / total if total else float("nan")


def gram(backend: Backend, a: Array) -> NDArray[np.float64]:
    """Return ``a aᵀ``, or ``aᵀ a`` where that is smaller, of a batch (N, ...) as a matrix, on the host."""
    matrix = a.reshape(len(a), -1)
    if matrix.shape[0] > matrix.shape[1]:
        matrix = matrix.T
    size, long = matrix.shape
    step = max(1, BLOCK // size)
    total = backend.xp.zeros((size, size), "float64")
    for start in range(0, long, step):
        block = matrix[:, start : start + step].astype("float64")
        total += block @ block.T
    found: NDArray[np.float64] = backend.to_host(total)
    return found

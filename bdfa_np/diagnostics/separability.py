"""How well a linear reader tells the classes from a layer's activities: a ridge probe."""

import numpy as np
from numpy.typing import NDArray

from bdfa_np.backend.base import Array, Backend
from bdfa_np.diagnostics.vectors import BLOCK

PENALTY = 1.0
"""The ridge penalty, as a multiple of the mean squared norm of an image's standardised activities."""
CONSTANT = 1e-6
"""A unit is constant whose standard deviation is below this share of its layer's largest activity."""


def probe_error(
    backend: Backend, h: Array, labels: NDArray[np.integer], held_out: NDArray[np.integer], K: int
) -> float:
    """Return the error, on held-out images, of ridge regression of one-hot targets on activities.

    Parameters
    ----------
    backend : Backend
        Where ``h`` is.
    h : array (N + M, ...)
        The activities of the N images to learn from, then of the M held out.
    labels, held_out : integer array (N,) and (M,)
        Their classes.
    K : int
        The number of classes.

    Returns
    -------
    float
        The share of the M images that are taken for another class; NaN where an activity is no finite number.

    Notes
    -----
    With ``Z`` the activities standardised by mean and deviation over the N images, constant units left out, and ``T``
    the one-hot targets, centred: ``min ‖Z A - T‖² + λ‖A‖²``, with ``λ`` the mean of ``‖z_i‖²`` over the N images, by
    the N×N system ``(Z Zᵀ + λ I) C = T``.
    """
    N = len(labels)
    products = standardised_products(backend, h, N)
    if not np.isfinite(products).all():
        return float("nan")
    T = np.eye(K)[labels]
    mean = T.mean(axis=0)
    penalty = PENALTY * float(np.trace(products[:N])) / N
    if penalty == 0:  # every unit is constant: nothing tells one image from another
        scores = np.zeros((len(held_out), K))
    else:
        C = np.linalg.solve(products[:N] + penalty * np.eye(N), T - mean)
        scores = products[N:] @ C
    return float(((scores + mean).argmax(axis=1) != held_out).mean())


def standardised_products(backend: Backend, h: Array, N: int) -> NDArray[np.float64]:
    """Return ``Z Z[:N]ᵀ`` (len(h), N) on the host, by blocks of units.

    A block is computed in the backend's precision: its rounding is far below the penalty. Blocks are added in float64.
    """
    matrix = h.reshape(len(h), -1)
    xp, step = backend.xp, max(1, BLOCK // len(h))
    largest = xp.absolute(matrix[:N]).max()
    scale = 1 / xp.where(largest > 0, largest, 1)  # no square is too large or too small
    total = xp.zeros((len(h), N), "float64")
    for start in range(0, matrix.shape[1], step):
        block = matrix[:, start : start + step] * scale
        block -= block[:N].mean(axis=0)
        deviation = xp.sqrt((block[:N] * block[:N]).mean(axis=0))
        block *= xp.where(deviation > CONSTANT, 1 / xp.where(deviation > CONSTANT, deviation, 1), 0)
        total += block @ block[:N].T
    found: NDArray[np.float64] = backend.to_host(total)
    return found

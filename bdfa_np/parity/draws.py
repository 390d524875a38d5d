"""Probes of the kernels that draw random numbers, by the properties of what they draw; see `bdfa_np.parity.kernels`."""

from collections.abc import Callable

import numpy as np

from bdfa_np.backend.base import Array, Backend
from bdfa_np.parity import images
from bdfa_np.parity.images import Results

KEY = (0, 11, 22, 3)
OTHER_KEYS = ((1, 11, 22, 3), (0, 12, 22, 3), (0, 11, 23, 3), (0, 11, 22, 4), (0, 11, 22, 3 + 2**32))


def dropout(backend: Backend) -> Results:
    """Look at the masks' properties: each backend draws its own."""
    found: Results = {}
    size, x = 20_001, images.normal((20_001,))
    given = backend.asarray(x)

    def drawn(keep: float, *key: int) -> tuple[Array, Array]:
        mask, y = (backend.asarray(np.full(size, np.nan)) for _ in range(2))
        backend.dropout(given, key, keep, mask, y)
        return backend.to_host(mask), backend.to_host(y)

    for keep in (0.9, 0.5):
        mask, y = drawn(keep, *KEY)
        again, _ = drawn(keep, *KEY)
        found |= {
            f"{keep}: masks are 0 or 1/keep": np.asarray(np.isin(mask, np.array([0, 1 / keep], mask.dtype)).all()),
            f"{keep}: y is x times the mask": np.asarray((y == x.astype(mask.dtype) * mask).all()),
            f"{keep}: a key gives one mask": np.asarray((mask == again).all()),
            f"{keep}: as much is kept as should be": near(mask > 0, keep),
        }
        for other in OTHER_KEYS:
            both = (mask > 0) & (drawn(keep, *other)[0] > 0)
            found[f"{keep}: key {other} gives a mask of its own"] = near(both, keep**2)
    return found


def uniform(backend: Backend) -> Results:
    """Look at the properties of what is drawn: each backend draws its own."""
    found: Results = {}
    bound = 0.37

    def drawn(key: tuple[int, ...], size: int = 20_001) -> Array:
        return backend.to_host(backend.uniform(backend.asarray(np.full(size, np.nan)), key, bound))

    numbers = drawn(KEY)
    found["all lie within the bounds"] = np.asarray((np.abs(numbers) <= np.asarray(bound, numbers.dtype)).all())
    shares = np.array([-0.95, -0.5, 0.0, 0.5, 0.95])
    found["as many lie below as should"] = np.stack([near(numbers < s * bound, (1 + s) / 2) for s in shares])
    return found | _streams(drawn, numbers, bound**2 / 3)


def normal(backend: Backend) -> Results:
    """Look at the properties of what is drawn: each backend draws its own."""
    found: Results = {}

    def drawn(key: tuple[int, ...], size: int = 20_001) -> Array:
        return backend.to_host(backend.normal(backend.asarray(np.full(size, np.nan)), key))

    numbers = drawn(KEY)
    below = {-3.0: 0.00135, -2.0: 0.02275, -1.0: 0.15866, 0.0: 0.5, 1.0: 0.84134, 2.0: 0.97725, 3.0: 0.99865}
    found["as many lie below as should"] = np.stack([near(numbers < at, share) for at, share in below.items()])
    found["all are numbers"] = np.asarray(np.isfinite(numbers).all())
    return found | _streams(drawn, numbers, 1.0)


def _streams(drawn: Callable[..., Array], numbers: Array, variance: float) -> Results:
    """Say whether a key alone decides what is drawn, one number independent of the next."""
    deviation = variance / numbers.size**0.5
    neighbours = [(numbers[:-step] * numbers[step:]).mean() for step in (1, 2, 4)]
    found: Results = {
        "a key gives the same": np.asarray((numbers == drawn(KEY)).all()),
        "what is drawn has the variance": np.asarray(abs((numbers**2).mean() - variance) < 8 * deviation),
        "neighbours are independent": np.asarray(np.abs(neighbours) < 5 * deviation),
    }
    for size in (1, 2, 3, 1000):
        found[f"{size} are drawn"] = np.asarray(np.isfinite(drawn(KEY, size)).all())
    for key in OTHER_KEYS:
        correlation = (numbers * drawn(key)).mean()
        found[f"key {key} gives numbers of its own"] = np.asarray(abs(correlation) < 5 * deviation)
    return found


def near(drawn: Array, probability: float) -> Array:
    """Return whether the share of what was drawn is within five standard deviations of its probability."""
    deviation = (probability * (1 - probability) / drawn.size) ** 0.5
    return np.asarray(abs(drawn.mean() - probability) < 5 * deviation)


DRAW_PROBES = (dropout, uniform, normal)

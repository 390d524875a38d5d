"""How many threads the libraries of linear algebra may use."""

from contextlib import AbstractContextManager


def limited_threads(count: int | None) -> AbstractContextManager[object]:
    """Return a context in which BLAS uses so many threads; None leaves it alone."""
    import numpy  # noqa: F401 - threadpoolctl limits the libraries that are loaded by now
    from threadpoolctl import threadpool_limits

    limits: AbstractContextManager[object] = threadpool_limits(limits=count)
    return limits

"""How many threads the libraries of linear algebra may use."""

from collections.abc import Callable
from contextlib import AbstractContextManager


def limited_threads(count: int | None) -> AbstractContextManager[object]:
    """Return a context in which BLAS uses so many threads; None leaves it alone."""
    import numpy  # noqa: F401 - threadpoolctl limits the libraries that are loaded by now
    from threadpoolctl import threadpool_limits

    limits: AbstractContextManager[object] = threadpool_limits(limits=count)
    return limits


def thread_limits() -> Callable[[int], AbstractContextManager[object]]:
    """Return a function that is called as `limited_threads`, and that looks for the libraries this once."""
    import numpy  # noqa: F401 - only a library that is loaded by now is found
    from threadpoolctl import ThreadpoolController

    controller = ThreadpoolController()

    def limited(count: int) -> AbstractContextManager[object]:
        limits: AbstractContextManager[object] = controller.limit(limits=count)
        return limits

    return limited

"""Training steps as CUDA graphs: recorded once, then launched as a whole, which spares the host a launch a kernel."""

import contextlib
from collections.abc import Callable
from typing import Any, Protocol

from bdfa_np.backend.base import Array, CountsPasses, Step
from bdfa_np.errors import BackendError
from bdfa_np.parallel.share import Share


class CapturesSteps(Protocol):
    """What a recording has to know of the backend that makes it.

    Attributes
    ----------
    xp : module
        CuPy.
    stream : cupy.cuda.Stream
        What is captured.
    allocations : int
        How many arrays were handed out that last longer than a step.
    later : array (1,)
        Added to the number of a training pass.
    share : Share
        What part of a batch is computed here.
    """

    xp: Any
    stream: Any
    allocations: int
    later: Array
    share: Share

    def new_pool(self) -> Any:
        """Return a memory pool."""

    def whole_number(self, value: int) -> Array:
        """Return a number that lies on the device, as an array (1,)."""


class Recording:
    """One step, for batches of one shape, as a graph.

    It reads its batch from memory of its own, and takes what it allocates from a pool that nobody else uses.
    """

    def __init__(self, backend: CapturesSteps, step: Step, network: CountsPasses, x: Array, labels: Array) -> None:
        xp = backend.xp
        self._backend, self._network = backend, network
        self._x, self._labels = xp.empty_like(x), xp.empty_like(labels)
        self._pool = backend.new_pool()
        self._later = backend.whole_number(0)
        self._first_pass = network.training_passes
        before, backend.later = backend.later, self._later
        try:
            with xp.cuda.using_allocator(self._pool.malloc):
                self._graph = captured(backend.stream, lambda: step(self._x, self._labels))
        except Exception as error:
            network.training_passes = self._first_pass
            raise BackendError(
                f"--cuda-graph: a step of this net cannot be captured ({error}): leave it out"
            ) from error
        finally:
            backend.later = before
        self._passes = network.training_passes - self._first_pass
        network.training_passes = self._first_pass
        self.allocations = backend.allocations

    def __call__(self, x: Array, labels: Array) -> None:
        """Run the step on another batch."""
        self._x[...] = x
        self._labels[...] = labels
        # Random masks are keyed by the number of the pass, which the graph knows as it was when it was recorded.
        self._later.fill(self._network.training_passes - self._first_pass)
        self._graph.launch()
        self._network.training_passes += self._passes


def captured(stream: Any, work: Callable[[], None]) -> Any:
    """Return the graph of what is asked of a stream, without doing it."""
    stream.begin_capture()
    try:
        work()
    except BaseException:
        with contextlib.suppress(Exception):  # the first error says what was wrong, not that the capture is void
            stream.end_capture()
        raise
    return stream.end_capture()


class RecordedStep:
    """A step that is recorded when it meets a shape of batches, and a share of them, for the second time.

    The first time, it runs as it is: kernels are compiled and buffers allocated, which cannot be recorded. A graph
    knows its buffers by their addresses, so whenever the backend has handed out new ones since, all begins anew.

    Parameters
    ----------
    backend : CapturesSteps
        Where to compute.
    step : callable
        What to record: ``step(x, labels)``, which must not wait for the device and returns nothing.
    network : CountsPasses
        What the step trains.

    Raises
    ------
    BackendError
        When called, if the step cannot be recorded.
    """

    def __init__(self, backend: CapturesSteps, step: Step, network: CountsPasses) -> None:
        self._backend, self._step, self._network = backend, step, network
        self._met: dict[Any, int] = {}
        self._recordings: dict[Any, Recording] = {}

    def __call__(self, x: Array, labels: Array) -> None:
        """Train on one batch, on the device."""
        shape, allocations = (tuple(x.shape), self._backend.share), self._backend.allocations
        recording = self._recordings.get(shape)
        if recording is None or recording.allocations != allocations:
            self._recordings.pop(shape, None)
            if self._met.get(shape) != allocations:
                self._step(x, labels)
                self._met[shape] = self._backend.allocations
                return
            recording = self._recordings[shape] = Recording(self._backend, self._step, self._network, x, labels)
        recording(x, labels)

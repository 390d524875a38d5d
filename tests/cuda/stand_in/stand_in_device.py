"""The device of the stand-in for CuPy: its memory is the host's, and its streams are queues of Python functions.

A stream runs its work at once, unless it is made late: then work waits until somebody waits for it, as late as CUDA may
do it, and what forgets to wait computes on stale data.
"""

import functools
import importlib
import itertools
import warnings
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import numpy as np

Work = Callable[[], None]
ALIGNMENT = 512
CAPTURE_UNSUPPORTED, INVALID_DEVICE, INVALID_VALUE = 900, 101, 1
"""Of CUDA's error codes those that are raised."""
UNINITIALISED = 0xFF
"""What fills new memory: NaN as a floating-point number, -1 as an integer."""


@functools.cache
def real_cupy() -> Any:
    """Import the CuPy that is installed, which needs no driver, for its names and signatures."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module("cupy")


def cuda_error(status: int) -> Exception:
    """Return CuPy's exception for an error code of CUDA's."""
    error: Exception = real_cupy().cuda.runtime.CUDARuntimeError(status)
    return error


class Stream:
    """A queue of work, non-blocking.

    While it is captured, its work is recorded and not done.
    """

    null: "Stream"
    _numbers = itertools.count(1)
    _by_pointer: "ClassVar[weakref.WeakValueDictionary[int, Stream]]" = weakref.WeakValueDictionary()  # noqa: RUF012

    def __init__(
        self, null: bool = False, non_blocking: bool = False, ptds: bool = False, priority: Any = None
    ) -> None:
        if null or ptds or priority is not None or not non_blocking:
            raise AssertionError("the stand-in has only streams with non_blocking=True and no other option")
        self._begin(4096 * next(self._numbers))

    def _begin(self, pointer: int) -> None:
        self.ptr = pointer
        self._queue: deque[Work] = deque()
        self._issued = self._done = 0
        self._recorded: list[Work] | None = None
        self._outer: list[Stream] = []
        self._by_pointer[pointer] = self

    def __enter__(self) -> "Stream":
        self._outer.append(machine.stream)
        machine.stream = self
        return self

    def __exit__(self, *_: object) -> None:
        machine.stream = self._outer.pop()

    def use(self) -> "Stream":
        """Make it the current stream."""
        machine.stream = self
        return self

    def _run(self, until: int | None = None) -> None:
        while self._queue and (until is None or self._done < until):
            self._done += 1
            self._queue.popleft()()

    def _issue(self, work: Work) -> None:
        if self._recorded is not None:
            self._recorded.append(work)
            return
        self._queue.append(work)
        self._issued += 1
        if not machine.is_late(self):
            self._run()

    def _refuse_in_capture(self) -> None:
        if self._recorded is not None:
            raise cuda_error(CAPTURE_UNSUPPORTED)

    def synchronize(self) -> None:
        """Do all its work."""
        self._refuse_in_capture()
        machine.waits("Stream.synchronize")
        self._run()

    def record(self, event: "Event | None" = None) -> "Event":
        """Record an event."""
        event = Event() if event is None else event
        event.record(self)
        return event

    def wait_event(self, event: "Event") -> None:
        """Let the work to come wait for what an event has recorded."""
        if self._recorded is not None:
            raise AssertionError("the stand-in does not simulate events within a capture")
        if event._stream is not None:
            self._issue(functools.partial(event._stream._run, event._mark))

    @property
    def is_non_blocking(self) -> bool:
        """Whether it does not wait for the null stream."""
        return self is not Stream.null

    def is_capturing(self) -> bool:
        """Return whether its work is recorded."""
        return self._recorded is not None

    def begin_capture(self, mode: Any = None) -> None:
        """Record the work to come in place of doing it."""
        if self is Stream.null or self._recorded is not None or mode is not None:
            raise cuda_error(CAPTURE_UNSUPPORTED)
        self._recorded = []

    def end_capture(self) -> "Graph":
        """Return what was recorded."""
        if self._recorded is None:
            raise cuda_error(INVALID_VALUE)
        graph = Graph(self._recorded)
        self._recorded = None
        return graph


class Graph:
    """Work that was recorded, to be done again on the same memory."""

    def __init__(self, recorded: list[Work]) -> None:
        self._recorded = recorded

    def launch(self, stream: Stream | None = None) -> None:
        """Do it all."""
        (stream or machine.stream)._issue(self._replay)

    def _replay(self) -> None:
        for work in self._recorded:
            work()


class Event:
    """A place in a stream."""

    def __init__(self, block: bool = False, disable_timing: bool = False, interprocess: bool = False) -> None:
        if block or interprocess:
            raise AssertionError("the stand-in has no events with block or interprocess")
        self._timed = not disable_timing
        self._stream: Stream | None = None
        self._mark = 0

    def record(self, stream: Stream | None = None) -> None:
        """Remember how far a stream's work has been issued."""
        stream = stream or machine.stream
        if stream._recorded is not None:
            raise AssertionError("the stand-in does not simulate events within a capture")
        self._stream, self._mark = stream, stream._issued

    def synchronize(self) -> None:
        """Do the work that it was recorded after."""
        if self._stream is not None:
            self._stream._run(self._mark)

    @property
    def done(self) -> bool:
        """Whether that work is done."""
        return self._stream is None or self._stream._done >= self._mark


class Machine:
    """What there is one of: the current stream and allocator, the counters, and how late streams are.

    Attributes
    ----------
    devices, device : int
        How many there are, and which is the current one.
    late : {None, "copies", "computing", "everything"}
        Which streams do nothing before somebody waits for them: none, all but the current one, the current one, or all.
    host_copies, uploads : list of str
        The calls that have copied to the host, and from it.
    forbidden : bool
        Whether a copy to the host, or a wait for the device, is an error.
    """

    def __init__(self) -> None:
        self.late: str | None = None
        self.devices, self.device = 1, 0
        self.stream = Stream.__new__(Stream)
        self.stream._begin(0)
        self.null = self.stream
        self.blocks: dict[int, Any] = {}
        self.pinned: dict[int, int] = {}
        self.host_copies: list[str] = []
        self.uploads: list[str] = []
        self.forbidden = False

    def is_late(self, stream: Stream) -> bool:
        """Return whether a stream does nothing before somebody waits for it."""
        return self.late in ("everything", "computing" if stream is self.stream else "copies")

    def runs_now(self) -> bool:
        """Return whether work for the current stream is done at once; if so, do what it still has."""
        if self.stream.is_capturing() or self.is_late(self.stream):
            return False
        self.stream._run()
        return True

    def waits(self, what: str) -> None:
        """Refuse a call that waits for the device where that is forbidden."""
        if self.forbidden:
            raise AssertionError(f"{what} waits for the device")

    def copies_to_host(self, what: str) -> None:
        """Count a call that copies to the host, which waits for the current stream."""
        self.stream._refuse_in_capture()
        self.waits(what)
        self.host_copies.append(what)
        self.stream._run()

    def block_at(self, address: int, size: int) -> Any:
        """Return the memory of the device that holds ``size`` bytes at an address.

        Raises
        ------
        AssertionError
            If they are not within one allocation.
        """
        for start, reference in self.blocks.copy().items():  # some may be freed meanwhile
            block = reference()
            if block is not None and start <= address and address + size <= start + block.nbytes:
                return block
        raise AssertionError(f"{size} bytes at {address:#x} are not the device's memory")

    def is_pinned(self, array: Any) -> bool:
        """Return whether an array of the host lies in page-locked memory."""
        address = array.ctypes.data
        return any(start <= address < start + size for start, size in self.pinned.items())


class MemoryPointer:
    """Some memory of the device."""

    def __init__(self, block: Any, address: int) -> None:
        self._block = block
        self.ptr = address


class MemoryPool:
    """Memory of the device, counted in bytes."""

    def __init__(self, allocator: Any = None) -> None:
        if allocator is not None:
            raise AssertionError("the stand-in's pools take no allocator")
        self._used = self._limit = 0

    def malloc(self, size: int) -> MemoryPointer:
        """Return new memory, filled with what is no number."""
        if self is default_pool:
            # CUDA would grant it, but hand the memory to others when the capture has ended.
            machine.stream._refuse_in_capture()
        rounded = max(1, -(-size // ALIGNMENT)) * ALIGNMENT
        if self._limit and self._used + rounded > self._limit:
            raise real_cupy().cuda.memory.OutOfMemoryError(rounded, self._used, self._limit)
        block = np.empty(rounded + ALIGNMENT, np.uint8)
        block.fill(UNINITIALISED)
        address = -(-block.ctypes.data // ALIGNMENT) * ALIGNMENT
        start = block.ctypes.data
        machine.blocks[start] = weakref.ref(block)
        weakref.finalize(block, self._free, machine.blocks, start, rounded)
        self._used += rounded
        return MemoryPointer(block, address)

    def _free(self, blocks: dict[int, Any], start: int, size: int) -> None:
        self._used -= size
        blocks.pop(start, None)

    def used_bytes(self) -> int:
        """Return how much is in use."""
        return self._used

    def total_bytes(self) -> int:
        """Return how much is held; nothing is held that is not in use."""
        return self._used

    def get_limit(self) -> int:
        """Return the limit; 0 is none."""
        return self._limit

    def set_limit(self, size: int | None = None, fraction: float | None = None) -> None:
        """Set the limit in bytes."""
        if fraction is not None or size is None:
            raise AssertionError("the stand-in's pools take a limit in bytes")
        self._limit = size

    def free_all_blocks(self, stream: Stream | None = None) -> None:
        """Free what is not in use: nothing is held that is not."""
        del stream


class PinnedMemory(bytearray):
    """Page-locked memory of the host: a copy from it reads it when it is done, not when it is asked for."""


def alloc_pinned_memory(size: int) -> PinnedMemory:
    """Return page-locked memory."""
    memory = PinnedMemory(bytes([UNINITIALISED]) * max(1, size))
    address = np.frombuffer(memory, np.uint8).ctypes.data
    machine.pinned[address] = len(memory)
    weakref.finalize(memory, machine.pinned.pop, address, None)
    return memory


def allocate(shape: tuple[int, ...], dtype: Any, order: str = "C") -> Any:
    """Return a NumPy array in new memory of the current allocator's."""
    dtype = np.dtype(dtype)
    size = int(np.prod(shape, dtype=np.int64))
    pointer = allocator[-1](size * dtype.itemsize)
    offset = pointer.ptr - pointer._block.ctypes.data
    flat = pointer._block[offset : offset + size * dtype.itemsize].view(dtype)
    return flat.reshape(shape, order=order)


@contextmanager
def using_allocator(allocate_with: Any = None) -> Iterator[None]:
    """Take memory from another pool meanwhile."""
    allocator.append(allocate_with or default_pool.malloc)
    try:
        yield
    finally:
        allocator.pop()


@contextmanager
def no_host_copies() -> Iterator[None]:
    """Make every copy to the host, and every wait for the device but for an event, an AssertionError meanwhile."""
    before, machine.forbidden = machine.forbidden, True
    try:
        yield
    finally:
        machine.forbidden = before


machine: Machine
default_pool: MemoryPool
allocator: list[Any]


def reset() -> None:
    """Begin with a new device."""
    global machine, default_pool, allocator  # noqa: PLW0603 - there is one device, as there is one of CuPy's
    machine, default_pool = Machine(), MemoryPool()
    allocator = [default_pool.malloc]
    Stream.null = machine.null


reset()

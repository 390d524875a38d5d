"""Batches on their way to the device: the next one arrives while the device computes on this one."""

from collections.abc import Iterable, Iterator
from math import prod
from typing import Any

import numpy as np

from bdfa_np.backend.base import Array, Batch


class Slot:
    """Where a batch lies: page-locked memory on the host, from which the device copies by itself, and the device's own.

    Parameters
    ----------
    cupy : module
        CuPy.
    dtype : {"float32", "float64"}
        The precision of floating-point numbers on the device.
    """

    def __init__(self, cupy: Any, dtype: str) -> None:
        self._cupy, self._dtype = cupy, dtype
        self._host: dict[str, Any] = {}
        self._device: dict[str, Any] = {}
        event = cupy.cuda.Event
        self.arrived, self.used = event(disable_timing=True), event(disable_timing=True)

    def fill(self, batch: Batch, copying: Any) -> Batch:
        """Start to copy a batch on the stream ``copying``; return where it will be on the device."""
        self.arrived.synchronize()  # the copy before has left the host's memory
        x, labels = (self._place(name, array) for name, array in zip(("x", "labels"), batch, strict=True))
        copying.wait_event(self.used)  # the step before has done with the device's
        for (host, device), array in ((x, batch[0]), (labels, batch[1])):
            if host is not None:
                np.copyto(host, array, casting="same_kind")
                device.set(host, stream=copying)
        self.arrived.record(copying)
        return x[1], labels[1]

    def _place(self, name: str, array: Array) -> tuple[Any, Any]:
        """Return memory for an array on the host and on the device; one that is on the device already stays there."""
        if isinstance(array, self._cupy.ndarray):
            return None, array
        dtype, size = np.dtype(self._dtype if array.dtype.kind == "f" else np.int64), prod(array.shape)
        held = self._device.get(name)
        if held is None or held.size < size or held.dtype != dtype:
            held = self._device[name] = self._cupy.empty((size,), dtype)  # no graph reads it
            pinned = self._cupy.cuda.alloc_pinned_memory(size * dtype.itemsize)
            self._host[name] = np.frombuffer(pinned, dtype, size)
            # Whoever had this memory before may be at work on it, in the order of the stream that computes.
            self.used.record(self._cupy.cuda.get_current_stream())
        return self._host[name][:size].reshape(array.shape), held[:size].reshape(array.shape)


class Feed:
    """Brings batches to the device, two at a time.

    Parameters
    ----------
    cupy : module
        CuPy.
    dtype : {"float32", "float64"}
        The precision of floating-point numbers on the device.
    """

    def __init__(self, cupy: Any, dtype: str) -> None:
        self._current_stream = cupy.cuda.get_current_stream
        self._copying = cupy.cuda.Stream(non_blocking=True)
        self._slots = (Slot(cupy, dtype), Slot(cupy, dtype))

    def __call__(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """Yield the batches on the device; each is valid until the next is asked for."""
        for number, batch in enumerate(batches):
            slot = self._slots[number % 2]
            arrays = slot.fill(batch, self._copying)
            computing = self._current_stream()
            computing.wait_event(slot.arrived)
            try:
                yield arrays
            finally:
                slot.used.record(self._current_stream())

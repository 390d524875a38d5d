"""Memory for what does not outlive a step: lent again once nobody holds the array that it was lent as."""

import contextlib
import mmap
import sys
import weakref
from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from bdfa_np.backend.base import Array


class _Loan:
    """What a lent array and all views of it have for a base: it is gone as soon as the last of them is."""

    __slots__ = ("__array_interface__", "__weakref__", "block")

    def __init__(self, block: Array, interface: dict[str, Any]) -> None:
        self.block = block
        self.__array_interface__ = interface


def pages(size: int) -> Array:
    """Return bytes in pages of their own, which go back to the system as a whole: what grows leaves no holes behind."""
    if sys.platform == "win32":
        return np.empty(size, np.uint8)
    memory = mmap.mmap(-1, max(size, 1), flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        with contextlib.suppress(OSError):  # a kernel without them
            memory.madvise(mmap.MADV_HUGEPAGE)  # as NumPy does for its own large arrays
    return np.frombuffer(memory, np.uint8)[:size]


class _Slot:
    """One block of memory, and who has it."""

    def __init__(self) -> None:
        self.block = np.empty(0, np.uint8)
        self.loan: Callable[[], _Loan | None] = lambda: None
        self.interfaces: dict[Any, dict[str, Any]] = {}  # from step to step they are the same

    def lend(self, shape: tuple[int, ...], dtype: npt.DTypeLike) -> Array:
        interface = self.interfaces.get((shape, dtype))
        if interface is None:
            interface = self.interfaces[shape, dtype] = self._made_room(shape, np.dtype(dtype))
        loan = _Loan(self.block, interface)
        self.loan = weakref.ref(loan)
        return np.asarray(loan)

    def _made_room(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> dict[str, Any]:
        size = prod(shape) * dtype.itemsize
        if self.block.size < size:
            self.block = np.empty(0, np.uint8)  # what it had goes before there is more
            self.block = pages(size)
            self.interfaces.clear()  # they name the place that it had
        place = self.block.__array_interface__["data"]
        return {"shape": shape, "typestr": dtype.str, "data": place, "version": 3}


class Lender:
    """Lends arrays from as few blocks of memory as are needed at one time.

    The layers of a net pass a gradient down: each reads the one and writes the next, so that two blocks, taken in
    turns, serve them all. An array that somebody keeps stays what it is, and another block is taken in its place.
    """

    def __init__(self) -> None:
        self._slots: list[_Slot] = []

    def lend(self, shape: tuple[int, ...], dtype: npt.DTypeLike) -> Array:
        """Return an uninitialised array; its memory comes back by itself, with the last reference to it or a view.

        The first block that is free is taken, and grows where it is too small: what is asked for step by step in the
        same order lies in the same places, and each block is as large as the largest that it has to hold.
        """
        for slot in self._slots:
            if slot.loan() is None:
                break
        else:
            slot = _Slot()
            self._slots.append(slot)
        return slot.lend(shape, dtype)

    def bytes_held(self) -> list[int]:
        """Return the size of each block."""
        return [slot.block.size for slot in self._slots]

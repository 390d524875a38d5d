"""The CUDA kernels: their sources, compiled when they are first used, and how they are launched."""

import functools
from importlib import resources
from math import ceil
from typing import Any

import numpy as np

from bdfa_np.backend.base import Array
from bdfa_np.backend.cuda.formula import PRELUDE, REALS, kernel_source
from bdfa_np.backend.formula import Formula

THREADS = 256
"""Threads a block; the kernels that add up over a block are written for this number."""
MOST_BLOCKS = 65536
"""Of a kernel whose threads take as many entries as there are."""
MOST_PLACES = 2**31 - 1 - THREADS * MOST_BLOCKS
"""Entries of a kernel that counts in 32 bits: a step beyond the last must still be a number."""


@functools.cache
def named_source(dtype: str) -> str:
    """Return the CUDA module of all kernels that have names of their own, in one precision."""
    return PRELUDE.format(real=REALS[dtype]) + resources.files(__package__).joinpath("kernels.cu").read_text("utf-8")


class Kernels:
    """The kernels of one precision on the current device.

    Parameters
    ----------
    cupy : module
        CuPy.
    dtype : {"float32", "float64"}
        The precision.
    """

    def __init__(self, cupy: Any, dtype: str) -> None:
        self._cupy = cupy
        self._dtype = dtype
        self._number = np.dtype(dtype).type
        self._module = cupy.RawModule(code=named_source(dtype))
        self._functions: dict[Any, Any] = {}

    def each(self, name: str, size: int, *arguments: Any) -> None:
        """Launch a kernel of this name, whose threads share ``size`` entries among them."""
        self.blocks(name, min(ceil(size / THREADS), MOST_BLOCKS), *arguments)

    def places(self, name: str, size: int, *arguments: Any, blocks: int | None = None) -> None:
        """Launch a kernel that counts in 32 bits, and whose threads share ``size`` entries, or in so many blocks.

        Raises
        ------
        ValueError
            If there are more entries than such a kernel can count.
        """
        if size > MOST_PLACES:
            raise ValueError(f"{size} entries in one array are too many for {name} on CUDA: take smaller batches")
        if blocks is None:
            blocks = min(ceil(size / THREADS), MOST_BLOCKS)
        self.blocks(name, blocks, *[np.int32(value) if type(value) is int else value for value in arguments])

    def blocks(self, name: str, blocks: int, *arguments: Any) -> None:
        """Launch a kernel of this name in so many blocks; whole numbers are passed as Index, others as Real."""
        function = self._functions.get(name)
        if function is None:
            function = self._functions[name] = self._module.get_function(name)
        self._launch(function, blocks, arguments)

    def elementwise(
        self, formula: Formula, arrays: list[Array], given: tuple[int, ...], out: tuple[int, ...], numbers: list[float]
    ) -> None:
        """Launch the kernel of a formula over arrays of one size, made when the formula is first met.

        ``numbers`` are its constants, in the formula's order.
        """
        key = (formula, given, out)
        function = self._functions.get(key)
        if function is None:
            source = kernel_source(formula, given, out, self._dtype)
            function = self._functions[key] = self._cupy.RawModule(code=source).get_function("elementwise")
        size = arrays[0].size
        self._launch(function, min(ceil(size / THREADS), MOST_BLOCKS), (*arrays, *numbers, size))

    def _launch(self, function: Any, blocks: int, arguments: tuple[Any, ...]) -> None:
        numbers: dict[type, Any] = {int: np.int64, float: self._number}
        function((blocks,), (THREADS,), tuple([numbers.get(type(value), _as_it_is)(value) for value in arguments]))


def _as_it_is(value: Any) -> Any:
    return value

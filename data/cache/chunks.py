"""Arrays in checksummed chunks of whole rows, compressed only where that pays."""

import io
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from bdfa_np.system.interrupts import interrupts_wait

Array = npt.NDArray[Any]

LAYOUT = {"libver": ("v110", "v110")}
"""From this layout on, HDF5 keeps a checksum on its own structures too."""

# Of 256 KiB to 4 MiB, all are read at much the same speed, and larger ones pad small parts.
BYTES_PER_CHUNK = 2**20
# The ways to compress that every h5py has and that read at hundreds of megabytes a second.
_COMPRESSIONS: tuple[dict[str, Any], ...] = ({"compression": "lzf"}, {"compression": "lzf", "shuffle": True})
_SIZE_WORTHWHILE = 2 / 3
_BYTES_PER_SECOND_WORTHWHILE = 500e6


@dataclass(frozen=True)
class Trial:
    """What a way to compress made of a sample: how many bytes, and how many pixel bytes a second it reads."""

    options: Mapping[str, Any]
    size: int
    bytes_per_second: float


def choose_compression(size: int, trials: Iterable[Trial]) -> Mapping[str, Any]:
    """Return the smallest of what saves a third of ``size`` bytes and is quick to read; nothing where none does."""
    good = [
        trial
        for trial in trials
        if trial.size <= size * _SIZE_WORTHWHILE and trial.bytes_per_second >= _BYTES_PER_SECOND_WORTHWHILE
    ]
    return min(good, key=lambda trial: trial.size).options if good else {}


def best_compression(sample: Array) -> Mapping[str, Any]:
    """Return h5py's options for arrays like a sample: each way to compress is tried on it."""
    return choose_compression(sample.nbytes, [_try_compression(sample, options) for options in _COMPRESSIONS])


@interrupts_wait()
def _try_compression(sample: Array, options: Mapping[str, Any]) -> Trial:
    """Compress a sample in memory and read it back, three times if it is small enough to matter."""
    best = math.inf
    # Without a chunk cache, which would give back what was never compressed.
    with h5py.File(io.BytesIO(), "w", rdcc_nbytes=0, **LAYOUT) as file:
        item = file.create_dataset("sample", data=sample, **chunks(sample.shape, sample.dtype), **options)
        size = item.id.get_storage_size()
        out = np.empty_like(sample)
        for _ in range(3 if size <= sample.nbytes * _SIZE_WORTHWHILE else 0):
            start = perf_counter()
            item.read_direct(out)
            best = min(best, perf_counter() - start)
    return Trial(options, size, sample.nbytes / best)


def chunks(shape: Sequence[int], dtype: np.dtype[Any]) -> dict[str, Any]:
    """Return the options that give an array checked chunks of whole rows; an empty one can have no chunks."""
    if not math.prod(shape):
        return {}
    rows = BYTES_PER_CHUNK // (math.prod(shape[1:]) * dtype.itemsize)
    return {"chunks": (min(max(1, rows), shape[0]), *shape[1:]), "fletcher32": True}


def regrouped(blocks: Iterable[Array], rows: int, shape: Sequence[int], dtype: np.dtype[Any]) -> Iterator[Array]:
    """Copy blocks of any sizes into arrays of ``rows`` rows, the last of which may have fewer."""
    group, filled, total = np.empty((rows, *shape[1:]), dtype), 0, 0
    for block in blocks:
        total += len(block)
        if block.shape[1:] != tuple(shape[1:]) or block.dtype != dtype or total > shape[0]:
            raise ValueError(f"{total} images {block.dtype} {block.shape[1:]}: promised were {dtype} {tuple(shape)}")
        start = 0
        while start < len(block):
            taken = min(rows - filled, len(block) - start)
            group[filled : filled + taken] = block[start : start + taken]
            start, filled = start + taken, filled + taken
            if filled == rows:
                yield group
                group, filled = np.empty_like(group), 0
    if total != shape[0]:
        raise ValueError(f"{total} images: promised were {shape[0]}")
    if filled:
        yield group[:filled]

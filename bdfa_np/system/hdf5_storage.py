"""How an HDF5 array lies in its file: all of it must be there, in places of the right sizes, before it is read."""

import itertools
import math
import zlib
from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from bdfa_np.errors import ContentError

_SUM_BYTES = 4
# Chunks of this size are taken whatever the array's, as files that are to grow have them.
_SMALL_CHUNK = 2**24
_LONGEST_BLOCK = 2**16


@dataclass(frozen=True)
class _Filter:
    code: int
    values: tuple[int, ...]


def filters(array: h5py.Dataset) -> list[_Filter]:
    """Return an array's filters, in the order of writing."""
    properties = array.id.get_create_plist()
    found = (properties.get_filter(index) for index in range(properties.get_nfilters()))
    return [_Filter(code, tuple(values)) for code, _, values, _ in found]


def is_packed(array: h5py.Dataset) -> bool:
    """Return whether chunks are stored in other bytes than they have in memory, sums aside."""
    return any(one.code != h5py.h5z.FILTER_FLETCHER32 for one in filters(array))


def check_stored(array: h5py.Dataset, name: str, file_size: int, *, packed: bool) -> None:
    """Raise `ContentError` unless all of an array is stored, in the file, in chunks that HDF5 can read without harm.

    Parts that were never written would read as zeros, and cost nothing to claim.
    """
    nbytes = math.prod(array.shape) * array.dtype.itemsize
    layout = array.id.get_create_plist().get_layout()
    if layout == h5py.h5d.CHUNKED:
        _check_filters(array, name, packed=packed)
        _check_chunks(array, name, nbytes, file_size)
        return
    stored = min(array.id.get_storage_size(), file_size)
    if layout == h5py.h5d.CONTIGUOUS and nbytes:
        offset = array.id.get_offset()
        stored = 0 if offset is None else max(0, min(stored, file_size - offset))
    if stored < nbytes:
        raise _in_part(name, stored, nbytes, "bytes")


def _in_part(name: str, stored: int, needed: int, unit: str) -> ContentError:
    return ContentError(f"{name} has only {stored} of its {needed} {unit}", "write it in full")


def _check_filters(array: h5py.Dataset, name: str, *, packed: bool) -> None:
    size = math.prod(array.chunks) * array.dtype.itemsize
    properties = array.id.get_create_plist()
    packers = 0
    for index in range(properties.get_nfilters()):
        code, _, values, label = properties.get_filter(index)
        packers += code in (h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_LZF)
        known = {
            h5py.h5z.FILTER_FLETCHER32: True,
            h5py.h5z.FILTER_SHUFFLE: packed and values == (array.dtype.itemsize,),
            h5py.h5z.FILTER_DEFLATE: packed and packers == 1,
            h5py.h5z.FILTER_LZF: packed and packers == 1 and values[2:3] == (size,),
        }
        if not known.get(code, False):
            label = f"{label.decode(errors='replace') or 'filter'!a} ({code})"
            raise ContentError(
                f"{name} is packed with {label}, which is not unpacked here", "write it anew with compression='gzip'"
            )


def _check_chunks(array: h5py.Dataset, name: str, nbytes: int, file_size: int) -> None:
    shape, chunk = array.shape, array.chunks
    size = math.prod(chunk) * array.dtype.itemsize
    if not nbytes:
        return
    if not 0 < size <= max(_SMALL_CHUNK, 2 * nbytes):
        raise ContentError(f"{name} has {nbytes} bytes in chunks of {size}", "write it in smaller chunks")
    grid = tuple(-(-side // step) for side, step in zip(shape, chunk, strict=True))
    needed = math.prod(grid)
    if not is_packed(array) and nbytes > file_size:
        raise _in_part(name, min(array.id.get_storage_size(), file_size), nbytes, "bytes")
    if needed > file_size:
        raise _in_part(name, min(array.id.get_num_chunks(), file_size), needed, "chunks")
    seen = _chunks_seen(array, name, grid, size, file_size)
    if not all(seen):
        raise _in_part(name, sum(seen), needed, "chunks")


def _chunks_seen(array: h5py.Dataset, name: str, grid: tuple[int, ...], size: int, file_size: int) -> bytearray:
    """Return a 1 for each place of the grid whose chunk is stored, and well.

    Raises
    ------
    ContentError
        If one is stored badly, or twice.
    """
    seen, problems = bytearray(math.prod(grid)), []
    pipeline = filters(array)

    def look(stored: Any) -> bool | None:
        index = 0
        for offset, step, sides in zip(stored.chunk_offset, array.chunks, grid, strict=True):
            if offset % step or offset // step >= sides:
                return None  # beyond what is read, as in an array that has become smaller
            index = index * sides + offset // step
        least, most = _stored_sizes(pipeline, stored.filter_mask, size)
        is_inside = 0 < stored.byte_offset <= file_size - stored.size
        if seen[index] or not is_inside or not least <= stored.size <= most:
            problems.append(f"{name} has a chunk of {stored.size} bytes at {stored.byte_offset}")
            return True  # that is enough
        seen[index] = 1
        return None

    array.id.chunk_iter(look)
    if problems:
        raise ContentError(problems[0])
    return seen


def _stored_sizes(pipeline: list[_Filter], mask: int, size: int) -> tuple[int, float]:
    """Return how many bytes a chunk of ``size`` bytes may have in the file, at least and at most."""
    least, most = size, float(size)
    for index, one in enumerate(pipeline):
        if mask >> index & 1:
            continue
        if one.code == h5py.h5z.FILTER_FLETCHER32:
            least, most = least + _SUM_BYTES, most + _SUM_BYTES
        elif one.code != h5py.h5z.FILTER_SHUFFLE:
            least, most = 1, 1.1 * size + 1000  # what cannot be packed becomes larger by a little
    return least, most


def read_rows(array: h5py.Dataset, start: int, out: NDArray[Any]) -> None:
    """Read rows of an array that was checked; ``start``, and the end unless it is the array's, are those of chunks.

    Packed chunks are unpacked here: HDF5 takes whatever memory they come to, and gives what lay in memory before where
    they come to less than a chunk.
    """
    if not is_packed(array):
        array.read_direct(out, np.s_[start : start + len(out)])
        return
    chunk, shape = array.chunks, array.shape
    pipeline, size = filters(array), math.prod(chunk) * array.dtype.itemsize
    rows = range(start, start + len(out), chunk[0])
    others = [range(0, side, step) for side, step in zip(shape[1:], chunk[1:], strict=True)]
    for place in itertools.product(rows, *others):
        mask, stored = array.id.read_direct_chunk(place)
        values = np.frombuffer(_unpacked(stored, pipeline, mask, size), array.dtype).reshape(chunk)
        corner = zip((place[0] - start, *place[1:]), chunk, strict=True)
        part = out[tuple(slice(first, first + step) for first, step in corner)]
        part[...] = values[tuple(slice(side) for side in part.shape)]


def _unpacked(stored: bytes, pipeline: list[_Filter], mask: int, size: int) -> bytes:
    """Return a chunk's ``size`` bytes."""
    sizes = [size]  # before each filter, as far as that can be known
    for index, one in enumerate(pipeline):
        adds = _SUM_BYTES if one.code == h5py.h5z.FILTER_FLETCHER32 and not mask >> index & 1 else 0
        sizes.append(sizes[-1] + adds)
    for index in reversed(range(len(pipeline))):
        if mask >> index & 1:
            continue
        one = pipeline[index]
        if one.code == h5py.h5z.FILTER_FLETCHER32:
            stored = _without_sum(stored)
        elif one.code == h5py.h5z.FILTER_SHUFFLE:
            stored = np.frombuffer(stored, np.uint8).reshape(one.values[0], -1).T.tobytes()
        else:
            unpack = _inflated if one.code == h5py.h5z.FILTER_DEFLATE else _lzf_unpacked
            stored = unpack(stored, sizes[index])
            if len(stored) != sizes[index]:
                raise ContentError(f"a packed chunk comes to other than its {sizes[index]} bytes")
    if len(stored) != size:
        raise ContentError(f"a chunk has {len(stored)} of its {size} bytes")
    return stored


def _inflated(stored: bytes, size: int) -> bytes:
    stream = zlib.decompressobj()
    try:
        content = stream.decompress(stored, size + 1)
    except zlib.error as error:
        raise ContentError(f"a packed chunk is damaged ({error})") from error
    return content if stream.eof else b""


def _lzf_unpacked(stored: bytes, size: int) -> bytes:
    """Unpack LibLZF's format: runs of bytes, and repetitions of what came before."""
    out, place, end = bytearray(), 0, len(stored)
    try:
        while place < end and len(out) <= size:
            control = stored[place]
            place += 1
            if control < 32:
                out += stored[place : place + control + 1]
                place += control + 1
                continue
            length = control >> 5
            if length == 7:
                length += stored[place]
                place += 1
            first = len(out) - ((control & 31) << 8 | stored[place]) - 1
            place += 1
            if first < 0:
                return b""
            repeated = out[first : first + length + 2]
            out += (repeated * (length // len(repeated) + 3))[: length + 2]  # which may overlap with what it makes
    except IndexError:
        return b""
    return bytes(out)


def _without_sum(stored: bytes) -> bytes:
    """Take off the Fletcher-32 sum at a chunk's end, once it was found right."""
    content, kept = stored[:-_SUM_BYTES], int.from_bytes(stored[-_SUM_BYTES:], "little")
    words = np.frombuffer(content + b"\0" * (len(content) % 2), ">u2").astype(np.uint64)
    first = second = 0
    for start in range(0, len(words), _LONGEST_BLOCK):
        block = words[start : start + _LONGEST_BLOCK]
        second += first * len(block) + int((np.arange(len(block), 0, -1, dtype=np.uint64) * block).sum())
        first += int(block.sum())
    # Both are known but for multiples of 65535: 0 and 65535 are one.
    if (first - (kept & 0xFFFF)) % 0xFFFF or (second - (kept >> 16)) % 0xFFFF:
        raise ContentError("a chunk's sum is wrong")
    return content

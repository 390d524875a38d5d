"""HDF5 content as no honest writer leaves it: made by h5py, then changed where only a liar or a bad disk would."""

import io
import math
import struct
import zlib
from collections.abc import Callable
from typing import Any

import h5py
import numpy as np

VALUES = np.arange(24, dtype="f4").reshape(4, 6)


def content(fill: Callable[[h5py.File], Any], **settings: Any) -> bytes:
    """Return the bytes of an HDF5 file that a function has filled."""
    memory = io.BytesIO()
    with h5py.File(memory, "w", **settings) as file:
        fill(file)
    return memory.getvalue()


def array(values: Any = VALUES, **options: Any) -> bytes:
    """Return a file with one array ``x``."""
    return content(lambda file: file.create_dataset("x", data=values, **options))


def with_chunk(stored: bytes, mask: int = 0, **options: Any) -> bytes:
    """Return a file with one array ``x`` of two chunks, the second of which is stored so."""

    def fill(file: h5py.File) -> None:
        made = file.create_dataset("x", data=VALUES, chunks=(2, 6), **options)
        made.id.write_direct_chunk((2, 0), stored, mask)

    return content(fill)


def replaced(whole: bytes, old: bytes, new: bytes) -> bytes:
    """Return content with the one place that holds ``old`` changed."""
    assert whole.count(old) == 1, (whole.count(old), old)
    assert len(old) == len(new)
    return whole.replace(old, new)


def with_empty_chunk(**options: Any) -> bytes:
    """Return a file with one array ``x`` of two chunks, the second of which is said to have no bytes."""
    whole = array(chunks=(2, 6), **options)
    with h5py.File(io.BytesIO(whole)) as file:
        stored = file["x"].id.get_chunk_info(1)
    return replaced(
        whole, struct.pack("<IIQQQ", stored.size, stored.filter_mask, 2, 0, 0), struct.pack("<IIQQQ", 0, 0, 2, 0, 0)
    )


def shuffled_by(size: int) -> bytes:
    """Return a file with one array ``x`` shuffled as numbers of so many bytes are."""
    whole = array(chunks=(4, 6), shuffle=True, compression="gzip")
    return replaced(whole, b"shuffle\0" + struct.pack("<I", 4), b"shuffle\0" + struct.pack("<I", size))


def with_chunk_at(offset: int) -> bytes:
    """Return a file with one array ``x`` of two chunks, the second of which is said to be elsewhere."""
    whole = array(chunks=(2, 6))
    with h5py.File(io.BytesIO(whole)) as file:
        place = file["x"].id.get_chunk_info(1).byte_offset
    return replaced(whole, place.to_bytes(8, "little"), offset.to_bytes(8, "little"))


def contiguous_at(offset: int) -> bytes:
    """Return a file with one array ``x`` in one piece, which is said to be elsewhere."""
    whole = array()
    with h5py.File(io.BytesIO(whole)) as file:
        place = file["x"].id.get_offset()
    return replaced(whole, place.to_bytes(8, "little"), offset.to_bytes(8, "little"))


def bomb(nbytes: int = 2**26) -> bytes:
    """Return a stream that unpacks to far more than it shall."""
    packer = zlib.compressobj(9)
    return b"".join([*(packer.compress(bytes(2**20)) for _ in range(nbytes >> 20)), packer.flush()])


def filtered(code: int, values: tuple[int, ...] = (), dtype: h5py.h5t.TypeID = h5py.h5t.IEEE_F32LE) -> bytes:
    """Return a file with one array ``x`` packed by a filter of this number and these parameters."""

    def fill(file: h5py.File) -> None:
        properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        properties.set_chunk((4, 6))
        properties.set_filter(code, h5py.h5z.FLAG_OPTIONAL, values)
        made = h5py.h5d.create(file.id, b"x", dtype, h5py.h5s.create_simple((4, 6)), properties)
        made.write_direct_chunk((0, 0), bytes(math.prod((4, 6)) * dtype.get_size()))

    return content(fill)

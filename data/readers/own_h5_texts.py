"""Reading HDF5's texts of varying length without HDF5, which a damaged one sends into a loop that never ends.

An element of such an array is 16 bytes: the text's length, the address of the collection that holds it, and its index
there. A collection of HDF5's global heap is a header of 16 bytes, then objects with headers of 16 bytes, each filled up
to a multiple of 8. This is from the HDF5 File Format Specification, sections III.E and VIII.A.
"""

import os
import struct
from typing import BinaryIO

_ELEMENT = struct.Struct("<IQI")  # length, address, index
_COLLECTION = struct.Struct("<4sB3xQ")  # signature, version, size with this header
_OBJECT = struct.Struct("<H6xQ")  # index, size without this header


def read_texts(file: BinaryIO, start: int, count: int, base: int, longest: int) -> list[bytes]:
    """Read an array of texts of varying length.

    Parameters
    ----------
    file : binary file
        The HDF5 file, with addresses and sizes of 8 bytes.
    start : int
        Where in it the array's elements are.
    count : int
        How many there are.
    base : int
        Where in the file addresses count from.
    longest : int
        The number of bytes after which a text is cut off.

    Returns
    -------
    list of bytes
        The texts.

    Raises
    ------
    ValueError
        If the file is damaged.
    """
    size = os.fstat(file.fileno()).st_size
    unread = size
    collections: dict[int, dict[int, memoryview]] = {}
    texts = []
    for length, address, index in _ELEMENT.iter_unpack(_read(file, start, count * _ELEMENT.size, size)):
        if not length:
            texts.append(b"")
            continue
        if address not in collections:
            content = _read_collection(file, base + address, size)
            # Collections do not overlap; if damaged ones did, all of them could be as long as the file.
            unread -= len(content)
            if unread < 0:
                raise ValueError("its texts take more room than the file has")
            collections[address] = _objects(content)
        stored = collections[address].get(index)
        if stored is None or len(stored) < length:
            raise ValueError(f"it holds no text {index} of {length} bytes at {address}")
        texts.append(bytes(stored[: min(length, longest)]))
    return texts


def _read(file: BinaryIO, start: int, count: int, size: int) -> bytes:
    if count > size - start:
        raise ValueError(f"its texts break off at byte {size}")
    file.seek(start)
    return file.read(count)


def _read_collection(file: BinaryIO, start: int, size: int) -> bytes:
    signature, version, length = _COLLECTION.unpack(_read(file, start, _COLLECTION.size, size))
    if signature != b"GCOL" or version != 1 or length < _COLLECTION.size:
        raise ValueError(f"it holds no texts at byte {start}")
    return _read(file, start, length, size)


def _objects(content: bytes) -> dict[int, memoryview]:
    """Return the objects of a collection by their indices."""
    found = {}
    place = _COLLECTION.size
    while place + _OBJECT.size <= len(content):
        index, length = _OBJECT.unpack_from(content, place)
        if index == 0:  # the room that is left
            break
        place += _OBJECT.size
        found[index] = memoryview(content)[place : place + length]
        place += -(-length // 8) * 8
    return found

"""The skeleton of an HDF5 file, read before HDF5 reads it: in some of it a wrong byte is a crash there, or no end.

Groups that HDF5 keeps in its dense form, beyond eight members in its later layouts, are not followed: their structures
carry sums, so that only somebody who means to can put them together wrong.

References
----------
The HDF Group, "HDF5 File Format Specification", version 3.0; its sections are named below.
"""

import contextlib
import io
import struct
from collections.abc import Iterator
from typing import BinaryIO

from bdfa_np.errors import ContentError

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_LINK, _LAYOUT, _CONTINUATION, _SYMBOL_TABLE = 0x06, 0x08, 0x10, 0x11
_CHUNKED = 2
_GROUP_NODE, _CHUNK_NODE = 0, 1
_NO_FREE_BLOCK = 1
_MOST = 10**5
"""Of objects and of nodes; a file with more is left to HDF5 beyond these."""
_LONGEST = 2**24
"""Of a block in bytes; a longer one is left to HDF5 too."""


def check_structure(file: BinaryIO | io.RawIOBase) -> None:
    """Raise `ContentError` for a loop in a tree or a list, or for a chunk without extent.

    Parameters
    ----------
    file : binary file
        Open for reading. What is no HDF5 file, or ends too early, is left to HDF5 to refuse.
    """
    _Skeleton(file).check()


class _ElsewhereError(Exception):
    """Something is not where it should be."""


@contextlib.contextmanager
def _unless_elsewhere() -> Iterator[None]:
    """Leave to HDF5 what is not where it should be; the rest is still looked at."""
    try:
        yield
    except (_ElsewhereError, struct.error, IndexError):
        return


class _Skeleton:
    def __init__(self, file: BinaryIO | io.RawIOBase) -> None:
        self._file = file
        self._end = file.seek(0, io.SEEK_END)
        self._objects: list[int] = []
        self._seen: set[int] = set()
        self._nodes = 0

    def check(self) -> None:
        with _unless_elsewhere():
            self._objects.append(self._root())
        while self._objects and len(self._seen) < _MOST:
            address = self._objects.pop()
            if address not in self._seen:
                self._seen.add(address)
                with _unless_elsewhere():
                    for kind, body in self._messages(address):
                        self._look(kind, body)

    def _bytes(self, address: int, size: int) -> bytes:
        """Return bytes at an address, as files have them: counted from the superblock."""
        if size > _LONGEST or not 0 <= address <= self._end - self._base - size:
            raise _ElsewhereError
        self._file.seek(self._base + address)
        content = b""
        while len(content) < size:
            more = self._file.read(size - len(content))
            if not more:
                raise _ElsewhereError
            content += more
        return content

    def _root(self) -> int:
        """Find the superblock (II.A), and return the address of the root group."""
        self._base = 0
        while self._bytes(0, 8) != _SIGNATURE:
            self._base = max(512, 2 * self._base)
        version = self._bytes(8, 1)[0]
        sizes = self._bytes(13 if version < 2 else 9, 2)
        if sizes != b"\x08\x08":  # what every program writes
            raise ContentError("its addresses have an unusual size")
        if version < 2:
            entry = 24 + 4 * version + 4 * 8
            return _address(self._bytes(entry, 16), 8)
        return _address(self._bytes(12, 32), 24)

    def _messages(self, address: int) -> Iterator[tuple[int, bytes]]:
        """Yield the messages of an object (IV.A.1)."""
        start = self._bytes(address, 16)
        if start[:4] == b"OHDR":
            yield from self._later_messages(address, start)
            return
        blocks, seen = [(address + 16, struct.unpack_from("<I", start, 8)[0])], set[int]()
        for place, size in blocks:
            self._once(place, seen)
            block, offset = self._bytes(place, size), 0
            while offset + 8 <= size:
                kind, length = struct.unpack_from("<HH", block, offset)
                body = block[offset + 8 : offset + 8 + length]
                offset += 8 + length
                if kind == _CONTINUATION:
                    blocks.append(struct.unpack_from("<QQ", body))
                yield kind, body

    def _later_messages(self, address: int, start: bytes) -> Iterator[tuple[int, bytes]]:
        flags = start[5]
        first = 6 + (16 if flags & 0x20 else 0) + (4 if flags & 0x10 else 0)
        width = 1 << (flags & 3)
        size = int.from_bytes(self._bytes(address + first, width), "little")
        ahead = 6 if flags & 4 else 4
        blocks, seen = [(address + first + width, size)], set[int]()
        for place, length in blocks:
            self._once(place, seen)
            block, offset = self._bytes(place, length), 0
            while offset + ahead <= length:
                kind, size = struct.unpack_from("<BH", block, offset)
                body = block[offset + ahead : offset + ahead + size]
                offset += ahead + size
                if kind == _CONTINUATION:
                    next_place, next_length = struct.unpack_from("<QQ", body)
                    blocks.append((next_place + 4, next_length - 8))  # without its signature and its sum
                yield kind, body

    @_unless_elsewhere()
    def _look(self, kind: int, body: bytes) -> None:
        if kind == _LAYOUT:
            self._check_layout(body)
        elif kind == _LINK:
            self._objects += _linked(body)
        elif kind == _SYMBOL_TABLE:
            tree, heap = struct.unpack_from("<QQ", body)
            self._check_tree(tree, _GROUP_NODE, 8)
            self._check_heap(heap)

    def _check_layout(self, body: bytes) -> None:
        """Refuse chunks without sides, or with one of 0, by which HDF5 divides (IV.A.2.i)."""
        version = body[0]
        if body[2 if version < 3 else 1] != _CHUNKED:
            return
        if version < 3:
            count, tree, first, width = body[1], _address(body, 8), 16, 4
        elif version == 3:
            count, tree, first, width = body[2], _address(body, 3), 11, 4
        else:
            count, tree, first, width = body[3], None, 5, body[4]
        places = range(first, first + count * width, width)
        sides = [int.from_bytes(body[place : place + width], "little") for place in places]
        if count < 2 or 0 in sides:  # the last is the size of an entry
            raise ContentError("an array has chunks without extent", "write it anew")
        if tree is not None:
            self._check_tree(tree, _CHUNK_NODE, 8 + 8 * count)

    def _check_tree(self, address: int, of: int, key: int) -> None:
        """Refuse a tree (III.A.1) with a loop; note the objects that a group's leads to."""
        above: list[tuple[int, int | None]] = [(address, None)]
        while above and self._nodes < _MOST:
            self._nodes += 1
            with _unless_elsewhere():
                above += self._below(*above.pop(), of, key)

    def _below(self, place: int, expected: int | None, of: int, key: int) -> list[tuple[int, int | None]]:
        """Return the nodes that a node of a tree leads to, each with its level."""
        signature, kind, level, entries = struct.unpack_from("<4sBBH", self._bytes(place, 24))
        if signature != b"TREE" or kind != of:
            raise _ElsewhereError
        if expected is not None and level != expected:
            raise ContentError("a tree of its structure has a loop")
        body = self._bytes(place + 24, entries * (key + 8))
        children = [_address(body, index * (key + 8) + key) for index in range(entries)]
        if level:
            return [(child, level - 1) for child in children]
        if of == _GROUP_NODE:
            for child in children:
                self._note_members(child)
        return []

    @_unless_elsewhere()
    def _note_members(self, address: int) -> None:
        """Note the objects of a symbol table node (III.B)."""
        signature, _, _, count = struct.unpack("<4sBBH", self._bytes(address, 8))
        if signature != b"SNOD":
            raise _ElsewhereError
        body = self._bytes(address + 8, 40 * count)
        self._objects += [_address(body, 40 * index + 8) for index in range(count)]

    def _check_heap(self, address: int) -> None:
        """Refuse a local heap (III.D) whose list of free places has a loop."""
        signature, _, size, free, data = struct.unpack("<4s4sQQQ", self._bytes(address, 32))
        if signature != b"HEAP":
            raise _ElsewhereError
        seen = set[int]()
        while free != _NO_FREE_BLOCK and free + 16 <= size:
            self._once(free, seen)
            free = _address(self._bytes(data + free, 16), 0)

    def _once(self, place: int, seen: set[int]) -> None:
        if place in seen:
            raise ContentError("a list of its structure has a loop")
        seen.add(place)


def _address(content: bytes, offset: int) -> int:
    found: int = struct.unpack_from("<Q", content, offset)[0]
    return found


def _linked(body: bytes) -> list[int]:
    """Return the object that a link message (IV.A.2.g) leads to within the file."""
    flags, place = body[1], 2
    if flags & 8:
        if body[place]:
            return []
        place += 1
    place += (8 if flags & 4 else 0) + (1 if flags & 0x10 else 0)
    width = 1 << (flags & 3)
    length = int.from_bytes(body[place : place + width], "little")
    return [_address(body, place + width + length)]

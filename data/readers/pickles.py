"""Reading the pickles of CIFAR's Python version without running anything in them.

A pickle is a program: Python's own reader calls whatever functions it names. This one only interprets the few opcodes
that such files are made of, by hand. It imports nothing, calls nothing and knows three names, of which all that it
builds is arrays of unsigned bytes, whatever else the file may say. The opcodes, and the numbers after them, are those
of protocol 2 as Python's module ``pickletools`` describes them.
"""

import hashlib
import struct
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bdfa_np.data.readers.reading import ADVICE, open_data_file, read_up_to
from bdfa_np.errors import DataError

# CIFAR-100's training set takes a fifth of it. An opcode of one byte can make an object of many, so that without it a
# file of opcodes would take a hundred times its size of memory.
_MOST_OPCODES = 2**20
_LONGEST_NAME = 64


def read_pickle(path: Path, largest: int) -> tuple[dict[str, Any], str]:
    """Read a pickled dictionary of numbers, byte strings, lists, tuples and arrays of unsigned bytes.

    Parameters
    ----------
    path : pathlib.Path
        The file, of protocol 2, as Python 2 wrote it.
    largest : int
        The number of bytes that it may have.

    Returns
    -------
    content : dict of str to object
        Strings are bytes, but for the keys; arrays that are a key's value are ndarrays of uint8, shape (N, d).
    sha256 : str
        SHA-256 of the file, in lower-case hexadecimal.

    Raises
    ------
    DataError
        If the file is missing, unreadable, too long, truncated, or holds anything else.
    """
    with open_data_file(path) as file:
        content, _ = read_up_to(file, largest + 1)
    if len(content) > largest:
        raise DataError(f"{path}: too long: it should be {largest} bytes and more follow: {ADVICE}")
    try:
        value = _Machine(memoryview(content)).run()
        if type(value) is not dict:
            raise _RefusedError("it is not of a dictionary")
    except _RefusedError as error:
        raise DataError(f"{path}: not a pickle as CIFAR's Python version has them: {error}: {ADVICE}") from error
    finished = {key.decode("latin-1"): item.content if type(item) is _Array else item for key, item in value.items()}
    return finished, hashlib.sha256(content).hexdigest()


class _RefusedError(Exception):
    """Why a pickle is refused, in a few words."""


class _Name(Enum):
    """What a pickle may name. These stand for it; they cannot be called."""

    RECONSTRUCT = "numpy.core.multiarray._reconstruct"
    NDARRAY = "numpy.ndarray"
    DTYPE = "numpy.dtype"


# NumPy 2 moved the first.
_NAMES = {name.value.encode(): name for name in _Name} | {b"numpy._core.multiarray._reconstruct": _Name.RECONSTRUCT}


class _Bytes:
    """A ``numpy.dtype`` of unsigned bytes, which is the only one there is here."""


class _Array:
    """A ``numpy.ndarray`` before its content is known."""

    def __init__(self) -> None:
        self.content: NDArray[np.uint8] | None = None


class _Machine:
    """A stack, marks on it, and a memo: all that a pickle works on.

    Parameters
    ----------
    code : memoryview
        The pickle.
    """

    def __init__(self, code: memoryview) -> None:
        self._code = code
        self._place = 0
        self._stack: list[Any] = []
        self._marks: list[int] = []
        self._memo: dict[int, Any] = {}

    def run(self) -> Any:
        """Return the pickled object.

        Raises
        ------
        _RefusedError
            If there is anything in the pickle that is not known here.
        """
        for _ in range(_MOST_OPCODES):
            start = self._place
            opcode = self._take(1)
            if opcode == b".":
                if self._marks or len(self._stack) != 1 or self._place != len(self._code):
                    raise _RefusedError(f"it ends at byte {start} with something left over")
                return self._stack[0]
            if opcode not in _OPCODES:
                raise _RefusedError(f"opcode 0x{opcode.hex()} at byte {start} is none of those")
            try:
                _OPCODES[opcode](self)
            except _RefusedError as error:
                raise _RefusedError(f"{error} at byte {start}") from error
        raise _RefusedError(f"it has more than {_MOST_OPCODES} opcodes")

    def _take(self, size: int) -> bytes:
        if size < 0 or size > len(self._code) - self._place:
            raise _RefusedError("it breaks off")
        self._place += size
        return bytes(self._code[self._place - size : self._place])

    def _number(self, form: str) -> int:
        (number,) = struct.unpack(f"<{form}", self._take(struct.calcsize(f"<{form}")))
        return int(number)

    def _line(self) -> bytes:
        end = bytes(self._code[self._place : self._place + _LONGEST_NAME]).find(b"\n")
        if end < 0:
            raise _RefusedError("a name is too long")
        return self._take(end + 1)[:-1]

    def _pop(self) -> Any:
        # What is below the last mark belongs to the tuple or list that the mark began before.
        if len(self._stack) <= (self._marks[-1] if self._marks else 0):
            raise _RefusedError("nothing is on the stack")
        return self._stack.pop()

    def _peek(self) -> Any:
        self._stack.append(self._pop())
        return self._stack[-1]

    def _pop_to_mark(self) -> list[Any]:
        if not self._marks:
            raise _RefusedError("no mark is on the stack")
        mark = self._marks.pop()
        items = self._stack[mark:]
        del self._stack[mark:]
        return items

    def _top(self, kind: type) -> Any:
        if type(self._peek()) is not kind:
            raise _RefusedError(f"it fills something other than a {kind.__name__}")
        return self._peek()

    def protocol(self) -> None:
        """PROTO: which protocol the opcodes are of."""
        if self._number("B") != 2:
            raise _RefusedError("it is not of protocol 2")

    def push(self, value: Any) -> None:
        """Put an object on the stack."""
        self._stack.append(value)

    def number(self, form: str) -> None:
        """BININT and its like: a whole number."""
        self._stack.append(self._number(form))

    def string(self, form: str) -> None:
        """BINSTRING and its like: the number of bytes, and the bytes."""
        self._stack.append(self._take(self._number(form)))

    def mark(self) -> None:
        """MARK: where the items of a tuple, list or dictionary begin."""
        self._marks.append(len(self._stack))

    def tuple_from_mark(self) -> None:
        """TUPLE: all from the mark on as one tuple."""
        self._stack.append(tuple(self._pop_to_mark()))

    def tuple_of(self, size: int) -> None:
        """TUPLE1 and its like: the last items as one tuple."""
        self._stack.append(tuple([self._pop() for _ in range(size)][::-1]))

    def append(self, items: list[Any]) -> None:
        """APPEND and APPENDS: put items into a list."""
        self._top(list).extend(items)

    def set_items(self, items: list[Any]) -> None:
        """SETITEM and SETITEMS: put keys and values, in turns, into a dictionary."""
        if len(items) % 2 or not all(type(key) is bytes for key in items[::2]):
            raise _RefusedError("a dictionary's keys are not strings, or have no values")
        self._top(dict).update(zip(items[::2], items[1::2], strict=True))

    def memorize(self, form: str) -> None:
        """BINPUT and LONG_BINPUT: remember the last item under a number."""
        self._memo[self._number(form)] = self._peek()

    def recall(self, form: str) -> None:
        """BINGET and LONG_BINGET: take a remembered item once more."""
        number = self._number(form)
        if number not in self._memo:
            raise _RefusedError(f"it recalls {number}, which it never memorized")
        self._stack.append(self._memo[number])

    def name(self) -> None:
        """GLOBAL: one of the three names."""
        name = self._line() + b"." + self._line()
        if name not in _NAMES:
            raise _RefusedError(f"it names {name.decode('ascii', 'backslashreplace')!r}, which is not allowed")
        self._stack.append(_NAMES[name])

    def call(self) -> None:
        """REDUCE: ``_reconstruct(ndarray, (0,), 'b')`` or ``dtype('u1', 0, 1)``, and nothing else."""
        arguments, called = self._pop(), self._pop()
        if called is _Name.RECONSTRUCT and arguments == (_Name.NDARRAY, (0,), b"b"):
            self._stack.append(_Array())
        elif called is _Name.DTYPE and arguments == (b"u1", 0, 1):
            self._stack.append(_Bytes())
        else:
            raise _RefusedError("it calls something other than what makes an array of unsigned bytes")

    def build(self) -> None:
        """BUILD: the content of an array, or the details of a dtype."""
        state = self._pop()
        target = self._peek()
        if type(target) is _Array:
            target.content = _content(state)
        elif type(target) is not _Bytes:
            raise _RefusedError("it sets the state of something other than an array")
        # A dtype's state is byte order, fields and alignment, and one byte has none of these.


def _content(state: Any) -> NDArray[np.uint8]:
    """Return the matrix of a pickled ndarray's state: version, shape, dtype, order and bytes."""
    if type(state) is tuple and len(state) == 5:
        version, shape, dtype, fortran, content = state
        types = (type(version), type(shape), type(dtype), type(fortran), type(content))
        if types == (int, tuple, _Bytes, bool, bytes) and version == 1 and [type(side) for side in shape] == [int, int]:
            rows, columns = shape
            # Memory is what there are bytes for, whatever the shape says.
            if min(shape) >= 0 and rows * columns == len(content):
                return np.frombuffer(content, np.uint8).reshape(shape, order="F" if fortran else "C")
    raise _RefusedError("an array is not what it should be")


_OPCODES: dict[bytes, Callable[[_Machine], None]] = {
    b"\x80": _Machine.protocol,
    b"N": lambda machine: machine.push(None),
    b"\x88": lambda machine: machine.push(True),
    b"\x89": lambda machine: machine.push(False),
    b"J": lambda machine: machine.number("i"),
    b"K": lambda machine: machine.number("B"),
    b"M": lambda machine: machine.number("H"),
    b"T": lambda machine: machine.string("i"),
    b"U": lambda machine: machine.string("B"),
    b"(": _Machine.mark,
    b"t": _Machine.tuple_from_mark,
    b")": lambda machine: machine.tuple_of(0),
    b"\x85": lambda machine: machine.tuple_of(1),
    b"\x86": lambda machine: machine.tuple_of(2),
    b"\x87": lambda machine: machine.tuple_of(3),
    b"]": lambda machine: machine.push([]),
    b"a": lambda machine: machine.append([machine._pop()]),
    b"e": lambda machine: machine.append(machine._pop_to_mark()),
    b"}": lambda machine: machine.push({}),
    b"s": lambda machine: machine.set_items([machine._pop(), machine._pop()][::-1]),
    b"u": lambda machine: machine.set_items(machine._pop_to_mark()),
    b"q": lambda machine: machine.memorize("B"),
    b"r": lambda machine: machine.memorize("I"),
    b"h": lambda machine: machine.recall("B"),
    b"j": lambda machine: machine.recall("I"),
    b"c": _Machine.name,
    b"R": _Machine.call,
    b"b": _Machine.build,
}

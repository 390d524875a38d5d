"""Arrays that compute with NumPy and refuse what CuPy's arrays refuse."""

import functools
import operator
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import allowed
import numpy as np
import stand_in_device as device

OPERATORS = ["add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "and", "or", "xor"]
IN_PLACE = ["add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "and", "or", "xor"]
UNARY = ["neg", "pos", "abs", "invert"]
COMPARISONS = ["lt", "le", "gt", "ge", "eq", "ne"]


def given(value: Any) -> Any:
    """Return an operand for NumPy: the entries of an array of the device, or a number.

    Raises
    ------
    TypeError
        If it is anything else, such as an array of the host.
    """
    if isinstance(value, StandInArray):
        return value._host
    if isinstance(value, bool | int | float | complex | np.generic):
        return value
    raise TypeError(f"Unsupported type {type(value)}")


def argument(value: Any) -> Any:
    """Return an argument of a function for NumPy; lists may hold arrays, and shapes and names are left as they are."""
    if isinstance(value, StandInArray):
        return value._host
    if isinstance(value, np.ndarray):
        raise TypeError(f"Unsupported type {type(value)}")
    if isinstance(value, list | tuple):
        return type(value)(argument(entry) for entry in value)
    return value


def computed(compute: Callable[[], Any]) -> "StandInArray":
    """Return a new array with what a function of NumPy's returns, computed when the current stream comes to it."""

    def value() -> Any:
        with np.errstate(all="ignore"):
            return np.asarray(compute())

    now = device.machine.runs_now()
    known = value()  # of what is not computed now, only the shape is used
    order = "F" if known.flags.f_contiguous and not known.flags.c_contiguous else "C"
    host = device.allocate(known.shape, known.dtype, order)
    if now:
        np.copyto(host, known)
    else:
        device.machine.stream._issue(lambda: np.copyto(host, value()))
    return StandInArray(host)


def changed(change: Callable[[], Any]) -> None:
    """Let the current stream call a function that writes into arrays."""

    def quietly() -> None:
        with np.errstate(all="ignore"):
            change()

    device.machine.stream._issue(quietly)


def viewed_or_computed(array: "StandInArray", function: Callable[[], Any]) -> "StandInArray":
    """Return a view where NumPy gives one, else a new array."""
    result = function()
    return StandInArray(result) if np.may_share_memory(result, array._host) else computed(function)


def called(function: Callable[..., Any], arguments: tuple[Any, ...], keywords: dict[str, Any]) -> "StandInArray":
    """Call a function of NumPy's with operands; return its ``out`` or a new array."""
    out = keywords.pop("out", None)
    operands, named = [argument(value) for value in arguments], {k: argument(v) for k, v in keywords.items()}
    if out is None:
        return computed(lambda: function(*operands, **named))
    if not isinstance(out, StandInArray):
        raise TypeError(f"return arrays must be of ArrayType, not {type(out)}")
    changed(lambda: function(*operands, out=out._host, **named))
    return out


class StandInArray:
    """An array of the device.

    Parameters
    ----------
    host : numpy.ndarray
        Its entries, in memory of the device.
    """

    __slots__ = ("__weakref__", "_host")
    __array_ufunc__ = None  # operators of NumPy's numbers leave it to ours, and NumPy's ufuncs refuse
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, host: Any) -> None:
        self._host = host

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or not hasattr(device.real_cupy().ndarray, name):
            raise AttributeError(f"cupy.ndarray has no attribute {name!r}")
        raise AssertionError(f"ndarray.{name} has not been reviewed: see allowed.py")

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise TypeError(
            "Implicit conversion to a NumPy array is not allowed. Please use `.get()` to construct a NumPy array "
            "explicitly."
        )

    def __array_function__(self, function: Any, *_: Any) -> Any:
        raise AssertionError(f"numpy.{function.__name__} is called with an array of the device")

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise AssertionError("an array of the device is pickled or copied by the module copy")

    # What it is

    shape = property(lambda self: self._host.shape)
    strides = property(lambda self: self._host.strides)
    ndim = property(lambda self: self._host.ndim)
    size = property(lambda self: self._host.size)
    dtype = property(lambda self: self._host.dtype)
    nbytes = property(lambda self: self._host.nbytes)
    itemsize = property(lambda self: self._host.itemsize)
    T = property(lambda self: StandInArray(self._host.T))

    @property
    def flags(self) -> SimpleNamespace:
        """How it lies in memory."""
        flags = self._host.flags
        return SimpleNamespace(c_contiguous=flags.c_contiguous, f_contiguous=flags.f_contiguous)

    @property
    def data(self) -> SimpleNamespace:
        """Where it lies."""
        return SimpleNamespace(ptr=self._host.ctypes.data)

    def __len__(self) -> int:
        return len(self._host)

    def __iter__(self) -> Any:
        return (self[i] for i in range(len(self)))

    def __repr__(self) -> str:
        return f"<array of the device, {self.shape}, {self.dtype}>"

    # Copies to the host, which wait

    def _copied(self, what: str) -> Any:
        device.machine.copies_to_host(what)
        return self._host.copy()

    def get(self) -> Any:
        """Return a NumPy array."""
        return self._copied("ndarray.get")

    def item(self) -> Any:
        """Return the only entry."""
        return self._copied("ndarray.item").item()

    def tolist(self) -> Any:
        """Return nested lists."""
        return self._copied("ndarray.tolist").tolist()

    def __float__(self) -> float:
        return float(self._copied("float()"))

    def __int__(self) -> int:
        return int(self._copied("int()"))

    def __bool__(self) -> bool:
        return bool(self._copied("bool()"))

    def __index__(self) -> int:
        return self._copied("ndarray.__index__").__index__()

    def __str__(self) -> str:
        return str(self._copied("str()"))

    def __format__(self, specification: str) -> str:
        return format(self._copied("format()"), specification)

    # Copies from the host

    def set(self, arr: Any, stream: Any = None) -> None:
        """Copy from an array of the host, whose memory is read at once unless it is page-locked."""
        if not isinstance(arr, np.ndarray):
            raise TypeError("Only numpy.ndarray can be set to cupy.ndarray")
        if arr.dtype != self.dtype:
            raise TypeError(f"{arr.dtype} array cannot be set to {self.dtype} array")
        if arr.shape != self.shape:
            raise ValueError(f"Shape mismatch. Old shape: {self.shape}, new shape: {arr.shape}")
        if not (self._host.flags.c_contiguous or self._host.flags.f_contiguous):
            raise RuntimeError("Cannot set to non-contiguous array")
        stream = stream or device.machine.stream
        stream._refuse_in_capture()
        device.machine.uploads.append("ndarray.set")
        source = arr if device.machine.is_pinned(arr) and arr.flags.c_contiguous else arr.copy()
        stream._issue(lambda: np.copyto(self._host, source))

    # Entries

    def fill(self, value: Any) -> None:
        """Set all entries to a number."""
        if isinstance(value, np.ndarray):
            value = value.item() if value.ndim == 0 else given(value)
        number = given(value)
        changed(lambda: self._host.fill(number))

    def __getitem__(self, key: Any) -> "StandInArray":
        place = index(key)
        return viewed_or_computed(self, lambda: self._host[place])

    def __setitem__(self, key: Any, value: Any) -> None:
        place = index(key)
        if isinstance(value, np.ndarray) and value.ndim:
            raise ValueError("non-scalar numpy.ndarray cannot be used for setitem")
        entries = value.item() if isinstance(value, np.ndarray) else given(value)

        def change() -> None:
            self._host[place] = entries

        changed(change)


def index(key: Any) -> Any:
    """Return an index for NumPy that gives an array also where it picks one entry."""
    places = []
    for place in key if isinstance(key, tuple) else (key,):
        if isinstance(place, StandInArray):
            if place.dtype.kind == "b":
                device.machine.copies_to_host("indexing with booleans")
            places.append(place._host)
        elif place is None or place is Ellipsis or isinstance(place, int | np.integer | slice):
            places.append(place)
        else:
            raise AssertionError(f"an array of the device is indexed with {type(place)}")
    return tuple(places) if any(place is Ellipsis for place in places) else (*places, Ellipsis)


def as_device_array(a: Any, dtype: Any = None) -> StandInArray:
    """Return an array of the device; entries of the host are read at once."""
    if isinstance(a, StandInArray):
        return a if dtype is None or a.dtype == dtype else computed(lambda: a._host.astype(dtype))
    source = np.array(a, dtype)
    device.machine.stream._refuse_in_capture()
    device.machine.uploads.append("cupy.asarray")
    array = StandInArray(device.allocate(source.shape, source.dtype))
    device.machine.stream._issue(lambda: np.copyto(array._host, source))
    return array


def at_address(address: int, shape: tuple[int, int], lead: int, dtype: np.dtype[Any]) -> Any:
    """Return a matrix that lies column by column in the device's memory, its columns ``lead`` entries apart."""
    rows, columns = shape
    size = (lead * (columns - 1) + rows) * dtype.itemsize if rows and columns else 0
    block = device.machine.block_at(address, size)
    return np.ndarray(shape, dtype, block, address - block.ctypes.data, (dtype.itemsize, lead * dtype.itemsize))


def _binary(name: str, *, swapped: bool = False) -> Callable[..., Any]:
    function = getattr(operator, f"__{name}__")

    def operate(self: StandInArray, other: Any) -> StandInArray:
        if name == "matmul":
            device.machine.stream._refuse_in_capture()  # CuPy calls no cuBLAS while a stream is captured
        operands = (given(other), self._host) if swapped else (self._host, given(other))
        return computed(lambda: function(*operands))

    return operate


def _in_place(name: str) -> Callable[..., Any]:
    function = getattr(operator, f"__i{name}__")

    def operate(self: StandInArray, other: Any) -> StandInArray:
        operand = given(other)
        changed(lambda: function(self._host, operand))
        return self

    return operate


def _unary(name: str) -> Callable[..., Any]:
    function = getattr(operator, f"__{name}__")
    return lambda self: computed(lambda: function(self._host))


def _method(name: str) -> Callable[..., Any]:
    most = None if name in allowed.VIEWS else 0 if name == "copy" else 1

    @functools.wraps(getattr(np.ndarray, name))
    def call(self: StandInArray, *arguments: Any, **keywords: Any) -> Any:
        unknown = sorted(keywords.keys() - allowed.METHODS[name])
        if unknown or (most is not None and len(arguments) > most):
            raise AssertionError(f"ndarray.{name} with {unknown or arguments} has not been reviewed: see allowed.py")
        function = getattr(self._host, name)
        if name in allowed.VIEWS:
            return viewed_or_computed(self, lambda: function(*arguments, **keywords))
        return called(function, arguments, keywords)

    return call


for _name in OPERATORS:
    setattr(StandInArray, f"__{_name}__", _binary(_name))
    setattr(StandInArray, f"__r{_name}__", _binary(_name, swapped=True))
for _name in COMPARISONS:
    setattr(StandInArray, f"__{_name}__", _binary(_name))
for _name in IN_PLACE:
    setattr(StandInArray, f"__i{_name}__", _in_place(_name))
for _name in UNARY:
    setattr(StandInArray, f"__{_name}__", _unary(_name))
for _name in allowed.METHODS:
    setattr(StandInArray, _name, _method(_name))

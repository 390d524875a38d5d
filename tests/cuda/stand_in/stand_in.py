"""A module in CuPy's place, for machines without a GPU: what it does not know to be right fails the test.

It has only names that the installed CuPy has, and of those only the reviewed ones. A call of a Python function is bound
to CuPy's own signature; see ``allowed.py`` for the rest.
"""

import functools
import inspect
from collections.abc import Callable
from types import ModuleType
from typing import Any

import allowed
import numpy as np
import stand_in_device as device
from host_kernels import CompilationError, HostKernel, kernels_in
from stand_in_array import StandInArray, as_device_array, called

MOST_BLOCKS = 2**31 - 1
OPTIONS = {"--std=c++14"}
CUDA_VERSION = 12090
COMPUTE_CAPABILITY = (8, 0)
TOTAL_MEMORY = 2**34


class StandInModule(ModuleType):
    """A module that offers what was reviewed of a real one.

    Parameters
    ----------
    real : module
        The real one.
    names : dict of str to object
        What stands in, by name.
    """

    def __init__(self, real: ModuleType, names: dict[str, Any]) -> None:
        super().__init__(real.__name__)
        self.__path__: list[str] = []
        self._real, self._names = real, names

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        real = getattr(self._real, name)  # an AttributeError where the real one has no such name
        if name not in self._names and not _is_harmless(real):
            raise AssertionError(f"{self._real.__name__}.{name} has not been reviewed: see allowed.py")
        value = self._names.get(name, real)
        if inspect.isfunction(real) and not isinstance(value, type):
            value = bound(real, value)
        self.__dict__[name] = value
        return value


def _is_harmless(real: Any) -> bool:
    """Return whether it is a constant, one of NumPy's types or an exception."""
    if isinstance(real, type):
        return issubclass(real, np.generic | Exception)
    return real is None or isinstance(real, int | float | str)


def bound(real: Callable[..., Any], function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that is a TypeError where the real one is, and fails where it takes no such argument itself."""
    signature, reviewed = inspect.signature(real), inspect.signature(function)

    @functools.wraps(real)
    def call(*arguments: Any, **keywords: Any) -> Any:
        signature.bind(*arguments, **keywords)
        try:
            reviewed.bind(*arguments, **keywords)
        except TypeError as error:
            raise AssertionError(f"{real.__name__} is called in a way that has not been reviewed: {error}") from error
        return function(*arguments, **keywords)

    return call


def _ufunc(name: str) -> Callable[..., Any]:
    real, function = getattr(device.real_cupy(), name), getattr(np, name)

    def call(*arguments: Any, **keywords: Any) -> Any:
        unknown = sorted(keywords.keys() - allowed.UFUNC_KEYWORDS)
        if unknown or len(arguments) != real.nin:
            raise AssertionError(f"ufunc {name} with {unknown or arguments} has not been reviewed: see allowed.py")
        return called(function, arguments, keywords)

    return call


def _function(name: str) -> Callable[..., Any]:
    function = getattr(np, name)
    return lambda *arguments, **keywords: called(function, arguments, keywords)


# Arrays


def empty(shape: Any, dtype: Any = float) -> StandInArray:
    """Return an array whose entries are no numbers."""
    return StandInArray(device.allocate(tuple(shape) if isinstance(shape, tuple | list) else (shape,), dtype))


def empty_like(prototype: Any, dtype: Any = None) -> StandInArray:
    """Return an array of the same shape whose entries are no numbers."""
    assert isinstance(prototype, StandInArray), "empty_like of an array that is not the device's"
    order = "F" if prototype.flags.f_contiguous and not prototype.flags.c_contiguous else "C"
    return StandInArray(device.allocate(prototype.shape, dtype or prototype.dtype, order))


def asnumpy(a: Any) -> Any:
    """Return a NumPy array."""
    return a._copied("cupy.asnumpy") if isinstance(a, StandInArray) else np.asarray(a)


# Kernels


class RawModule:
    """CUDA C++, compiled for the host."""

    def __init__(self, code: str, *, options: tuple[str, ...] = ()) -> None:
        unknown = set(options) - OPTIONS
        assert isinstance(code, str), f"RawModule takes its source as text, not {type(code)}"
        assert isinstance(options, tuple), "RawModule takes its options as a tuple"
        assert not unknown, f"options of the compiler have not been reviewed: {sorted(unknown)}"
        self._code = code

    def get_function(self, name: str) -> "RawKernel":
        """Return a kernel."""
        device.machine.stream._refuse_in_capture()  # to load a module is no work for a stream
        if name not in kernels_in(self._code):
            raise AttributeError(f"CUDA_ERROR_NOT_FOUND: named symbol not found: {name}")
        try:
            return RawKernel(HostKernel(self._code, name))
        except CompilationError as error:
            real = device.real_cupy().cuda.compiler.CompileException
            raise real(str(error), self._code, name, (), "nvrtc") from error


class RawKernel:
    """A kernel that can be launched.

    Parameters
    ----------
    kernel : HostKernel
        It, compiled for the host.
    """

    def __init__(self, kernel: HostKernel) -> None:
        self._kernel = kernel

    def __call__(self, grid: Any, block: Any, args: Any) -> None:
        """Launch it on the current stream."""
        for sizes, most in ((grid, MOST_BLOCKS), (block, 1024)):
            assert isinstance(sizes, tuple), "a grid or block is not a tuple"
            assert len(sizes) == 1, "a grid or block has more than one dimension"
            assert type(sizes[0]) is int, f"a grid or block has a size of {type(sizes[0])}"
            if not 0 < sizes[0] <= most:
                raise device.cuda_error(device.INVALID_VALUE)
        assert isinstance(args, tuple | list), "a kernel's arguments are a tuple"
        for value in args:
            if isinstance(value, np.ndarray):
                raise TypeError(f"Unsupported type {type(value)}")
        values = tuple([value._host if isinstance(value, StandInArray) else value for value in args])
        self._kernel.check(values)
        device.machine.stream._issue(functools.partial(self._kernel, grid[0], block[0], values))


# Devices


class Device:
    """A device; there are as many as ``machine.devices`` says."""

    def __init__(self, device: int | None = None) -> None:
        self.id = _current_device() if device is None else device
        self._outer: list[int] = []

    def _check(self) -> None:
        if not 0 <= self.id < device.machine.devices:
            raise device.cuda_error(device.INVALID_DEVICE)

    def __enter__(self) -> "Device":
        self._outer.append(_current_device())
        self.use()
        return self

    def __exit__(self, *_: object) -> None:
        device.machine.device = self._outer.pop()

    def use(self) -> None:
        """Make it the current one."""
        self._check()
        device.machine.device = self.id

    def synchronize(self) -> None:
        """Do the work of all streams."""
        device.machine.stream._refuse_in_capture()
        device.machine.waits("Device.synchronize")
        for stream in list(device.Stream._by_pointer.values()):
            stream._run()

    @property
    def compute_capability(self) -> str:
        """Of an A100."""
        return "".join(map(str, COMPUTE_CAPABILITY))

    @property
    def mem_info(self) -> tuple[int, int]:
        """How many bytes are free, and how many there are."""
        return TOTAL_MEMORY - device.default_pool.used_bytes(), TOTAL_MEMORY


def _current_device() -> int:
    return device.machine.device


def pci_bus_id(number: int) -> str:
    """Return where a device is plugged in, as CUDA writes it."""
    Device(number)._check()
    return f"0000:{number:02X}:00.0"


def get_device_properties(number: int) -> dict[str, Any]:
    """Return what the engine asks of a device."""
    Device(number)._check()
    major, minor = COMPUTE_CAPABILITY
    return {"name": b"stand-in", "totalGlobalMem": TOTAL_MEMORY, "major": major, "minor": minor}


def _synchronize() -> None:
    Device().synchronize()


def make_cupy() -> StandInModule:
    """Return a stand-in for the module ``cupy``, on a new device."""
    real = device.real_cupy()
    device.reset()
    runtime = {
        "getDeviceCount": lambda: device.machine.devices,
        "getDevice": _current_device,
        "deviceGetPCIBusId": pci_bus_id,
        "driverGetVersion": lambda: CUDA_VERSION,
        "runtimeGetVersion": lambda: CUDA_VERSION,
        "getDeviceProperties": get_device_properties,
        "deviceSynchronize": _synchronize,
    }
    nvrtc = {"getVersion": lambda: (12, 9), "getSupportedArchs": lambda: [70, 80, 90]}
    cuda = {
        "Device": Device,
        "Event": device.Event,
        "MemoryPool": device.MemoryPool,
        "Stream": device.Stream,
        "alloc_pinned_memory": device.alloc_pinned_memory,
        "get_current_stream": lambda: device.machine.stream,
        "memory": StandInModule(real.cuda.memory, {}),
        "nvrtc": StandInModule(real.cuda.nvrtc, nvrtc),
        "runtime": StandInModule(real.cuda.runtime, runtime),
        "using_allocator": device.using_allocator,
    }
    names = {
        "RawModule": RawModule,
        "asarray": as_device_array,
        "asnumpy": asnumpy,
        "cuda": StandInModule(real.cuda, cuda),
        "empty": empty,
        "empty_like": empty_like,
        "get_default_memory_pool": lambda: device.default_pool,
        "ndarray": StandInArray,
    }
    names |= {name: _ufunc(name) for name in allowed.UFUNCS}
    names |= {name: _function(name) for name in allowed.FUNCTIONS}
    return StandInModule(real, names)

"""cuBLAS for the stand-in: its C functions over the memory of the device, computed by NumPy.

Prototypes, statuses and what is checked are those of the cuBLAS Library documentation (helper functions, gemm).
"""

import ctypes
import itertools
from functools import partial
from typing import Any

import numpy as np
import stand_in_array
import stand_in_device as device

SUCCESS, NOT_INITIALIZED, INVALID_VALUE = 0, 1, 7
NO_TRANSPOSE, TRANSPOSE, CONJUGATE = 0, 1, 2
MATH_MODES = (0, 1, 2, 3, 16, 19)
"""DEFAULT, TENSOR_OP (deprecated), PEDANTIC, TF32_TENSOR_OP, DISALLOW_REDUCED_PRECISION_REDUCTION, and with TF32."""

HANDLE, POINTER, INT, SIZE = "handle", "pointer", "int", "size_t"
GEMM = [HANDLE, INT, INT, INT, INT, INT, POINTER, POINTER, INT, POINTER, INT, POINTER, POINTER, INT]
"""handle, transa, transb, m, n, k, alpha, A, lda, B, ldb, beta, C, ldc"""
PROTOTYPES: dict[str, list[str]] = {
    "cublasCreate_v2": [POINTER],
    "cublasDestroy_v2": [HANDLE],
    "cublasSetStream_v2": [HANDLE, POINTER],
    "cublasSetWorkspace_v2": [HANDLE, POINTER, SIZE],
    "cublasSetMathMode": [HANDLE, INT],
    "cublasSgemm_v2": GEMM,
    "cublasDgemm_v2": GEMM,
}
NUMBERS: dict[str, tuple[type[Any], ...]] = {INT: (ctypes.c_int,), SIZE: (ctypes.c_size_t,)}
WORKSPACE_ALIGNMENT = 256


class Handle:
    """What belongs to a handle."""

    def __init__(self) -> None:
        self.stream = device.Stream.null
        self.workspace: Any = None
        self.math_mode = 0


class Function:
    """A function of the library, called as ctypes would: its types must have been declared.

    Parameters
    ----------
    library : FakeCublas
        Whose it is.
    name : str
        Its C name.
    """

    def __init__(self, library: "FakeCublas", name: str) -> None:
        self.argtypes: Any = None
        self.restype: Any = None
        self._library, self._name = library, name

    def __call__(self, *arguments: Any) -> int:
        wanted, declared = PROTOTYPES[self._name], self.argtypes
        assert declared is not None, f"{self._name}: without argtypes ctypes cuts a pointer to 32 bits"
        assert self.restype is ctypes.c_int, f"{self._name} returns an int"
        assert len(declared) == len(wanted), f"{self._name} takes {len(wanted)} arguments"
        for i, (kind, given) in enumerate(zip(wanted, declared, strict=True)):
            fits = given in NUMBERS[kind] if kind in NUMBERS else _is_pointer(given)
            assert fits, f"{self._name}: argument {i} is declared as {given}, not as {kind}"
        if len(arguments) != len(wanted):
            raise TypeError(f"{self._name} takes {len(wanted)} arguments, not {len(arguments)}")
        values = []
        for i, (kind, given, value) in enumerate(zip(wanted, declared, arguments, strict=True)):
            try:
                converted = given.from_param(value)
            except (TypeError, ctypes.ArgumentError) as error:
                raise TypeError(f"{self._name}: argument {i} is no {kind}: {value!r}") from error
            values.append(
                int(value.value if hasattr(value, "value") else value) if kind in NUMBERS else _address(converted)
            )
        return self._library.call(self._name, values)


def _is_pointer(kind: Any) -> bool:
    return kind is ctypes.c_void_p or issubclass(kind, ctypes._Pointer)  # type: ignore[attr-defined]


def _address(value: Any) -> int:
    return value if isinstance(value, int) else ctypes.cast(value, ctypes.c_void_p).value or 0


class FakeCublas:
    """A library as `ctypes.CDLL` gives it; it has no functions but those that were reviewed.

    Attributes
    ----------
    calls : list of str
        The functions called.
    """

    def __init__(self) -> None:
        self.calls: list[str] = []
        self._handles: dict[int, Handle] = {}
        self._numbers = itertools.count(1)
        for name in PROTOTYPES:
            setattr(self, name, Function(self, name))

    def call(self, name: str, values: list[int]) -> int:
        """Do what a function does, given its arguments as whole numbers; return its status."""
        self.calls.append(name)
        if name == "cublasCreate_v2":
            number = 64 * next(self._numbers)
            self._handles[number] = Handle()
            ctypes.c_void_p.from_address(values[0]).value = number
            return SUCCESS
        handle = self._handles.get(values[0])
        if handle is None:
            return NOT_INITIALIZED
        if name == "cublasDestroy_v2":
            device.machine.stream._refuse_in_capture()  # it waits for the device
            del self._handles[values[0]]
            return SUCCESS
        if name == "cublasSetMathMode":
            handle.math_mode = values[1]
            return SUCCESS if values[1] in MATH_MODES else INVALID_VALUE
        if name == "cublasSetStream_v2":
            stream = device.Stream._by_pointer.get(values[1])
            assert stream is not None, f"{name}: {values[1]:#x} is no stream"
            handle.stream, handle.workspace = stream, None  # "unconditionally resets the workspace"
            return SUCCESS
        if name == "cublasSetWorkspace_v2":
            return _set_workspace(handle, *values[1:])
        return _gemm(handle, np.dtype("float32" if name == "cublasSgemm_v2" else "float64"), *values[1:])


def _set_workspace(handle: Handle, address: int, size: int) -> int:
    if address % WORKSPACE_ALIGNMENT or (size and not address):
        return INVALID_VALUE
    handle.workspace = device.machine.block_at(address, size) if size else None
    return SUCCESS


def _number(address: int, dtype: np.dtype[Any]) -> Any:
    """Read a number from the memory of the host, as in the pointer mode that a handle begins with."""
    return np.frombuffer((ctypes.c_char * dtype.itemsize).from_address(address), dtype)[0].copy()


def _gemm(handle: Handle, dtype: np.dtype[Any], *values: int) -> int:
    """``C := alpha op(A) op(B) + beta C``, matrices column by column; with beta 0, C is not read."""
    transpose_a, transpose_b, m, n, k, alpha_at, a_at, lda, b_at, ldb, beta_at, c_at, ldc = values
    if transpose_a not in (0, 1, 2) or transpose_b not in (0, 1, 2) or min(m, n, k) < 0 or not (alpha_at and beta_at):
        return INVALID_VALUE
    a_shape = (m, k) if transpose_a == NO_TRANSPOSE else (k, m)
    b_shape = (k, n) if transpose_b == NO_TRANSPOSE else (n, k)
    if lda < max(1, a_shape[0]) or ldb < max(1, b_shape[0]) or ldc < max(1, m):
        return INVALID_VALUE
    current = device.machine.stream
    assert not (current.is_capturing() and handle.stream is not current), (
        "a product is asked for while a stream is captured, on another stream"
    )
    alpha, beta = _number(alpha_at, dtype), _number(beta_at, dtype)
    A = stand_in_array.at_address(a_at, a_shape, lda, dtype)
    B = stand_in_array.at_address(b_at, b_shape, ldb, dtype)
    C = stand_in_array.at_address(c_at, (m, n), ldc, dtype)
    op_a, op_b = (A.T if transpose_a else A), (B.T if transpose_b else B)
    handle.stream._issue(partial(_multiply, op_a, op_b, C, alpha, beta))
    return SUCCESS


def _multiply(A: Any, B: Any, C: Any, alpha: Any, beta: Any) -> None:
    with np.errstate(all="ignore"):
        product = A @ B if alpha == 1 else alpha * (A @ B)
        C[...] = product if beta == 0 else product + (C if beta == 1 else beta * C)

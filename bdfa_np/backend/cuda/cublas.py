"""Matrix products by cuBLAS, called directly.

CuPy refuses to call cuBLAS while a stream is captured (its issue 6290), though cuBLAS itself may be. So what is needed
of it is bound here, in the library that CuPy has loaded, with a handle and a workspace of our own: with those the same
product gives the same bits, captured or not.
"""

import ctypes
import os
import sys
from typing import Any

from bdfa_np.backend.base import Array
from bdfa_np.backend.cuda.importing import import_cublas
from bdfa_np.errors import BackendError

LIBRARIES = ("libcublas.so.13", "libcublas.so.12")
WINDOWS_LIBRARIES = ("cublas64_13.dll", "cublas64_12.dll")
DEFAULT_MATH, TF32_MATH = 0, 3
AS_IT_IS, TRANSPOSED = 0, 1
WORKSPACE_BYTES = 32 * 2**20
"""What NVIDIA recommends for its larger devices."""

_INT, _POINTER = ctypes.c_int, ctypes.c_void_p
_PRODUCT = [_POINTER, *[_INT] * 5, _POINTER, _POINTER, _INT, _POINTER, _INT, _POINTER, _POINTER, _INT]
PROTOTYPES: dict[str, list[Any]] = {
    "cublasCreate_v2": [_POINTER],
    "cublasDestroy_v2": [_POINTER],
    "cublasSetStream_v2": [_POINTER, _POINTER],
    "cublasSetWorkspace_v2": [_POINTER, _POINTER, ctypes.c_size_t],
    "cublasSetMathMode": [_POINTER, _INT],
    "cublasSgemm_v2": _PRODUCT,
    "cublasDgemm_v2": _PRODUCT,
}
"""The functions of ``cublas_api.h`` that are called; each returns a status, 0 being success."""


def load_library() -> Any:
    """Return the cuBLAS library that CuPy uses.

    Raises
    ------
    BackendError
        If there is none.
    """
    try:
        import_cublas()  # loads it, from wherever CuPy finds it
    except ImportError as error:
        raise BackendError(f"cuBLAS cannot be loaded ({error})") from error
    windows = sys.platform == "win32"
    for name in WINDOWS_LIBRARIES if windows else LIBRARIES:
        try:
            return ctypes.CDLL(name, mode=ctypes.DEFAULT_MODE if windows else os.RTLD_NOLOAD)
        except OSError:
            continue
    raise BackendError("CuPy has loaded no cuBLAS of CUDA 12 or 13")


class Cublas:
    """Products of matrices on the current device.

    Parameters
    ----------
    cupy : module
        CuPy.
    dtype : {"float32", "float64"}
        Of all matrices.
    tf32 : bool
        Whether float32 products may round their factors to TF32's ten bits.
    """

    def __init__(self, cupy: Any, dtype: str, *, tf32: bool) -> None:
        self._cupy = cupy
        library = load_library()
        for name, types in PROTOTYPES.items():
            function = getattr(library, name)
            function.argtypes, function.restype = types, _INT
        self._library = library
        self._handle = ctypes.c_void_p()
        self._call("cublasCreate_v2", ctypes.byref(self._handle))
        self._call("cublasSetMathMode", self._handle, TF32_MATH if tf32 else DEFAULT_MATH)
        self._workspace = cupy.empty((WORKSPACE_BYTES,), "uint8")
        self._stream: int | None = None
        number = ctypes.c_float if dtype == "float32" else ctypes.c_double
        self._number, self._zero, self._one = number, number(0), number(1)
        self._product = "cublasSgemm_v2" if dtype == "float32" else "cublasDgemm_v2"

    def _call(self, name: str, *arguments: Any) -> None:
        status = getattr(self._library, name)(*arguments)
        if status:
            raise BackendError(f"cuBLAS failed: {name} returned status {status}")

    def matmul(self, a: Any, b: Any, out: Any, accumulate: bool, scale: float = 1.0) -> Array:
        """Write ``scale`` times the product of ``a`` (m, k) and ``b`` (k, n) into ``out`` (m, n), or add it; return it.

        cuBLAS reads matrices column by column, so that ours are transposed in its eyes: it gets ``outᵀ = bᵀ aᵀ``.
        """
        stream = self._cupy.cuda.get_current_stream().ptr
        if stream != self._stream:
            self._call("cublasSetStream_v2", self._handle, stream)
            # After the stream, since to set that puts cuBLAS's own workspace back.
            self._call("cublasSetWorkspace_v2", self._handle, self._workspace.data.ptr, WORKSPACE_BYTES)
            self._stream = stream
        (m, k), n = a.shape, b.shape[1]
        if b.shape[0] != k or out.shape != (m, n) or not out.flags.c_contiguous:
            raise ValueError(f"a product of {a.shape} and {b.shape} does not fit a contiguous {out.shape}")
        a_order, a_width = order(a)
        b_order, b_width = order(b)
        alpha = ctypes.byref(self._one if scale == 1 else self._number(scale))
        beta = ctypes.byref(self._one if accumulate else self._zero)
        sizes = (b_order, a_order, n, m, k)
        given = (b.data.ptr, b_width, a.data.ptr, a_width)
        self._call(self._product, self._handle, *sizes, alpha, *given, beta, out.data.ptr, n)
        return out


def order(matrix: Any) -> tuple[int, int]:
    """Return whether a matrix lies in memory as it is or transposed, and how far apart its lines begin there.

    Raises
    ------
    ValueError
        If it is neither, nor the first columns of one that is.
    """
    if matrix.flags.c_contiguous:
        return AS_IT_IS, matrix.shape[1]
    if matrix.flags.f_contiguous:
        return TRANSPOSED, matrix.shape[0]
    apart, left_over = divmod(matrix.strides[0], matrix.itemsize)
    if matrix.strides[1] == matrix.itemsize and apart >= matrix.shape[1] and not left_over:
        return AS_IT_IS, apart
    raise ValueError("a product takes contiguous matrices, their transposes, and the first columns of a matrix")

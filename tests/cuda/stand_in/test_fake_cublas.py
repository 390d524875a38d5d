"""The stand-in for cuBLAS: products against NumPy, and what it refuses."""

import ctypes
import itertools

import numpy as np
import pytest

pytest_plugins = ["cuda_fixtures"]

INT, POINTER = ctypes.c_int, ctypes.c_void_p
GEMM = [POINTER, *[INT] * 5, POINTER, POINTER, INT, POINTER, INT, POINTER, POINTER, INT]
TYPES = {
    "cublasCreate_v2": [POINTER],
    "cublasDestroy_v2": [POINTER],
    "cublasSetStream_v2": [POINTER, POINTER],
    "cublasSetWorkspace_v2": [POINTER, POINTER, ctypes.c_size_t],
    "cublasSetMathMode": [POINTER, INT],
    "cublasSgemm_v2": GEMM,
    "cublasDgemm_v2": GEMM,
}


class Library:
    """cuBLAS with one handle, on the current stream."""

    def __init__(self, standing):
        self.cupy, self.functions = standing.cupy, standing.cublas
        for name, types in TYPES.items():
            getattr(self.functions, name).argtypes = types
            getattr(self.functions, name).restype = INT
        self.handle = POINTER()
        assert self.functions.cublasCreate_v2(ctypes.byref(self.handle)) == 0

    def set_stream(self):
        return self.functions.cublasSetStream_v2(self.handle, self.cupy.cuda.get_current_stream().ptr)

    def product(self, a, b, c, sizes, *, transposed=(0, 0), alpha=1, beta=0, leads=None):
        """Call gemm on matrices that lie column by column; return the status."""
        number = ctypes.c_float if c.dtype == np.float32 else ctypes.c_double
        function = self.functions.cublasSgemm_v2 if number is ctypes.c_float else self.functions.cublasDgemm_v2
        (m, n, k), (lda, ldb, ldc) = sizes, leads
        one, other = ctypes.byref(number(alpha)), ctypes.byref(number(beta))
        places = (a.data.ptr, lda, b.data.ptr, ldb)
        return function(self.handle, *transposed, m, n, k, one, *places, other, c.data.ptr, ldc)


@pytest.fixture
def library(stand_in):
    return Library(stand_in)


@pytest.mark.parametrize("beta", [0, 1, -0.5])
@pytest.mark.parametrize("transposed", list(itertools.product((0, 1), (0, 1))))
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_products_are_numpys(library, dtype, transposed, beta):
    random, (m, n, k), spare = np.random.default_rng(1), (3, 5, 7), 2
    a, b, c = (random.standard_normal(shape).astype(dtype) for shape in ((m, k), (k, n), (m, n)))
    stored = [a.T if transposed[0] else a, b.T if transposed[1] else b, c]
    # Column by column with spare rows below, which is row by row of the transposes with spare columns.
    padded = [np.pad(matrix.T, ((0, 0), (0, spare)), constant_values=99) for matrix in stored]
    A, B, C = (library.cupy.asarray(matrix) for matrix in padded)
    leads = [matrix.shape[0] + spare for matrix in stored]
    assert library.product(A, B, C, (m, n, k), transposed=transposed, alpha=2, beta=beta, leads=leads) == 0
    result = C.get()
    truth = 2 * a.astype("float64") @ b.astype("float64") + beta * c.astype("float64")
    np.testing.assert_allclose(result[:, :m].T, truth, rtol=1e-5 if dtype == "float32" else 1e-12)
    assert (result[:, m:] == 99).all()


def test_with_beta_0_the_result_is_not_read(library):
    a, c = library.cupy.ones((2, 2)), library.cupy.empty((2, 2))
    assert np.isnan(c.get()).all()
    assert library.product(a, a, c, (2, 2, 2), leads=(2, 2, 2)) == 0
    assert (c.get() == 2).all()


@pytest.mark.parametrize("leads", [(2, 4, 3), (3, 3, 3), (3, 4, 2)])
def test_a_lead_that_is_too_small_is_an_invalid_value(library, leads):
    a, b, c = (library.cupy.zeros((20,)) for _ in range(3))
    assert library.product(a, b, c, (3, 2, 4), leads=(3, 4, 3)) == 0
    assert library.product(a, b, c, (3, 2, 4), leads=leads) == 7


def test_memory_that_is_not_the_devices_is_caught(library):
    a = library.cupy.zeros((4,))
    with pytest.raises(AssertionError, match="not the device's memory"):
        library.functions.cublasDgemm_v2(
            library.handle, 0, 0, 2, 2, 2, ctypes.byref(ctypes.c_double(1)), np.zeros(4).ctypes.data, 2, a.data.ptr, 2,
            ctypes.byref(ctypes.c_double(0)), a.data.ptr, 2,
        )  # fmt: skip
    with pytest.raises(AssertionError, match="not the device's memory"):
        library.product(a, a, a, (64, 64, 64), leads=(64, 64, 64))


def test_a_handle_that_was_destroyed_is_not_initialised(library):
    assert library.functions.cublasDestroy_v2(library.handle) == 0
    assert library.functions.cublasSetMathMode(library.handle, 3) == 1


def test_a_math_mode_that_does_not_exist_is_an_invalid_value(library):
    assert [library.functions.cublasSetMathMode(library.handle, mode) for mode in (0, 3, 7)] == [0, 0, 7]


def test_a_workspace_is_aligned_memory_of_the_device(library):
    held = library.cupy.empty((1024,), "uint8")
    workspace = held.data.ptr
    set_workspace = library.functions.cublasSetWorkspace_v2
    assert set_workspace(library.handle, workspace, 1024) == 0
    assert set_workspace(library.handle, workspace + 8, 512) == 7
    with pytest.raises(AssertionError, match="not the device's memory"):
        set_workspace(library.handle, workspace, 10**6)


@pytest.mark.parametrize("types", [None, [POINTER], [POINTER, POINTER], [POINTER, ctypes.c_size_t]])
def test_types_that_are_not_declared_as_in_the_header_are_caught(library, types):
    library.functions.cublasSetMathMode.argtypes = types
    with pytest.raises(AssertionError, match="cublasSetMathMode"):
        library.functions.cublasSetMathMode(library.handle, 0)


@pytest.mark.parametrize("arguments", [(), (0,), (0, 0), (0.5,), ("0",)])
def test_arguments_that_do_not_fit_are_an_error(library, arguments):
    if arguments == (0,):
        assert library.functions.cublasSetMathMode(library.handle, *arguments) == 0
        return
    with pytest.raises(TypeError, match="cublasSetMathMode"):
        library.functions.cublasSetMathMode(library.handle, *arguments)


def test_a_function_outside_the_table_does_not_exist(library):
    with pytest.raises(AttributeError):
        _ = library.functions.cublasHgemm


def test_a_product_is_captured_and_replayed_on_the_same_memory(library):
    cupy = library.cupy
    a, c = cupy.ones((2, 2)), cupy.zeros((2, 2))
    with cupy.cuda.Stream(non_blocking=True) as stream:
        library.set_stream()
        stream.begin_capture()
        assert library.product(a, a, c, (2, 2, 2), beta=1, leads=(2, 2, 2)) == 0
        graph = stream.end_capture()
        assert (c.get() == 0).all()
        for times in (1, 2):
            graph.launch()
            assert (c.get() == 2 * times).all()


def test_a_product_on_another_stream_than_the_captured_one_is_caught(library):
    a, c = library.cupy.ones((2, 2)), library.cupy.zeros((2, 2))
    with library.cupy.cuda.Stream(non_blocking=True) as stream:
        stream.begin_capture()
        with pytest.raises(AssertionError, match="another stream"):
            library.product(a, a, c, (2, 2, 2), leads=(2, 2, 2))
        stream.end_capture()


def test_the_engines_products_go_through_it(library):
    from bdfa_np.backend.cuda.cublas import Cublas

    cupy = library.cupy
    products = Cublas(cupy, "float32", tf32=False)
    a, b = (np.random.default_rng(2).standard_normal(shape).astype("float32") for shape in ((3, 4), (5, 4)))
    out = cupy.ones((3, 5), "float32")
    products.matmul(cupy.asarray(a), cupy.asarray(b).T, out, accumulate=True)
    np.testing.assert_allclose(out.get(), a @ b.T + 1, rtol=1e-5)

"""Kernels compiled for the host: barriers, the order of threads, and the types of arguments."""

import platform

import numpy as np
import pytest
import scipy.special
from host_kernels import C_TYPES, CompilationError, HostKernel, compiled, compiler, kernels_in

if compiler() is None:
    pytest.skip("no C++ compiler: kernels cannot be compiled for the host", allow_module_level=True)

SUM = """
__device__ Real block_sum(Real value, Real* partial) {
    partial[threadIdx.x] = value;
    __syncthreads();
    for (unsigned int half = 128; half > 0; half /= 2) {
        if (threadIdx.x < half) partial[threadIdx.x] += partial[threadIdx.x + half];
        __syncthreads();
    }
    return partial[0];
}
// A block takes a row, and every thread writes the row's sum.
extern "C" __global__ void row_sums(const Real* __restrict__ x, Real* sums, long long n) {
    __shared__ Real partial[256];
    Real sum = 0;
    for (long long j = threadIdx.x; j < n; j += blockDim.x) sum += x[blockIdx.x * n + j];
    sums[blockIdx.x * blockDim.x + threadIdx.x] = block_sum(sum, partial);
}
"""
BARRIER = "__syncthreads();"
SCALE = """
extern "C" __global__ void scale(float* a, float by, int n) {
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) a[i] *= by;
}
"""


def row_sums(source: str, dtype: str, *, descending: bool) -> tuple[np.ndarray, np.ndarray]:
    """Run the sum over rows; return what every thread has written, and the truth."""
    source = f"typedef {'float' if dtype == 'float32' else 'double'} Real;\n{source}"
    x = np.random.default_rng(0).integers(-9, 9, (5, 1001)).astype(dtype)
    sums = np.zeros((5, 256), dtype)
    HostKernel(source, "row_sums")(5, 256, (x, sums, np.int64(1001)), descending=descending)
    return sums, np.repeat(x.sum(axis=1, keepdims=True), 256, axis=1)


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_kernel_with_barriers_adds_up_over_a_block(dtype, descending):
    sums, truth = row_sums(SUM, dtype, descending=descending)
    np.testing.assert_array_equal(sums, truth)


@pytest.mark.parametrize("place", [0, 1])
def test_a_barrier_that_is_left_out_shows_in_one_order_of_the_threads(place):
    before, after = [SUM.find(BARRIER), SUM.rfind(BARRIER)][place], len(BARRIER)
    planted = SUM[:before] + SUM[before + after :]
    results = [row_sums(planted, "float32", descending=descending) for descending in (False, True)]
    assert any(not np.array_equal(sums, truth) for sums, truth in results)


def test_a_kernel_without_barriers_runs_every_thread_of_every_block_once():
    a = np.arange(1000, dtype=np.float32)
    HostKernel(SCALE, "scale")(3, 64, (a, np.float32(2), np.int32(999)))
    np.testing.assert_array_equal(a, np.append(2.0 * np.arange(999), 999))


@pytest.mark.parametrize("descending", [False, True])
def test_threads_take_their_turns_in_the_order_asked_for(descending):
    source = """
    extern "C" __global__ void turns(unsigned long long* turn, unsigned long long* turns) {
        turns[blockIdx.x * blockDim.x + threadIdx.x] = atomicAdd(turn, 1ULL);
    }"""
    turns = np.zeros(12, np.uint64)
    HostKernel(source, "turns")(3, 4, (np.zeros(1, np.uint64), turns), descending=descending)
    assert turns.tolist() == sorted(range(12), reverse=descending)


def test_an_atomic_addition_counts_every_thread():
    source = 'extern "C" __global__ void count(unsigned long long* n) { atomicAdd(n + blockIdx.x % 2, 1ULL); }'
    n = np.zeros(2, np.uint64)
    HostKernel(source, "count")(5, 100, (n,))
    assert n.tolist() == [300, 200]


def test_functions_of_floats_are_computed_in_floats():
    names = ("sqrt", "erf", "exp", "log", "log1p", "tanh", "fabs", "cospi", "sinpi")
    body = " ".join(f"y[{i}] = sizeof({name}(x));" for i, name in enumerate(names))
    y = np.zeros(len(names), np.float32)
    HostKernel(f'extern "C" __global__ void f(float* y, float x) {{ {body} }}', "f")(1, 1, (y, np.float32(1)))
    assert y.tolist() == [4] * len(names)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["sqrt", "erf", "exp", "log", "log1p", "tanh", "fabs", "cospi", "sinpi"])
def test_functions_are_those_of_their_names(name, dtype):
    x = np.linspace(0.1, 5, 50, dtype=dtype)
    y, c_type = x.copy(), "float" if dtype == "float32" else "double"
    source = f'extern "C" __global__ void f({c_type}* y) {{ y[threadIdx.x] = {name}(y[threadIdx.x]); }}'
    HostKernel(source, "f")(1, 50, (y,))
    own = {"cospi": lambda x: np.cos(np.pi * x), "sinpi": lambda x: np.sin(np.pi * x), "erf": scipy.special.erf}
    truth = own.get(name) or getattr(np, name)
    rtol, atol = (1e-6, 1e-6 * name.endswith("pi")) if dtype == "float32" else (1e-14, 1e-14)
    np.testing.assert_allclose(y, truth(x.astype(np.float64)), rtol=rtol, atol=atol)


def test_products_and_sums_are_not_contracted():
    source = 'extern "C" __global__ void f(double* y, double a, double b) { y[0] = a * b - 1; }'
    y, a = np.zeros(1), 1 + 2.0**-30
    HostKernel(source, "f")(1, 1, (y, a, 2 - a))
    assert y[0] == a * (2 - a) - 1 == 0  # with one rounding it is -2⁻⁶⁰


DENORMALS = """
typedef %s Real;
extern "C" __global__ void f(const Real* x, Real* y) {
    __syncthreads();
    y[0] = x[0] * x[0];
    y[1] = x[1] + x[2];
    y[2] = x[1] > 0;
    y[3] = x[1] / x[1];
}
"""


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="only an x86 is asked to flush denormals")
@pytest.mark.parametrize("block", [1, 8])
def test_denormals_are_zero_in_a_kernel_of_float32_alone_as_cupy_compiles_it(block):
    x, y = np.array([1e-20, 1e-40, 0], np.float32), np.ones(4, np.float32)
    for _ in range(2):  # threads that waited at a barrier go on from one launch to the next
        HostKernel(DENORMALS % "float", "f")(1, block, (x, y))
        np.testing.assert_array_equal(y, np.array([0, 0, 0, np.nan], np.float32))
        assert x[0] * x[0] != 0  # NumPy goes on as before
    x, y = np.array([1e-160, 1e-320, 0]), np.ones(4)
    HostKernel(DENORMALS % "double", "f")(1, block, (x, y))
    np.testing.assert_array_equal(y, [1e-320, 1e-320, 1, 1])


def test_denormals_are_there_again_after_a_kernel_that_failed():
    source = 'extern "C" __global__ void f(float* a) { if (threadIdx.x) __syncthreads(); }'
    with pytest.raises(RuntimeError, match="some threads of a block ended"):
        HostKernel(source, "f")(1, 2, (np.zeros(1, np.float32),))
    assert np.array(1e-20, np.float32) ** 2 != 0


def test_a_thread_that_ends_before_a_barrier_is_an_error_and_the_next_launch_is_right():
    source = """
    extern "C" __global__ void f(int* a, int first) {
        if (threadIdx.x < first) return;
        __syncthreads();
        a[threadIdx.x] = 1;
    }"""
    kernel, a = HostKernel(source, "f"), np.zeros(8, np.int32)
    for missing in (1, 7):
        with pytest.raises(RuntimeError, match="some threads of a block ended"):
            kernel(1, 8, (a, np.int32(missing)))
    assert not a.any()
    kernel(1, 8, (a, np.int32(0)))
    assert a.all()


def test_threads_at_different_barriers_are_an_error():
    source = """
    extern "C" __global__ void f(int* a) {
        if (threadIdx.x < 3) {
            __syncthreads();
        } else {
            __syncthreads();
        }
        a[threadIdx.x] = 1;
    }"""
    with pytest.raises(RuntimeError, match="different barriers"):
        HostKernel(source, "f")(1, 8, (np.zeros(8, np.int32),))


def test_parameters_are_read_through_typedefs_comments_and_line_ends():
    source = """
    typedef double Real;
    typedef long long Index;
    // extern "C" __global__ void none(char* a) {}
    extern "C" __global__ void f(const Real* __restrict__ x, /* a, b */ unsigned char *y,
                                 const unsigned long long n, bool flag, Index* const z, unsigned k) {}
    """
    (found,) = kernels_in(source).items()
    assert found[0] == "f"
    assert [(p.name, str(p.dtype), p.is_pointer) for p in found[1]] == [
        ("x", "float64", True),
        ("y", "uint8", True),
        ("n", "uint64", False),
        ("flag", "bool", False),
        ("z", "int64", True),
        ("k", "uint32", False),
    ]


def test_a_parameter_of_another_type_is_refused():
    with pytest.raises(CompilationError, match="short"):
        kernels_in('extern "C" __global__ void f(short* a) {}')


@pytest.mark.parametrize(("c_type", "dtype"), C_TYPES.items())
def test_a_number_of_every_type_arrives(c_type, dtype):
    source = f'extern "C" __global__ void f({c_type}* a, int before, {c_type} x, double after) {{ a[before] = x; }}'
    a = np.zeros(2, dtype)
    value = np.dtype(dtype).type(1 if dtype == "bool" else 100)
    HostKernel(source, "f")(1, 1, (a, np.int32(1), value, np.float64(0)))
    assert a.tolist() == [0, value]


@pytest.mark.parametrize(
    "arguments",
    [
        (np.zeros(4, np.float64), np.float32(2), np.int32(4)),
        (np.zeros(4, np.float32), np.float64(2), np.int32(4)),
        (np.zeros(4, np.float32), 2.0, np.int32(4)),  # CuPy passes a float as float64
        (np.zeros(4, np.float32), np.float32(2), 4),  # and an int as int64
        (np.zeros(4, np.float32), np.float32(2), np.int64(4)),
        (np.zeros(4, np.float32), np.float32(2), np.uint32(4)),
        (np.zeros(4, np.float32), np.float32(2), True),
        (np.float32(0), np.float32(2), np.int32(4)),
        (np.zeros(4, np.float32), np.zeros(1, np.float32), np.int32(4)),
        (np.zeros(4, np.float32), np.float32(2)),
        (np.zeros(4, np.float32), np.float32(2), np.int32(4), np.int32(4)),
        (np.zeros(4, np.float32), "2", np.int32(4)),
        (None, np.float32(2), np.int32(4)),
    ],
)
def test_an_argument_of_a_wrong_type_is_an_error(arguments):
    with pytest.raises(TypeError):
        HostKernel(SCALE, "scale")(1, 4, arguments)


@pytest.mark.parametrize(("c_type", "value"), [("long long", 5), ("double", 5.0), ("bool", True)])
def test_numbers_of_python_are_passed_as_cupy_does(c_type, value):
    a = np.zeros(1, C_TYPES[c_type])
    HostKernel(f'extern "C" __global__ void f({c_type}* a, {c_type} x) {{ a[0] = x; }}', "f")(1, 1, (a, value))
    assert a[0] == value


@pytest.mark.parametrize(("grid", "block"), [(0, 4), (1, 0), (1, 1025), (2**31, 4)])
def test_sizes_that_cuda_does_not_launch_are_an_error(grid, block):
    with pytest.raises(ValueError, match="cannot be launched"):
        HostKernel(SCALE, "scale")(grid, block, (np.zeros(4, np.float32), np.float32(2), np.int32(4)))


@pytest.mark.parametrize("body", ["a[0] = unknown;", "a[0] = cbrt(a[0]);", "__syncwarp();", "a[0] = threadIdx.y;"])
def test_what_is_no_cuda_or_was_not_reviewed_does_not_compile(body):
    with pytest.raises(CompilationError):
        HostKernel(f'extern "C" __global__ void f(float* a) {{ {body} }}', "f")


def test_a_source_is_compiled_once():
    assert compiled(SCALE) is compiled(SCALE)

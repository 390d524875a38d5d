"""The stand-in for CuPy: everything that CuPy would refuse, or that a GPU would do in another order, is caught."""

import copy
import inspect
import sys

import numpy as np
import pytest

pytest_plugins = ["cuda_fixtures"]

TWICE = 'extern "C" __global__ void twice(float* a, int n) { if (threadIdx.x < n) a[threadIdx.x] *= 2; }'


@pytest.fixture
def cupy(stand_in):
    return stand_in.cupy


@pytest.fixture
def a(cupy):
    return cupy.asarray(np.arange(6, dtype=np.float32).reshape(2, 3))


# Names and signatures


def test_import_finds_the_stand_in(cupy):
    from bdfa_np.backend.cuda.importing import import_cupy

    assert import_cupy() is cupy
    assert sys.modules["cupy.cuda"] is cupy.cuda


@pytest.mark.parametrize("name", ["frombufferx", "Array", "copyto_host"])
def test_a_name_that_cupy_lacks_does_not_exist(cupy, name):
    assert not hasattr(cupy, name)
    assert not hasattr(cupy.cuda, name)


@pytest.mark.parametrize("name", ["fuse", "ElementwiseKernel", "linalg", "unique"])
def test_a_name_that_was_not_reviewed_is_caught(cupy, name):
    with pytest.raises(AssertionError, match=f"cupy.{name} has not been reviewed"):
        getattr(cupy, name)


def test_everything_that_is_offered_exists_in_cupy(stand_in):
    from allowed import FUNCTIONS, METHODS, UFUNCS
    from stand_in import Device, RawModule, StandInArray
    from stand_in_device import Event, Graph, MemoryPointer, MemoryPool, Stream, real_cupy

    real = real_cupy()
    for name in FUNCTIONS:
        assert inspect.isfunction(getattr(real, name))
    for name in UFUNCS:
        assert type(getattr(real, name)) is type(real.add)
    cuda = real.cuda
    pairs = [(StandInArray, real.ndarray), (RawModule, real.RawModule), (Device, cuda.Device), (Event, cuda.Event)]
    pairs += [(Graph, cuda.Graph), (MemoryPointer, cuda.MemoryPointer), (MemoryPool, cuda.MemoryPool)]
    for ours, theirs in [*pairs, (Stream, cuda.Stream)]:
        assert {name for name in vars(ours) if not name.startswith("_")} <= set(dir(theirs)), ours
    for name, keywords in METHODS.items():
        signature = getattr(real.ndarray, name).__doc__.strip().splitlines()[0]
        assert all(f"{keyword}=" in signature or f"{keyword}," in signature for keyword in keywords), signature


def test_a_call_that_does_not_bind_to_cupys_signature_is_an_error(cupy, a):
    for call in (
        lambda: cupy.zeros((2,), dtyp="float32"),
        lambda: cupy.empty(),
        lambda: cupy.ones((2,), "float32", "C", None),
        lambda: cupy.where(a > 1, a, a, a),
        lambda: cupy.get_default_memory_pool(0),
    ):
        with pytest.raises(TypeError):
            call()


def test_a_call_that_binds_but_was_not_reviewed_is_caught(cupy, a):
    for call in (
        lambda: cupy.asarray(a, order="F"),
        lambda: cupy.asnumpy(a, None),
        lambda: cupy.empty((2,), "float32", "F"),
        lambda: cupy.add(a, a, where=a > 1),
        lambda: cupy.sqrt(a, a),
        lambda: a.sum(where=a > 1),
        lambda: a.argmax(0, None),
        lambda: a.reshape(3, 2, order="F"),
        lambda: a.astype("float64", casting="unsafe"),
        lambda: cupy.cuda.Stream(),
        lambda: cupy.RawModule(code=TWICE, options=("--use_fast_math",)),
    ):
        with pytest.raises(AssertionError):
            call()


def test_an_attribute_of_arrays_is_cupys_and_reviewed(a):
    assert not hasattr(a, "itemset")
    assert not hasattr(a, "ctypes")
    with pytest.raises(AssertionError, match=r"ndarray\.scatter_add has not been reviewed"):
        _ = a.scatter_add


# NumPy and the host


@pytest.mark.parametrize(
    "planted",
    [
        np.asarray,
        np.sqrt,
        np.sum,
        np.array,
        lambda a: np.add(a, 1),
        lambda a: np.copyto(np.zeros((2, 3)), a),
        lambda a: np.maximum(a, 0, out=a),
        lambda a: np.zeros_like(a),
        lambda a: np.zeros((2, 3)).__setitem__(..., a),
    ],
)
def test_a_call_of_numpy_with_an_array_of_the_device_is_caught(a, planted):
    with pytest.raises((TypeError, AssertionError)):
        planted(a)


@pytest.mark.parametrize(
    "mixed",
    [
        lambda cupy, a, host: a + host,
        lambda cupy, a, host: host * a,
        lambda cupy, a, host: a > host,
        lambda cupy, a, host: a @ host.T,
        lambda cupy, a, host: a.__iadd__(host),
        lambda cupy, a, host: cupy.add(a, host),
        lambda cupy, a, host: cupy.add(a, a, out=host),
        lambda cupy, a, host: cupy.where(a > 1, a, host),
        lambda cupy, a, host: cupy.concatenate([a, host]),
        lambda cupy, a, host: a.sum(0, out=host[0]),
        lambda cupy, a, host: a.__setitem__(..., host),
        lambda cupy, a, host: a[host > 1],
        lambda cupy, a, host: a[[0, 1]],
        lambda cupy, a, host: cupy.empty_like(host),
        lambda cupy, a, host: a.fill(host),
        lambda cupy, a, host: host.__iadd__(a),
        lambda cupy, a, host: a + None,
    ],
)
def test_arrays_of_the_host_and_of_the_device_do_not_mix(cupy, a, mixed):
    with pytest.raises((TypeError, ValueError, AssertionError)):
        mixed(cupy, a, np.ones((2, 3), np.float32))


def test_numbers_of_python_and_of_numpy_mix_with_arrays_of_the_device(cupy, a):
    number = np.float32(2)
    for result in (a * 2, 2 * a, a * number, number * a, cupy.multiply(a, 2.0), cupy.multiply(number, a)):
        assert (type(result), result.dtype) == (cupy.ndarray, "float32")
        np.testing.assert_array_equal(result.get(), [[0, 2, 4], [6, 8, 10]])
    a[0, 1] = np.array(9.0)
    a[1] = np.float64(3)
    assert a.tolist() == [[0, 9, 2], [3, 3, 3]]


@pytest.mark.parametrize(
    "copying",
    [
        lambda cupy, a: float(a[0, 0]),
        lambda cupy, a: int(a[0, 0]),
        lambda cupy, a: bool((a == a).all()),
        lambda cupy, a: a[0, 0].item(),
        lambda cupy, a: a.get(),
        lambda cupy, a: a.tolist(),
        lambda cupy, a: cupy.asnumpy(a),
        lambda cupy, a: f"{a[0, 0]:.3f}",
        lambda cupy, a: str(a),
        lambda cupy, a: [0, 1][a[0, 0].astype("int64")],
        lambda cupy, a: a[a > 1],
    ],
)
def test_a_copy_to_the_host_is_counted_and_can_be_forbidden(stand_in, cupy, a, copying):
    copying(cupy, a)
    assert len(stand_in.machine.host_copies) == 1
    with stand_in.no_host_copies(), pytest.raises(AssertionError, match="waits for the device"):
        copying(cupy, a)
    copying(cupy, a)


def test_what_computes_and_what_looks_at_shapes_copies_nothing_to_the_host(stand_in, cupy, a):
    with stand_in.no_host_copies():
        b = cupy.sqrt(a * a + 1)[:, 1:].reshape(-1, 1).T.copy()
        assert (b.shape, len(b), b.ndim, b.size, b.nbytes) == ((1, 4), 1, 2, 4, 16)
        assert repr(b) == "<array of the device, (1, 4), float32>"
    for wait in (cupy.cuda.Device(0).synchronize, cupy.cuda.get_current_stream().synchronize):
        with stand_in.no_host_copies(), pytest.raises(AssertionError, match="synchronize waits"):
            wait()


def test_uploads_are_counted_apart(stand_in, cupy, a):
    a.set(np.zeros((2, 3), np.float32))
    assert stand_in.machine.uploads == ["cupy.asarray", "ndarray.set"]
    assert stand_in.machine.host_copies == []
    for wrong in (np.zeros((2, 3)), np.zeros((3, 2), np.float32), [[0, 0, 0]] * 2):
        with pytest.raises((TypeError, ValueError)):
            a.set(wrong)


def test_an_array_of_the_device_is_not_copied_by_the_module_copy(a):
    with pytest.raises(AssertionError):
        copy.deepcopy(a)


# Memory


def test_views_share_memory_and_copies_do_not(cupy, a):
    flat, part = a.reshape(6), a[1]
    part.fill(7)
    assert flat.tolist() == [0, 1, 2, 7, 7, 7]
    assert part.data.ptr == a.data.ptr + 12
    assert (a.T.flags.c_contiguous, a.T.flags.f_contiguous, a.strides) == (False, True, (12, 4))
    assert a.T.reshape(6).data.ptr != a.data.ptr
    picked = a[0, 1]
    assert (type(picked), picked.shape) == (cupy.ndarray, ())
    picked[...] = 5
    assert flat.tolist() == [0, 5, 2, 7, 7, 7]
    assert a.copy().data.ptr != a.data.ptr


def test_new_memory_holds_no_numbers(cupy):
    assert np.isnan(cupy.empty((3,), "float32").get()).all()
    assert cupy.empty((3,), "int64").tolist() == [-1] * 3


def test_the_pool_counts_bytes_and_keeps_its_limit(cupy):
    from stand_in_device import real_cupy

    pool = cupy.get_default_memory_pool()
    held = cupy.empty((1000,), "uint8")
    assert pool.used_bytes() == 1024
    pool.set_limit(size=2048)
    with pytest.raises(real_cupy().cuda.memory.OutOfMemoryError):
        cupy.zeros((1025,), "uint8")
    other = cupy.cuda.MemoryPool()
    with cupy.cuda.using_allocator(other.malloc):
        elsewhere = held[:10] + held[:10]
    assert (pool.used_bytes(), other.used_bytes()) == (1024, 512)
    part = held[5:]
    del held
    assert pool.used_bytes() == 1024
    del part, elsewhere
    assert (pool.used_bytes(), other.used_bytes()) == (0, 0)


# Kernels


def test_a_kernel_runs_on_the_memory_of_arrays(cupy, a):
    kernel = cupy.RawModule(code=TWICE, options=("--std=c++14",)).get_function("twice")
    kernel((1,), (4,), (a[1], np.int32(2)))
    assert a.tolist() == [[0, 1, 2], [6, 8, 5]]


@pytest.mark.parametrize(
    "launch",
    [
        lambda k, a: k((1,), (4,), (a, 2)),
        lambda k, a: k((1,), (4,), (a,)),
        lambda k, a: k((1,), (4,), (a.astype("float64"), np.int32(2))),
        lambda k, a: k((1,), (4,), (a.get(), np.int32(2))),
        lambda k, a: k(1, 4, (a, np.int32(2))),
        lambda k, a: k((1, 1), (4,), (a, np.int32(2))),
        lambda k, a: k((0,), (4,), (a, np.int32(2))),
        lambda k, a: k((1,), (2048,), (a, np.int32(2))),
        lambda k, a: k((1,), (4,), (a, np.int32(2)), shared_mem=4),
    ],
)
def test_a_launch_that_cuda_refuses_or_misreads_is_caught(cupy, a, launch):
    kernel = cupy.RawModule(code=TWICE).get_function("twice")
    with pytest.raises((TypeError, AssertionError, cupy.cuda.runtime.CUDARuntimeError)):
        launch(kernel, a)


def test_a_kernel_that_does_not_exist_or_compile_is_an_error(cupy):
    with pytest.raises(AttributeError, match="NOT_FOUND"):
        cupy.RawModule(code=TWICE).get_function("thrice")
    with pytest.raises(Exception, match="unknown"):
        cupy.RawModule(code=TWICE.replace("threadIdx", "unknown")).get_function("twice")


def test_a_device_that_does_not_exist_is_cudas_error(stand_in, cupy):
    with pytest.raises(cupy.cuda.runtime.CUDARuntimeError, match="cudaErrorInvalidDevice"):
        cupy.cuda.Device(1).use()
    stand_in.machine.devices = 2
    cupy.cuda.Device(1).use()


# Capture


def test_a_wrong_argument_of_a_kernel_is_an_error_when_the_launch_is_captured(cupy, a):
    kernel = cupy.RawModule(code=TWICE).get_function("twice")
    with cupy.cuda.Stream(non_blocking=True) as stream:
        stream.begin_capture()
        with pytest.raises(TypeError, match="kernel twice"):
            kernel((1,), (4,), (a, 2))
        stream.end_capture()


def test_work_that_is_captured_is_done_when_the_graph_is_launched(cupy, a):
    kernel = cupy.RawModule(code=TWICE).get_function("twice")
    pool, total = cupy.cuda.MemoryPool(), cupy.zeros((3,), "float32")
    with cupy.cuda.Stream(non_blocking=True) as stream, cupy.cuda.using_allocator(pool.malloc):
        stream.begin_capture()
        kernel((1,), (6,), (a, np.int32(6)))
        total += (a + 1).sum(0)
        a[0] = total
        graph = stream.end_capture()
        assert (a.tolist(), total.tolist()) == ([[0, 1, 2], [3, 4, 5]], [0, 0, 0])
        graph.launch()
        assert (a.tolist(), total.tolist()) == ([[8, 12, 16], [6, 8, 10]], [8, 12, 16])
        a.fill(1)
        graph.launch()
        assert total.tolist() == [14, 18, 22]


@pytest.mark.parametrize(
    "forbidden",
    [
        lambda cupy, a: a.get(),
        lambda cupy, a: float(a[0, 0]),
        lambda cupy, a: a + 1,  # takes memory of the default pool
        lambda cupy, a: cupy.empty((1,)),
        lambda cupy, a: a @ a.T,
        lambda cupy, a: a.set(np.zeros((2, 3), np.float32)),
        lambda cupy, a: cupy.asarray(np.zeros(1)),
        lambda cupy, a: cupy.cuda.get_current_stream().synchronize(),
        lambda cupy, a: cupy.cuda.get_current_stream().begin_capture(),
        lambda cupy, a: cupy.cuda.Device(0).synchronize(),
        lambda cupy, a: cupy.RawModule(code=TWICE).get_function("twice"),
    ],
)
def test_what_cannot_be_captured_is_cudas_error(cupy, a, forbidden):
    with cupy.cuda.Stream(non_blocking=True) as stream:
        stream.begin_capture()
        with pytest.raises(cupy.cuda.runtime.CUDARuntimeError, match="cudaErrorStreamCaptureUnsupported"):
            forbidden(cupy, a)
        stream.end_capture()


def test_the_null_stream_cannot_be_captured(cupy):
    with pytest.raises(cupy.cuda.runtime.CUDARuntimeError):
        cupy.cuda.Stream.null.begin_capture()

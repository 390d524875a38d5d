"""What is said of CUDA: that it works, or which of wheel, driver, device and library is missing and what mends it."""

import sys
from contextlib import nullcontext
from importlib.metadata import PackageNotFoundError, version
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from bdfa_np.backend.cuda import importing, status
from bdfa_np.backend.cuda.importing import cupy_packages, import_cupy
from bdfa_np.errors import BackendError
from bdfa_np.system.extras import install_command

CUDA_12, CUDA_13 = install_command("cuda"), install_command("cuda13")
LATER = "bdfa info names the extra that fits, once there is a driver for CUDA 12.0 or later"
DRIVER = "install NVIDIA's driver 525 or later, then check with nvidia-smi"
NO_DRIVER = f"there is no NVIDIA driver (libcuda.so.1 cannot be loaded): {DRIVER}"
LIBRARIES = 'pip install -U "cupy-cuda12x[ctk]>=14"'

# What CuPy's own errors say, as seen.
INSUFFICIENT = "cudaErrorInsufficientDriver: CUDA driver version is insufficient for CUDA runtime version"
NO_DEVICE = "cudaErrorNoDevice: no CUDA-capable device is detected"
NO_NVRTC_14 = 'Failure finding "libnvrtc.so.13 or libnvrtc.so.12": No such file: libnvrtc.so.13 or libnvrtc.so.12\n'
NO_NVRTC_13 = (
    "CuPy failed to load libnvrtc.so.12: OSError: libnvrtc.so.12: cannot open shared object file: No such file"
)
NO_CUBLAS = "libcublas.so.12: cannot open shared object file: No such file or directory"
NO_HEADERS = (
    "nvrtc: warning: Architectures prior to '<compute/sm>_75' are deprecated\n"
    'k.cu(1): catastrophic error: could not open source file "cuda_fp16.h" (no directories in search list)\n'
    "  #include <cuda_fp16.h>\n"
)


class CUDARuntimeError(RuntimeError):
    """Stands for CuPy's."""


def raising(error):
    def fail(*_arguments, **_keywords):
        raise error

    return fail


def double(_grid, _block, arguments):
    np.multiply(arguments[0], 2, out=arguments[0])


def fake_cupy(*, devices=1, capability=(9, 0), driver=12040, runtime=12090):
    """Return a stand-in for CuPy on a machine where all works, whose parts a test may break."""
    properties = {"name": b"NVIDIA H100", "major": capability[0], "minor": capability[1], "totalGlobalMem": 80 * 2**30}
    cupy = ModuleType("cupy")
    cupy.ndarray, cupy.ones, cupy.asnumpy = np.ndarray, np.ones, np.asarray
    cupy.RawModule = lambda **_: SimpleNamespace(get_function=lambda _name: double)
    cupy.cuda = SimpleNamespace(
        Device=lambda _device: nullcontext(),
        nvrtc=SimpleNamespace(getVersion=lambda: (12, 9), getSupportedArchs=lambda: (50, 70, 90)),
        runtime=SimpleNamespace(
            CUDARuntimeError=CUDARuntimeError,
            runtimeGetVersion=lambda: runtime,
            driverGetVersion=lambda: driver,
            getDeviceCount=lambda: devices,
            getDeviceProperties=lambda _device: properties,
        ),
    )
    return cupy


@pytest.fixture
def machine(monkeypatch, install_driver):
    """Give the function that makes this look like a machine with these parts."""

    def make(cupy=None, *, driver=12040, cublas=None, packages=("cupy-cuda12x",), platform="linux"):
        monkeypatch.setitem(sys.modules, "cupy", cupy)
        monkeypatch.setattr(sys, "platform", platform)
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        library = raising(ImportError(cublas)) if cublas else lambda: None
        monkeypatch.setattr(status, "import_cublas", library)
        install_driver(driver)
        for module in (importing, status):
            monkeypatch.setattr(module, "cupy_packages", lambda: list(packages))
        return cupy

    return make


def line_of(device=0):
    """Return the line, which must be one."""
    line = status.cupy_status(device)
    assert line is None or (line.strip() == line and len(line.splitlines()) == 1)
    return line


# Wheel


@pytest.mark.parametrize(
    ("driver", "cuda", "extra"),
    [(12000, "12.0", "cuda"), (12040, "12.4", "cuda"), (13000, "13.0", "cuda13"), (14010, "14.1", "cuda13")],
)
def test_without_cupy_info_names_the_extra_that_fits_the_driver(bdfa, machine, driver, cuda, extra):
    machine(packages=(), driver=driver)
    line = f"CuPy is not installed, and the NVIDIA driver runs CUDA {cuda}: {install_command(extra)}"
    assert line_of() == line
    assert f"\ncupy       backend missing: {line}\n" in bdfa("info").out


def test_without_a_driver_that_runs_one_no_extra_is_named_but_the_driver_to_install(machine):
    machine(packages=(), driver=None)
    assert line_of() == f"{NO_DRIVER}; CuPy is not installed: {LATER}"
    machine(packages=(), driver=11040)
    too_old = f"the NVIDIA driver is too old: it runs CUDA 11.4, and CuPy needs 12.0: {DRIVER}"
    assert line_of() == f"{too_old}; CuPy is not installed, and the NVIDIA driver runs CUDA 11.4: {LATER}"
    machine(packages=(), driver=0)
    silent = "the NVIDIA driver does not say which CUDA it runs: check with nvidia-smi"
    assert line_of() == f"{silent}; CuPy is not installed: {LATER}"


def test_on_macos_there_is_nothing_to_install(machine):
    machine(packages=(), driver=None, platform="darwin")
    assert line_of() == "NVIDIA has no driver for macOS: CUDA needs Linux or Windows"


CUPYS_OWN = """
try:
    raise ImportError("libfoo.so.1: cannot open shared object file")
except ImportError as error:
    raise ImportError("\\n=====\\nFailed to import CuPy.\\n\\nOriginal error:\\n=====\\n") from error
"""


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (CUPYS_OWN, "libfoo.so.1: cannot open shared object file"),
        ("import a_module_that_it_needs", "No module named 'a_module_that_it_needs'"),
        ("raise ValueError('numpy.dtype size changed')", "numpy.dtype size changed"),
        ("raise RuntimeError", "RuntimeError"),
        ("", "module 'cupy' has no attribute 'ndarray'"),
        (None, "module 'cupy' has no attribute 'ndarray'"),
    ],
)
def test_a_cupy_that_cannot_be_imported_is_named_with_the_reason(installed, source, reason):
    installed(source, "cupy-cuda12x")
    wanted = f"its import fails ({reason}): pip install --force-reinstall cupy-cuda12x"
    assert line_of() == f"CuPy's wheel is damaged or does not go with this Python, {wanted}"


def test_importing_cupy_fails_in_one_line_and_its_warnings_are_not_shown(installed):
    installed("import warnings; warnings.warn('line\\nline'); raise OSError('first\\nsecond')")
    with pytest.raises(BackendError) as caught:
        import_cupy()
    assert "(first)" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("source", ["ndarray = None", CUPYS_OWN])
@pytest.mark.parametrize(("driver", "mend"), [(12040, CUDA_12), (13000, CUDA_13), (None, LATER)])
def test_two_wheels_at_once_are_named_with_the_way_out(installed, install_driver, source, driver, mend):
    installed(source, "cupy-cuda13x", "cupy-cuda12x")
    install_driver(driver)
    assert cupy_packages() == ["cupy-cuda12x", "cupy-cuda13x"]
    line = "there are 2 CuPy wheels at once, which overwrite each other: pip uninstall cupy-cuda12x cupy-cuda13x"
    assert line_of() == ("" if driver else f"{NO_DRIVER}; ") + f"{line}, then {mend}"


def test_of_a_module_cupy_that_no_wheel_has_brought_the_extra_that_fits_is_named(installed, install_driver):
    installed(None)
    install_driver(13000)
    assert line_of().endswith(f"(module 'cupy' has no attribute 'ndarray'): {CUDA_13}")


# Driver


@pytest.mark.parametrize("cupy", [fake_cupy(), None])
def test_a_wheel_that_is_too_new_for_the_driver_is_to_be_replaced_whatever_else_it_lacks(machine, cupy):
    machine(cupy, driver=12090, packages=["cupy-cuda13x"], cublas=NO_CUBLAS)
    mend = f"pip uninstall cupy-cuda13x, then {CUDA_12}, or {DRIVER.replace('525', '580')}"
    reason = "needs a driver for CUDA 13, and the NVIDIA driver runs CUDA 12.9"
    assert line_of() == f"CuPy (wheel cupy-cuda13x) {reason}: {mend}"
    machine(None, driver=11080, packages=["cupy-cuda13x"])
    assert CUDA_12 not in line_of()


@pytest.mark.parametrize(("wheel", "driver"), [("cupy-cuda13x", 13000), ("cupy-cuda12x", 13000), ("cupy", 12090)])
def test_a_driver_runs_the_wheels_for_its_cuda_and_for_earlier_ones(machine, wheel, driver):
    machine(fake_cupy(driver=driver), driver=driver, packages=[wheel])
    assert line_of() is None


def test_no_driver_is_told_from_an_old_one(machine):
    # CUDA raises the same error of both.
    cupy = machine(fake_cupy(driver=0), driver=None)
    cupy.cuda.runtime.getDeviceCount = raising(CUDARuntimeError(INSUFFICIENT))
    assert line_of() == NO_DRIVER
    cupy = machine(fake_cupy(driver=11040), driver=11040)
    cupy.cuda.runtime.getDeviceCount = raising(CUDARuntimeError(INSUFFICIENT))
    assert line_of() == f"the NVIDIA driver is too old: it runs CUDA 11.4, and CuPy needs 12.9: {DRIVER}"


@pytest.mark.parametrize(("runtime", "wanted"), [(13000, "580 or later"), (14010, "for CUDA 14")])
def test_the_driver_to_install_is_that_of_cupys_cuda(machine, runtime, wanted):
    cupy = machine(fake_cupy(runtime=runtime), driver=None)
    cupy.cuda.runtime.getDeviceCount = raising(CUDARuntimeError(INSUFFICIENT))
    assert f"install NVIDIA's driver {wanted}, then check" in line_of()


def test_on_windows_the_driver_is_looked_for_by_its_name_there(machine):
    cupy = machine(fake_cupy(), driver=None, platform="win32")
    cupy.cuda.runtime.getDeviceCount = raising(CUDARuntimeError(INSUFFICIENT))
    assert line_of() == f"there is no NVIDIA driver (nvcuda.dll cannot be loaded): {DRIVER}"


def test_a_driver_that_fails_otherwise_is_named_with_its_error(machine):
    cupy = machine(fake_cupy())
    cupy.cuda.runtime.getDeviceCount = raising(CUDARuntimeError("cudaErrorSystemNotReady: system not yet initialized"))
    reason = "cudaErrorSystemNotReady: system not yet initialized"
    assert line_of() == f"the NVIDIA driver does not work ({reason}): check with nvidia-smi"


# Device


@pytest.mark.parametrize("count", [lambda: 0, raising(CUDARuntimeError(NO_DEVICE))])
def test_no_device_is_named_and_what_may_hide_it(machine, monkeypatch, count):
    machine(fake_cupy()).cuda.runtime.getDeviceCount = count
    assert line_of() == "there is no CUDA device: check with nvidia-smi"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert line_of() == "there is no CUDA device, and CUDA_VISIBLE_DEVICES is '', which may hide them: unset it"


@pytest.mark.parametrize("device", [1, 7, -1])
def test_a_device_out_of_range_is_named_with_those_there_are(machine, monkeypatch, device):
    machine(fake_cupy())
    there = "there is one CUDA device, number 0"
    assert line_of(device) == f"there is no CUDA device {device}: {there}"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3\n")
    hidden = "(CUDA_VISIBLE_DEVICES is '3\\n', which may hide others)"
    assert line_of(device) == f"there is no CUDA device {device}: {there} {hidden}"


def test_the_last_of_several_devices_works_and_the_next_is_out_of_range(machine):
    machine(fake_cupy(devices=4))
    assert line_of(3) is None
    assert line_of(4) == "there is no CUDA device 4: there are 4, numbers 0 to 3"


def test_of_several_devices_the_first_is_tried_and_the_others_need_only_be_there(machine, monkeypatch):
    machine(fake_cupy(devices=4))
    tried = []
    monkeypatch.setattr(status, "_trial_problem", lambda _, device: tried.append(device))
    assert status.missing_of([2, 0, 3]) is None
    assert tried == [2]
    assert (
        status.missing_of([2, 4])
        == status.missing_of([4, 2])
        == "there is no CUDA device 4: there are 4, numbers 0 to 3"
    )


@pytest.mark.parametrize(
    ("package", "other"), [("cupy-cuda12x", ""), ("cupy-cuda13x", f"pip uninstall cupy-cuda13x, then {CUDA_12}, or ")]
)
def test_a_device_that_is_too_old_for_the_compiler_is_named(machine, package, other):
    machine(fake_cupy(capability=(3, 5)), driver=13000, packages=[package])
    assert line_of() == (
        "CUDA device 0, NVIDIA H100 (compute capability 3.5, 80.0 GiB), is too old for NVRTC 12.9, which compiles for "
        f"compute capability 5.0 and later: {other}give another --device"
    )


@pytest.mark.parametrize("capability", [(5, 0), (7, 5), (12, 1)])
def test_a_device_as_old_as_the_compiler_allows_or_newer_works(machine, capability):
    machine(fake_cupy(capability=capability))
    assert line_of() is None


# Libraries


@pytest.mark.parametrize(
    ("nvrtc", "cublas", "named"),
    [
        (NO_NVRTC_14, None, "library NVRTC"),
        (NO_NVRTC_13, None, "library NVRTC"),
        (None, NO_CUBLAS, "library cuBLAS"),
        (NO_NVRTC_14, NO_CUBLAS, "libraries NVRTC and cuBLAS"),
        (None, "DLL load failed while importing cublas", "library cuBLAS (DLL load failed while importing cublas)"),
    ],
)
@pytest.mark.parametrize("driver", [12040, None])
def test_libraries_that_cannot_be_loaded_are_named_after_the_driver(machine, nvrtc, cublas, named, driver):
    cupy = machine(fake_cupy(), driver=driver, cublas=cublas)
    if nvrtc:
        cupy.cuda.nvrtc.getVersion = raising(RuntimeError(nvrtc))
    if not driver:
        cupy.cuda.runtime.getDeviceCount = raising(CUDARuntimeError(INSUFFICIENT))
    line = f"the CUDA {named} cannot be loaded: {LIBRARIES}"
    assert line_of() == (line if driver else f"{NO_DRIVER}; {line}")


def test_a_missing_device_and_a_missing_library_are_both_named(machine):
    machine(fake_cupy(), cublas=NO_CUBLAS)
    assert line_of(2).startswith("there is no CUDA device 2: ")
    assert line_of(2).endswith(f"; the CUDA library cuBLAS cannot be loaded: {LIBRARIES}")


@pytest.mark.parametrize(
    ("package", "command"),
    [
        ("cupy-cuda13x", 'pip install -U "cupy-cuda13x[ctk]>=14"'),
        ("cupy-cuda11x", "install NVIDIA's CUDA Toolkit"),
        ("cupy", "install NVIDIA's CUDA Toolkit"),
    ],
)
def test_the_command_that_brings_libraries_goes_with_the_wheel_that_is_there(machine, package, command):
    machine(fake_cupy(), driver=13000, cublas=NO_CUBLAS, packages=[package])
    assert line_of() == f"the CUDA library cuBLAS cannot be loaded: {command}"


# A trial


def test_where_an_array_was_computed_on_the_device_nothing_is_missing(machine):
    machine(fake_cupy())
    assert line_of() is None


def test_headers_that_cupys_own_kernels_include_are_a_library_too(machine):
    machine(fake_cupy()).ones = raising(Exception(NO_HEADERS))
    reason = 'k.cu(1): catastrophic error: could not open source file "cuda_fp16.h" (no directories in search list)'
    assert line_of() == f"CUDA's headers are missing ({reason}): {LIBRARIES}"


@pytest.mark.parametrize("broken", ["ones", "RawModule", "asnumpy"])
def test_a_device_on_which_the_trial_fails_does_not_work(machine, broken):
    reason = "cudaErrorDevicesUnavailable: CUDA-capable device(s) is/are busy or unavailable"
    setattr(machine(fake_cupy()), broken, raising(CUDARuntimeError(reason)))
    assert line_of() == f"CUDA device 0 does not work ({reason}): check with nvidia-smi"


def test_a_device_that_computes_wrong_results_does_not_work(machine):
    machine(fake_cupy()).RawModule = lambda **_: SimpleNamespace(get_function=lambda _name: lambda *_: None)
    assert line_of() == "CUDA device 0 computes wrong results: check with nvidia-smi"


# The machine at hand


def has(package):
    try:
        version(package)
    except PackageNotFoundError:
        return False
    return True


REAL = pytest.mark.skipif(
    sys.platform == "darwin" or status.driver_loads() or cupy_packages() != ["cupy-cuda12x"],
    reason="needs the wheel cupy-cuda12x and a machine without NVIDIA's driver",
)


@REAL
def test_cupy_itself_on_a_machine_without_a_driver_is_named_so():
    no_driver, *libraries = line_of().split("; ")
    assert no_driver == NO_DRIVER.replace("libcuda.so.1", status.driver_library())
    assert len(libraries) <= 1
    if not has("nvidia-cublas-cu12"):
        assert "cuBLAS" in str(libraries)


@REAL
@pytest.mark.skipif(not has("nvidia-cuda-nvrtc-cu12"), reason="needs the wheel nvidia-cuda-nvrtc-cu12")
def test_an_nvrtc_that_is_installed_is_not_said_to_be_missing():
    assert "NVRTC" not in line_of()


# What is printed


def test_auto_has_nothing_to_say_where_cuda_works(machine):
    machine(fake_cupy())
    assert status.auto_note() is None


def test_info_names_each_device_that_works(bdfa, machine):
    machine(fake_cupy(devices=2))
    device = "NVIDIA H100 (compute capability 9.0, 80.0 GiB)"
    assert f"\ncupy       backend works: {device}, {device}\n" in bdfa("info").out

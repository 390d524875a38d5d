"""Whether CUDA works here and, where it does not, which of wheel, driver, device and library is missing."""

import os
import sys
from collections.abc import Sequence
from typing import Any

from bdfa_np.backend.cuda.driver import (
    OLDEST_CUDA,
    driver_library,
    driver_loads,
    driver_version,
    install_cupy,
    version_text,
)
from bdfa_np.backend.cuda.importing import (
    cupy_packages,
    first_line,
    import_cublas,
    import_cupy,
    import_nccl,
    nccl_version,
)
from bdfa_np.errors import BackendError
from bdfa_np.system.extras import install_command

OLDEST_DRIVERS = {12: "525 or later", 13: "580 or later"}
"""NVIDIA's drivers that run the programs of a major version of CUDA."""

WITH_LIBRARIES = ("cupy-cuda12x", "cupy-cuda13x")
"""Packages of CuPy whose extra ``ctk`` brings CUDA's libraries."""

TRIAL_KERNEL = 'extern "C" __global__ void twice(float* a) { a[threadIdx.x] *= 2; }'


def cupy_status(device: int = 0) -> str | None:
    """Say in one line why the backend ``cupy`` cannot be used, and what mends it.

    Parameters
    ----------
    device : int, default 0
        The CUDA device that is asked for, counted from 0.

    Returns
    -------
    str or None
        All that is missing, as far as it can be told; None where an array was computed on the device.
    """
    if sys.platform == "darwin":
        return "NVIDIA has no driver for macOS: CUDA needs Linux or Windows"
    return "; ".join(_missing(device)) or None


def missing_of(devices: Sequence[int]) -> str | None:
    """Say in one line why one of several devices cannot be used, as far as the process of the first can tell.

    That one it tries; the others need only be there: to try them takes memory on each, and is for their own processes.
    """
    own, *others = devices
    missing = cupy_status(own)
    if missing:
        return missing
    cupy = import_cupy()
    return next((problem for device in others if (problem := _device_problem(cupy, device))), None)


def nccl_status() -> str:
    """Return the version of NCCL, by which several devices add up, or what is missing for it."""
    try:
        return nccl_version(import_nccl())
    except BackendError as error:
        return str(error)


def auto_note() -> str | None:
    """Return a note on why ``--backend auto`` computes on the CPU, where somebody may expect CUDA to work.

    Returns
    -------
    str or None
        One line; None where CUDA works, and where neither CuPy nor an NVIDIA driver is installed.
    """
    if not cupy_packages() and not driver_loads():
        return None
    missing = cupy_status()
    return f"note: computing on the CPU, since CUDA cannot be used: {missing}" if missing else None


def device_names() -> list[str]:
    """Return each CUDA device's name with its compute capability and memory, where CUDA works."""
    runtime = import_cupy().cuda.runtime
    return [_describe(runtime.getDeviceProperties(device)) for device in range(runtime.getDeviceCount())]


def _missing(device: int) -> list[str]:
    """Return what is missing, from the bottom up, each with what mends it."""
    try:
        _check_wheels(cupy_packages())
        cupy = import_cupy()
    except BackendError as error:
        return [problem for problem in (_driver_problem_without_cupy(), str(error)) if problem]
    found = [_driver_problem(cupy) or _device_problem(cupy, device), _library_problem(cupy)]
    if found == [None, None]:
        found = [_trial_problem(cupy, device)]
    return [problem for problem in found if problem]


def _check_wheels(packages: list[str]) -> None:
    """Raise `BackendError` where what is installed has to go first, whatever its import or its libraries lack."""
    version = driver_version()
    if len(packages) > 1:
        mend = f"pip uninstall {' '.join(packages)}, then {install_cupy(version)}"
        raise BackendError(f"there are {len(packages)} CuPy wheels at once, which overwrite each other: {mend}")
    if packages == ["cupy-cuda13x"] and OLDEST_CUDA <= version < 13000:
        versions = f"needs a driver for CUDA 13, and the NVIDIA driver runs CUDA {version_text(version)}"
        raise BackendError(f"CuPy (wheel cupy-cuda13x) {versions}: {_cupy_for_cuda_12()}, or {_install_driver(13)}")


def _driver_problem_without_cupy() -> str | None:
    if not driver_loads():
        return _no_driver(OLDEST_CUDA // 1000)
    version = driver_version()
    if version == 0:
        return "the NVIDIA driver does not say which CUDA it runs: check with nvidia-smi"
    return _too_old(version, OLDEST_CUDA) if version < OLDEST_CUDA else None


def _no_driver(major: int) -> str:
    return f"there is no NVIDIA driver ({driver_library()} cannot be loaded): {_install_driver(major)}"


def _install_driver(major: int) -> str:
    wanted = OLDEST_DRIVERS.get(major, f"for CUDA {major}")
    return f"install NVIDIA's driver {wanted}, then check with nvidia-smi"


def _too_old(found: int, wanted: int) -> str:
    versions = f"it runs CUDA {version_text(found)}, and CuPy needs {version_text(wanted)}"
    return f"the NVIDIA driver is too old: {versions}: {_install_driver(wanted // 1000)}"


def _cupy_for_cuda_12() -> str:
    return f"pip uninstall cupy-cuda13x, then {install_command('cuda')}"


def _driver_problem(cupy: Any) -> str | None:
    runtime = cupy.cuda.runtime
    wanted, found = runtime.runtimeGetVersion(), runtime.driverGetVersion()
    try:
        runtime.getDeviceCount()
    except runtime.CUDARuntimeError as error:
        if not driver_loads():  # CUDA calls this an old driver too
            return _no_driver(wanted // 1000)
        if "InsufficientDriver" in str(error):
            return _too_old(found, wanted)
        if "NoDevice" not in str(error):
            return f"the NVIDIA driver does not work ({first_line(error)}): check with nvidia-smi"
    return None


def _device_problem(cupy: Any, device: int) -> str | None:
    runtime = cupy.cuda.runtime
    try:
        count = runtime.getDeviceCount()
    except runtime.CUDARuntimeError:  # where there are none, it raises
        count = 0
    shown = os.environ.get("CUDA_VISIBLE_DEVICES")
    if count == 0:
        if shown is None:
            return "there is no CUDA device: check with nvidia-smi"
        return f"there is no CUDA device, and CUDA_VISIBLE_DEVICES is {shown!r}, which may hide them: unset it"
    if not 0 <= device < count:
        there = "there is one CUDA device, number 0" if count == 1 else f"there are {count}, numbers 0 to {count - 1}"
        hidden = "" if shown is None else f" (CUDA_VISIBLE_DEVICES is {shown!r}, which may hide others)"
        return f"there is no CUDA device {device}: {there}{hidden}"
    return None


def _library_problem(cupy: Any) -> str | None:
    absent = []
    for name, load in (("NVRTC", cupy.cuda.nvrtc.getVersion), ("cuBLAS", import_cublas)):
        try:
            load()
        except Exception as error:  # CuPy 13 and 14 raise different errors, Windows' others
            reason = first_line(error)
            absent.append(name if "No such file" in reason else f"{name} ({reason})")
    if not absent:
        return None
    noun = "library" if len(absent) == 1 else "libraries"
    return f"the CUDA {noun} {' and '.join(absent)} cannot be loaded: {_install_libraries()}"


def _install_libraries() -> str:
    # CuPy 13 finds no libraries in NVIDIA's wheels.
    package = next((name for name in cupy_packages() if name in WITH_LIBRARIES), None)
    return f'pip install -U "{package}[ctk]>=14"' if package else "install NVIDIA's CUDA Toolkit"


def _trial_problem(cupy: Any, device: int) -> str | None:
    """Compute on the device in the three ways that training does: kernels of CuPy's and of our own, and a product."""
    try:
        properties = cupy.cuda.runtime.getDeviceProperties(device)
        oldest = min(cupy.cuda.nvrtc.getSupportedArchs())
        if 10 * properties["major"] + properties["minor"] < oldest:
            version = ".".join(map(str, cupy.cuda.nvrtc.getVersion()))
            # CUDA 12 compiles for all that a driver for CUDA 13 has found.
            other = f"{_cupy_for_cuda_12()}, or " if cupy_packages() == ["cupy-cuda13x"] else ""
            return (
                f"CUDA device {device}, {_describe(properties)}, is too old for NVRTC {version}, which compiles for "
                f"compute capability {oldest // 10}.{oldest % 10} and later: {other}give another --device"
            )
        with cupy.cuda.Device(device):
            twos = cupy.ones((2, 2), dtype="float32") + 1
            kernel = cupy.RawModule(code=TRIAL_KERNEL, options=("--std=c++14",)).get_function("twice")
            kernel((1,), (4,), (twos,))
            product = cupy.asnumpy(twos @ twos).tolist()
    except Exception as error:  # of the runtime, the driver, the compiler and cuBLAS, which share no class
        if "open source file" in str(error):
            return f"CUDA's headers are missing ({first_line(error)}): {_install_libraries()}"
        return f"CUDA device {device} does not work ({first_line(error)}): check with nvidia-smi"
    if product != [[32, 32], [32, 32]]:
        return f"CUDA device {device} computes wrong results: check with nvidia-smi"
    return None


def _describe(properties: dict[str, Any]) -> str:
    memory = properties["totalGlobalMem"] / 2**30
    capability = f"{properties['major']}.{properties['minor']}"
    return f"{properties['name'].decode()} (compute capability {capability}, {memory:.1f} GiB)"

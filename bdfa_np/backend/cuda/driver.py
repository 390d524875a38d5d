"""NVIDIA's driver: whether there is one, which CUDA it runs, and which extra of ours goes with it."""

import ctypes
import sys

from bdfa_np.system.extras import install_command

OLDEST_CUDA = 12000
"""The oldest CUDA that an extra of ours is for, as CUDA counts: 1000 times the major version and 10 times the minor."""


def driver_library() -> str:
    """Return the file that every NVIDIA driver installs."""
    return "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"


def driver_loads() -> bool:
    """Return whether an NVIDIA driver is installed."""
    return _library() is not None


def driver_version() -> int:
    """Return the newest CUDA that the driver runs, 12.9 as 12090; 0 where there is no driver, or it does not say."""
    library, version = _library(), ctypes.c_int(0)
    if library is not None:
        library.cuDriverGetVersion(ctypes.byref(version))
    return version.value


def install_cupy(version: int) -> str:
    """Return what to do for a CuPy that goes with a driver.

    Parameters
    ----------
    version : int
        The newest CUDA that the driver runs, as `driver_version` returns it.

    Returns
    -------
    str
        The command that installs it; where no CuPy goes with the driver, what comes first.
    """
    if version < OLDEST_CUDA:
        wanted = version_text(OLDEST_CUDA)
        return f"bdfa info names the extra that fits, once there is a driver for CUDA {wanted} or later"
    # A driver runs the programs of earlier versions too, so that the last extra fits all drivers to come.
    return install_command("cuda") if version < 13000 else install_command("cuda13")


def version_text(version: int) -> str:
    """Return a version as people write it: CUDA counts 12.9 as 12090."""
    return f"{version // 1000}.{version % 1000 // 10}"


def _library() -> ctypes.CDLL | None:
    try:
        return ctypes.CDLL(driver_library())
    except OSError:
        return None

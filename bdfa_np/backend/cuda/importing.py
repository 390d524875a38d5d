"""The one place where CuPy is imported: it is optional, and who computes on the CPU must not wait for it."""

import importlib
import warnings
from importlib.metadata import PackageNotFoundError, distribution
from typing import Any

from bdfa_np.backend.cuda.driver import driver_version, install_cupy, version_text
from bdfa_np.errors import BackendError

PACKAGES = ("cupy", "cupy-cuda11x", "cupy-cuda12x", "cupy-cuda13x")
"""The distributions that bring a module ``cupy`` for NVIDIA's GPUs; all of them put it into the same folder."""


def cupy_packages() -> list[str]:
    """Return which of CuPy's packages are installed; there should be one."""
    return [name for name in PACKAGES if _is_installed(name)]


def import_cupy() -> Any:
    """Import CuPy.

    Returns
    -------
    module
        ``cupy``.

    Raises
    ------
    BackendError
        If it is not installed, or cannot be imported.
    """
    try:
        # What CuPy warns of here, in a dozen lines, `cupy_status` finds too and says in one.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            cupy = importlib.import_module("cupy")
        cupy.ndarray  # noqa: B018 - of a damaged installation, an empty folder can be left, which imports
    except ModuleNotFoundError as error:
        if error.name == "cupy":
            raise BackendError(_not_installed()) from error
        raise _damaged(error) from error
    except Exception as error:  # libraries of another version raise whatever they like
        raise _damaged(error) from error
    return cupy


def import_cublas() -> Any:
    """Import CuPy's binding of cuBLAS, which loads the library.

    Returns
    -------
    module
        ``cupy_backends.cuda.libs.cublas``.

    Raises
    ------
    ImportError
        If there is no such library.
    """
    # This statement and no other: CuPy 14 looks into NVIDIA's wheels when the name is taken from its package.
    from cupy_backends.cuda.libs import cublas

    return cublas


def import_nccl() -> Any:
    """Import CuPy's binding of NCCL, which loads the library.

    Returns
    -------
    module
        ``cupy.cuda.nccl``.

    Raises
    ------
    BackendError
        If there is no such library.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what it warns of is said below
        nccl = importlib.import_module("cupy.cuda.nccl")  # which looks into NVIDIA's wheels, too
    if not nccl.available:
        packages = [f"pip install nvidia-nccl-cu{name[-3:-1]}" for name in cupy_packages() if name.endswith("x")]
        mend = packages[0] if packages else "install NVIDIA's NCCL 2"
        raise BackendError(f"devices add up by NVIDIA's NCCL, which cannot be loaded: {mend}")
    return nccl


def nccl_version(nccl: Any) -> str:
    """Return NCCL's version as people write it: NCCL counts 2.25.1 as 22501."""
    version = nccl.get_version()
    return f"{version // 10000}.{version // 100 % 100}.{version % 100}"


def first_line(error: BaseException) -> str:
    """Return the line of an error's text that says most: the first with the word error, else the first."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return next((line for line in lines if "error" in line.lower()), lines[0])


def _not_installed() -> str:
    version = driver_version()
    driver = f", and the NVIDIA driver runs CUDA {version_text(version)}" if version else ""
    return f"CuPy is not installed{driver}: {install_cupy(version)}"


def _damaged(error: Exception) -> BackendError:
    reason = first_line(error.__cause__ or error)  # CuPy wraps the reason in a page of advice
    packages = cupy_packages()
    mend = f"pip install --force-reinstall {packages[0]}" if packages else install_cupy(driver_version())
    return BackendError(f"CuPy's wheel is damaged or does not go with this Python, its import fails ({reason}): {mend}")


def _is_installed(name: str) -> bool:
    try:
        distribution(name)
    except PackageNotFoundError:
        return False
    return True

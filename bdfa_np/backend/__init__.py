"""The seam between the maths and the machine: which backends there are, and why one is missing."""

from typing import TYPE_CHECKING

from bdfa_np.errors import BackendError

if TYPE_CHECKING:
    from bdfa_np.backend.base import Backend

BACKENDS = ("auto", "numpy", "cupy")
"""The names ``--backend`` takes; ``auto`` is CUDA where it works, else NumPy."""


def cupy_status() -> str | None:
    """Say in one line why the backend ``cupy`` cannot be used, or return None where it can."""
    return "this version computes with NumPy on the CPU only"


def make_backend(name: str = "auto", dtype: str = "float32") -> "Backend":
    """Make a backend by name.

    Parameters
    ----------
    name : {"auto", "numpy", "cupy"}
        ``auto`` takes CUDA where it works and NumPy elsewhere; an explicit name is never replaced by another.
    dtype : {"float32", "float64"}
        Precision of all floating-point arrays.

    Returns
    -------
    Backend

    Raises
    ------
    BackendError
        If the backend is unknown, or is named and cannot be used here.
    """
    from bdfa_np.backend.numpy_backend import NumpyBackend

    if name not in BACKENDS:
        raise BackendError(f"unknown backend '{name}': choose from {', '.join(BACKENDS)}")
    missing = cupy_status()
    if name == "cupy" and missing is not None:
        raise BackendError(f"--backend cupy cannot be used: {missing}; take --backend numpy")
    return NumpyBackend(dtype)

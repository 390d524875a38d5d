"""The seam between the maths and the machine: which backends there are, and which one computes."""

from typing import TYPE_CHECKING

from bdfa_np.errors import BackendError

if TYPE_CHECKING:
    from bdfa_np.backend.base import Backend

BACKENDS = ("auto", "numpy", "cupy")
"""The names ``--backend`` takes; ``auto`` is CUDA where it works, else NumPy."""


def make_backend(
    name: str = "auto",
    dtype: str = "float32",
    *,
    device: int = 0,
    tf32: bool = False,
    cuda_graph: bool = False,
    memory_limit: int | None = None,
) -> "Backend":
    """Make a backend by name.

    Parameters
    ----------
    name : {"auto", "numpy", "cupy"}
        ``auto`` takes CUDA where it works and NumPy elsewhere; an explicit name is never replaced by another.
    dtype : {"float32", "float64"}
        Precision of all floating-point arrays.
    device : int, default 0
        CUDA: the device, counted from 0.
    tf32 : bool, default False
        CUDA: round the factors of matrix products to TF32, which is faster.
    cuda_graph : bool, default False
        CUDA: capture a training step as a graph and replay it.
    memory_limit : int, optional
        CUDA: bytes of device memory that may be taken.

    Returns
    -------
    Backend

    Raises
    ------
    BackendError
        If the backend is unknown, or is named and cannot be used here, or an option that only CUDA has is given
        where NumPy computes.
    """
    if name not in BACKENDS:
        raise BackendError(f"unknown backend '{name}': choose from {', '.join(BACKENDS)}")
    if name != "numpy":
        from bdfa_np.backend.cuda.status import cupy_status

        missing = cupy_status(device)
        if missing is None:
            from bdfa_np.backend.cuda.backend import CupyBackend

            return CupyBackend(dtype, device=device, tf32=tf32, cuda_graph=cuda_graph, memory_limit=memory_limit)
        if name == "cupy":
            raise BackendError(f"--backend cupy cannot be used: {missing}; or take --backend numpy")
    for_cuda = {"--device": device, "--tf32": tf32, "--cuda-graph": cuda_graph, "--gpu-memory": memory_limit}
    given = [option for option, value in for_cuda.items() if value]
    if given and name == "numpy":
        raise BackendError(f"{', '.join(given)}: only for CUDA, with no part in --backend numpy: leave it out")
    if given:
        raise BackendError(f"{', '.join(given)}: only for CUDA, which cannot be used: {missing}; or leave it out")
    from bdfa_np.backend.cpu.backend import NumpyBackend

    return NumpyBackend(dtype)

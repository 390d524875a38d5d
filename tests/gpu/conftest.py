"""What the tests of this folder need: a CUDA device."""

import pytest

from bdfa_np.backend.cuda.status import cupy_status


@pytest.fixture(scope="session")
def missing():
    """Give what is missing for CUDA; None where it works. Nothing of CuPy is imported before the first test runs."""
    return cupy_status()


@pytest.fixture(autouse=True)
def _on_a_device(missing):
    if missing:
        pytest.skip(f"no CUDA: {missing}")

"""Fixtures that several test files share."""

import pytest

from bdfa_np.backend.base import Backend
from bdfa_np.backend.numpy_backend import NumpyBackend


@pytest.fixture
def backend() -> Backend:
    """Give the backend in float64, the precision in which formulas are checked."""
    return NumpyBackend("float64")

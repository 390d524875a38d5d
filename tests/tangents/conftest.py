"""What all tests of tangents share."""

import pytest

from bdfa_np.backend.cpu import compiling


@pytest.fixture(autouse=True)
def _uncompiled(monkeypatch):
    """Compile no loops, which takes longer than all tests here: both of their forms give the same bits."""
    monkeypatch.setattr(compiling, "COMPILE_AFTER", float("inf"))

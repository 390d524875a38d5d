"""Fixtures that put the stand-in for CuPy and cuBLAS in the place of the real ones."""

import importlib
import sys
from types import ModuleType
from typing import Any

import pytest

CACHED: tuple[tuple[str, str], ...] = (("bdfa_np.backend.cuda.kernels", "named_source"),)
"""Modules, and functions in them, that remember what they returned and must forget it."""
BINDING = "cupy_backends.cuda.libs.cublas"


class StandIn:
    """The stand-in of one test.

    Attributes
    ----------
    cupy : module
        In CuPy's place.
    cublas : FakeCublas
        In cuBLAS's place.
    machine : Machine
        The device: how late its streams are, and which copies were made.
    no_host_copies : callable
        Returns a context in which every copy to the host and every wait for the device is an AssertionError.
    """

    def __init__(self) -> None:
        import fake_cublas
        import stand_in
        import stand_in_device

        self.cupy = stand_in.make_cupy()
        self.cublas = fake_cublas.FakeCublas()
        self.machine = stand_in_device.machine
        self.no_host_copies = stand_in_device.no_host_copies

    @property
    def modules(self) -> dict[str, ModuleType]:
        """What an import finds."""
        import fake_nccl

        cuda = self.cupy.cuda
        found = {"cupy": self.cupy, "cupy.cuda": cuda, "cupy.cuda.runtime": cuda.runtime, "cupy.cuda.nccl": fake_nccl}
        # A status asks whether CuPy's binding of cuBLAS can be loaded, which needs the library itself.
        return {**found, BINDING: ModuleType(BINDING)}


def _forget() -> None:
    for module, function in CACHED:
        getattr(importlib.import_module(module), function).cache_clear()


@pytest.fixture
def _can_stand_in() -> None:
    """Skip a test where there is nothing to make a stand-in of."""
    import host_kernels
    import stand_in_device

    try:
        stand_in_device.real_cupy()
    except ImportError as error:
        pytest.skip(f"CuPy's names and signatures are needed, and it cannot be imported: {error}")
    if host_kernels.compiler() is None:
        pytest.skip("no C++ compiler: kernels cannot be compiled for the host")


@pytest.fixture
def stand_in(_can_stand_in: None, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Give the stand-in, which ``import cupy`` finds too."""
    standing = StandIn()
    modules = standing.modules
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    package = importlib.import_module("cupy_backends.cuda.libs")
    monkeypatch.setitem(package.__dict__, "cublas", modules[BINDING])
    monkeypatch.setattr("bdfa_np.backend.cuda.cublas.load_library", lambda: standing.cublas)
    _forget()
    yield standing
    _forget()
    standing.machine.late = None

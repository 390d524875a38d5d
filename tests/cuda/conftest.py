"""What the tests make up of a machine: NVIDIA's driver, and a module ``cupy`` with its wheels."""

import ctypes
import sys

import pytest


@pytest.fixture
def install_driver(monkeypatch):
    """Give the function that installs a driver for this CUDA, 12.4 being 12040; for None it installs none."""
    load = ctypes.CDLL

    def install(version):
        class Driver:
            def cuDriverGetVersion(self, pointer):
                pointer._obj.value = version

        def library(name, *arguments, **keywords):
            if name not in ("libcuda.so.1", "nvcuda.dll"):
                return load(name, *arguments, **keywords)
            if version is None:
                raise OSError(f"{name}: cannot open shared object file: No such file or directory")
            return Driver()

        monkeypatch.setattr(ctypes, "CDLL", library)

    return install


@pytest.fixture
def installed(monkeypatch, tmp_path, install_driver):
    """Give the function that installs a module ``cupy`` with this source, or an empty folder, and nothing beside it."""

    def install(source=None, *packages):
        (tmp_path / "cupy").mkdir()
        if source is not None:
            (tmp_path / "cupy" / "__init__.py").write_text(source)
        for name in packages:
            (tmp_path / f"{name.replace('-', '_')}-14.0.0.dist-info").mkdir()
            metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: 14.0.0\n"
            (tmp_path / f"{name.replace('-', '_')}-14.0.0.dist-info" / "METADATA").write_text(metadata)
        monkeypatch.setitem(sys.modules, "cupy", None)  # so that what is imported now is forgotten in the end
        monkeypatch.delitem(sys.modules, "cupy")
        monkeypatch.setattr(sys, "path", [str(tmp_path)])
        install_driver(12040)

    return install

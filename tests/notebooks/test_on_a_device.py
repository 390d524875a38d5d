"""The notebook on NumPy and CUDA takes a device where there is one: here the stand-in for CuPy."""

from pathlib import Path

import pytest

pytest_plugins = ["cuda_fixtures"]
pytestmark = pytest.mark.slow  # the ordinary run of all notebooks is that without a device, on most machines
NOTEBOOK = Path(__file__).resolve().parents[2] / "docs" / "notebooks" / "8-numpy-and-cuda.md"


@pytest.mark.usefixtures("stand_in")
def test_it_computes_on_the_device_and_says_so(run_notebook, capsys):
    names = run_notebook(NOTEBOOK)
    assert names["OTHER"] == "cupy"
    assert list(names["nets"]) == ["numpy", "cupy"]
    assert names["on_other"].backend.name == "cupy"
    assert "On this machine there is cupy float32 on" in capsys.readouterr().out


def test_it_says_plainly_where_there_is_no_device_and_runs_on(run_notebook, capsys, monkeypatch):
    monkeypatch.setattr("bdfa_np.backend.cuda.status.cupy_status", lambda _device=0: "there is no CUDA device")
    names = run_notebook(NOTEBOOK)
    assert names["OTHER"] == "numpy"
    out = capsys.readouterr().out
    assert "there is no CUDA, and NumPy stands in for it" in out
    assert "there is no CUDA device" in out

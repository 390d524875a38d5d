"""``bdfa doctor`` on the stand-in for a device: what it says where all is right, and where one kernel is not."""

from pathlib import Path

import host_kernels
import pytest

from bdfa_np.backend.cpu.backend import NumpyBackend
from bdfa_np.parity.kernels import compare_kernels
from bdfa_np.parity.training import cases

pytest_plugins = ["cuda_fixtures"]


@pytest.fixture(autouse=True)
def _few_cases(stand_in, monkeypatch):
    chosen = cases()[::15]
    assert {case.network for case in chosen} == {"mlp", "conv", "resnet20"}
    monkeypatch.setattr("bdfa_np.parity.training.cases", lambda thorough: chosen)
    monkeypatch.setattr("bdfa_np.backend.cuda.status.cupy_status", lambda _: None)


def test_the_doctor_finds_nothing_wrong_with_the_kernels(bdfa):
    outcome = bdfa("doctor")
    assert (outcome.code, outcome.err) == (0, "")
    assert "kernel unpool_gradient" in outcome.out
    assert outcome.out.splitlines()[-1].endswith("checks passed on stand-in (device 0)")


def test_the_doctor_names_a_kernel_whose_source_is_wrong(bdfa, stand_in, monkeypatch):
    make, line = stand_in.cupy.RawModule, "for (int h = row * stride; h < bottom; ++h)"

    def wrong(code, **options):
        assert line in code or "elementwise" in code
        return make(code.replace(line, line.replace("++h", "h += 2")), **options)

    monkeypatch.setattr(stand_in.cupy, "RawModule", wrong)
    outcome = bdfa("doctor")
    assert outcome.code == 1
    failed = {row.split()[1] for row in outcome.out.splitlines() if row.startswith("kernel") and row.endswith("FAIL")}
    assert failed == {"unpool_gradient"}


@pytest.fixture
def _fused(monkeypatch):
    """Let the host multiply and add in one operation, which rounds once, as a device does."""
    if " fma " not in (Path("/proc/cpuinfo").read_text("utf-8") if Path("/proc/cpuinfo").exists() else ""):
        pytest.skip("this processor is not known to multiply and add in one operation")
    flags = [flag for flag in host_kernels.FLAGS if flag not in ("-ffp-contract=off", "-O1")]
    monkeypatch.setattr(host_kernels, "FLAGS", (*flags, "-O2", "-mfma", "-ffp-contract=fast"))
    host_kernels.compiled.cache_clear()
    yield
    host_kernels.compiled.cache_clear()


@pytest.mark.usefixtures("_fused")
@pytest.mark.parametrize("dtype", ["float32", pytest.param("float64", marks=pytest.mark.slow)])
def test_kernels_that_multiply_and_add_in_one_operation_pass(stand_in, dtype):
    from bdfa_np.backend.cuda.backend import CupyBackend

    compared = compare_kernels(NumpyBackend(dtype), CupyBackend(dtype))
    assert [one.name for group in compared.values() for one in group if not one.passed] == []
    assert any(one.value for one in compared["elementwise"])

"""``bdfa doctor`` on the stand-in for a device: what it says where all is right, and where one kernel is not."""

import pytest

from bdfa_np.parity.training import cases

pytest_plugins = ["cuda_fixtures"]


@pytest.fixture(autouse=True)
def _few_cases(stand_in, monkeypatch):
    chosen = cases()[::7]
    assert {case.network for case in chosen} == {"mlp", "conv"}
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

"""``bdfa doctor``: its table, its last line and its exit code."""

import re

import numpy as np
import pytest

from bdfa_np.backend.cpu import pool
from bdfa_np.backend.cpu.backend import NumpyBackend
from bdfa_np.parity.kernels import PROBES
from bdfa_np.parity.training import cases

KERNELS = len(PROBES) + 1  # and the formulas as one
CHECKS = 2 * (KERNELS + len(cases()))
"""In float64 and float32."""


@pytest.fixture
def few(monkeypatch):
    """Leave three of the cases, one with a pooling."""
    chosen = [case for case in cases() if case.name in ("mlp bp adam", "conv bdfa adam", "mlp bp sgd, nonlin relu")]
    assert len(chosen) >= 2
    monkeypatch.setattr("bdfa_np.parity.training.cases", lambda thorough=False: chosen * (1 + thorough))
    return 2 * (KERNELS + len(chosen))


@pytest.fixture
def device(monkeypatch):
    """Give the function that puts a backend in CUDA's place, and makes CUDA work."""

    def put(kind):
        class Device(kind):
            name = "cupy"

            def __init__(self, dtype, *, device, cuda_graph):
                super().__init__(dtype)
                self.number, self.cuda_graph = device, cuda_graph

            def describe(self):
                return f"cupy {self.dtype} on NVIDIA Abacus (device {self.number})"

        monkeypatch.setattr("bdfa_np.backend.cuda.status.cupy_status", lambda _: None)
        monkeypatch.setattr("bdfa_np.backend.make_backend", lambda _, dtype, **options: Device(dtype, **options))

    return put


class WrongPool(NumpyBackend):
    """Hands on a little too much of every gradient."""

    def max_pool_gradient(self, grad_y, chosen, size, stride, out):
        pool.max_pool_gradient(grad_y, chosen, size, stride, out, self._workspace)
        return np.multiply(out, np.asarray(1.001, out.dtype), out=out)


class WrongReplay(NumpyBackend):
    """Learns nothing in the steps that it has captured."""

    cuda_graph = False

    def recorded(self, step, network):
        def replayed(x, labels):
            step(x, labels)
            if self.cuda_graph:
                network.weights.gradients.fill(0)

        return replayed


class Lost(NumpyBackend):
    """Breaks down in the middle of training."""

    def add_bias(self, *_):
        raise RuntimeError("cudaErrorIllegalAddress: an illegal memory access was encountered")


def test_numpy_agrees_with_itself_in_every_check(bdfa):
    outcome = bdfa("doctor", "--backend", "numpy")
    assert (outcome.code, outcome.err) == (0, "")
    first, header, *rows, last = outcome.out.splitlines()
    assert first == "checking numpy on numpy against NumPy"
    assert re.split(r"\s{2,}", header) == ["check", "precision", "worst difference", "tolerance", "result"]
    assert len(rows) == CHECKS
    assert all(row.endswith("pass") for row in rows)
    assert last == f"all {CHECKS} checks passed on numpy"


def test_a_device_that_computes_the_same_passes_and_is_named(bdfa, device, few):
    device(NumpyBackend)
    outcome = bdfa("doctor", "--device", 1)
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.startswith("checking cupy on NVIDIA Abacus (device 1) against NumPy\n")
    assert outcome.out.endswith(f"\nall {few} checks passed on NVIDIA Abacus (device 1)\n")


def test_a_kernel_that_is_wrong_fails_and_is_named_with_what_it_spoils(bdfa, device, few):
    device(WrongPool)
    outcome = bdfa("doctor")
    assert (outcome.code, outcome.err) == (1, "")
    lines = outcome.out.splitlines()
    failed = [re.split(r"\s{2,}", line) for line in lines if line.endswith("FAIL")]
    assert [row[:2] for row in failed] == [
        [name, dtype] for dtype in ("float64", "float32") for name in ("kernel max_pool_gradient", "conv bdfa adam")
    ]
    assert 9e-4 < float(failed[0][2]) < 1.1e-3
    assert failed[0][3:] == ["1e-10", "FAIL"]
    assert sum(line.startswith("FAIL ") for line in lines) == 4
    assert "FAIL kernel max_pool_gradient, float64: 2x2, stride 2 and 5 more: differs by 1.0e-03" in outcome.out
    assert lines[-1] == f"4 of {few} checks failed: results from NVIDIA Abacus (device 0) must not be trusted"


def test_steps_that_are_wrong_only_when_captured_fail_and_are_named_so(bdfa, device, few):
    device(WrongReplay)
    outcome = bdfa("doctor")
    assert outcome.code == 1
    complaints = [line for line in outcome.out.splitlines() if line.startswith("FAIL ")]
    assert len(complaints) == few - 2 * KERNELS
    assert all("(CUDA graph)" in line for line in complaints)


@pytest.mark.usefixtures("few")
def test_a_device_that_breaks_down_fails_with_its_error_in_a_line(bdfa, device):
    device(Lost)
    outcome = bdfa("doctor")
    assert (outcome.code, outcome.err) == (1, "")
    complaints = [line for line in outcome.out.splitlines() if line.startswith("FAIL ")]
    assert complaints[0].startswith("FAIL kernel add_bias, float64: add_bias: RuntimeError: cudaErrorIllegalAddress")
    assert complaints[1].startswith("FAIL mlp bp adam, float64: mlp bp adam and 1 more: RuntimeError: ")


def test_thorough_asks_for_more(bdfa, few):
    outcome = bdfa("doctor", "--backend", "numpy", "--thorough")
    assert outcome.out.endswith(f"\nall {2 * few - 2 * KERNELS} checks passed on numpy\n")


def test_where_cuda_cannot_be_used_one_line_says_why(bdfa, monkeypatch):
    asked = []
    monkeypatch.setattr(
        "bdfa_np.backend.cuda.status.cupy_status", lambda device: asked.append(device) or "no GPU: buy one"
    )
    assert bdfa.refused("doctor", "--device", 3) == "bdfa: error: CUDA cannot be used: no GPU: buy one"
    assert asked == [3]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--device", "-1"], "-1 is not in the range x>=0"),
        (["--device", "one"], "'one' is not a valid integer"),
        (["--backend", "auto"], "'auto' is not one of 'cupy', 'numpy'"),
        (["--backend", "numpy", "--device", "1"], "--device: only for CUDA"),
        (["--quick"], "No such option '--quick'"),
        (["now"], "unexpected extra argument (now)"),
    ],
)
def test_arguments_that_cannot_be_used_are_one_line(bdfa, arguments, message):
    assert message in bdfa.refused("doctor", *arguments)


def test_help_has_examples(bdfa):
    out = bdfa("doctor", "--help").out
    assert "Examples:\n    bdfa doctor " in out
    assert "--backend" not in out


def test_a_terminal_shows_a_bar_and_colours(bdfa, few, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    out = bdfa("doctor", "--backend", "numpy").out
    assert "━" in out
    assert re.search(r"\x1b\[32m *pass", out)
    assert out.endswith(f"all {few} checks passed on numpy\n")


def test_without_colour_a_terminal_shows_the_same(bdfa, few, monkeypatch):
    for name, value in {"NO_COLOR": "1", "TTY_COMPATIBLE": "1", "TERM": "xterm-256color"}.items():
        monkeypatch.setenv(name, value)
    outcome = bdfa("doctor", "--backend", "numpy")
    assert outcome.code == 0
    assert "━" in outcome.out
    assert re.search(r"\x1b\[(?:\d+;)*3\d(?:;\d+)*m", outcome.out) is None
    assert f"all {few} checks passed on numpy" in outcome.out

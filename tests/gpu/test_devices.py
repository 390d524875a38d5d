"""One run in several processes on real devices: through the host where there is one, by NCCL where there are two."""

import numpy as np
import pytest
from comparing import assert_close

from bdfa_np.backend.cuda.importing import import_nccl
from bdfa_np.backend.cuda.status import device_names, nccl_status
from bdfa_np.errors import BackendError
from bdfa_np.rules import RULES

pytestmark = pytest.mark.gpu

OPTIONS = ["--backend", "cupy", "--optimization", "sgd", "--lr", "1e-2", "--epochs", 2]


def compare(bdfa, tmp_path, monkeypatch, *words):
    monkeypatch.chdir(tmp_path)
    one = [word for word in words if word != "--cuda-graph"]
    bdfa.train("one", *OPTIONS, *one[2:])
    bdfa.train("several", *OPTIONS, *words)
    assert_close(tmp_path / "several", tmp_path / "one", 1e-4)


@pytest.mark.parametrize("rule", sorted(RULES))
def test_two_processes_on_one_device_learn_what_one_does(bdfa, tmp_path, monkeypatch, rule):
    compare(bdfa, tmp_path, monkeypatch, "--devices", "0,0", "--gradient", rule)


@pytest.mark.parametrize("graph", [[], ["--cuda-graph"]], ids=["plain", "graphs"])
@pytest.mark.parametrize("rule", sorted(RULES))
def test_two_devices_learn_what_one_does(bdfa, tmp_path, monkeypatch, rule, graph):
    if len(device_names()) < 2:
        pytest.skip("there is one CUDA device, and NCCL takes a device once")
    try:
        import_nccl()
    except BackendError:
        pytest.skip(nccl_status())
    compare(bdfa, tmp_path, monkeypatch, "--devices", "0,1", "--gradient", rule, *graph)


def test_nccl_of_one_process_adds_up_to_what_it_was_given_plain_and_captured():
    nccl = pytest.importorskip("cupy.cuda.nccl")
    if not nccl.available:
        pytest.skip(nccl_status())
    from types import SimpleNamespace

    from bdfa_np.backend.cuda.adding import ByNccl
    from bdfa_np.backend.cuda.backend import CupyBackend
    from bdfa_np.backend.cuda.graph import captured

    backend = CupyBackend("float32")
    adder = ByNccl(backend.xp, SimpleNamespace(rank=0, size=1, copy=lambda value: value))
    array = backend.asarray(np.arange(1000.0))
    with backend.computing(False):
        adder(array)
        graph = captured(backend.stream, lambda: adder(array))
        graph.launch()
    np.testing.assert_array_equal(backend.to_host(array), np.arange(1000.0))
    adder.stop()
    adder(array)  # asks for nothing any more

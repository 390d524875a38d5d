"""Which backend is taken, with which options, and what the commands say of it."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from bdfa_np import build_model
from bdfa_np.backend import make_backend
from bdfa_np.backend.cuda import status
from bdfa_np.errors import BackendError
from bdfa_np.options.config import Config
from bdfa_np.runs.lines import heading
from bdfa_np.runs.starting import moved


class FakeBackend:
    """Remembers what it was made with."""

    def __init__(self, dtype, **options):
        self.name, self.dtype, self.options = "cupy", dtype, options


@pytest.fixture
def cuda(monkeypatch):
    """Give the function that makes CUDA work, but for what it is told is missing."""
    asked = []

    def make(missing=None):
        monkeypatch.setattr(status, "cupy_status", lambda device=0: asked.append(device) or missing)
        monkeypatch.setitem(sys.modules, "bdfa_np.backend.cuda.backend", SimpleNamespace(CupyBackend=FakeBackend))
        return asked

    return make


OPTIONS = {"device": 2, "tf32": True, "cuda_graph": True, "memory_limit": 1000}


@pytest.mark.parametrize("name", ["auto", "cupy"])
def test_where_cuda_works_it_is_taken_with_every_option(cuda, name):
    asked = cuda()
    backend = make_backend(name, "float64", **OPTIONS)
    assert (backend.name, backend.dtype, backend.options) == ("cupy", "float64", OPTIONS)
    assert asked == [2]


def test_numpy_is_taken_by_name_without_a_look_at_cuda(cuda):
    asked = cuda()
    assert make_backend("numpy").name == "numpy"
    assert asked == []


def test_auto_without_cuda_is_numpy(cuda):
    cuda("no GPU: buy one")
    assert make_backend("auto", "float64").dtype == "float64"
    assert make_backend().name == "numpy"


def test_cupy_by_name_that_cannot_run_is_refused(cuda):
    cuda("no GPU: buy one")
    with pytest.raises(BackendError) as caught:
        make_backend("cupy")
    assert str(caught.value) == "--backend cupy cannot be used: no GPU: buy one; or take --backend numpy"


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"device": 1}, "--device"),
        ({"tf32": True}, "--tf32"),
        ({"cuda_graph": True}, "--cuda-graph"),
        ({"memory_limit": 1}, "--gpu-memory"),
        (OPTIONS, "--device, --tf32, --cuda-graph, --gpu-memory"),
    ],
)
def test_options_that_only_cuda_has_are_never_dropped(cuda, options, named):
    cuda("no GPU: buy one")
    with pytest.raises(BackendError) as caught:
        make_backend("auto", **options)
    assert str(caught.value) == f"{named}: only for CUDA, which cannot be used: no GPU: buy one; or leave it out"
    with pytest.raises(BackendError) as caught:
        make_backend("numpy", **options)
    assert str(caught.value) == f"{named}: only for CUDA, with no part in --backend numpy: leave it out"


def test_a_model_is_built_on_the_device_that_its_configuration_names(monkeypatch):
    asked = []

    def make(name, dtype, **options):
        asked.append((name, dtype, options))
        return make_backend("numpy")

    monkeypatch.setattr("bdfa_np.model.make_backend", make)
    build_model(Config(backend="cupy", device=2, tf32=True, cuda_graph=True, gpu_memory=1.5), (2, 2, 1), 3)
    build_model(Config(backend="cupy"), (2, 2, 1), 3, dtype="float64")
    assert asked == [
        ("cupy", "float32", {"device": 2, "tf32": True, "cuda_graph": True, "memory_limit": 1_610_612_736}),
        ("cupy", "float64", {"device": 0, "tf32": False, "cuda_graph": False, "memory_limit": None}),
    ]


def test_a_run_that_moves_to_the_cpu_leaves_behind_what_is_for_cuda():
    config = Config(backend="cupy", device=2, tf32=True, cuda_graph=True, gpu_memory=1.5)
    on_cpu = moved(config, {"backend": "numpy"})
    assert [getattr(on_cpu, name) for name in ("device", "tf32", "cuda_graph", "gpu_memory")] == [0, False, False, None]
    on_gpu = moved(config, {"backend": "auto", "device": 1})
    assert [getattr(on_gpu, name) for name in ("device", "tf32", "cuda_graph", "gpu_memory")] == [1, True, True, 1.5]


# What is printed


@pytest.mark.parametrize(
    ("packages", "driver", "noted"),
    [((), False, False), (["cupy-cuda12x"], False, True), ((), True, True), (["cupy-cuda12x"], True, True)],
)
def test_auto_says_why_it_computes_on_the_cpu_where_cuda_was_to_be_expected(monkeypatch, cuda, packages, driver, noted):
    monkeypatch.setattr(status, "cupy_packages", lambda: packages)
    monkeypatch.setattr(status, "driver_loads", lambda: driver)
    cuda("no GPU: buy one")
    wanted = "note: computing on the CPU, since CUDA cannot be used: no GPU: buy one"
    assert status.auto_note() == (wanted if noted else None)


NOTE = "note: computing on the CPU, since CUDA cannot be used: no GPU: buy one"


def test_every_command_that_computes_prints_the_note_once_but_not_where_the_cpu_was_asked_for(bdfa, cuda, monkeypatch):
    monkeypatch.setattr(status, "driver_loads", lambda: True)
    cuda("no GPU: buy one")
    commands = [
        ("train", "--save", "run", "--resume", "--epochs", 2),
        ("evaluate", "run"),
    ]
    assert bdfa.train("run", "--epochs", 1).out.splitlines().count(NOTE) == 1
    for command in commands:
        assert bdfa(*command).out.splitlines().count(NOTE) == 1
    for command in commands:
        assert "note: computing" not in bdfa(*command, "--backend", "numpy").out


def test_what_is_missing_is_one_line_in_train_evaluate_and_info(bdfa, cuda, monkeypatch):
    monkeypatch.setattr(status, "driver_loads", lambda: True)
    cuda("no GPU: buy one")
    bdfa.train("run", "--epochs", 1, "--backend", "numpy")
    tiny = ["--dataset", "mnist-5k", "--num-hidden", 20]
    for command in (["train", *tiny], ["train", "--dry-run", *tiny], ["evaluate", "run"]):
        line = bdfa.refused(*command, "--backend", "cupy")
        assert line == "bdfa: error: --backend cupy cannot be used: no GPU: buy one; or take --backend numpy"
    assert "\ncupy       backend missing: no GPU: buy one\n" in bdfa("info").out


def test_evaluate_leaves_out_what_the_run_had_for_cuda_and_takes_a_device_of_its_own(bdfa, cuda):
    asked = cuda("no GPU: buy one")
    bdfa.train("run", "--epochs", 1, "--backend", "numpy")
    config = Path("run/config.toml")
    text = config.read_text().replace('backend = "numpy"', 'backend = "auto"').replace("tf32 = false", "tf32 = true")
    config.write_text(text.replace("device = 0", "device = 3"))
    assert bdfa("evaluate", "run").code == 0
    assert "--device: only for CUDA" in bdfa.refused("evaluate", "run", "--device", 2)
    assert asked[-1] == 2


def test_the_heading_of_a_run_says_which_device_computes():
    model = build_model(Config(backend="numpy", threads=3), (2, 2, 1), 3)
    split = SimpleNamespace(description="digits", input_shape=(2, 2, 1), class_names=["a", "b", "c"])
    split.holds_vectors = False
    data = SimpleNamespace(split=split, origin=lambda: None)
    assert heading(model, data)[-1].endswith(", numpy float32, 3 threads")
    device = "cupy float32 on NVIDIA H100 (device 0), TF32"
    backend = SimpleNamespace(name="cupy", describe=lambda: device)
    on_gpu = SimpleNamespace(config=model.config, network=model.network, backend=backend)
    assert heading(on_gpu, data)[-1].endswith(f", {device}")

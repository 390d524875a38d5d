"""``benchmarks/gpu.py``: its table, what it refuses and, where PyTorch is, its programs and a run on the CPU."""

import contextlib
import sys
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from rich.console import Console

import bdfa_np.networks.conv
from bdfa_np.backend.cpu import compiling
from bdfa_np.backend.cuda import status

pytest_plugins = ["cuda_fixtures"]

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the folder's modules be found, make everything small, and undo what making our program does."""
    monkeypatch.syspath_prepend(FOLDER)
    monkeypatch.setattr(compiling, "COMPILE_AFTER", compiling.COMPILE_AFTER)
    monkeypatch.setattr(bdfa_np.networks.conv, "CHANNELS", (4, 5, 6))
    monkeypatch.setattr(bdfa_np.networks.conv, "UNITS", (12, 11))
    sizes = {"UNITS": 20, "BATCHES": (8,), "ROUNDS": 2, "QUICK_ROUNDS": 1, "EPOCH_ROUNDS": 1, "SECONDS": 1e-4}
    for name, value in {**sizes, "IMAGES": {"mlp": 200, "conv": 200}}.items():
        monkeypatch.setattr(import_module("gpu"), name, value)


@pytest.fixture
def gpu() -> ModuleType:
    return import_module("gpu")


@pytest.fixture
def programs() -> ModuleType:
    """The module that needs PyTorch."""
    pytest.importorskip("torch", reason="PyTorch is in the extra named oracle")
    return import_module("programs.gpu_programs")


def job_of(network: str = "mlp", rule: str = "dfa", optimizer: str = "rmsprop", **changes: Any) -> Any:
    return import_module("measure.jobs").Job(network, 2, 20, 8, rule, optimizer, **changes)


def run(*options: str) -> Result:
    return CliRunner().invoke(import_module("gpu").main, options, prog_name="gpu.py", catch_exceptions=False)


# The table


def test_a_line_has_the_median_the_quartiles_and_ratios_round_by_round(gpu: ModuleType) -> None:
    rounds = {"ours": [0.001, 0.003, 0.002], "ours graph": [0.0005] * 3, "torch": [0.004, 0.002, 0.002]}
    first, second, third = gpu.step_lines("mlp", rounds, {})
    assert first == ("mlp", "ours", "2.00 ms", "1.50 ms – 2.50 ms", "", "0.25")
    assert second == ("mlp", "ours graph", "0.500 ms", "0.500 ms – 0.500 ms", "4.00", "")
    # 0.25, 1.5 and 1, whose median is 1; so are 0.125, 0.25 and 0.25.
    assert third == ("mlp", "torch", "2.00 ms", "2.00 ms – 3.00 ms", "1.00", "0.25")


def test_a_program_that_was_left_out_has_a_line_with_the_reason(gpu: ModuleType) -> None:
    lines = list(gpu.step_lines("mlp", {"ours": [1.0]}, {"torch graph": "not permitted"}))
    assert lines[1] == ("mlp", "torch graph left out: not permitted", "", "", "", "")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4774, "477 ms"), (0.0123, "12.3 ms"), (0.00123, "1.23 ms"), (4e-5, "0.040 ms"), (12.34, "12.3 s")],
)
def test_a_time_has_about_three_digits(gpu: ModuleType, seconds: float, text: str) -> None:
    assert gpu.time_text(seconds) == text


def test_a_table_in_markdown_has_its_numbers_on_the_right_and_no_stray_columns(gpu: ModuleType) -> None:
    sheet = gpu.Sheet("Steps", ("", "program", "a step"), [("mlp", "a|b", "1 ms")])
    assert sheet.markdown() == ("## Steps\n\n|  | program | a step |\n| --- | --- | ---: |\n| mlp | a\\|b | 1 ms |\n")


def test_the_same_table_is_for_the_terminal(gpu: ModuleType) -> None:
    console = Console(width=100)
    with console.capture() as shown:
        console.print(gpu.Sheet("Steps", ("", "program", "a step"), [("mlp", "ours", "1 ms")]).table())
    words = [word for word in shown.get().split() if word.isalnum()]
    assert words == ["Steps", "program", "a", "step", "mlp", "ours", "1", "ms"]


# What there is to measure, and what is refused


def test_all_rules_are_measured_with_all_optimizers_and_fewer_when_it_must_be_quick(
    gpu: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpu, "BATCHES", (64, 128))
    full, quick = (gpu.all_cases("cuda:0", quick=quick) for quick in (False, True))
    assert len(full) == 2 * (2 * 5 * 3 + 2)
    assert len(quick) == 2 * (2 * 3 * 3 + 2)
    assert [case.images for case in full if case.images] == [200, 200]
    assert [case.images for case in quick if case.images] == [20, 20]
    assert [case.name for case in full if case.tf32] == [
        "mlp 2x20 dfa rmsprop 64 step tf32",
        "conv dfa rmsprop 64 step tf32",
    ]
    assert {case.job.device for case in full} == {"cuda:0"}


def test_rows_are_listed_without_a_gpu() -> None:
    done = run("--list", "--only", "conv bdfa adam", "--only", "epoch mlp")
    assert done.output.splitlines() == ["mlp 2x20 dfa rmsprop 8 epoch", "conv bdfa adam 8 step"]


def test_all_that_is_missing_is_one_line_and_exit_code_2(gpu: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(status, "cupy_status", lambda device: asked.append(device) or "there is no driver")
    monkeypatch.setattr(gpu, "find_spec", lambda _: None)
    done = run("--device", "1")
    assert done.exit_code == 2
    assert done.output == (
        "benchmarks/gpu.py cannot run: there is no driver; PyTorch is not installed: pip install torch\n"
    )
    assert asked == [1]


def test_a_pytorch_without_cuda_is_named(gpu: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    torch = SimpleNamespace(__version__="2.0+cpu", cuda=SimpleNamespace(is_available=lambda: False))
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setattr(gpu, "find_spec", lambda name: name)
    monkeypatch.setattr(status, "cupy_status", lambda _: None)
    assert gpu.missing("cuda:0") == "PyTorch 2.0+cpu cannot use CUDA: install a build for CUDA from pytorch.org"
    torch.cuda.is_available = lambda: True
    assert gpu.missing("cuda:0") == ""


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--device", "gpu"], "'gpu' is no device: give its number, counted from 0"),
        (["--device", "²"], "'²' is no device"),
        (["--only", "perceptron"], "no row fits 'perceptron': --list shows them"),
        (["--device", "cpu", "--out", "absent/gpu.md"], "there is no folder absent: make it first"),
    ],
)
def test_a_bad_option_is_refused_before_anything_is_measured(options: list[str], reason: str) -> None:
    done = run(*options)
    assert done.exit_code == 2
    assert reason in done.output


# With PyTorch, on the CPU


@pytest.mark.oracle
@pytest.mark.usefixtures("programs")
def test_the_script_runs_on_the_cpu_and_writes_its_tables(tmp_path: Path) -> None:
    out = tmp_path / "gpu.md"
    done = run("--device", "cpu", "--quick", "--only", "mlp bp sgd", "--only", "mlp epoch", "--out", str(out))
    assert done.exit_code == 0, done.output
    text = out.read_text(encoding="utf-8")
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("| mlp")]
    names = [("mlp 2x20 bp sgd 8 step", name) for name in ("ours", "torch", "autograd")]
    assert [tuple(line[:2]) for line in cells] == [*names, ("mlp 2x20 dfa rmsprop 8 epoch", "ours")]
    assert all(float(line[4]) > 0 for line in cells[1:3])
    assert float(cells[3][5]) > 0
    assert "- PyTorch: " in text
    assert "- CPU: " in text
    assert "autograd" in done.output


@pytest.mark.oracle
@pytest.mark.parametrize("optimizer", ["sgd", "rmsprop", "adam"])
@pytest.mark.parametrize("network", ["mlp", "conv"])
@pytest.mark.parametrize("rule", ["bp", "fa", "dfa", "bfa", "bdfa"])
def test_all_programs_of_a_job_agree(programs: ModuleType, network: str, rule: str, optimizer: str) -> None:
    job = job_of(network, rule, optimizer, drawn=True, precision="float64")
    assert programs.check_agreement(job, programs.makers(job)) == {}


@pytest.mark.oracle
def test_a_program_that_does_other_work_ends_the_run_by_name(
    programs: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    makers = programs.makers

    def crooked(job: Any, **options: Any) -> Any:
        return makers(job, **options) | {"torch": makers(replace(job, optimizer="adam"), **options)["torch"]}

    monkeypatch.setattr(programs, "makers", crooked)
    done = run("--device", "cpu", "--only", "mlp dfa rmsprop step", "--only", "mlp dfa sgd")
    assert done.exit_code == 1
    assert "mlp 2x20 dfa sgd 8 step: torch and ours on the CPU disagree: 5 steps move linear1." in done.output


@pytest.mark.oracle
@pytest.mark.parametrize(("moved", "distance"), [([3.0, 4.5], 0.1), ([3.0, 4.0], 0.0), ([np.nan, 0.0], np.nan)])
def test_a_distance_is_a_part_of_the_way(programs: ModuleType, moved: list[float], distance: float) -> None:
    found = programs.distance(np.array(moved), np.array([3.0, 4.0]))
    assert found == pytest.approx(distance, nan_ok=True)


@pytest.mark.oracle
def test_what_must_stay_and_moves_is_infinitely_far(programs: ModuleType) -> None:
    assert programs.distance(np.array([1e-9]), np.zeros(1)) == np.inf
    assert programs.distance(np.zeros(1), np.zeros(1)) == 0


@pytest.mark.oracle
@pytest.mark.parametrize("network", ["mlp", "conv"])
def test_our_programs_for_cuda_agree_on_the_stand_in(stand_in: Any, programs: ModuleType, network: str) -> None:
    job = job_of(network, "bdfa", "adam", drawn=True, precision="float64")
    makers = {
        name: lambda graph=graph: programs.ours.make(job, backend="cupy", cuda_graph=graph)
        for name, graph in (("ours", False), ("ours graph", True))
    }
    assert programs.check_agreement(job, makers) == {}
    x, labels = next(makers["ours"]().rotation)
    assert isinstance(x, stand_in.cupy.ndarray)
    assert isinstance(labels, stand_in.cupy.ndarray)


@pytest.mark.oracle
def test_on_a_gpu_the_other_programs_are_made_too(programs: ModuleType) -> None:
    names = ["ours", "ours graph", "torch", "torch graph", "ours cpu"]
    assert list(programs.makers(job_of(device="cuda:0"))) == names
    assert list(programs.makers(job_of(rule="bp", device="cuda:0"))) == [*names, "autograd"]


@pytest.fixture
def no_streams(programs: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put what does nothing in the place of PyTorch's streams."""
    cuda = programs.torch.cuda
    stream = SimpleNamespace(wait_stream=lambda _: None)
    monkeypatch.setattr(cuda, "Stream", lambda _: stream)
    monkeypatch.setattr(cuda, "current_stream", lambda: stream)
    monkeypatch.setattr(cuda, "stream", lambda _: contextlib.nullcontext())


@pytest.mark.oracle
@pytest.mark.usefixtures("no_streams")
@pytest.mark.parametrize("network", ["mlp", "conv"])
def test_a_graph_is_captured_once_and_given_every_batch_in_turn(
    programs: ModuleType, monkeypatch: pytest.MonkeyPatch, network: str
) -> None:
    captures = []

    def captured(program: Any) -> Any:
        captures.append(program)  # a capture runs nothing, a replay runs the same
        return SimpleNamespace(replay=program)

    monkeypatch.setattr(programs, "captured", captured)
    job = job_of(network, optimizer="sgd")
    graphed, plain = programs.Graphed(programs.by_hand(job, False)), programs.by_hand(job, False)
    for _ in range(10):  # more than there are batches
        graphed()
        plain()
    assert len(captures) == 1
    for name, array in plain.weights().items():
        assert (graphed.weights()[name] == array).all(), name


@pytest.mark.oracle
@pytest.mark.usefixtures("no_streams")
def test_a_step_that_cannot_be_captured_is_left_out_with_pytorchs_reason(
    programs: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(programs.torch.cuda, "CUDAGraph", object)
    monkeypatch.setattr(programs.torch.cuda, "graph", lambda _: contextlib.nullcontext())
    job = job_of(optimizer="sgd")

    def make() -> Any:
        graphed = programs.Graphed(programs.by_hand(job, False))
        graphed.program.optimizer.step = step
        return graphed

    left = iter([None] * programs.WARM_UP)

    def step() -> None:
        if next(left, "none") == "none":
            raise RuntimeError("operation not permitted\nwhen stream is capturing")

    assert programs.check_agreement(job, {"torch graph": make}) == {"torch graph": "operation not permitted"}


@pytest.mark.oracle
def test_tf32_is_switched_in_products_and_convolutions(programs: ModuleType) -> None:
    backends = programs.torch.backends
    try:
        for tf32 in (True, False):
            programs.choose("cpu", tf32)
            assert (backends.cuda.matmul.allow_tf32, backends.cudnn.allow_tf32) == (tf32, tf32)
    finally:
        backends.cudnn.benchmark = False

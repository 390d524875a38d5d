"""The programs that ``benchmarks/`` compares do the same work: after five steps their weights have moved alike."""

import sys
from collections import Counter
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

import bdfa_np.networks.conv
from bdfa_np.backend.cpu import compiling
from bdfa_np.backend.cpu.backend import NumpyBackend
from bdfa_np.optim import Adam

pytestmark = pytest.mark.oracle

FOLDER = Path(__file__).parents[2] / "benchmarks"
RULES = ("bp", "fa", "dfa", "bfa", "bdfa")
OPTIMIZERS = ("sgd", "rmsprop", "adam")
TOLERANCE = {"float32": 1e-3, "float64": 1e-9}


@pytest.fixture(scope="module", autouse=True)
def benchmarks():
    """Let the folder's modules be imported as they import one another: as top-level ones."""
    if not (FOLDER / "measure" / "jobs.py").exists():
        pytest.skip("the folder benchmarks/ belongs to the checkout and is not here")
    pytest.importorskip("torch", reason="PyTorch is in the extra named oracle")
    sys.path.insert(0, str(FOLDER))
    yield
    sys.path.remove(str(FOLDER))
    # list() first: asking a lazy module for its file may import others meanwhile
    for name in [name for name, module in list(sys.modules.items()) if is_in_folder(module)]:
        del sys.modules[name]


@pytest.fixture(autouse=True)
def compiled_as_usual(monkeypatch):
    """Undo what making our program does to the whole process."""
    monkeypatch.setattr(compiling, "COMPILE_AFTER", compiling.COMPILE_AFTER)


def is_in_folder(module):
    file = getattr(module, "__file__", None)
    return file is not None and FOLDER in Path(file).parents


@pytest.fixture(autouse=True)
def narrow(monkeypatch):
    monkeypatch.setattr(bdfa_np.networks.conv, "CHANNELS", (12, 16, 20))
    monkeypatch.setattr(bdfa_np.networks.conv, "UNITS", (100, 90))


def job_of(**changes):
    return import_module("measure.jobs").Job(**({"units": 60, "batch": 8} | changes))


def make(name, job, **options):
    return import_module(f"programs.{name}").make(job, **options)


def movement(program):
    """Return how far five steps move each parameter."""
    before = program.weights()
    for _ in range(5):
        program()
    return {key: after - before[key] for key, after in program.weights().items()}


def moves_as_ours(program, job, tolerance=None):
    tolerance = tolerance or TOLERANCE[job.precision]
    ours = make("ours", job)
    sizes = {key: np.abs(array).max() for key, array in ours.weights().items()}
    ours, theirs = movement(ours), movement(program)
    fixed = {key for key in ours if key.endswith(".B") and job.rule not in ("bfa", "bdfa")}
    assert ours.keys() - fixed <= theirs.keys() <= ours.keys()
    for key, moved in theirs.items():
        rounding = 4 * np.finfo(job.precision).eps * sizes[key]  # of the parameter, which the movement is a part of
        far = np.abs(ours[key]).max()
        # Only with relu do weights start away from zero; else five steps hardly reach the upper layers' feedback.
        assert (far > rounding) == (key not in fixed) or job.non_linearity != "relu", key
        gap = np.abs(moved - ours[key]).max()
        assert gap <= tolerance * far + rounding, (key, gap / far)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("non_linearity", ["tanh", "relu"])
@pytest.mark.parametrize("rule", RULES)
def test_mlp_by_hand_moves_as_ours(rule, non_linearity, optimizer):
    job = job_of(rule=rule, optimizer=optimizer, layers=3, precision="float64", non_linearity=non_linearity)
    moves_as_ours(make("torch_mlp", job, private=True), job)


@pytest.mark.parametrize("non_linearity", ["tanh", "sigm", "relu"])
@pytest.mark.parametrize("rule", RULES)
def test_mlp_by_hand_in_float32_moves_as_ours(rule, non_linearity):
    # SGD alone: where a gradient is nothing but rounding, the other two still step by its sign.
    job = job_of(rule=rule, optimizer="sgd", non_linearity=non_linearity)
    moves_as_ours(make("torch_mlp", job, private=True), job)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("network", ["mlp", "conv"])
@pytest.mark.parametrize("rule", RULES)
def test_public_operations_move_as_ours(rule, network, optimizer, monkeypatch):
    job = job_of(network=network, rule=rule, optimizer=optimizer, precision="float64", non_linearity="relu")
    program = make(f"torch_{network}", job)
    if optimizer == "adam":
        # PyTorch adds Adam's epsilon after the bias correction and we add it before: without any they agree.
        monkeypatch.setattr(Adam, "epsilon", 1e-300)
        optimizer = program.optimizer
        getattr(optimizer, "optimizer", optimizer).param_groups[0]["eps"] = 1e-300
    moves_as_ours(program, job)


@pytest.mark.parametrize("rule", RULES)
def test_conv_by_hand_moves_as_ours(rule):
    job = job_of(network="conv", rule=rule, precision="float64")
    moves_as_ours(make("torch_conv", job, private=True), job)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("channels_last", [False, True])
def test_conv_by_hand_moves_as_ours_in_either_memory_format(channels_last, optimizer):
    job = job_of(network="conv", rule="bfa", optimizer=optimizer, precision="float64", non_linearity="relu")
    moves_as_ours(make("torch_conv", job, private=True, channels_last=channels_last), job)


@pytest.mark.parametrize("rule", RULES)
def test_conv_by_hand_in_float32_moves_as_ours(rule):
    # With relu: see below. Where a value is zero but for rounding, its slope is 0 or 1 by chance.
    job = job_of(network="conv", rule=rule, optimizer="sgd", non_linearity="relu")
    moves_as_ours(make("torch_conv", job, private=True), job, tolerance=1e-2)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("network", ["mlp", "conv"])
@pytest.mark.parametrize("rule", ["bp", "fa", "dfa"])
def test_modules_move_as_ours(rule, network, optimizer, monkeypatch):
    # With relu weights start away from zero. Near zero, after a step of SGD, the values in a window of conv differ by
    # rounding alone, which then decides where pooling sends a signal.
    job = job_of(network=network, rule=rule, optimizer=optimizer, precision="float64", non_linearity="relu")
    program = make("biotorch", job)
    if optimizer == "adam":
        # PyTorch adds Adam's epsilon after the bias correction and we add it before: without any they agree.
        monkeypatch.setattr(Adam, "epsilon", 1e-300)
        program.optimizer.param_groups[0]["eps"] = 1e-300
    moves_as_ours(program, job)


@pytest.mark.parametrize("rule", ["bp", "dfa"])
@pytest.mark.parametrize("network", ["lenet", "resnet20"])
def test_nets_move_as_ours(rule, network):
    job = job_of(network=network, rule=rule, optimizer="sgd", precision="float64", non_linearity="relu")
    moves_as_ours(make("torch_nets", job), job)


@pytest.mark.parametrize("program", ["ours", "floor", "torch_mlp", "torch_conv", "biotorch"])
def test_a_pass_in_use_learns_nothing(program):
    program = make(program, job_of(network="conv" if program == "torch_conv" else "mlp", work="inference"))
    assert not any(moved.any() for moved in movement(program).values())


@pytest.mark.parametrize("precision", TOLERANCE)
@pytest.mark.parametrize("network", ["mlp", "conv"])
def test_a_pass_in_use_by_hand_gives_our_logits(network, precision):
    jobs = import_module("measure.jobs")
    job = job_of(network=network, work="inference", precision=precision, non_linearity="relu")  # weights are not zero
    x, _ = jobs.make_batches(job)[0]
    logits = jobs.build(job).network.predict(x)
    program = make(f"torch_{network}", job)
    program()
    gap = np.abs(program.h[program.top].numpy() - logits).max()
    assert gap <= TOLERANCE[precision] * np.abs(logits).max()


@pytest.mark.parametrize("work", ["step", "inference"])
@pytest.mark.parametrize("rule", RULES)
def test_the_floor_is_the_products_of_our_own_step(rule, work, monkeypatch):
    job = job_of(rule=rule, work=work, layers=3)
    programs = make("ours", job), make("floor", job)
    found = []

    def recording(function):
        def product(*arguments, **options):
            a, b = arguments[-2:]
            if a.ndim == 2:  # our column sums are products too, with a vector of ones
                found[-1][a.shape, b.shape] += 1
            return function(*arguments, **options)

        return product

    for program, (holder, name) in zip(programs, [(NumpyBackend, "matmul"), (np, "matmul")], strict=True):
        found.append(Counter())
        with monkeypatch.context() as patch:
            patch.setattr(holder, name, recording(getattr(holder, name)))
            program()
    ours, floor = found
    assert ours.total() > 0
    assert floor == ours


@pytest.mark.parametrize(("network", "precision"), [("mlp", "float32"), ("conv", "float32"), ("mlp", "float64")])
def test_batches_differ_from_one_another_and_are_the_same_each_time(network, precision):
    jobs = import_module("measure.jobs")
    job = job_of(network=network, precision=precision)
    batches, again = jobs.make_batches(job), jobs.make_batches(job)
    assert len({x.tobytes() for x, _ in batches}) == len(batches) == 8
    for (x, labels), (same_x, same_labels) in zip(batches, again, strict=True):
        assert x.dtype == precision
        assert x.shape == (8, *jobs.INPUT_SHAPES[network])
        assert (x == same_x).all()
        assert (labels == same_labels).all()
        assert (x == 0).mean() == pytest.approx(0.8 if network == "mlp" else 0, abs=0.03)


@pytest.mark.parametrize(
    ("program", "changes"),
    [
        ("floor", {"network": "conv"}),
        ("torch_mlp", {"network": "conv"}),
        ("torch_conv", {}),
        ("torch_nets", {}),
        ("torch_nets", {"network": "lenet", "rule": "fa"}),
        ("biotorch", {"rule": "bfa"}),
        ("biotorch", {"rule": "bdfa"}),
    ],
)
def test_a_job_that_a_program_does_not_do_is_refused(program, changes):
    with pytest.raises(ValueError, match="alone"):
        make(program, job_of(**changes))

"""What each option does to the numbers of a run, under its own name and under the Torch program's."""

import io
import re
import struct
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import h5py
import numpy as np
import pytest
from threadpoolctl import threadpool_info

from bdfa_np.backend.cuda.status import cupy_status
from bdfa_np.declaration import flag
from bdfa_np.options.catalogue import OPTIONS
from bdfa_np.runs.checkpoint import read_checkpoint
from bdfa_np.runs.folder import RunFolder
from bdfa_np.trainer import Trainer

COMMON = "--dataset mnist-5k --train-limit 300 --test-limit 100 --threads 1 --epochs 1 --lr 1e-3"
MLP = f"{COMMON} --num-hidden 20"
CONV = f"{COMMON} --network conv --train-limit 130 --test-limit 20"
RESNET = f"{COMMON} --network resnet20 --train-limit 70 --test-limit 20"
SGD = f"{MLP} --optimization sgd"
ONE_STEP = f"{SGD} --train-limit 60"
STARTED = f"{SGD} --gradient bp --lr 1e-6"  # from weights that are not zero, which then hardly move

RUNS: dict[tuple[str, ...], Any] = {}  # what each command line has come to; most bases serve several rows


@pytest.fixture(autouse=True)
def narrow(monkeypatch):
    """Make conv narrow, so that its tests take no time."""
    monkeypatch.setattr("bdfa_np.networks.conv.CHANNELS", (4, 5, 6))
    monkeypatch.setattr("bdfa_np.networks.conv.UNITS", (11, 10))


@pytest.fixture
def run(bdfa, tmp_path):
    """Give the function that trains with options and returns the figures of the run."""

    def train(*options, again=False):
        options = tuple(part for text in options for part in str(text).split())
        if again or options not in RUNS:
            folder = tmp_path / f"run{len(list(tmp_path.iterdir()))}"
            outcome = bdfa("train", *options, "--save", folder)
            far = r"note: (whitening|normalization image) makes test values of up to .+\n"
            assert (outcome.code, re.sub(far, "", outcome.err)) == (0, "")
            RUNS[options] = figures(folder)
        return RUNS[options]

    return train


def figures(folder):
    """Return what a run has come to."""
    config, document = RunFolder(folder).read_document()
    checkpoint = read_checkpoint(folder / "checkpoint.h5")
    rates = [record.lr for record in checkpoint.history]
    files = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    return SimpleNamespace(**vars(checkpoint), config=config, parts=document["data"]["parts"], rates=rates, files=files)


def bits(run):
    """Return every number that two equal runs share."""
    groups = ("weights", "feedback", "layers", "optimizer")
    arrays = {(g, name): array.tobytes() for g in groups for name, array in getattr(run, g).items()}
    return arrays, [replace(record, seconds=0) for record in run.history], run.confusion.tolist(), run.steps


def weights(run):
    return np.concatenate([array.ravel() for array in run.weights.values()])


def differ(base, changed):
    return not np.array_equal(weights(base), weights(changed))


def same(base, changed):
    return bits(base) == bits(changed)


def feedback_differs(base, changed):
    assert base.feedback.keys() == changed.feedback.keys()
    return all((base.feedback[name] != changed.feedback[name]).any() for name in base.feedback)


def other_rule(base, changed):
    return differ(base, changed) and changed.config.gradient != "bdfa"


def steps(before, after):
    return lambda base, changed: (base.steps, changed.steps) == (before, after) and differ(base, changed)


def shape(name, before, after):
    return lambda base, changed: (base.weights[name].shape, changed.weights[name].shape) == (before, after)


def rates(*factors):
    return lambda base, changed: changed.rates == pytest.approx([1e-3 * f for f in factors]) and differ(base, changed)


def validates(base, changed):
    assert base.parts == "mnist-5k: 300 of 4000 training images and 100 of 1000 test images"
    assert changed.parts == "mnist-5k: 300 of 3200 training images and 100 of 800 validation images"
    return differ(base, changed) and base.history != changed.history


def fewer_are_tested(base, changed):
    assert (base.confusion.sum(), changed.confusion.sum()) == (100, 50)
    return not differ(base, changed)


def normalises(*names):
    def check(base, changed):
        wanted = {f"{name}.{key}" for name in names for key in ("running_mean", "running_variance")}
        assert changed.layers.keys() == wanted
        moved = [(changed.layers[f"{name}.running_mean"] != 0).any() for name in names]
        return all(moved) and not base.layers

    return check


def second_block(base, changed):
    return normalises("batchnorm1")(base, changed) and changed.weights["batchnorm1.gamma"].shape == (5,)


def no_biases(base, changed):
    of_biases = {name for name in base.weights if name.endswith((".b", ".beta"))}
    return len(of_biases) == 5 and changed.weights.keys() == base.weights.keys() - of_biases


def drops(base, changed):
    # What a net has learnt is tested without dropout: its first loss is all that training and testing share.
    return differ(base, changed) and base.training_passes == changed.training_passes


def loss_of_a_guess(base, changed):
    assert loss_of(np.log(2))(base)
    return loss_of(np.log(10))(changed)


def loss_of(value):
    return lambda run: run.history[0].train_loss == pytest.approx(value, rel=1e-4)


def starts_orthogonal(base, changed):
    W = changed.weights["linear1.W"]
    return np.abs(W.T @ W - np.eye(20)).max() < 1e-3 and differ(base, changed)


def clipped(base, changed):
    steps = [np.linalg.norm(weights(run)) for run in (base, changed)]  # from zero
    assert steps[0] > 2e-3
    return steps[1] == pytest.approx(1e-3 * 1e-1, rel=1e-4)


def drawn_within_a_thousandth(base, changed):
    before, after = (max(np.abs(B).max() for B in run.feedback.values()) for run in (base, changed))
    return before > 0.2 and 9e-4 < after <= np.float32(1e-3)


def keeps(entries):
    return lambda _, changed: all((np.count_nonzero(B, axis=0) == entries).all() for B in changed.feedback.values())


def has_rank(rank):
    return lambda _, changed: all(np.linalg.matrix_rank(B) == rank for B in changed.feedback.values())


def twice_the_step(base, changed):
    moved = weights(base)  # from zero
    return moved.any() and np.array_equal(weights(changed), 2 * moved)


def shrinks(base, changed):
    # The corner pixel is black in every image: nothing but the decay moves its weights.
    corner = base.weights["linear1.W"][0]
    np.testing.assert_allclose(changed.weights["linear1.W"][0], corner * (1 - 1e-6 * 1e5) ** 5, rtol=1e-5)
    return np.abs(corner).min() > 0


def bounded(axis):
    def check(base, changed):
        before, after = (
            [np.sqrt((W**2).sum(axis)) for name, W in run.weights.items() if name.endswith("W")]
            for run in (base, changed)
        )
        longer = [norms.max() > 0.05 for norms in before]
        # The bound holds before a step of descent, which is small here.
        return all(longer) and all(norms.max() < 0.0502 for norms in after)

    return check


def two_passes(base, changed):
    return differ(base, changed) and (base.training_passes, changed.training_passes) == (5, 10)


def goes_on(base, changed):
    assert [replace(record, seconds=0) for record in changed.history[:1]] == [replace(base.history[0], seconds=0)]
    return len(changed.history) == 2 and differ(base, changed)


def halves_where_the_error_stops_falling(base, changed):
    history = changed.history
    halved = [record.train_error >= record.train_error_mean for record in history[:-1]]
    wanted = [before.lr / (2 if half else 1) for before, half in zip(history, halved, strict=False)]
    return True in halved and changed.rates[1:] == wanted and len(set(base.rates)) == 1


def another_draw(base, changed):
    # Neither fixed feedback nor the weights of a black pixel depend on which images were drawn.
    return feedback_differs(base, changed) and (base.weights["linear1.W"][0] != changed.weights["linear1.W"][0]).all()


def draws(base, changed):
    png = changed.files["curves.png"]
    width, height = struct.unpack(">II", png[16:24])
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    assert (width, height) == (840, 540)
    return "curves.png" not in base.files and same(base, changed)


def measures(quantity, times):
    def check(base, changed):
        with h5py.File(io.BytesIO(changed.files["diagnostics.h5"])) as file:
            shape = file[f"values/{quantity}"].shape
        return shape == (times, 3) and same(base, changed)

    return check


def has_events(base, changed):
    written = [[name for name in one.files if name.startswith("tensorboard")] for one in (base, changed)]
    return same(base, changed) and list(map(len, written)) == [0, 1]


def keeps_best(base, changed):
    assert "best.h5" not in base.files
    return changed.files["best.h5"] == changed.files["checkpoint.h5"] and same(base, changed)


def stops_after(epochs):
    return lambda base, changed: (
        len(base.history) == 6
        and base.history[:epochs]
        == [
            replace(record, seconds=before.seconds)
            for record, before in zip(changed.history, base.history, strict=False)
        ]
    )


@dataclass(frozen=True)
class Row:
    """A change of one option, what must come of it and, perhaps, which command line must come to the same bits."""

    name: str
    base: str
    value: object
    check: Any
    same_as: str = ""


MIXED = f"{MLP} --feedback-target mixed"
TORCH = f"{MLP} --feedback-target torch"
BFA = f"{MLP} --gradient bfa"
DKP = f"{MLP} --gradient dkp"
LINEAR = f"{BFA} --feedback-output linear"
SIMPLE = f"{MLP} --normalization simple"
WORSE = f"{MLP} --epochs 6 --gradient bp --lr 1e-9"  # which changes no answer
WHITE = f"{MLP} --whiten"
TABLE = [
    Row("resize", MLP, 14, shape("linear1.W", (784, 20), (196, 20))),
    Row("normalization", MLP, "scale", same),
    Row("normalization", MLP, "simple", differ),
    Row("normalization", MLP, "channel", differ, same_as=SIMPLE),  # of grey images
    Row("normalization", SIMPLE, "image", differ),
    Row("whiten", MLP, True, differ),
    Row("zca_epsilon", WHITE, 1e-5, same),
    Row("zca_epsilon", WHITE, 100.0, differ),
    Row("augment", MLP, True, drops),  # other inputs in as many passes
    Row("augment", MLP, "crop-flip", drops),
    Row("validate", MLP, True, validates),
    Row("validate", MLP, 800, validates, same_as=f"{MLP} --validate"),
    Row("validate", MLP, 0.2, validates, same_as=f"{MLP} --validate"),
    Row("validate", MLP, 1000, lambda base, changed: differ(base, changed) and " 3000 training" in changed.parts),
    Row("train_limit", MLP, 200, steps(5, 4)),
    Row("test_limit", MLP, 50, fewer_are_tested),
    Row(
        "network",
        f"{COMMON} --train-limit 65",
        "conv",
        lambda base, changed: "conv1.W" in changed.weights.keys() - base.weights.keys(),
    ),
    Row("nonlin", MLP, "sigm", differ),
    Row("nonlin", f"{MLP} --gradient bp", "relu", differ),
    Row("nonlin", CONV, "relu", differ),
    Row(
        "num_layers", MLP, 3, lambda base, changed: changed.weights.keys() - base.weights == {"linear4.W", "linear4.b"}
    ),
    Row("num_hidden", MLP, 30, shape("linear1.W", (784, 20), (784, 30))),
    Row("dropout", MLP, 1, drops),
    Row("dropout", MLP, 2, drops),
    Row("dropout", f"{MLP} --dropout 1", 2, drops),
    Row("dropout", CONV, 2, drops),
    Row("dropout", f"{CONV} --dropout 1", 2, drops),
    Row("input_dropout", MLP, 0.5, drops),
    Row("input_dropout", MLP, 0.1, drops, same_as=f"{MLP} --dropout 2"),
    Row("input_dropout", f"{CONV} --dropout 1", 0.0, drops),
    Row("batchnorm", MLP, 1, normalises("batchnorm1", "batchnorm2")),
    Row("batchnorm", CONV, 1, normalises(*(f"batchnorm{number}" for number in range(1, 6)))),
    Row("batchnorm", CONV, 2, second_block),
    Row("bias", f"{MLP} --batchnorm 1", 0, no_biases),
    *(Row("gradient", MLP, rule, other_rule) for rule in ("bp", "fa", "dfa", "bfa")),
    *(Row("gradient", CONV, rule, other_rule) for rule in ("bp", "fa", "dfa", "bfa")),
    Row("criterion", f"{MLP} --lr 1e-9", "ce", loss_of_a_guess),
    Row("criterion", f"{MLP} --lr 1e-9", "mse", lambda _, changed: loss_of(0.1)(changed)),
    Row("init", MLP, "zero", same),
    Row("init", STARTED, "orthogonal", starts_orthogonal),
    Row("init", f"{MLP} --gradient bp", "uniform", same),
    Row("init", f"{CONV} --gradient bp", "kaiming", differ),
    Row("rfb_mag", f"{MLP} --gradient dfa", 1e-3, drawn_within_a_thousandth),
    Row("rfb_init", f"{MLP} --gradient dfa", "uniform", same),
    Row("rfb_init", f"{MLP} --gradient sdfa", "kaiming", feedback_differs),
    Row("feedback_sparsity", f"{MLP} --gradient drtp", 3, keeps(3)),
    Row("feedback_rank", f"{MLP} --gradient dfa", 3, has_rank(3)),
    Row("feedback_shared", f"{MLP} --gradient dfa", True, lambda _, changed: changed.feedback.keys() == {"feedback.B"}),
    Row("feedback_optimizer", DKP, "rmsprop", same),
    Row("feedback_optimizer", DKP, "adam", feedback_differs),
    Row("feedback_decay", f"{DKP} --lr 1e-9", 0.1, feedback_differs),
    Row("feedback_lr", f"{DKP} --lr 1e-3", 1e-3, same),
    Row("feedback_lr", DKP, 0.0, feedback_differs, same_as=f"{MLP} --gradient dfa"),
    *(Row("feedback_target", MLP, target, feedback_differs) for target in ("label", "mixed", "torch")),
    Row("feedback_target", MLP, "centred", same),
    Row("feedback_lr", MLP, 0.0, feedback_differs, same_as=f"{MLP} --gradient dfa"),
    Row("feedback_alpha", TORCH, 0.5, feedback_differs),
    Row("feedback_alpha", MIXED, 0.0, feedback_differs, same_as=f"{MLP} --feedback-target label"),
    *(Row("feedback_target", BFA, target, feedback_differs) for target in ("mixed", "centred")),
    Row("feedback_target", BFA, "label", same),
    Row("feedback_alpha", f"{BFA} --feedback-target mixed", 0.0, feedback_differs, same_as=BFA),
    Row("feedback_output", BFA, "linear", differ),
    Row("feedback_output", LINEAR, "auto", differ, same_as=f"{BFA} --feedback-output sigmoid"),
    Row("feedback_output", f"{BFA} --whiten --feedback-output linear", "auto", same),
    Row("feedback_output", f"{BFA} --normalization image --feedback-output linear", "auto", same),
    *(Row("optimization", MLP, name, differ) for name in ("sgd", "adam", "adamax", "adagrad", "adadelta", "rprop")),
    Row("optimization", MLP, "asgd", differ),
    Row("optimization", f"{SGD} --momentum 0.9", "nag", differ),
    Row("lr", ONE_STEP, 2e-3, twice_the_step),
    Row("lr_decay", f"{SGD} --epochs 3", 0.1, rates(1, 1 / 1.5, 1 / 2)),
    Row("weight_decay", STARTED, 1e5, shrinks),
    Row("momentum", SGD, 0.9, differ),
    Row("momentum", ONE_STEP, 0.9, lambda base, changed: not differ(base, changed)),  # the first step has no damping
    Row("dampening", f"{SGD} --momentum 0.9", 0.9, same),
    Row("dampening", f"{SGD} --momentum 0.9", 0.0, differ),
    Row("optimization", f"{MLP} --weight-decay 0.1", "adamw", differ),
    Row("clip_norm", ONE_STEP, 0.1, clipped),
    Row("schedule", f"{MLP} --epochs 3", "cosine", rates(1, 0.75, 0.25)),
    Row("schedule", f"{MLP} --epochs 3 --epoch-step 1", "step", rates(1, 0.1, 0.01)),
    Row("gamma", f"{MLP} --epochs 3 --schedule step --epoch-step 1", 4.0, rates(1, 1 / 4, 1 / 16)),
    Row("gamma", f"{MLP} --epochs 3 --schedule step --epoch-step 1", 10.0, same),
    Row("milestones", f"{MLP} --epochs 3 --schedule multistep --milestones 1", "1,2", rates(1, 0.1, 0.01)),
    Row("warmup", f"{MLP} --epochs 3", 2, rates(1 / 2, 1, 1)),
    Row("warmup", f"{MLP} --epochs 3", 0, same),
    Row("max_in_norm", STARTED, 0.05, bounded(0)),
    Row("sign_scale", f"{MLP} --gradient usf", "weights", differ),
    Row("mirror_lr", f"{MLP} --gradient wm", 0.1, feedback_differs),
    Row("mirror_decay", f"{MLP} --gradient wm", 0.1, feedback_differs),
    Row("ebd_lambda", f"{MLP} --gradient ebd", 0.999, feedback_differs),
    Row("shortcut", f"{RESNET} --resize 8", "pad", same),
    Row("shortcut", f"{RESNET} --resize 8", "projection", lambda _, changed: "residual4.conv3.W" in changed.weights),
    Row("feedback_expansion", f"{MLP} --gradient pfa", 2, shape("linear1.W", (784, 20), (784, 20))),
    Row("max_in_norm", STARTED, 400, same),
    Row("max_out_norm", STARTED, 0.05, bounded(1)),
    Row("max_out_norm", STARTED, 400, same),
    Row("eps", f"{MLP} --gradient bp", 0.1, two_passes),
    Row("acc_gradient", f"{MLP} --gradient bp --eps 0.1", 1, differ),
    Row("batch_size", MLP, 32, steps(5, 10)),
    Row("const_batch_size", MLP, True, steps(5, 4)),
    Row("const_batch_size", f"{MLP} --batch-size 100", True, same),
    Row("epochs", MLP, 2, goes_on),
    Row("keep_best", f"{MLP} --validate", True, keeps_best),
    Row("keep_best", f"{MLP} --on-test --patience 5", True, keeps_best),
    Row("patience", f"{WORSE} --validate", 2, stops_after(3)),
    Row("patience", f"{WORSE} --on-test --keep-best", 1, stops_after(2)),
    Row("epoch_step", f"{MLP} --epochs 3", 1, rates(1, 1 / 2, 1 / 4)),
    Row("epoch_step", f"{MLP} --epochs 3", 2, rates(1, 1, 1 / 2)),
    Row(
        "epoch_step", f"{MLP} --epochs 12 --lr 1e-9 --gradient bp --dropout 1", 0, halves_where_the_error_stops_falling
    ),
    Row("seed", f"{MLP} --gradient dfa --nonlin relu", 1, another_draw),
    Row("visualize", MLP, 1, draws),
    Row("track", MLP, "weights", measures("weight_norm", 2)),
    Row("track_every", f"{MLP} --track weights", "2steps", measures("weight_norm", 3)),
    Row("tensorboard", MLP, True, has_events),
]
ELSEWHERE = {
    *("dataset", "datapath", "cache_dir", "format", "no_extra", "label", "test_fraction"),  # in test_options_data.py
    *("models_folder", "threads", "backend"),
    *("processes", "bn_local"),  # in test_options_processes.py
    *("device", "devices", "tf32", "cuda_graph", "gpu_memory"),  # in test_options_cuda.py
    "rule_options",  # in test_options_outside.py
    "on_test",
}


def spelled(spelling, value):
    return spelling if value is True else f"{spelling} {value}"


def drawing(row):
    if row.name == "visualize":
        pytest.importorskip("matplotlib", reason="curves are drawn with matplotlib, the extra plot")
    if row.name == "tensorboard":
        pytest.importorskip("tensorboardX", reason="event files are written with tensorboardX, an extra")


def test_no_option_is_without_a_test_of_its_effect():
    sources = [path.read_text() for path in Path(__file__).parent.glob("test_options*.py")]
    assert {name for text in sources for name in re.findall(r"^def test_of_(\w+?)__", text, re.MULTILINE)} == ELSEWHERE
    assert {row.name for row in TABLE} | ELSEWHERE == OPTIONS.keys()


@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row.name}={row.value}")
def test_an_option_changes_the_numbers_as_it_should(run, row):
    drawing(row)
    changed = run(row.base, spelled(flag(row.name), row.value))
    assert getattr(changed.config, row.name) == row.value or row.value == "auto"
    assert row.check(run(row.base), changed)
    if row.same_as:
        assert same(run(row.same_as), changed)


@pytest.mark.parametrize(
    "row", [row for row in TABLE if OPTIONS[row.name].torch], ids=lambda row: f"{row.name}={row.value}"
)
def test_the_torch_programs_spelling_comes_to_the_same_bits(run, row):
    drawing(row)
    torch = run(row.base, spelled(OPTIONS[row.name].torch, row.value))
    assert same(torch, run(row.base, spelled(flag(row.name), row.value)))


NET = """
from bdfa_np import ErrorFeedback, Flatten, Linear, Sequential, Tanh

def build(config, input_shape, num_classes, rng, backend):
    layers = [Flatten(), Linear(WIDTH), Tanh(), ErrorFeedback(), Linear(num_classes)]
    return Sequential(layers, input_shape, backend=backend, rng=rng)
"""


@pytest.mark.parametrize("spelling", ["--models-folder", "-modelsFolder"])
def test_of_models_folder__a_net_is_looked_for_there(run, tmp_path, spelling):
    for folder, width in {"Models": 4, "others": 7}.items():
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "mine.py").write_text(NET.replace("WIDTH", str(width)))
    of_default = run(COMMON, "--network mine", again=True)
    of_others = run(COMMON, "--network mine", spelling, tmp_path / "others", again=True)
    assert [len(each.weights["linear1.b"]) for each in (of_default, of_others)] == [4, 7]


def test_of_on_test__the_best_net_is_chosen_on_the_test_images_and_the_run_is_the_same(run, bdfa):
    chosen = run(MLP, "--keep-best --on-test")
    assert same(run(MLP), chosen)
    assert "best.h5" in chosen.files
    assert "give --validate, or --on-test" in bdfa.refused("train", *MLP.split(), "--keep-best")


@pytest.mark.parametrize("spelling", ["--threads", "-threads"])
def test_of_threads__so_many_compute_and_come_to_the_same_but_for_rounding(run, monkeypatch, spelling):
    used = set()
    step = Trainer.step

    def watched(*arguments):
        used.update(library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas")
        return step(*arguments)

    monkeypatch.setattr(Trainer, "step", watched)
    two = run(MLP, spelling, 2, again=True)
    assert used == {2}
    np.testing.assert_allclose(weights(two), weights(run(MLP)), rtol=0, atol=1e-4)


@pytest.mark.skipif(cupy_status() is None, reason="auto computes with CuPy here")
@pytest.mark.parametrize("spelling", ["--backend numpy", "-type float", "-type float -devid 1 -nGPU 1"])
def test_of_backend__auto_without_cuda_is_numpy(run, bdfa, spelling):
    changed = run(MLP, spelling)
    assert same(run(MLP), changed)
    assert changed.config.backend == "numpy"
    assert "--backend cupy cannot be used" in bdfa.refused("train", "--backend", "cupy")

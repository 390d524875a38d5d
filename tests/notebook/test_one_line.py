"""Whatever a user meets shows itself in one line: what it is, no array, no memory address."""

import dataclasses
import importlib
import inspect
import pkgutil
from pathlib import Path

import numpy as np
import pytest

import bdfa_np
import bdfa_np.data
from bdfa_np import (
    BDFA,
    BFA,
    DFA,
    SGD,
    Adam,
    AvgPool2d,
    Batches,
    BatchNorm,
    Config,
    ConfusionMatrix,
    Conv2d,
    CrossEntropy,
    Dropout,
    ErrorFeedback,
    Flatten,
    GlobalAvgPool,
    LayerNorm,
    LeakyReLU,
    Linear,
    MaxPool2d,
    Option,
    PadShortcut,
    Patches,
    ReLU,
    Residual,
    Sequential,
    Study,
    Tanh,
    Transpose,
    build_model,
    load_dataset,
)
from bdfa_np.constraints import MaxNorm
from bdfa_np.controls.comparison import Recovery
from bdfa_np.controls.diagnosis import Diagnosis
from bdfa_np.controls.verdicts import Scales, Verdict
from bdfa_np.data import ZCA, Augmentation, CropFlip, Normalization, Recipe, prepare, split
from bdfa_np.data.arrays import take_arrays
from bdfa_np.data.labels import as_classes
from bdfa_np.data.preprocess.raw_values import RawValues
from bdfa_np.data.readers.picture_file import Picture, Remark
from bdfa_np.declaration import Condition
from bdfa_np.diagnostics.measurer import Measurement, Probe
from bdfa_np.diagnostics.recording import Recording
from bdfa_np.figures.parts.panels import Matrix, Tiles
from bdfa_np.figures.parts.points import Points
from bdfa_np.figures.parts.scale import Scale
from bdfa_np.layers import NON_LINEARITIES
from bdfa_np.losses import LOSSES
from bdfa_np.metrics import Tally
from bdfa_np.optim import OPTIMIZERS
from bdfa_np.random_streams import Streams
from bdfa_np.representation import LONGEST, one_line
from bdfa_np.rules import RULES
from bdfa_np.runs import evaluation
from bdfa_np.runs.checkpoint import Checkpoint
from bdfa_np.runs.data import RunData
from bdfa_np.runs.samples import Samples
from bdfa_np.trainer import EpochRecord, Progress

SHOWS_ITS_TABLE = (Sequential,)
"""What shows more than a line, on purpose."""


def small_network() -> Sequential:
    layers = [Flatten(), Linear(20), Tanh(), ErrorFeedback(), Linear(10)]
    return Sequential(layers, (28, 28, 1))


def of_layers() -> list[object]:
    unbound = [
        *(kind() for kind in NON_LINEARITIES.values()),
        *(Linear(800), Conv2d(32, 5, stride=2, padding=2, bias=False, initial="zero"), MaxPool2d(3, stride=2)),
        *(Dropout(0.25), BatchNorm(epsilon=1e-3), Flatten(), ErrorFeedback()),
        *(Residual([Linear(3), Tanh(), Linear(3)]), PadShortcut(64, stride=3), LeakyReLU(0.2)),
        *(LayerNorm(1e-3), Patches(4), Transpose(), AvgPool2d(3, stride=2), GlobalAvgPool()),
    ]
    images = [Conv2d(32, 5, padding=2), BatchNorm(), ReLU(), MaxPool2d(2), Dropout(0.5), ErrorFeedback(), Flatten()]
    network = Sequential([PadShortcut(4), Residual([Conv2d(4, 1)]), *images, Linear(10)], (56, 56, 1))
    return [*unbound, *network.tree()]


def of_training() -> list[object]:
    network = small_network()
    rules = [kind(small_network()) for kind in RULES.values()]
    weights = network.weights
    optimizers = [
        kind(weights, 0.1, **({"momentum": 0.9} if "momentum" in kind.options else {})) for kind in OPTIMIZERS.values()
    ]
    losses = [kind(network.backend) for kind in LOSSES.values()]
    results = [loss(network.forward(np.zeros((4, 28, 28, 1))), np.arange(4)) for loss in losses]
    tally = Tally(network.backend, 10)
    tally.add(network.predict(np.zeros((4, 28, 28, 1))), results[0])
    model = build_model(Config(gradient="dfa"), (28, 28, 1), 10)
    part = weights.part(["linear1.b"])
    return [
        *(*rules, BDFA(network, magnitude=0.1, target="mixed", alpha=0.3), *optimizers, *losses, *results),
        *(weights, *part, DFA(network).feedback, RULES["bp"](network).feedback, network.backend, network.streams),
        *(tally, Tally(network.backend, 10), ConfusionMatrix(3), MaxNorm(network), MaxNorm(network, incoming=2.0)),
        *(model, model.trainer(batches(), batches()), Config(), Config(gradient="dfa", seed=3).resolve()),
        *(Option("strength", 1.0, "How strong.", follows=lambda _: 2.0), Condition("gradient", lambda *_: True)),
        *(*RULES["pfa"].pathways, *RULES["pfa"].pathways[0].through),
        *(
            EpochRecord(12, 1e-3, 0.29164, 0.547, 0.8867, 0.10641, 0.133, 12.71),
            Progress(),
            Progress(9, 0.5, 8, "x" * 90),
        ),
    ]


def batches() -> Batches:
    return Batches(np.zeros((100, 28, 28, 1), np.uint8), np.zeros(100, np.int64), 32, streams=Streams(0))


def of_runs() -> list[object]:
    record = EpochRecord(1, 1e-3, 0.29164, 0.547, 0.8867, 0.10641, 0.133, 12.71)
    weights = {"linear1.W": np.zeros((784, 10), np.float32)}
    confusion = np.zeros((10, 10), np.int64)
    checkpoint = Checkpoint(weights, {}, {}, {}, 10, 1e-3, 100, Progress(1), confusion, [record])
    counts = ConfusionMatrix(10)
    counts.add(np.arange(10), np.arange(10))
    folder = Path("/a/folder/with/a/rather/long/name/that/goes/on/and/on/and/on/and/on/runs/dfa")
    model = build_model(Config(gradient="dfa"), (28, 28, 1), 10)
    history = importlib.import_module("bdfa_np.runs.history").History([record, record])
    result = importlib.import_module("bdfa_np.runs.train").TrainingResult(model, history, folder)
    inference = importlib.import_module("bdfa_np.export.inference")
    predictions = importlib.import_module("bdfa_np.predictions")
    names = tuple(f"a class of a long name {number}" for number in range(10))
    return [
        *(
            checkpoint,
            evaluation.RunEvaluation(0.1234567, counts, names, Config(), 3, 5, False, "image"),
            history,
            history[:0],
            result,
        ),
        inference.Step("linear", "linear1", (10,), weights, {"stride": 1}),
        Picture(np.zeros((28, 28, 1), np.uint8), tuple(Remark)),
        predictions.Evaluation(0.1234567, counts, names),
        Samples(["test 0"], np.zeros((1, 28, 28, 1), np.uint8)),
        predictions.Predictions(np.zeros((9, 10)), np.zeros((9, 10)), names, True),
    ]


def of_controls() -> list[object]:
    layers, numbers = ("linear1", "linear2"), np.ones(2)
    path = Path("/a/folder/with/a/rather/long/name/that/goes/on/and/on/runs/dfa")
    verdicts = [Verdict(question, "unknown", "") for question in ("scale stable", "reference valid", "depth used")]
    values = {"weight_norm": numbers}
    words, found = ("dfa", "mlp", "mnist"), Recovery(0.9, 0.8, 1.0, 0.3)
    tested = (3, 5, False, "validation", 10, "image", 0.1)
    return [
        Scales(layers, numbers, numbers, {"norm": np.ones((4, 2))}, np.arange(4.0)),
        Diagnosis(path, *words, *tested, layers, values, (), found, tuple(verdicts)),
    ]


def of_diagnostics() -> list[object]:
    values = {"signal_angle": np.ones(2), "weight_norm": np.ones(2)}
    recording = Recording(("linear1", "linear2"), list(values))
    recording.add(0.0, 0, values, {})
    probe = Probe(np.zeros((256, 28, 28, 1)), np.zeros(256, int))
    return [recording.diagnostics(), Measurement(values), probe]


def of_figures() -> list[object]:
    places, title = np.zeros((20, 2)), "what a panel of a picture shows, in words that go on and on, " * 3
    panels = [Tiles(title, [places], 5), Matrix(title, places, Scale.signed(places, "weight"))]
    return [*panels, Points(title, places, np.zeros(20, int), ["0"], ("first", "second"))]


def of_data() -> list[object]:
    data = load_dataset("mnist-5k")
    prepared = prepare(Recipe("mnist-5k"))
    vectors = np.random.default_rng(0).random((20, 6)).astype(np.float32)
    labels = np.arange(20) % 2
    parts = split(data, train_limit=100)
    return [
        Study.load("luo-mnist"),
        *(data, parts, prepared, RunData(prepared, prepared.split()), prepared.preprocessing, batches()),
        *(Recipe("mnist-5k"), Recipe("cifar10", whiten=True, resize=16, train_limit=100)),
        *(Normalization.fit(kind, data.train_images) for kind in ("scale", "simple", "channel", "image")),
        *(ZCA.fit(vectors), RawValues.of(data.train_images), RawValues.of(vectors)),
        Augmentation(small_network().backend, Streams(0), (28, 28, 1)),
        CropFlip(small_network().backend, Streams(0), (28, 28, 1), np.zeros((28, 28, 1), np.float32)),
        take_arrays({"train": (vectors, labels), "test": (vectors, labels)}, None, "mine"),
        as_classes(labels),
    ]


@pytest.fixture(scope="module")
def everything(tmp_path_factory) -> list[object]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BDFA_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        return [*of_layers(), *of_training(), *of_runs(), *of_controls(), *of_diagnostics(), *of_figures(), *of_data()]


def public_classes() -> set[type]:
    """Return the classes under public names, and the public dataclasses that hold arrays."""
    found = set()
    for package in (bdfa_np, bdfa_np.data):
        found |= {one for name in package.__all__ if inspect.isclass(one := getattr(package, name))}
    for module in pkgutil.walk_packages(bdfa_np.__path__, "bdfa_np."):
        if module.name.startswith(("bdfa_np.cli", "bdfa_np.__main__", "bdfa_np.sklearn")) or ".cuda" in module.name:
            continue
        for name, one in vars(importlib.import_module(module.name)).items():
            is_public = inspect.isclass(one) and dataclasses.is_dataclass(one) and not name.startswith("_")
            if is_public and any("array" in str(field.type).lower() for field in dataclasses.fields(one)):
                found.add(one)
    return found


def test_every_public_class_and_every_dataclass_that_holds_arrays_is_looked_at(everything):
    classes = public_classes()
    assert len(classes) >= 50
    missing = {kind.__name__ for kind in classes if not any(isinstance(one, kind) for one in everything)}
    assert missing == {kind.__name__ for kind in SHOWS_ITS_TABLE}


def test_each_shows_itself_in_one_line_of_100_characters_without_array_or_address(everything):
    for one in everything:
        line = repr(one)
        assert line.startswith(f"{type(one).__name__}("), line
        assert line.endswith(")"), line
        assert len(line) <= 100, line
        assert "\n" not in line, line
        assert " at 0x" not in line, line
        assert "array(" not in line, line
        assert "object" not in line, line


def test_a_layer_shows_its_settings_and_once_it_is_bound_its_shapes_and_parameters():
    assert [repr(layer) for layer in (Linear(800), Conv2d(32, 5, padding=2), BatchNorm(bias=False))] == [
        "Linear(800)",
        "Conv2d(32, 5, padding=2)",
        "BatchNorm(bias=False)",
    ]
    network = Sequential([Conv2d(32, 5, padding=2), Tanh(), Flatten(), Linear(10)], (28, 28, 1))
    assert [repr(layer) for layer in network] == [
        "Conv2d(28x28x1 → 28x28x32, kernel_size=5, padding=2, 832 parameters)",
        "Tanh(28x28x32)",
        "Flatten(28x28x32 → 25088)",
        "Linear(25088 → 10, 250,890 parameters)",
    ]


def test_a_container_counts_the_layers_and_the_parameters_inside():
    residual = Residual([Linear(4), Residual([Tanh(), Linear(4)])])
    assert repr(residual) == "Residual([Linear, Residual], 4 layers inside)"
    Sequential([residual], (4,))
    assert repr(residual) == "Residual(4, 40 parameters)"


def test_a_layer_of_a_users_own_shows_the_arguments_that_it_keeps_by_their_names():
    class Scale(bdfa_np.Layer):
        kind = "scale"

        def __init__(self, factor, table=None, *, hidden=0, **rest):
            super().__init__()
            self.factor, self.table, self._hidden = factor, table, hidden

    assert repr(Scale(2.0)) == "Scale(2)"
    assert repr(Scale(0.1 + 0.2, np.zeros((100, 100)), hidden=3)) == "Scale(0.3, table=100x100 float64)"
    assert repr(Scale(np, {"a": np.zeros(3)})) == "Scale(numpy, table={'a': 3 float64})"


def test_a_rule_an_optimizer_and_a_vector_say_how_much_they_hold():
    network = small_network()
    assert repr(DFA(network, magnitude=0.1)) == "DFA(28x28x1 → 10, 200 feedback weights in 1 matrix, magnitude=0.1)"
    assert repr(BFA(network, output="linear")) == (
        "BFA(28x28x1 → 10, 15,880 feedback weights in 2 matrices, output='linear')"
    )
    optimizer = SGD(network.weights, momentum=0.9)
    assert repr(optimizer) == "SGD(learning_rate=0.0001, momentum=0.9, 15,910 parameters)"
    optimizer.step()
    assert repr(optimizer).endswith("15,910 parameters, 1 step taken)")
    assert repr(network.weights) == "ParameterVector(15,910 numbers, linear1.W, linear1.b, linear2.W, linear2.b)"


def test_a_vector_of_many_parameters_counts_those_whose_names_do_not_fit():
    network = Sequential([Linear(3) for _ in range(20)], (3,))
    line = repr(network.weights)
    names = [name for name in line.removesuffix(")").split(", ") if name.startswith("linear")]
    assert names == list(network.weights)[: len(names)]
    assert line.endswith(f", … {40 - len(names)} more)")
    assert len(line) <= LONGEST < len(line) + len(", linear9.W")


def test_a_configuration_shows_what_differs_from_the_defaults():
    assert repr(Config()) == "Config()"
    assert repr(Config(gradient="dfa", lr=1e-3, whiten=True)) == "Config(whiten=True, gradient='dfa', lr=0.001)"
    assert "<td" in Config(gradient="dfa")._repr_html_()
    assert "dfa" in Config(gradient="dfa")._repr_html_()


def test_a_data_set_shows_how_many_samples_of_which_shape():
    data = load_dataset("mnist-5k")
    assert repr(data) == "Dataset(mnist-5k: 4,000 training and 1,000 test images, 28x28x1 uint8, 10 classes)"
    flat = dataclasses.replace(
        data,
        name="a\nb",
        train_images=data.train_images.reshape(4000, -1),
        test_images=data.test_images.reshape(1000, -1),
    )
    assert repr(flat) == "Dataset(a b: 4,000 training and 1,000 test vectors, 784 uint8, 10 classes)"
    assert repr(Batches(data.train_images, data.train_labels, 64)) == (
        "Batches(4,000 samples 28x28x1 float32, 63 batches of 64, in their own order)"
    )


def test_a_loss_that_is_no_number_is_shown_as_it_is():
    network = small_network()
    loss = CrossEntropy(network.backend)
    with network.backend.non_finite_allowed():
        result = loss(np.full((2, 10), np.nan, np.float32), np.arange(2))
    assert repr(result) == "LossResult(value nan, 2 samples, 10 outputs)"


def test_what_cannot_be_left_out_is_cut():
    assert one_line([], ["x" * 300]) == f"list({'x' * (LONGEST - 7)}…)"
    assert one_line([], []) == "list()"
    assert one_line([], ["", "a\n  b"]) == "list(a b)"


def test_an_epochs_record_says_errors_and_losses():
    record = EpochRecord(12, 1e-3, 0.29164, 0.547, 0.8867, 0.10641, 0.133, 12.71)
    assert repr(record) == (
        "EpochRecord(epoch 12: train error 54.70% loss 0.2916, tested: error 13.30% loss 0.1064, 12.7 s)"
    )


def test_adam_shows_a_rate_that_is_its_default():
    assert repr(Adam(small_network().weights)) == "Adam(learning_rate=0.0001, 15,910 parameters)"

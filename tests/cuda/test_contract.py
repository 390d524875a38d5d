"""The whole engine on a stand-in for CuPy that refuses what CuPy refuses, against NumPy.

Kernels are the real sources, compiled for the host; products are cuBLAS's by its C interface. So what is compared here
is everything but the hardware.
"""

import itertools
from dataclasses import dataclass, field

import numpy as np
import pytest
import stand_in_device
from formulas import FORMULAS
from host_kernels import HostKernel

from bdfa_np import Config, build_model
from bdfa_np.backend.cpu.backend import NumpyBackend
from bdfa_np.backend.cuda.backend import CupyBackend
from bdfa_np.backend.cuda.kernels import named_source
from bdfa_np.errors import BackendError, TrainingError
from bdfa_np.layers import NON_LINEARITIES
from bdfa_np.optim import OPTIMIZERS
from bdfa_np.parity.training import trained_nets
from bdfa_np.rules import RULES
from bdfa_np.rules.layerwise.signs import SignConcordant

IMAGES = {"mlp": (6, 5, 1), "conv": (15, 16, 2)}


@dataclass
class Run:
    """A net after training, and the figures that it reported: losses and errors of each epoch."""

    arrays: dict = field(default_factory=dict)
    losses: list = field(default_factory=list)
    errors: list = field(default_factory=list)


class PhiloxNumpy(NumpyBackend):
    """NumPy with what the CUDA backend draws, whose kernels are run for that alone."""

    def dropout(self, x, key, keep, mask, out):
        x = np.ascontiguousarray(x)
        arrays, numbers = (x, mask, np.empty_like(mask)), (round(keep * 2**32), self._number(1 / keep))
        self._draw("dropout", arrays, key, *numbers)
        assert set(np.unique(mask)) <= {0, self._number(1 / keep)}
        return np.multiply(x, mask, out=out)

    def uniform(self, out, key, bound):
        return self._draw("uniform", (out,), key, self._number(bound))

    def normal(self, out, key):
        return self._draw("normal", (out,), key)

    def _draw(self, name, arrays, key, *numbers):
        """Run the kernel of this name; return the last of its arrays."""
        seeds, later = np.random.SeedSequence(key[:-1]).generate_state(2), np.zeros(1, np.int64)
        kernel = HostKernel(named_source(self.dtype), name)
        kernel(1, 256, (*arrays, arrays[-1].size, *seeds, key[-1], later, *numbers))
        return arrays[-1]


class SmallBatches:
    """Two batches of 6 and a last one of 4; each overwrites the one before, as those of a data set do."""

    def __init__(self, network, dtype):
        generator = np.random.default_rng(5)
        self.x = generator.random((16, *IMAGES[network])).astype(dtype)
        self.labels = np.arange(16) % 4
        self.held = np.empty((6, *IMAGES[network]), dtype), np.empty(6, np.int64)

    def __len__(self):
        return 3

    def epoch(self, number):
        for start in (0, 6, 12):
            part = slice(start, min(start + 6, 16))
            x, labels = (held[: part.stop - part.start] for held in self.held)
            x[...], labels[...] = self.x[part] * np.asarray(1 + 0.1 * number, self.x.dtype), self.labels[part]
            yield x, labels
            x.fill(np.nan)
            labels.fill(0)


class OneBatch(SmallBatches):
    """The first of them alone."""

    def __len__(self):
        return 1

    def epoch(self, number):
        yield from itertools.islice(super().epoch(number), 1)


pytest_plugins = ["cuda_fixtures"]
pytestmark = pytest.mark.usefixtures("stand_in")


@pytest.fixture(autouse=True)
def _narrow_conv(monkeypatch):
    monkeypatch.setattr("bdfa_np.networks.conv.CHANNELS", (4, 5, 6))
    monkeypatch.setattr("bdfa_np.networks.conv.UNITS", (11, 10))


def make_trainer(monkeypatch, backend, **options):
    network = options.get("network", "mlp")
    options = {"num_hidden": 12, **options} if network == "mlp" else options
    config = Config(**{"lr": 1e-3, **options})
    monkeypatch.setattr("bdfa_np.model.make_backend", lambda *_, **__: backend)
    model = build_model(config, IMAGES[network], 4, dtype=backend.dtype)
    trainer = model.trainer(SmallBatches(network, backend.dtype), SmallBatches(network, backend.dtype))
    return model, trainer


def train(monkeypatch, backend, *, epochs=2, **options):
    """Train a small net on a backend."""
    model, trainer = make_trainer(monkeypatch, backend, **options)
    run = Run()
    for record in trainer.run(epochs):
        run.losses.append([record.train_loss, record.test_loss])
        run.errors.append([record.train_error, record.test_error])
    state = model.state()
    for group in ("weights", "feedback", "layers", "optimizer", "rule"):
        run.arrays |= {f"{group} {name}": array.copy() for name, array in state[group].items()}
    return run


def agree(one, other, tolerance):
    assert one.arrays.keys() == other.arrays.keys()
    for name, expected in other.arrays.items():
        actual = one.arrays[name]
        assert (actual.dtype, actual.shape) == (expected.dtype, expected.shape), name
        scale = np.abs(expected).max(initial=0)
        if name.startswith("weights") and scale < 1e-7:  # 0 but for rounding: biases in front of a normalisation
            scale = 1e-7 / tolerance if tolerance else 0
        assert np.abs(actual - expected).max(initial=0) <= tolerance * scale, name
    np.testing.assert_allclose(one.losses, other.losses, rtol=tolerance)
    # A net that starts from zero has equal logits, up to rounding, for classes that it has seen as often.
    np.testing.assert_allclose(one.errors, other.errors, atol=1 / 16)


def compare(monkeypatch, dtype="float64", tolerance=1e-9, cuda_graph=False, **options):
    expected = train(monkeypatch, PhiloxNumpy(dtype), **options)
    actual = train(monkeypatch, CupyBackend(dtype, cuda_graph=cuda_graph), **options)
    agree(actual, expected, tolerance)


def needed(optimizer):
    return {"momentum": 0.5} if OPTIMIZERS[optimizer].needs_momentum else {}


def nets(rule):
    """Return the nets of these tests that a rule can train."""
    return [network for network in trained_nets(rule) if network in IMAGES]


def combinations():
    """Yield every net with every rule and every optimizer, those that show nothing new as slow ones.

    An optimizer sees one vector of weights, whatever the net and the rule, and a rule no optimizer: so each rule goes
    with one optimizer, and each optimizer with a rule.
    """
    for number, rule in enumerate(RULES):
        for place, optimizer in enumerate(OPTIMIZERS):
            usual = place % len(RULES) == number % len(OPTIMIZERS)
            for network in nets(rule):
                yield pytest.param(network, rule, optimizer, marks=() if usual else pytest.mark.slow)


@pytest.mark.parametrize(("network", "rule", "optimizer"), list(combinations()))
def test_every_net_rule_and_optimizer_trains_as_on_the_cpu(network, rule, optimizer, monkeypatch):
    compare(monkeypatch, network=network, gradient=rule, optimization=optimizer, **needed(optimizer))


BOUNDS = {"max_in_norm": 0.3, "max_out_norm": 0.2}
OPTIONS = [
    {"criterion": "ce"},
    {"criterion": "mse"},
    {"nonlin": "sigm"},
    {"nonlin": "relu"},
    {"dropout": 1},
    {"dropout": 2},
    {"batchnorm": 1, "nonlin": "relu"},  # tanh starts from zero, where a normalisation divides rounding by rounding
    {"bias": False},
    {"eps": 0.08},
    {"eps": 0.08, "acc_gradient": True, "dropout": 1, "batchnorm": 1, "nonlin": "relu"},
    {"nonlin": "leaky_relu", "weight_decay": 0.01, "optimization": "adam"},
    {"lr_decay": 0.1, "optimization": "sgd", "momentum": 0.9},
    {"dampening": 0.0, "optimization": "sgd", "momentum": 0.9},
    {"nonlin": "gelu", "weight_decay": 0.1, "optimization": "adamw"},
    {"clip_norm": 0.1, "optimization": "sgd"},
    {"schedule": "cosine", "warmup": 2, "epochs": 3},
    {"init": "orthogonal"},
    {"augment": True},
    {"augment": "crop-flip"},
    BOUNDS,
    {"gradient": "bdfa", "feedback_target": "label"},
    {"gradient": "bdfa", "feedback_target": "mixed"},
    {"gradient": "bdfa", "feedback_target": "torch", "feedback_lr": 0.01},
    {"gradient": "bfa", "feedback_output": "linear", "nonlin": "relu"},
    {"gradient": "bfa", "nonlin": "sigm"},
    {"gradient": "bfa", "feedback_target": "mixed"},
    {"gradient": "bfa", "feedback_target": "centred"},
    {"gradient": "fa", "rfb_mag": 0.5},
    {"gradient": "bdfa", "feedback_sparsity": 2, "feedback_lr": 0.01},
    {"gradient": "dfa", "feedback_shared": True},
    {"gradient": "dkp", "feedback_optimizer": "nag", "optimization": "sgd", "momentum": 0.5, "feedback_sparsity": 2},
]


OF_ITS_LAYERS = {"nonlin", "dropout", "batchnorm", "bias", "eps", "init", "augment", *BOUNDS}
"""The options that layers carry out, or that reach the shape of an image: another net does other things for them."""


def options_of_nets():
    """Yield each option with a net, and what hangs on a net's layers with both; the other pairs as slow ones."""
    for number, options in enumerate(OPTIONS):
        for place, network in enumerate(IMAGES):
            usual = number % 2 == place or OF_ITS_LAYERS & options.keys()
            yield pytest.param(network, options, marks=() if usual else pytest.mark.slow)
    yield pytest.param("conv", {"batchnorm": 2, "nonlin": "relu"})


@pytest.mark.parametrize(("network", "options"), list(options_of_nets()), ids=str)
def test_every_option_of_a_net_does_what_it_does_on_the_cpu(network, options, monkeypatch):
    # Biases in front of a normalisation have no gradient but rounding, which rmsprop makes large.
    tolerance = 1e-6 if "batchnorm" in options else 1e-9
    compare(monkeypatch, tolerance=tolerance, network=network, **options)


@pytest.mark.parametrize(("rule", "network"), [(rule, network) for rule in RULES for network in nets(rule)])
def test_float32_stays_float32_and_near_the_cpu(network, rule, monkeypatch):
    # Signals through signs are twenty times as large in a net this narrow, and so is what rounding comes to.
    rate = 1e-4 if issubclass(RULES[rule], SignConcordant) else 1e-3
    options = {"nonlin": "relu", "optimization": "sgd", "batchnorm": 1, "lr": rate}
    compare(monkeypatch, "float32", 2e-3, network=network, gradient=rule, **options)


CAPTURED = [
    {"optimization": "adam"},
    {"criterion": "mse", "optimization": "adamw"},
    {"dropout": 1, "eps": 0.08, "batchnorm": 1},
]
CLIPPED = {"criterion": "mse", "clip_norm": 0.01, "optimization": "adamw"}
"""Whose sums take the threads of the stand-in longer than all the rest of a step: for one vector and for two."""


def captured():
    """Yield each rule with each of these options; all but one of them as slow ones."""
    for number, rule in enumerate(RULES):
        for place, options in enumerate(CAPTURED):
            for net, network in enumerate(nets(rule)):
                usual = place == (number + net) % len(CAPTURED)
                yield pytest.param(network, rule, options, marks=() if usual else pytest.mark.slow)
    for rule in RULES:
        for network in nets(rule):
            usual = (rule, network) in {("bp", "mlp"), ("kp", "conv")}
            yield pytest.param(network, rule, CLIPPED, marks=() if usual else pytest.mark.slow)


@pytest.mark.parametrize(("network", "rule", "options"), list(captured()), ids=str)
def test_replayed_steps_give_the_bits_of_steps_that_run_one_by_one(network, rule, options, monkeypatch):
    launched = []
    replay = stand_in_device.Graph._replay
    monkeypatch.setattr(stand_in_device.Graph, "_replay", lambda graph: (launched.append(graph), replay(graph)))
    runs = [
        train(monkeypatch, CupyBackend(cuda_graph=on), epochs=3, network=network, gradient=rule, **options)
        for on in (False, True)
    ]
    agree(*runs, tolerance=0)
    assert len(launched) == 7  # of 9 batches the first of each size runs as it is


def test_a_graph_whose_buffers_were_moved_is_recorded_anew(monkeypatch):
    runs = []
    for on in (False, True):
        _, trainer = make_trainer(monkeypatch, CupyBackend(cuda_graph=on))
        batches = list(trainer.train.epoch(1))
        x, labels = np.full((6, 6, 5, 1), 0.5, np.float32), np.arange(6) % 4
        large = np.full((20, 6, 5, 1), 0.25, np.float32)
        for size in (6, 6, 6, 20, 6, 6, 6):
            if size == 6:
                trainer.step(x, labels)
            else:
                trainer.network.predict(trainer.network.backend.asarray(large))  # buffers grow
        runs.append(trainer.network.weights.state())
        assert len(batches) == 3
    for name in runs[0]:
        np.testing.assert_array_equal(*(run[name] for run in runs))


@pytest.mark.parametrize("late", ["copies", "computing", "everything"])
@pytest.mark.parametrize("augment", [False, True])
@pytest.mark.parametrize("cuda_graph", [False, True])
def test_no_batch_is_read_before_it_has_arrived_or_overwritten_before_it_is_used(
    late, cuda_graph, augment, stand_in, monkeypatch
):
    options = {"network": "conv", "augment": augment}
    expected = train(monkeypatch, NumpyBackend("float64"), **options)
    stand_in.machine.late = late
    agree(train(monkeypatch, CupyBackend("float64", cuda_graph=cuda_graph), **options), expected, 1e-9)


PHASES = [{"gradient": "brsf"}, {"gradient": "wm"}, {"gradient": "pfa"}]


def ways_of_a_step():
    """Yield each of these options with each net and with and without a graph, and half of the threes as slow ones.

    Whether a step is recorded does not hang on its net: what a layer or an option asks for is asked for in either way.
    """
    for number, options in enumerate([{}, *OPTIONS, *PHASES]):
        for net, network in enumerate(IMAGES):
            for cuda_graph in (False, True):
                usual = (number + net) % 2 == cuda_graph
                yield pytest.param(network, cuda_graph, options, marks=() if usual else pytest.mark.slow)


@pytest.mark.parametrize(("network", "cuda_graph", "options"), list(ways_of_a_step()), ids=str)
def test_nothing_in_a_step_copies_to_the_host_or_waits(network, cuda_graph, options, stand_in, monkeypatch):
    _, trainer = make_trainer(monkeypatch, CupyBackend(cuda_graph=cuda_graph), network=network, **options)
    x, labels = next(trainer.train.epoch(1))
    x, labels = x.copy(), labels.copy()
    with trainer.network.computing(), stand_in.no_host_copies():
        for step in range(1, 5):
            trainer.step(trainer._augmented(x, 1, step), labels)


def test_an_epoch_copies_to_the_host_only_what_is_reported(stand_in, monkeypatch):
    counts = []
    for epochs in (1, 2):
        before = len(stand_in.machine.host_copies)
        train(monkeypatch, CupyBackend(), epochs=epochs)
        counts.append(len(stand_in.machine.host_copies) - before)
    few = counts[1] - counts[0]
    assert few <= 12  # whatever the number of batches: sums, counts and whether all weights are finite

    class Many(SmallBatches):
        def epoch(self, number):
            for _ in range(4):
                yield from super().epoch(number)

    _, trainer = make_trainer(monkeypatch, CupyBackend())
    trainer.train = trainer.test = Many("mlp", "float32")
    (_,) = trainer.run(1)
    before = len(stand_in.machine.host_copies)
    (_,) = trainer.run(2)
    assert len(stand_in.machine.host_copies) - before == few


def test_what_follows_a_step_on_another_stream_waits_for_it(stand_in, monkeypatch):
    stand_in.machine.late = "everything"
    weights = []
    for backend in (NumpyBackend("float64"), CupyBackend("float64")):
        _, trainer = make_trainer(monkeypatch, backend)
        trainer.step(np.full((6, 6, 5, 1), 0.5), np.arange(6) % 4)
        weights.append(trainer.network.weights.state())
    for name, expected in weights[0].items():
        np.testing.assert_allclose(weights[1][name], expected, rtol=1e-9, atol=1e-12)


def test_products_follow_the_other_kernels_to_whatever_stream_is_the_current_one(stand_in, monkeypatch):
    _, trainer = make_trainer(monkeypatch, CupyBackend())
    x, labels = next(trainer.train.epoch(1))
    trainer.step(x, labels)
    before = stand_in.cublas.calls.count("cublasSetStream_v2")
    trainer.network.forward(x)
    trainer.step(x, labels)
    assert stand_in.cublas.calls.count("cublasSetStream_v2") == before + 2


def test_memory_does_not_grow_after_the_first_epoch(stand_in, monkeypatch):
    for cuda_graph in (False, True):
        _, trainer = make_trainer(
            monkeypatch, CupyBackend(cuda_graph=cuda_graph), network="conv", dropout=1, batchnorm=1
        )
        used = []
        for _ in trainer.run(4):
            used.append(stand_in.cupy.get_default_memory_pool().used_bytes())
        assert used[1] == used[2] == used[3]


def test_a_memory_limit_holds(monkeypatch):
    with pytest.raises(MemoryError):
        train(monkeypatch, CupyBackend(memory_limit=2**25 + 2**18), network="conv")


@pytest.mark.parametrize("cuda_graph", [False, True])
def test_a_loss_that_is_no_number_is_reported_at_the_step_that_the_cpu_names(cuda_graph, monkeypatch):
    lines, options = [], {"lr": 1e30, "optimization": "sgd", "criterion": "ce", "feedback_target": "torch"}
    for backend in (NumpyBackend(), CupyBackend(cuda_graph=cuda_graph)):
        with pytest.raises(TrainingError) as caught:
            train(monkeypatch, backend, epochs=3, **options)
        lines.append(str(caught.value))
    assert lines[0] == lines[1]
    assert "at step 3 of epoch 2 (step 6 of the run)" in lines[0]


def test_a_label_that_is_out_of_range_is_refused_on_the_host_and_is_no_number_on_the_device(monkeypatch):
    model, trainer = make_trainer(monkeypatch, CupyBackend())
    x = np.zeros((2, 6, 5, 1), np.float32)
    for labels in (np.array([0, 4]), np.array([-1, 0])):
        with pytest.raises(ValueError, match=r"within 0\.\.3"):
            trainer.step(x, labels)
        logits = model.network.forward(x)
        assert np.isnan(model.loss(logits, model.backend.asarray(labels)).value)


def test_every_kernel_that_is_met_is_among_those_that_are_compiled_and_checked(stand_in, monkeypatch):
    sources, make = set(), stand_in.cupy.RawModule

    class Recorded(make):
        def __init__(self, code, **options):
            sources.add(code)
            super().__init__(code, **options)

    def meet(**options):
        """Train on one batch, and test on it: a kernel is made when it is first met."""
        _, trainer = make_trainer(monkeypatch, CupyBackend(), **options)
        trainer.train = trainer.test = OneBatch(options.get("network", "mlp"), "float32")
        (_,) = trainer.run(1)

    monkeypatch.setattr(stand_in.cupy, "RawModule", Recorded)
    for optimizer, nonlin in zip(OPTIMIZERS, itertools.cycle(NON_LINEARITIES)):  # which bfa generates through
        meet(gradient="bfa", optimization=optimizer, nonlin=nonlin, **needed(optimizer))
    for rule in RULES:
        meet(gradient=rule)
    for options in OPTIONS:
        meet(network="conv", **options)
    known = {case.source("float32"): name for name, case in FORMULAS.items()} | {named_source("float32"): "named"}
    assert sources <= known.keys()
    # asgd averages from its millionth step on; residual blocks, which add, are trained in tests/residual.
    assert {known[source] for source in known.keys() - sources} == {"asgd", "added"}


# What the stand-in is for: each of these would work on NumPy


def planted(monkeypatch, layer, change):
    original = layer.forward

    def forward(self, a, train=True):
        return change(self, original(self, a, train))

    monkeypatch.setattr(layer, "forward", forward)


FAULTS = {
    "a call of NumPy's": (lambda self, y: np.multiply(y, 2), TypeError),
    "an unsupported keyword": (lambda self, y: self.xp.multiply(y, 2, where=True), AssertionError),
    "a name that CuPy has not": (lambda self, y: self.xp.multiply_all(y, 2), AttributeError),
    "a name that was not reviewed": (lambda self, y: self.xp.sinc(y), AssertionError),
    "an argument that CuPy's function has not": (lambda self, y: self.xp.concatenate([y], axes=0), TypeError),
    "an array of the host": (lambda self, y: y + np.ones(y.shape, np.float32), TypeError),
    "a copy to the host": (lambda self, y: y * float(y[0, 0]), AssertionError),
    "a look at a value": (lambda self, y: y if y[0, 0] > 0 else y * 2, AssertionError),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_caught(fault, stand_in, monkeypatch):
    from bdfa_np.layers import Tanh

    change, error = FAULTS[fault]
    planted(monkeypatch, Tanh, change)
    _, trainer = make_trainer(monkeypatch, CupyBackend())
    x, labels = next(trainer.train.epoch(1))
    with stand_in.no_host_copies(), pytest.raises(error):
        trainer.step(x, labels)


def test_a_step_that_looks_at_a_value_cannot_be_captured_and_says_so(monkeypatch):
    from bdfa_np.layers import Tanh

    planted(monkeypatch, Tanh, lambda self, y: y if float(y[0, 0]) > -2 else y * 2)
    _, trainer = make_trainer(monkeypatch, CupyBackend(cuda_graph=True))
    x, labels = next(trainer.train.epoch(1))
    trainer.step(x, labels)
    with pytest.raises(BackendError, match="--cuda-graph: a step of this net cannot be captured"):
        trainer.step(x, labels)

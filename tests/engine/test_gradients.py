"""Central differences in float64 through every layer and loss, and float32 that stays float32."""

import itertools

import numpy as np
import pytest

from bdfa_np import BP, Config, ErrorFeedback, Flatten, Linear, ReLU, Sequential, Sigmoid, Tanh, Trainer, build_model
from bdfa_np.backend.cpu.backend import NumpyBackend
from bdfa_np.constraints import MaxNorm
from bdfa_np.layers import BatchNorm, Conv2d, Dropout, MaxPool2d
from bdfa_np.losses import LOSSES
from bdfa_np.optim import OPTIMIZERS
from bdfa_np.parity.training import trained_nets
from bdfa_np.rules import RULES

STEP = 1e-5
TOLERANCE = 1e-7


def central_difference(function, x):
    """Return the gradient of a scalar function at x, entry by entry; x is changed in place and restored."""
    gradient = np.empty_like(x)
    for index in np.ndindex(*x.shape):
        kept = x[index]
        x[index] = kept + STEP
        above = function()
        x[index] = kept - STEP
        below = function()
        x[index] = kept
        gradient[index] = (above - below) / (2 * STEP)
    return gradient


def relative_error(actual, expected):
    return np.abs(actual - expected).max() / np.abs(expected).max()


LAYERS = {
    "linear": (lambda: Linear(4), (3,)),
    "linear without bias": (lambda: Linear(4, bias=False), (3,)),
    "tanh": (Tanh, (5,)),
    "sigmoid": (Sigmoid, (5,)),
    "relu": (ReLU, (5,)),
    "tanh on images": (Tanh, (2, 3, 2)),
    "flatten": (Flatten, (2, 3, 2)),
    "feedback": (ErrorFeedback, (2, 3, 2)),
    "conv": (lambda: Conv2d(3, 3, padding=1), (5, 4, 2)),
    "conv with stride": (lambda: Conv2d(3, 2, stride=2, padding=1), (5, 4, 2)),
    "conv without bias": (lambda: Conv2d(3, 3, bias=False), (5, 4, 2)),
    "pool": (lambda: MaxPool2d(2), (5, 4, 2)),
    "overlapping pool": (lambda: MaxPool2d(3, 2), (6, 7, 2)),
    "batchnorm": (BatchNorm, (5,)),
    "batchnorm of feature maps": (BatchNorm, (3, 2, 4)),
    "batchnorm without bias": (lambda: BatchNorm(bias=False), (5,)),
    "dropout": (lambda: Dropout(0.4), (5,)),
}


@pytest.mark.parametrize("name", LAYERS)
def test_a_layers_backward_is_its_transposed_jacobian(backend, name):
    make, shape = LAYERS[name]
    layer = make()
    network = Sequential([layer], shape, backend=backend, rng=1)
    generator = np.random.default_rng(0)
    x = generator.normal(size=(6, *shape))
    direction = generator.normal(size=(6, *layer.output_shape))

    def value():
        return float((layer.forward(x) * direction).sum())

    value()
    grad_x = layer.backward(direction.copy()).copy()
    assert relative_error(grad_x, central_difference(value, x)) < TOLERANCE
    for parameter in network.weights:
        numeric = central_difference(value, network.weights[parameter])
        assert relative_error(network.weights.gradient(parameter), numeric) < TOLERANCE


@pytest.mark.parametrize("criterion", LOSSES)
def test_a_losses_error_is_the_gradient_of_its_value(backend, criterion):
    loss = LOSSES[criterion](backend)
    generator = np.random.default_rng(1)
    logits, labels = generator.normal(size=(6, 5)) * 3, generator.integers(0, 5, size=6)
    # The error of bce is not divided by N, nor by K; that of mse is without the square's 2, and not divided by K.
    scale = {"bce": logits.size, "ce": 1, "mse": 5 / 2}[criterion]
    numeric = scale * central_difference(lambda: loss(logits, labels).value, logits)
    assert relative_error(loss(logits, labels).error, numeric) < TOLERANCE


@pytest.mark.parametrize("criterion", LOSSES)
@pytest.mark.parametrize("non_linearity", [Tanh, Sigmoid, ReLU])
@pytest.mark.parametrize("bias", [True, False])
def test_back_propagation_agrees_with_central_differences_through_a_whole_net(backend, criterion, non_linearity, bias):
    layers = [Flatten()]
    for units in (6, 5):
        layers += [Linear(units, bias=bias), non_linearity(), ErrorFeedback()]
    network = Sequential([*layers, Linear(3, bias=bias)], (2, 2, 1), backend=backend, rng=2)
    generator = np.random.default_rng(3)
    x, labels = generator.normal(size=(7, 2, 2, 1)), generator.integers(0, 3, size=7)
    loss = LOSSES[criterion](backend)
    scale = {"bce": 7 * 3, "ce": 1, "mse": 3 / 2}[criterion]
    BP(network).backward(loss(network.forward(x), labels))
    numeric = scale * central_difference(lambda: loss(network.forward(x), labels).value, network.weights.values)
    assert relative_error(network.weights.gradients, numeric) < TOLERANCE


def test_fa_projects_through_its_own_matrix_and_not_through_the_weights(backend):
    layer = Linear(4)
    network = Sequential([layer], (3,), backend=backend)
    rng = np.random.default_rng(0)
    signal, B = rng.normal(size=(5, 4)), rng.normal(size=(3, 4))
    assert relative_error(layer.project_feedback(signal, B), signal @ B.T) < 1e-14
    assert relative_error(network.weights["linear1.W"], B) > 0.1


def float64_arrays(*roots):
    """Return where float64 arrays are held, as attribute paths, in objects of the package and what they contain."""
    found, seen, open_ends = [], set(), [(root, type(root).__name__) for root in roots]
    while open_ends:
        item, path = open_ends.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        if isinstance(item, (np.ndarray, np.generic)):
            if item.dtype == np.float64:
                found.append(path)
        elif isinstance(item, dict):
            open_ends += [(value, f"{path}[{key}]") for key, value in item.items()]
        elif isinstance(item, (list, tuple)):
            open_ends += [(value, f"{path}[{index}]") for index, value in enumerate(item)]
        elif type(item).__module__.startswith("bdfa_np"):
            open_ends += [(value, f"{path}.{key}") for key, value in vars(item).items()]
    return found


def parts_of_a_step():
    """Yield each rule, optimizer and loss, so that each pair of them is met; the other threes as slow ones."""
    for threes in itertools.product(enumerate(RULES), enumerate(OPTIMIZERS), enumerate(LOSSES)):
        places, names = zip(*threes, strict=True)
        yield pytest.param(*names, marks=() if sum(places) % len(LOSSES) == 0 else pytest.mark.slow)


@pytest.mark.parametrize(("rule", "optimization", "criterion"), list(parts_of_a_step()))
def test_a_float32_training_step_makes_no_float64_array(rule, optimization, criterion, monkeypatch):
    made = spy_on_results(monkeypatch)
    network, learner, loss, optimizer = step_objects(rule, optimization, criterion, Tanh)
    train_two_steps(network, learner, loss, optimizer)
    assert float64_arrays(network, learner, loss, optimizer) == []
    assert made == []


@pytest.mark.parametrize(("rule", "network"), [(rule, network) for rule in RULES for network in trained_nets(rule)])
def test_a_float32_step_with_every_layer_and_option_makes_no_float64_array(rule, network, monkeypatch):
    monkeypatch.setattr("bdfa_np.networks.conv.CHANNELS", (4, 5, 6))
    monkeypatch.setattr("bdfa_np.networks.conv.UNITS", (11, 10))
    made = spy_on_results(monkeypatch)
    options = {} if network == "resnet20" else {"dropout": 1, "batchnorm": 1}
    model = build_model(Config(gradient=rule, network=network, **options), (15, 16, 2), 4)
    parts = {"network": model.network, "rule": model.rule, "loss": model.loss, "optimizer": model.optimizer}
    bounds = MaxNorm(model.network, incoming=0.1, outgoing=0.1)
    trainer = Trainer(**parts, train=[], test=[], eps=0.1, acc_gradient=True, constraint=bounds)
    forward = model.network.forward

    def spied(x, train=True):
        made.extend(["the network's input"] * (x.dtype != np.float32))
        return forward(x, train)

    monkeypatch.setattr(model.network, "forward", spied)
    for _ in range(2):
        trainer.step(np.random.default_rng(0).random((6, 15, 16, 2), np.float32), np.arange(6) % 4)
    assert float64_arrays(trainer) == ["Trainer.tally._sums"]  # what is reported is added up in float64
    assert made == []


def test_the_search_for_float64_finds_a_planted_one(monkeypatch):
    class Promoting(Tanh):
        def forward(self, a, train=True):
            return super().forward(a, train) * np.float64(1)

    made = spy_on_results(monkeypatch)
    network, learner, loss, optimizer = step_objects("bp", "sgd", "bce", Promoting)
    train_two_steps(network, learner, loss, optimizer)
    assert made != []
    assert float64_arrays(network, learner, loss, optimizer) != []


def spy_on_results(monkeypatch):
    """Collect the names of layers and rules whose methods are given or return a float64 array."""
    from bdfa_np.layers.base import Layer

    made = []
    bind = Layer.bind

    def spied(self, *args):
        bind(self, *args)
        for method in ("forward", "backward", "project_feedback"):
            monkeypatch.setattr(self, method, checked(self, getattr(self, method)), raising=False)

    def checked(layer, method):
        def call(array, *args, **options):
            result = method(array, *args, **options)
            if any(getattr(value, "dtype", None) == np.float64 for value in (array, result)):
                made.append(layer.name)
            return result

        return call

    monkeypatch.setattr(Layer, "bind", spied)
    return made


def step_objects(rule, optimization, criterion, non_linearity):
    backend = NumpyBackend()
    layers = [Flatten(), Linear(6), non_linearity(), ErrorFeedback(), Linear(3)]
    network = Sequential(layers, (2, 2, 1), backend=backend)
    learner = RULES[rule](network)
    options = dict.fromkeys(OPTIMIZERS[optimization].options, 0.1)
    optimizer = OPTIMIZERS[optimization](learner.trained, 0.01, **options)
    return network, learner, LOSSES[criterion](backend), optimizer


def train_two_steps(network, learner, loss, optimizer):
    generator = np.random.default_rng(0)
    for _ in range(2):
        x, labels = generator.random((5, 2, 2, 1), np.float32), generator.integers(0, 3, size=5)
        optimizer.look_ahead()
        result = loss(network.forward(x), labels)
        assert all(array.dtype == np.float32 for array in (result.error, result.outputs, result.probabilities))
        network.forget_gradients()
        learner.backward(result)
        learner.train_feedback(result)
        optimizer.step()

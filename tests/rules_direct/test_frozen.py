"""The control: hidden layers that nothing moves."""

import numpy as np
import pytest

from bdfa_np import BP, BatchNorm, Config, Container, Conv2d, ErrorFeedback, Flatten, Frozen, Linear, ReLU, Sequential
from bdfa_np import build_model as built
from bdfa_np.data import Batches
from bdfa_np.layers import Layer
from bdfa_np.losses import CrossEntropy
from bdfa_np.optim import OPTIMIZERS

RNG = np.random.default_rng(11)
X = RNG.random((10, 15, 16, 2))
LABELS = np.arange(10) % 4
BATCHES = Batches(X, LABELS, 4, dtype="float64")


@pytest.fixture(autouse=True)
def narrow(monkeypatch):
    monkeypatch.setattr("bdfa_np.networks.conv.CHANNELS", (4, 5, 6))
    monkeypatch.setattr("bdfa_np.networks.conv.UNITS", (11, 10))


def trained(network="mlp", epochs=2, **options):
    """Train a net with frozen hidden layers; return the model, and its weights and carried state before."""
    options = {"num_hidden": 9, **options} if network == "mlp" else options
    config = Config(network=network, gradient="frozen", **{"lr": 0.01, **options})
    model = built(config, X.shape[1:], 4, dtype="float64")
    before = model.network.weights.state(), model.network.state()
    for _ in model.trainer(BATCHES, BATCHES).run(epochs):
        pass
    return model, *before


def of_output(model):
    return model.network.layers[-1].name


MOVING = [
    *({"optimization": name} | ({"momentum": 0.9} if OPTIMIZERS[name].needs_momentum else {}) for name in OPTIMIZERS),
    {"optimization": "sgd", "momentum": 0.9, "dampening": 0.0},
    {"eps": 0.1},
    {"eps": 0.1, "acc_gradient": True},
    {"clip_norm": 0.01},
    {"dropout": 2},
]


@pytest.mark.parametrize("options", MOVING, ids=str)
@pytest.mark.parametrize("network", ["mlp", "conv"])
def test_hidden_weights_stay_bit_for_bit_and_the_output_layer_learns(network, options):
    decay = (
        {"weight_decay": 0.1} if "weight_decay" in OPTIMIZERS[options.get("optimization", "rmsprop")].options else {}
    )
    options = options | decay | {"max_in_norm": 0.1, "max_out_norm": 0.1, "batchnorm": 1}
    model, before, carried = trained(network, **options)
    for name, after in model.network.weights.state().items():
        assert (after != before[name]).any() == name.startswith(of_output(model)), name
    statistics = model.network.state()
    assert statistics
    for name, after in statistics.items():
        assert (after != carried[name]).any(), name  # of batch normalisation, from pass to pass


def test_the_norm_that_is_bounded_is_that_of_the_output_layers_gradient_alone():
    found = []
    config = Config(gradient="frozen", num_hidden=9, clip_norm=0.1, optimization="sgd", lr=0.1)
    for left_over in (0.0, 1e6):  # as a pass of --eps may leave it in hidden layers
        model = built(config, X.shape[1:], 4, dtype="float64")
        model.network.weights.gradients[...] = left_over
        model.trainer(BATCHES, BATCHES).step(X, LABELS)
        found.append(model.network.weights.values.copy())
    assert (found[0] == found[1]).all()


def test_the_bounds_on_norms_hold_for_the_output_layer():
    model, _, _ = trained(max_in_norm=0.1, lr=1e-6)
    norms = np.linalg.norm(model.network.layers[-1].W, axis=0)
    assert (norms < 0.11).all()


def test_the_output_layer_learns_what_it_learns_under_back_propagation(backend):
    network = Sequential([Flatten(), Linear(5), BatchNorm(), ReLU(), Linear(4)], X.shape[1:], backend=backend)
    found = []
    for rule in (BP(network), Frozen(network)):
        network.forget_gradients()
        rule.backward(CrossEntropy(backend)(network.forward(X), LABELS))
        found.append((network["linear2"].dW.copy(), network["linear2"].db.copy()))
    for expected, actual in zip(*found, strict=True):
        assert (actual == expected).all()
        assert actual.any()


def test_nothing_is_computed_for_hidden_layers(backend, monkeypatch):
    layers = [Conv2d(3, 3), BatchNorm(), ReLU(), ErrorFeedback(), Flatten(), Linear(5), ReLU(), Linear(4)]
    network = Sequential(layers, X.shape[1:], backend=backend)
    rule = Frozen(network)
    asked = []
    for kind in (Conv2d, BatchNorm, ReLU, Flatten, Linear):
        backward = kind.backward

        def noted(self, grad_y, need_grad_in=True, backward=backward):
            asked.append((self.name, need_grad_in))
            return backward(self, grad_y, need_grad_in)

        monkeypatch.setattr(kind, "backward", noted)
    result = CrossEntropy(backend)(network.forward(X), LABELS)
    rule.backward(result)
    assert asked == [("linear2", False)]
    assert list(rule.deltas(result)) == ["linear2"]


def test_its_optimizer_holds_state_for_the_output_layer_alone():
    model, _, _ = trained(optimization="adam", epochs=1)
    sizes = {array.size for array in model.optimizer.state().values()}
    assert sizes == {model.network.layers[-1].W.size + 4}
    assert len(model.rule.feedback) == 0


class Around(Container):
    """``y = x + F(x)``."""

    kind = "around"

    def forward(self, x, train=True):
        return x + self.through(self.branches()[0], x, train)


class Scale(Layer):
    """``y = x``, with nothing to train."""

    kind = "scale"

    def forward(self, x, train=True):
        return x

    def backward(self, grad_y, need_grad_in=True):
        return grad_y if need_grad_in else None


def test_what_stands_above_the_last_weights_learns_too_and_containers_below_do_not(backend):
    layers = [Flatten(), Linear(4), Around([Linear(4), ReLU()]), Linear(4), Scale(), BatchNorm()]
    network = Sequential(layers, X.shape[1:], backend=backend)
    rule = Frozen(network)
    assert [name for vector in rule.trained for name in vector] == [
        *("linear2.W", "linear2.b", "batchnorm1.gamma", "batchnorm1.beta")
    ]
    rule.backward(CrossEntropy(backend)(network.forward(X), LABELS))
    assert network["batchnorm1"].dgamma.any()
    assert not network["around1.linear1"].dW.any()


def test_a_net_whose_last_weights_are_inside_of_a_container_is_refused_in_one_line(backend):
    network = Sequential([Flatten(), Linear(4), Around([Linear(4)])], X.shape[1:], backend=backend)
    with pytest.raises(ValueError, match=r"^frozen trains the output layer alone, and the last weights are inside of"):
        Frozen(network)
    network = Sequential([Flatten(), BatchNorm()], X.shape[1:], backend=backend)
    with pytest.raises(ValueError, match=r"^frozen needs an output layer with a W$"):
        Frozen(network)


def test_weights_start_as_under_back_propagation():
    config = Config(gradient="frozen", seed=4)
    assert config.resolve().initial == "uniform"
    one, other = (built(Config(gradient=name, seed=4), (6,), 3).network.weights.values for name in ("frozen", "bp"))
    assert (one == other).all()

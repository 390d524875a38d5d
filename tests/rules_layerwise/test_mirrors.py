"""The mirror phase of wm: what it expects to learn, through which non-linearity, from which noise, and when."""

import math

import numpy as np
import pytest

from bdfa_np import (
    GELU,
    SGD,
    WM,
    BatchNorm,
    Conv2d,
    CrossEntropy,
    Dropout,
    ErrorFeedback,
    Flatten,
    Layer,
    Linear,
    MaxPool2d,
    ReLU,
    Residual,
    Sequential,
    Sigmoid,
    Tanh,
    Trainer,
)
from bdfa_np.data import Batches
from bdfa_np.layers.base import ParameterSpec
from bdfa_np.rules import RULES
from bdfa_np.rules.layerwise.wm import followed

NOISE = 0.05  # as the authors draw it
RNG = np.random.default_rng(2)


def make_rule(backend, layers, shape, **options):
    return WM(Sequential(layers, shape, backend=backend, rng=1), **options)


@pytest.mark.parametrize(
    ("make", "shape"),
    [
        pytest.param(lambda: [Linear(6), Linear(5)], (4,), id="vectors"),
        pytest.param(lambda: [Linear(6), Linear(5)], (7, 4), id="tokens"),
        pytest.param(lambda: [Conv2d(3, 1), Conv2d(4, 3)], (6, 5, 2), id="images"),
        pytest.param(lambda: [Conv2d(3, 1), Conv2d(4, 3, stride=2)], (8, 7, 2), id="strides"),
    ],
)
def test_the_mean_of_many_steps_on_a_linear_layer_is_the_expected_one(backend, make, shape):
    rule = make_rule(backend, make(), shape, mirror_decay=0.0)
    layer = rule.network.layers[1]
    layer.b[...] = 0
    B, N, steps = rule.B[layer.name], 1000, 60
    B[...] = 0
    for number in range(steps):
        x = backend.uniform(backend.lend((N, *layer.input_shape)), (5, number), NOISE)
        rule.mirror(layer, x)
    expected = 0.01 * N * NOISE**2 / 3 * layer.W
    assert np.abs(B / steps - expected).max() < 0.05 * np.abs(expected).max()


def test_the_noise_passes_a_non_linearity_that_keeps_its_slope_beside_its_output(backend):
    """GELU computes two things at once, of which the mirror needs the one."""
    rule = make_rule(backend, [Linear(6), Tanh(), Linear(5), GELU(), Linear(2)], (4,), mirror_decay=0.0)
    layer, x = rule.network["linear2"], np.random.default_rng(0).normal(size=(3, 6))
    before = rule.B["linear2"].copy()
    rule.mirror(layer, x)
    a = x @ layer.W + layer.b
    y = np.array([[entry * (1 + math.erf(entry / 2**0.5)) / 2 for entry in row] for row in a])
    np.testing.assert_allclose(rule.B["linear2"] - before, 0.01 * x.T @ y, rtol=1e-9)


def test_the_bias_and_the_layers_own_non_linearity_have_their_part_and_the_output_layer_is_linear(backend):
    rule = make_rule(backend, [Linear(6), Tanh(), Linear(5), Sigmoid(), Linear(3)], (4,), mirror_decay=0.25)
    hidden, top = rule.network["linear2"], rule.network["linear3"]
    for layer, f in ((hidden, lambda a: 1 / (1 + np.exp(-a))), (top, lambda a: a)):
        x, before = RNG.uniform(-1, 1, (9, *layer.input_shape)), rule.B[layer.name].copy()
        layer.b[...] = RNG.normal(size=layer.b.shape)
        rule.mirror(layer, x)
        expected = 0.75 * before + 0.01 * x.T @ f(x @ layer.W + layer.b)
        np.testing.assert_allclose(rule.B[layer.name], expected, rtol=1e-12)


def test_in_a_convolution_the_outputs_own_gradient_is_divided_by_the_positions(backend):
    layers = [Conv2d(2, 1), Conv2d(3, 3, stride=2, padding=1), ReLU()]
    rule = make_rule(backend, layers, (5, 7, 2), mirror_decay=0.5, mirror_lr=2.0)
    layer = rule.network["conv2"]
    x, before = RNG.uniform(-1, 1, (4, 5, 7, 2)), rule.B["conv2"].copy()
    rule.mirror(layer, x)
    padded, expected = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0))), np.zeros(layer.W.shape)
    for row in range(3):
        for column in range(4):
            window = padded[:, 2 * row : 2 * row + 3, 2 * column : 2 * column + 3]
            y = np.maximum(np.einsum("nijc,ijck->nk", window, layer.W) + layer.b, 0)
            expected += np.einsum("nijc,nk->ijck", window, y) / 12
    np.testing.assert_allclose(rule.B["conv2"], 0.5 * before + 2.0 * expected, rtol=1e-11, atol=1e-13)


def test_each_layer_has_the_next_non_linearity_of_its_branch_before_other_weights(backend):
    first, second, third, fourth, fifth, top = (ReLU(), Tanh(), Sigmoid(), Tanh(), ReLU(), Tanh())
    inner = [Conv2d(4, 3, padding=1), BatchNorm(), second, Conv2d(4, 3, padding=1), BatchNorm()]
    plain = Residual([third, Dropout(0.5)])
    layers = [
        *(Conv2d(4, 3, padding=1), BatchNorm(), Dropout(0.5), MaxPool2d(2), ErrorFeedback(), first),
        *(Conv2d(4, 1), Residual(inner, shortcut=[Conv2d(4, 1), fourth]), fifth),
        *(Flatten(), Linear(8), Linear(7), plain, top, Linear(3)),
    ]
    Sequential(layers, (6, 6, 2), backend=backend)
    found = {layer.name: f for layer, f in followed(layers)}
    assert found == {
        "conv1": first,
        "conv2": None,  # what comes next in its branch holds weights
        "residual1.conv1": second,
        "residual1.conv2": None,  # the non-linearity above the sum is the block's
        "residual1.conv3": fourth,
        "linear1": None,
        "linear2": top,  # a block without weights is left out as a whole
        "linear3": None,
    }


class Noted(WM):
    """Notes what its mirror phase is given."""

    def __init__(self, network, **options):
        super().__init__(network, **options)
        self.noted = []

    def mirror(self, layer, x):
        self.noted.append((layer.name, x.copy()))
        super().mirror(layer, x)


def trained(backend, epochs, samples=10):
    network = Sequential([Linear(6), Tanh(), Linear(5), Tanh(), Linear(4)], (3,), backend=backend, rng=1)
    rule = Noted(network)
    generator = np.random.default_rng(3)
    batches = Batches(generator.normal(size=(samples, 3)), np.arange(samples) % 4, 4, dtype="float64")
    trainer = Trainer(
        network=network,
        rule=rule,
        loss=CrossEntropy(backend),
        optimizer=SGD(rule.trained, 0.1),
        train=batches,
        test=batches,
    )
    list(trainer.run(epochs))
    return rule


def test_a_phase_of_an_epochs_steps_comes_first_and_one_step_follows_each_training_step(backend):
    rule = trained(backend, epochs=2)
    assert [name for name, _ in rule.noted] == ["linear2", "linear3"] * 9
    sizes = [len(x) for name, x in rule.noted if name == "linear2"]
    assert sizes == [4, 4, 2] * 3
    drawn = np.concatenate([x.ravel() for _, x in rule.noted])
    assert len(np.unique(drawn)) == len(drawn)  # no two layers, steps or phases share noise
    assert 0.99 * NOISE < np.abs(drawn).max() <= NOISE
    assert drawn.std() == pytest.approx(NOISE / 3**0.5, rel=0.05)


def test_the_first_phase_depends_on_the_number_of_batches_alone(backend):
    ahead = trained(backend, epochs=1).noted[:6]
    again = trained(backend, epochs=2).noted[:6]
    assert all((one[1] == other[1]).all() for one, other in zip(ahead, again, strict=True))


def test_feedback_comes_to_the_weights_and_a_run_says_how_long_it_is(backend):
    layers = [Linear(20), Tanh(), Linear(15), Tanh(), Linear(10)]
    rule = make_rule(backend, layers, (8,), mirror_lr=0.2, mirror_decay=0.01)

    def cosines():
        pairs = [(rule.network.weights[f"{name}.W"], B) for name, B in rule.B.items()]
        return np.array([(W * B).sum() / np.sqrt((W**2).sum() * (B**2).sum()) for W, B in pairs])

    assert np.abs(cosines()).max() < 0.3
    rule.before_training((np.empty((64, 8)), None) for _ in range(500))
    assert cosines().min() > 0.9
    ratios = [np.linalg.norm(B) / np.linalg.norm(rule.network.weights[f"{name}.W"]) for name, B in rule.B.items()]
    assert list(rule.epoch_notes()) == [f"‖B‖/‖W‖, from the lowest layer up: {ratios[0]:.3g} {ratios[1]:.3g}"]


class Odd(Layer):
    """A layer of one's own that has weights, and a place for feedback."""

    kind = "odd"
    feedback_site = "layerwise"

    def parameters(self):
        return {"W": ParameterSpec((3, 3), 0.5)}

    def feedback(self, num_outputs):
        return self.parameters()["W"]


@pytest.mark.parametrize("name", ["wm", "pfa"])
def test_a_layer_that_the_rule_knows_no_way_through_is_refused(backend, name):
    network = Sequential([Linear(3), Odd(), Linear(2)], (3,), backend=backend)
    with pytest.raises(ValueError, match=rf"^{name} cannot .* through odd1: only through Linear and Conv2d$"):
        RULES[name](network)

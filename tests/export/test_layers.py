"""Other programs compute with an exported net what it computes itself: every layer, in both nets; ``-m oracle``."""

from itertools import product

import numpy as np
import pytest

from bdfa_np import (
    GELU,
    AvgPool2d,
    BatchNorm,
    Config,
    Conv2d,
    Dropout,
    ErrorFeedback,
    Flatten,
    GlobalAvgPool,
    LayerNorm,
    LeakyReLU,
    Linear,
    MaxPool2d,
    PadShortcut,
    Patches,
    ReLU,
    Residual,
    Sequential,
    Sigmoid,
    Tanh,
    Transpose,
    export_model,
)
from bdfa_np.model import assemble, build_model

pytestmark = pytest.mark.oracle

for program in ("torch", "onnx", "onnxruntime"):
    pytest.importorskip(program, reason=f"{program} is in the extra named oracle")

TOLERANCE = {"mlp": 2e-5, "conv": 1e-4}
PROGRAMS = ("onnx", "torch")


COMBINATIONS = [
    (network, batchnorm, nonlin, bias)
    for network, batchnorm, nonlin, bias in product(("mlp", "conv"), (0, 1, 2), ("tanh", "sigm", "relu"), (True, False))
    if (network, batchnorm) != ("mlp", 2)
]


@pytest.mark.parametrize("to", PROGRAMS)
@pytest.mark.parametrize(("network", "batchnorm", "nonlin", "bias"), COMBINATIONS)
def test_both_nets_give_the_same_logits_in_other_programs(
    narrow, made, computed, difference, network, batchnorm, nonlin, bias, to
):
    model, x = made(network, batchnorm=batchnorm, nonlin=nonlin, bias=bias, dropout=1)
    found = computed(model, x, to)["logits"]
    assert difference(found, model.network.predict(x)) <= TOLERANCE[network]


@pytest.mark.parametrize("to", PROGRAMS)
def test_conv_gives_the_same_logits_at_its_full_width(made, computed, difference, to):
    model, x = made("conv", batchnorm=1)
    assert difference(computed(model, x, to)["logits"], model.network.predict(x)) <= TOLERANCE["conv"]


@pytest.mark.parametrize("to", PROGRAMS)
@pytest.mark.parametrize(("criterion", "name"), [("ce", "probabilities"), ("bce", "scores"), ("mse", "scores")])
def test_beside_the_logits_stands_what_the_model_itself_predicts(made, computed, criterion, name, to):
    model, x = made("mlp", criterion=criterion)
    found, expected = computed(model, x, to), model.predict(x, prepared=True)
    assert found.keys() == {"logits", name}
    np.testing.assert_allclose(found[name], getattr(expected, name), rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("to", PROGRAMS)
@pytest.mark.parametrize("size", [1, 2, 17])
def test_a_batch_may_have_any_size(made, computed, difference, to, size):
    model, x = made("mlp")
    assert difference(computed(model, x[:size], to)["logits"], model.network.predict(x[:size])) <= TOLERANCE["mlp"]


NETS = {
    "strides and no padding": (
        (11, 9, 4),
        lambda: [Conv2d(7, 3, stride=2), Tanh(), MaxPool2d(2, 1), Flatten(), Linear(3)],
    ),
    "one window for each place, and an uneven one": (
        (5, 4, 2),
        lambda: [Conv2d(6, 1), ReLU(), Conv2d(5, 4, stride=3, padding=2), Flatten(), Linear(3)],
    ),
    "pooled and flattened": (
        (7, 6, 2),
        lambda: [MaxPool2d(3, 2), ErrorFeedback(), Flatten(), Linear(3)],
    ),
    "normalised images": (
        (7, 6, 2),
        lambda: [BatchNorm(), Sigmoid(), Flatten(), BatchNorm(bias=False, epsilon=0.1), Linear(3)],
    ),
    "averages, and slopes below 0": (
        (9, 8, 2),
        lambda: [Conv2d(4, 3), LeakyReLU(0.1), AvgPool2d(3, 2), GELU(), Conv2d(5, 2), GlobalAvgPool(), Linear(3)],
    ),
    "residual blocks of images, one in another": (
        (8, 6, 3),
        lambda: [
            Residual([Conv2d(3, 3, padding=1), BatchNorm(), ReLU(), Residual([Tanh(), Conv2d(3, 1)])]),
            Residual([Conv2d(6, 3, stride=2, padding=1), BatchNorm()], [PadShortcut(6)]),
            Residual([Conv2d(7, 1, stride=3)], [PadShortcut(7, stride=3), Sigmoid()]),
            Residual([Conv2d(4, 1, bias=False)], [Conv2d(4, 1), BatchNorm()]),
            Flatten(),
            Residual([Linear(8), Tanh()]),
            Linear(3),
        ],
    ),
    "a residual block of images whose channels are last": (
        (4, 3, 2),
        lambda: [Residual([LayerNorm(), Tanh(), Conv2d(2, 1)]), Residual([LayerNorm()]), Flatten(), Linear(3)],
    ),
    "tokens": (
        (6, 4, 2),
        lambda: [
            *(Conv2d(3, 1), Patches(2), Linear(5), LayerNorm(0.1)),
            Residual([LayerNorm(), Transpose(), Linear(7, bias=False), GELU(), Linear(6), Transpose()]),
            *(GlobalAvgPool(), Linear(3)),
        ],
    ),
    "vectors": (
        (9,),
        lambda: [Dropout(0.2), Linear(5, bias=False), BatchNorm(), Tanh(), Linear(3)],
    ),
    "logits that are normalised": (
        (9,),
        lambda: [Linear(3), BatchNorm(epsilon=1e-3)],
    ),
}


@pytest.mark.parametrize("to", PROGRAMS)
@pytest.mark.parametrize("name", NETS)
def test_nets_of_ones_own_from_the_layers_of_the_package(trained, computed, difference, name, to):
    shape, layers = NETS[name]
    model, x = trained(assemble(Config(gradient="bp").resolve(), Sequential(layers(), shape)))
    assert difference(computed(model, x, to)["logits"], model.network.predict(x)) <= 2e-5


@pytest.mark.parametrize("to", PROGRAMS)
@pytest.mark.parametrize("network", ["lenet", "lenet5", "resnet20", "vgg9"])
def test_each_net_gives_the_same_logits_in_other_programs(trained, computed, difference, network, to):
    model, x = trained(build_model(Config(network=network, gradient="bp"), (32, 32, 3), 10))
    x = x[:4]
    assert difference(computed(model, x, to)["logits"], model.network.predict(x)) <= 1e-4


def test_plain_arrays_say_what_is_inside_of_a_residual_block(trained, tmp_path):
    shape, layers = NETS["residual blocks of images, one in another"]
    model, _ = trained(assemble(Config(gradient="bp").resolve(), Sequential(layers(), shape)))
    export_model(model, tmp_path / "net.npz", to="npz")
    arrays = np.load(tmp_path / "net.npz")
    assert arrays["layers"].tolist()[:2] == ["residual1", "residual2"]
    assert arrays["residual1.branch"].tolist()[-1] == "residual1.residual1"
    assert arrays["residual1.residual1.branch"].tolist() == ["residual1.residual1.tanh1", "residual1.residual1.conv1"]
    assert arrays["residual1.shortcut"].tolist() == []
    assert arrays["residual2.shortcut"].tolist() == ["residual2.shortcut1"]
    assert arrays["residual2.shortcut1.channels"] == 6
    np.testing.assert_array_equal(arrays["residual4.conv2.W"], model.network["residual4.conv2"].W)

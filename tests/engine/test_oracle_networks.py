"""PyTorch as an independent truth for `mlp` and `conv` with every combination of options; run with ``-m oracle``."""

from itertools import product

import numpy as np
import pytest

import bdfa_np.networks.conv
from bdfa_np import Config, build_model
from bdfa_np.layers import Conv2d, Linear, MaxPool2d

pytestmark = pytest.mark.oracle

TOLERANCE = {"float32": 2e-5, "float64": 1e-10}
SHAPES = {"mlp": (6, 5, 2), "conv": (24, 23, 3)}
N = 64  # batch statistics of fewer samples are ill-conditioned in float32

pytest.importorskip("torch", reason="PyTorch is in the extra named oracle")
import torch  # noqa: E402

COMBINATIONS = [
    (network, batchnorm, nonlin, criterion, dtype)
    for network, batchnorm, nonlin, criterion, dtype in product(
        ("mlp", "conv"), (0, 1, 2), ("tanh", "sigm", "relu"), ("bce", "ce"), TOLERANCE
    )
    if (network, batchnorm) != ("mlp", 2)
]


def difference(actual, expected):
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert actual.shape == expected.shape
    return np.abs(actual - expected).max() / np.abs(expected).max()


def agree(actual, expected, tolerance, what):
    assert difference(actual, expected) <= tolerance, f"{what}: {difference(actual, expected):.2e}"


def make_model(gradient, network, batchnorm, nonlin, criterion, dtype):
    size = {"num_hidden": 30, "num_layers": 3} if network == "mlp" else {}
    config = Config(gradient=gradient, network=network, batchnorm=batchnorm, nonlin=nonlin, criterion=criterion, **size)
    model = build_model(config, SHAPES[network], 10, dtype=dtype)
    generator = np.random.default_rng(2)
    for name in model.network.weights:  # also where the rule would start from zero, and gamma away from 1
        view = model.network.weights[name]
        view[...] = generator.normal(size=view.shape) / np.sqrt(max(1, view.size // view.shape[-1]))
        if name.endswith("gamma"):
            view[...] = generator.uniform(0.5, 1.5, view.shape)
    x = generator.normal(size=(N, *SHAPES[network])).astype(dtype)
    return model, x, generator.integers(0, 10, size=N)


def linear_part(layer, x, weights):
    """Return the product or convolution of x with weights, channels last."""
    if isinstance(layer, Linear):
        return x @ weights
    kernel = weights.permute(3, 2, 0, 1)
    y = torch.nn.functional.conv2d(x.permute(0, 3, 1, 2), kernel, stride=layer.stride, padding=layer.padding)
    return y.permute(0, 2, 3, 1)


def pooled_where_chosen(layer, x):
    """Return the entries that our pooling chose, after seeing that they are the maxima to rounding.

    Two nearly equal entries may change places by rounding alone, and a gradient then takes another way; which is
    chosen of truly equal ones has a test of its own below.
    """
    places = x.permute(0, 3, 1, 2).unfold(2, layer.size, layer.stride).unfold(3, layer.size, layer.stride).flatten(4)
    chosen = torch.tensor(layer.chosen.astype(np.int64)).permute(0, 3, 1, 2)[..., None]
    y = places.gather(4, chosen)[..., 0]
    assert (places.max(4).values - y).abs().max() < 1e-5
    return y.permute(0, 2, 3, 1)


def torch_layer(layer, x, leaves):
    """Return a layer's output in PyTorch's own operations."""
    if isinstance(layer, (Linear, Conv2d)):
        return linear_part(layer, x, leaves["W"]) + leaves["b"]
    if isinstance(layer, MaxPool2d):
        return pooled_where_chosen(layer, x)
    if layer.kind == "batchnorm":
        rows = x.reshape(-1, x.shape[-1])
        y = torch.nn.functional.batch_norm(
            rows, None, None, leaves["gamma"], leaves["beta"], training=True, eps=layer.epsilon
        )
        return y.reshape(x.shape)
    same = {"tanh": torch.tanh, "sigmoid": torch.sigmoid, "relu": torch.relu, "feedback": lambda value: value}
    return x.reshape(len(x), -1) if layer.kind == "flatten" else same[layer.kind](x)


class Mirror:
    """The same net in PyTorch, cut between layers so that any signal can be sent through any one of them.

    It computes in float64 also from float32 numbers: PyTorch's own rounding would else be counted against us.
    """

    def __init__(self, network, x, B, dtype=torch.float64):
        self.steps, self.dtype, self.B = [], dtype, B
        h = self.tensor(x)
        for layer in network.layers:
            leaves = {key: self.tensor(getattr(layer, key)).requires_grad_() for key in layer.parameters()}
            x_in = h.detach().requires_grad_()
            y = torch_layer(layer, x_in, leaves)
            self.steps.append((layer, x_in, y, leaves))
            h = y
        self.logits = h.detach()

    def tensor(self, array):
        return torch.tensor(array, dtype=self.dtype)

    def error(self, labels, criterion):
        logits = self.logits.clone().requires_grad_()
        target = torch.tensor(labels)
        if criterion == "ce":
            value = torch.nn.functional.cross_entropy(logits, target)
        else:
            one_hot = torch.nn.functional.one_hot(target, 10).to(logits.dtype)
            value = torch.nn.functional.binary_cross_entropy_with_logits(logits, one_hot, reduction="sum")
        return torch.autograd.grad(value, logits)[0], value.item()

    def gradients(self, rule, e):
        """Return parameter gradients by name, for the output error e."""
        found, signal = {}, e
        for layer, x_in, y, leaves in reversed(self.steps):
            if rule == "dfa" and layer.kind == "feedback":
                signal = (e @ self.tensor(self.B[layer.name])).reshape(x_in.shape)
                continue
            below, *grads = torch.autograd.grad(y, [x_in, *leaves.values()], signal, retain_graph=True)
            found |= {f"{layer.name}.{key}": grad for key, grad in zip(leaves, grads, strict=True)}
            if rule == "fa" and layer.name in self.B:
                through_B = linear_part(layer, x_in, self.tensor(self.B[layer.name]))
                (below,) = torch.autograd.grad(through_B, x_in, signal)
            signal = below
        return found


def differences(model, ours, exact):
    """Return how far each of our gradients is from the exact one, by name."""
    layers = model.network.layers
    before_norm = {layers[i - 1].name for i, layer in enumerate(layers) if layer.kind == "batchnorm"}
    found = {}
    for name, gradient in exact.items():
        layer, parameter = name.split(".")
        if parameter == "b" and layer in before_norm:
            # Batch normalisation takes the mean out again: the exact gradient is zero, and only rounding is left.
            found[name] = 0.1 * np.abs(np.asarray(ours[name])).max() / exact[f"{layer}.W"].abs().max().item()
        else:
            found[name] = difference(ours[name], gradient)
    return found


def agree_throughout(rule, network, batchnorm, nonlin, criterion, dtype):
    """Compare forward pass, loss and all gradients of one step."""
    model, x, labels = make_model(rule, network, batchnorm, nonlin, criterion, dtype)
    logits = model.network.forward(x)
    mirror = Mirror(model.network, x, model.rule.B)
    e, value = mirror.error(labels, criterion)
    agree(logits, mirror.logits, TOLERANCE[dtype], f"{rule} logits")
    result = model.loss(logits, labels)
    agree(result.value * (logits.size if criterion == "bce" else 1), value, TOLERANCE[dtype], "loss")
    model.rule.backward(result)
    exact = mirror.gradients(rule, e)
    found = differences(model, {name: model.network.weights.gradient(name) for name in exact}, exact)
    tolerance = TOLERANCE[dtype]
    if max(found.values()) > tolerance and dtype == "float32":
        # Batch normalisation of random images is ill-conditioned: what PyTorch itself loses in float32, we may.
        single = Mirror(model.network, x, model.rule.B, torch.float32)
        theirs = differences(model, single.gradients(rule, single.error(labels, criterion)[0]), exact)
        tolerance = max(tolerance, 1.5 * max(theirs.values()))
    assert max(found.values()) <= tolerance, found


@pytest.mark.parametrize(("network", "batchnorm", "nonlin", "criterion", "dtype"), COMBINATIONS)
def test_bp_fa_and_dfa_agree_with_pytorch_under_every_combination(
    network, batchnorm, nonlin, criterion, dtype, monkeypatch
):
    monkeypatch.setattr(bdfa_np.networks.conv, "CHANNELS", (12, 16, 20))  # narrow, so that all of them take a minute
    monkeypatch.setattr(bdfa_np.networks.conv, "UNITS", (100, 90))
    for rule in ("bp", "fa", "dfa"):
        agree_throughout(rule, network, batchnorm, nonlin, criterion, dtype)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("batchnorm", [0, 1])
def test_conv_at_its_full_width_on_images_of_32_by_32_agrees_with_pytorch(batchnorm, dtype, monkeypatch):
    monkeypatch.setitem(SHAPES, "conv", (32, 32, 3))
    agree_throughout("bp", "conv", batchnorm, "tanh", "bce", dtype)


def test_running_statistics_and_the_pass_in_use_agree_with_pytorch():
    model, _, _ = make_model("bp", "conv", 1, "tanh", "bce", "float64")
    layer = next(layer for layer in model.network if layer.kind == "batchnorm")
    theirs = torch.nn.BatchNorm2d(layer.input_shape[-1], eps=layer.epsilon, dtype=torch.float64)
    theirs.weight.data, theirs.bias.data = torch.tensor(layer.gamma), torch.tensor(layer.beta)
    generator = np.random.default_rng(0)
    for _ in range(3):
        a = generator.normal(size=(5, *layer.input_shape)) * 2 + 1
        layer.forward(a)
        theirs(torch.tensor(a).permute(0, 3, 1, 2))
    agree(layer.running_mean, theirs.running_mean, 1e-12, "mean")
    agree(layer.running_variance, theirs.running_var, 1e-12, "variance")
    theirs.eval()
    expected = theirs(torch.tensor(a).permute(0, 3, 1, 2)).permute(0, 2, 3, 1).detach()
    agree(layer.forward(a, train=False), expected, 1e-12, "in use")


@pytest.mark.parametrize(("size", "stride", "side"), [(3, 2, 32), (3, 2, 15), (2, 2, 7), (3, 1, 5), (5, 3, 9)])
def test_max_pooling_with_ties_agrees_with_pytorch(size, stride, side):
    from bdfa_np import Sequential
    from bdfa_np.backend.cpu.backend import NumpyBackend

    layer = MaxPool2d(size, stride)
    Sequential([layer], (side, side, 3), backend=NumpyBackend("float64"))
    generator = np.random.default_rng(0)
    x = generator.integers(-2, 2, size=(4, side, side, 3)).astype(float)  # four values only: ties in most windows
    x_in = torch.tensor(x).permute(0, 3, 1, 2).requires_grad_()
    y = torch.nn.functional.max_pool2d(x_in, size, stride)
    signal = generator.normal(size=tuple(y.shape))
    agree(layer.forward(x), y.permute(0, 2, 3, 1).detach(), 0, "maximum")
    (expected,) = torch.autograd.grad(y, x_in, torch.tensor(signal))
    agree(layer.backward(signal.transpose(0, 2, 3, 1)), expected.permute(0, 2, 3, 1), 1e-15, "gradient")


@pytest.mark.parametrize(("size", "stride", "padding"), [(5, 1, 2), (3, 2, 0), (3, 2, 1), (1, 1, 0), (4, 3, 2)])
def test_convolutions_of_any_stride_and_padding_agree_with_pytorch(size, stride, padding):
    from bdfa_np import Sequential
    from bdfa_np.backend.cpu.backend import NumpyBackend

    layer = Conv2d(7, size, stride=stride, padding=padding)
    network = Sequential([layer], (11, 9, 4), backend=NumpyBackend("float64"))
    x = np.random.default_rng(0).normal(size=(5, 11, 9, 4))
    mirror = Mirror(network, x, {})
    _, x_in, y, leaves = mirror.steps[0]
    signal = np.random.default_rng(1).normal(size=tuple(y.shape))
    agree(layer.forward(x), y.detach(), 1e-13, "output")
    below, dW, db = torch.autograd.grad(y, [x_in, leaves["W"], leaves["b"]], torch.tensor(signal))
    agree(layer.backward(signal), below, 1e-13, "input gradient")
    agree(layer.dW, dW, 1e-13, "weight gradient")
    agree(layer.db, db, 1e-13, "bias gradient")

"""The same nets in PyTorch, with the same weights: outputs, exact gradients, running averages; run: ``-m oracle``."""

import numpy as np
import pytest

from bdfa_np import Config, build_model
from bdfa_np.layers import BatchNorm, Conv2d, LayerNorm, Linear

pytestmark = pytest.mark.oracle
torch = pytest.importorskip("torch", reason="PyTorch is in the extra named oracle")

from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

N = 4


class Flat(nn.Module):
    """Maps flattened channels last, as here."""

    def forward(self, x):
        return x.permute(0, 2, 3, 1).flatten(1)


def lenet():
    return nn.Sequential(
        *(nn.Conv2d(1, 6, 5), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(16, 120, 5), nn.ReLU(), Flat()),
        *(nn.Linear(120, 84), nn.Linear(84, 10)),
    )


def lenet5(padding):
    return nn.Sequential(
        *(nn.Conv2d(1, 6, 5, padding=padding), nn.Tanh(), nn.AvgPool2d(2)),
        *(nn.Conv2d(6, 16, 5), nn.Tanh(), nn.AvgPool2d(2), Flat()),
        *(nn.Linear(400, 120), nn.Tanh(), nn.Linear(120, 84), nn.Tanh(), nn.Linear(84, 10)),
    )


def vgg9(channels):
    layers, before = [], channels
    for width in (64, 128, 256):
        for _ in range(2):
            layers += [nn.Conv2d(before, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
            before = width
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers, Flat(), nn.LazyLinear(512), nn.ReLU(), nn.Linear(512, 10))


class Block(nn.Module):
    """A basic block of He et al., with either shortcut."""

    def __init__(self, before, width, projected):
        super().__init__()
        self.stride, self.added = (1, 0) if before == width else (2, width - before)
        self.conv1 = nn.Conv2d(before, width, 3, self.stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.projection = None
        if projected and self.added:
            self.projection = nn.Sequential(nn.Conv2d(before, width, 1, 2, bias=False), nn.BatchNorm2d(width))

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        if self.projection is not None:
            x = self.projection(x)
        elif self.added:
            x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.added // 2, self.added // 2))
        return F.relu(x + y)


def resnet20(channels, projected=False):
    layers, before = [nn.Conv2d(channels, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU()], 16
    for width in (16, 32, 64):
        for _ in range(3):
            layers.append(Block(before, width, projected))
            before = width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


class Mixing(nn.Module):
    """A residual MLP over tokens, or over channels."""

    def __init__(self, width, units, hidden, across):
        super().__init__()
        self.across = across
        self.norm = nn.LayerNorm(width)
        self.first, self.second = nn.Linear(units, hidden), nn.Linear(hidden, units)

    def forward(self, x):
        y = self.norm(x).mT if self.across else self.norm(x)
        y = self.second(F.gelu(self.first(y)))
        return x + (y.mT if self.across else y)


class Cut(nn.Module):
    """Patches of 4x4 pixels as tokens, in the order row, column, channel."""

    def forward(self, x):
        patches = x.unfold(2, 4, 4).unfold(3, 4, 4)  # (N, C, H/4, W/4, 4, 4)
        return patches.permute(0, 2, 3, 4, 5, 1).flatten(3).flatten(1, 2)


class Mean(nn.Module):
    """The mean over tokens."""

    def forward(self, x):
        return x.mean(1)


def mlp_mixer(channels, tokens):
    layers = [Cut(), nn.Linear(16 * channels, 64)]
    for _ in range(4):
        layers += [Mixing(64, tokens, 32, across=True), Mixing(64, 64, 128, across=False)]
    return nn.Sequential(*layers, nn.LayerNorm(64), Mean(), nn.Linear(64, 10))


CASES = {
    "lenet": ("lenet", {}, (32, 32, 1), lenet),
    "lenet5, padded": ("lenet5", {}, (28, 28, 1), lambda: lenet5(2)),
    "lenet5": ("lenet5", {}, (32, 32, 1), lambda: lenet5(0)),
    "vgg9": ("vgg9", {}, (8, 12, 3), lambda: vgg9(3)),
    "resnet20": ("resnet20", {}, (8, 8, 3), lambda: resnet20(3)),
    "resnet20, odd sides": ("resnet20", {}, (9, 7, 1), lambda: resnet20(1)),
    "resnet20, projection": ("resnet20", {"shortcut": "projection"}, (8, 8, 3), lambda: resnet20(3, projected=True)),
    "mlp-mixer": ("mlp-mixer", {}, (8, 12, 3), lambda: mlp_mixer(3, 6)),
}


def as_theirs(layer, array):
    """Return a parameter or its gradient as PyTorch lays it out."""
    if array.ndim == 4:
        return array.transpose(3, 2, 0, 1)
    return array.T if isinstance(layer, Linear) else array


def pairs(network, mirror):
    """Yield our layers that have parameters beside theirs, both from the input up."""
    ours = [layer for layer in network.tree() if layer.parameters()]
    theirs = [module for module in mirror.modules() if next(module.parameters(recurse=False), None) is not None]
    kinds = {Conv2d: nn.Conv2d, Linear: nn.Linear, BatchNorm: nn.BatchNorm2d, LayerNorm: nn.LayerNorm}
    for layer, module in zip(ours, theirs, strict=True):
        assert isinstance(module, kinds[type(layer)])
        yield layer, module


def parameters(layer, module):
    """Yield the names of our parameters with theirs."""
    names = ("gamma", "beta") if isinstance(layer, (BatchNorm, LayerNorm)) else ("W", "b")
    assert list(layer.parameters()) == [name for name, _ in zip(names, module.parameters(recurse=False), strict=False)]
    return zip(layer.parameters(), module.parameters(recurse=False), strict=True)


def difference(actual, expected):
    expected = np.asarray(expected)
    assert actual.shape == expected.shape
    return np.abs(actual - expected).max() / np.abs(expected).max()


@pytest.mark.parametrize("case", CASES)
def test_outputs_gradients_and_running_averages_are_those_of_pytorch(case):
    name, options, shape, make = CASES[case]
    model = build_model(Config(network=name, gradient="bp", criterion="ce", **options), shape, 10, dtype="float64")
    network, mirror = model.network, make().double()
    generator = np.random.default_rng(5)
    x, labels = generator.normal(size=(N, *shape)), generator.integers(0, 10, N)
    images = torch.tensor(x).permute(0, 3, 1, 2)
    mirror(images)  # gives lazy layers their shapes
    for layer, module in pairs(network, mirror):
        for key, parameter in parameters(layer, module):
            if key in ("gamma", "beta"):
                getattr(layer, key)[...] = generator.uniform(0.5, 1.5, getattr(layer, key).shape)
            parameter.data = torch.tensor(np.ascontiguousarray(as_theirs(layer, getattr(layer, key))))
        if isinstance(layer, BatchNorm):
            module.reset_running_stats()
    logits = network.forward(x)
    expected = mirror(images)
    assert difference(logits, expected.detach()) <= 1e-10
    F.cross_entropy(expected, torch.tensor(labels)).backward()
    model.rule.backward(model.loss(logits, labels))
    for layer, module in pairs(network, mirror):
        # The exact gradient of a bias that a norm takes out again is 0: a layer's gradients have one measure.
        largest = max(float(parameter.grad.abs().max()) for parameter in module.parameters(recurse=False))
        for key, parameter in parameters(layer, module):
            apart = np.abs(as_theirs(layer, getattr(layer, f"d{key}")) - np.asarray(parameter.grad)).max()
            assert apart <= 1e-10 * largest, f"{layer.name}.{key}"
        if isinstance(layer, BatchNorm):
            assert difference(layer.running_mean, module.running_mean) <= 1e-10
            assert difference(layer.running_variance, module.running_var) <= 1e-10
    mirror.eval()
    assert difference(network.predict(x), mirror(images).detach()) <= 1e-10

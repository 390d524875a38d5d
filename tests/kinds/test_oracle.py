"""PyTorch as an independent truth for each kind of layer; run with ``-m oracle``."""

import numpy as np
import pytest

from bdfa_np import GELU, AvgPool2d, Conv2d, GlobalAvgPool, LayerNorm, LeakyReLU, Linear, Patches, Sequential
from bdfa_np.backend.cpu.backend import NumpyBackend

pytestmark = pytest.mark.oracle

TOLERANCE = {"float32": 2e-5, "float64": 1e-10}


@pytest.fixture
def torch():
    return pytest.importorskip("torch", reason="PyTorch is in the extra named oracle")


def first(x):
    """Return images with their channels first, as PyTorch has them."""
    return x.permute(0, 3, 1, 2)


def last(x):
    return x.permute(0, 2, 3, 1)


def patches(torch, x):
    unfolded = torch.nn.functional.unfold(first(x), 2, stride=2)  # (N, C · 4, T), channel by channel
    N, _, T = unfolded.shape
    return unfolded.reshape(N, -1, 4, T).permute(0, 3, 2, 1).reshape(N, T, -1)


LAYERS = {
    "average": (lambda: AvgPool2d(3, 2), (7, 8, 4), lambda f, x, _: last(f.avg_pool2d(first(x), 3, 2))),
    "global average": (GlobalAvgPool, (5, 4, 3), lambda f, x, _: f.adaptive_avg_pool2d(first(x), 1).flatten(1)),
    "layernorm": (LayerNorm, (6, 8), lambda f, x, p: f.layer_norm(x, (8,), p["gamma"], p["beta"])),
    "layernorm, its epsilon": (
        lambda: LayerNorm(0.5),
        (3, 2, 8),
        lambda f, x, p: f.layer_norm(x, (8,), p["gamma"], p["beta"], 0.5),
    ),
    "leaky relu": (lambda: LeakyReLU(0.2), (9,), lambda f, x, _: f.leaky_relu(x, 0.2)),
    "gelu": (GELU, (9,), lambda f, x, _: f.gelu(x)),
    "tokens": (lambda: Linear(4), (5, 3), lambda f, x, p: f.linear(x, p["W"].T, p["b"])),
    "strided convolution": (
        lambda: Conv2d(6, 5, stride=3, padding=2),
        (11, 9, 4),
        lambda f, x, p: last(f.conv2d(first(x), p["W"].permute(3, 2, 0, 1), p["b"], stride=3, padding=2)),
    ),
}


def agree(actual, expected, tolerance):
    expected = expected.detach().numpy()
    assert actual.dtype == expected.dtype
    assert np.abs(actual - expected).max() <= tolerance * np.abs(expected).max()


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_is_pytorchs_forward_backward_and_in_its_tangent(name, dtype, torch):
    make, shape, function = LAYERS[name]
    network = Sequential([make()], shape, backend=NumpyBackend(dtype))
    (layer,), rng = network.layers, np.random.default_rng(0)
    network.weights.values += rng.normal(size=network.weights.values.shape).astype(dtype)
    x, v = (rng.normal(size=(5, *shape)).astype(dtype) for _ in range(2))
    u = rng.normal(size=(5, *layer.output_shape)).astype(dtype)
    p = {key: torch.tensor(getattr(layer, key), requires_grad=True) for key in layer.parameters()}
    x_torch = torch.tensor(x, requires_grad=True)
    y_torch = function(torch.nn.functional, x_torch, p)
    y_torch.backward(torch.tensor(u))
    agree(layer.forward(x), y_torch, TOLERANCE[dtype])
    (_, tangent) = torch.autograd.functional.jvp(
        lambda x: function(torch.nn.functional, x, p), torch.tensor(x), torch.tensor(v)
    )
    agree(layer.push_forward(v), tangent, TOLERANCE[dtype])
    agree(layer.backward(u), x_torch.grad, TOLERANCE[dtype])
    for key, parameter in p.items():
        agree(getattr(layer, f"d{key}"), parameter.grad, TOLERANCE[dtype])


def test_patches_are_those_that_pytorch_unfolds(torch):
    x = np.random.default_rng(0).normal(size=(2, 6, 4, 3))
    network = Sequential([Patches(2)], (6, 4, 3), backend=NumpyBackend("float64"))
    agree(network.forward(x), patches(torch, torch.tensor(x)), 0)

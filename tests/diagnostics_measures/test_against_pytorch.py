"""Exact signals, angles and mean Jacobians against what PyTorch differentiates by itself; with ``-m oracle``."""

import numpy as np
import pytest
from autograd_net import Net, our_order, torch

from bdfa_np import DFA, Sequential
from bdfa_np.backend.cpu.backend import NumpyBackend
from bdfa_np.diagnostics.alignment import alignment
from bdfa_np.diagnostics.feedback import mean_jacobians
from bdfa_np.diagnostics.structure import with_weights
from bdfa_np.layers import Conv2d, ErrorFeedback, Flatten, GlobalAvgPool, Linear, MaxPool2d, Residual, Tanh
from bdfa_np.losses import CrossEntropy

pytestmark = pytest.mark.oracle

N, K, SHAPE = 5, 4, (6, 6, 2)
X = np.random.default_rng(3).normal(size=(N, *SHAPE))
LABELS = np.arange(N) % K


def vectors():
    return [Flatten(), Linear(9), Tanh(), ErrorFeedback(), Linear(7), Tanh(), ErrorFeedback(), Linear(K)]


def images():
    block = [Conv2d(5, 3, padding=1), Tanh(), MaxPool2d(2), ErrorFeedback()]
    return [*block, Conv2d(6, 2, padding=1), Tanh(), ErrorFeedback(), Flatten(), Linear(K)]


def skips():
    inside = [Conv2d(6, 3, stride=2, padding=1), Tanh(), Conv2d(6, 3, padding=1)]
    changing = Residual(inside, shortcut=[Conv2d(6, 1, stride=2)])
    start = [Conv2d(4, 3, padding=1), Tanh(), changing, Tanh(), ErrorFeedback()]
    return [*start, Residual([Conv2d(6, 3, padding=1), Tanh()]), ErrorFeedback(), GlobalAvgPool(), Linear(K)]


@pytest.fixture(params=[vectors, images, skips])
def network(request):
    return Sequential(request.param(), SHAPE, backend=NumpyBackend("float64"), rng=3)


def in_pytorch(network):
    """Return the same net there after a forward pass, and its logits; every output's gradient is kept."""
    net = Net(network)
    logits = net.forward(X)
    return net, logits


def test_exact_signals_and_angles_are_those_of_autograd(network):
    rule, (net, logits) = DFA(network), in_pytorch(network)
    layers = with_weights(network)
    loss = torch.nn.functional.cross_entropy(logits, torch.tensor(LABELS))
    exact = torch.autograd.grad(loss, [net.h[layer.name] for layer in layers], retain_graph=True)
    dW = torch.autograd.grad(loss, [net.leaves[f"{layer.name}.W"] for layer in layers])

    result = CrossEntropy(network.backend)(network.forward(X), LABELS)
    values, deltas = alignment(rule, result, layers)
    for place, layer in enumerate(layers):
        theirs, ours = our_order(exact[place]), torch.tensor(deltas[layer.name].reshape(N, -1))
        cosine = torch.nn.functional.cosine_similarity(theirs.ravel(), ours.ravel(), dim=0)
        assert values["signal_angle"][place] == pytest.approx(np.degrees(np.arccos(min(1, float(cosine)))), abs=1e-5)
        assert values["exact_norm"][place] == pytest.approx(float(theirs.norm(dim=1).mean()) * N, rel=1e-10)
        expected = dW[place].numpy()
        np.testing.assert_allclose(network.weights.gradient(f"{layer.name}.W"), expected, rtol=1e-8, atol=1e-12)


def test_mean_jacobians_are_those_of_autograd(network):
    net, logits = in_pytorch(network)
    sites = [layer.name for layer in network.tree() if layer.kind == "feedback"]
    network.forward(X)
    found = mean_jacobians(network, sites)
    for site in sites:
        rows = [torch.autograd.grad(logits[:, k].sum(), net.h[site], retain_graph=True)[0] for k in range(K)]
        expected = torch.stack([our_order(row).mean(dim=0) for row in rows]).numpy()
        np.testing.assert_allclose(found[site], expected, rtol=1e-8, atol=1e-12)

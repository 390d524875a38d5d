"""PyTorch as an independent truth for schedules, clipping and initial values; run with ``-m oracle``."""

import warnings

import numpy as np
import pytest

from bdfa_np import Config, build_model
from bdfa_np.layers.base import initial_values
from bdfa_np.model import configured_schedule

pytestmark = pytest.mark.oracle


@pytest.fixture
def torch():
    return pytest.importorskip("torch", reason="PyTorch is in the extra named oracle")


def rates_of(torch, make, epochs):
    """Return PyTorch's rates, from 0.3, over some epochs."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.3)
    scheduler, rates = make(optimizer), []
    for _ in range(epochs):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what PyTorch itself calls
            scheduler.step()
    return rates


SCHEDULES = {
    "step": ({"schedule": "step", "epoch_step": 3}, lambda lr, o: lr.StepLR(o, 3, gamma=0.1)),
    "multistep": (
        {"schedule": "multistep", "milestones": "2,5,9", "gamma": 4.0},
        lambda lr, o: lr.MultiStepLR(o, [2, 5, 9], gamma=0.25),
    ),
    "cosine": ({"schedule": "cosine"}, lambda lr, o: lr.CosineAnnealingLR(o, 12)),
    "warmup": ({"warmup": 5}, lambda lr, o: lr.LinearLR(o, start_factor=1 / 5, total_iters=4)),
    "cosine after a warmup": (
        {"schedule": "cosine", "warmup": 5},
        lambda lr, o: lr.ChainedScheduler(
            [lr.LinearLR(o, start_factor=1 / 5, total_iters=4), lr.CosineAnnealingLR(o, 12)]
        ),
    ),
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_rates_are_those_of_pytorchs_schedulers(torch, name):
    options, make = SCHEDULES[name]
    schedule = configured_schedule(Config(epochs=12, **options).resolve())
    theirs = rates_of(torch, lambda optimizer: make(torch.optim.lr_scheduler, optimizer), 12)
    np.testing.assert_allclose([0.3 * schedule(done) for done in range(12)], theirs, rtol=1e-12)


@pytest.mark.parametrize("bound", [0.1, 30.0, 1e9])
def test_a_clipped_gradient_is_pytorchs(torch, bound):
    model = build_model(Config(gradient="bp", num_hidden=20), (4, 4, 1), 3, dtype="float64")
    weights = model.network.weights
    weights.gradients[...] = np.random.default_rng(0).normal(size=weights.gradients.shape) * 1e3
    leaves = [torch.zeros(weights[name].shape, dtype=torch.float64, requires_grad=True) for name in weights]
    for leaf, name in zip(leaves, weights, strict=True):
        leaf.grad = torch.tensor(weights.gradient(name).copy())
    torch.nn.utils.clip_grad_norm_(leaves, bound)
    model.backend.clip_norm([weights.gradients], bound)
    for leaf, name in zip(leaves, weights, strict=True):
        # PyTorch adds 1e-6 to the norm, which is some 2e4 here.
        np.testing.assert_allclose(weights.gradient(name), leaf.grad, rtol=1e-10)


@pytest.mark.parametrize("shape", [(300, 20), (20, 300), (3, 3, 8, 32)])
def test_bounds_of_initial_values_are_pytorchs(torch, shape):
    theirs = torch.empty(shape[-1], *shape[-2::-1][:1], *shape[:-2])  # (out, in, k, k)
    for initial, draw in (
        ("xavier", torch.nn.init.xavier_uniform_),
        ("kaiming", lambda tensor: torch.nn.init.kaiming_uniform_(tensor, nonlinearity="relu")),
    ):
        bound = initial_values(initial, shape, bias=True)["W"].bound
        drawn = draw(theirs).abs()
        assert drawn.max().item() <= bound * (1 + 1e-6)
        assert drawn.max().item() > 0.98 * bound

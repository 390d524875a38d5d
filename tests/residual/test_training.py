"""Residual nets in training: every rule on the CPU, and on the stand-in for CuPy with the CPU's numbers."""

import numpy as np
import pytest

from bdfa_np import (
    SGD,
    BatchNorm,
    Conv2d,
    CrossEntropy,
    ErrorFeedback,
    Flatten,
    Linear,
    PadShortcut,
    ReLU,
    Residual,
    Sequential,
    Trainer,
)
from bdfa_np.backend.cpu import compiling
from bdfa_np.backend.cpu.backend import NumpyBackend
from bdfa_np.backend.cuda.backend import CupyBackend
from bdfa_np.data import Batches
from bdfa_np.layers import Layer
from bdfa_np.parity.training import Reference
from bdfa_np.rules import RULES

pytest_plugins = ["cuda_fixtures"]
LABELS = np.arange(16) % 3
X = np.random.default_rng(6).normal(size=(16, 6, 5, 2))
for place, label in enumerate(LABELS):
    X[place, 2 * label : 2 * label + 2] += 1  # what there is to be learnt


@pytest.fixture(autouse=True)
def _uncompiled(monkeypatch):
    """Compile no loops: it would take longer than all of these steps."""
    monkeypatch.setattr(compiling, "COMPILE_AFTER", float("inf"))


def make_network(backend):
    branch = [Conv2d(4, 3, stride=2, padding=1, bias=False), BatchNorm(), ReLU(), Conv2d(4, 3, padding=1), BatchNorm()]
    projected = Residual([Conv2d(5, 3, stride=2, padding=1)], [Conv2d(5, 1, stride=2, bias=False), BatchNorm()])
    layers = [Conv2d(2, 3, padding=1), BatchNorm(), ReLU(), Residual([Conv2d(2, 3, padding=1), BatchNorm()]), ReLU()]
    layers += [ErrorFeedback(), Residual(branch, [PadShortcut(4)]), ReLU(), ErrorFeedback(), projected, ReLU()]
    return Sequential([*layers, ErrorFeedback(), Flatten(), Linear(3)], X.shape[1:], backend=backend, rng=5)


def make_trainer(backend, rule):
    network = make_network(backend)
    learner = RULES[rule](network)
    batches = Batches(X, LABELS, 6, dtype=backend.dtype)
    optimizer = SGD(learner.trained, 0.05, momentum=0.9)
    parts = {"network": network, "rule": learner, "loss": CrossEntropy(backend), "optimizer": optimizer}
    return Trainer(**parts, train=batches, test=batches)


def trained(backend, rule, epochs=2):
    trainer = make_trainer(backend, rule)
    losses = [record.train_loss for record in trainer.run(epochs)]
    vectors = {"weights": trainer.network.weights.state(), "layers": trainer.network.state()}
    vectors["feedback"] = trainer.rule.feedback.state()
    return losses, {f"{title} {name}": array for title, found in vectors.items() for name, array in found.items()}


REFUSED = {
    "bfa": "bfa cannot generate through residual1",
    "ifa": "ifa is for fully connected nets, and cannot send a signal up through conv1",
}


@pytest.mark.parametrize("rule", REFUSED)
def test_a_rule_that_needs_a_chain_refuses_a_residual_net_in_one_line(rule, backend):
    with pytest.raises(ValueError, match=f"^{REFUSED[rule]}$"):
        RULES[rule](make_network(backend))


@pytest.mark.parametrize("rule", [name for name in RULES if name not in REFUSED])
def test_every_other_rule_trains_a_residual_net(rule, backend):
    losses, _ = trained(backend, rule, epochs=8)
    assert losses[-1] < 0.95 * losses[0]


@pytest.mark.parametrize("rule", [name for name in RULES if name not in REFUSED])
def test_sums_over_what_nobody_reads_have_the_bits_of_sums_in_memory_of_their_own(rule, backend, monkeypatch):
    losses, arrays = trained(backend, rule)
    for decision in ("frees_output", "frees_signal"):
        monkeypatch.setattr(Layer, decision, lambda _: False)
    apart_losses, apart = trained(NumpyBackend("float64"), rule)
    assert losses == apart_losses
    assert {name: array.tobytes() for name, array in arrays.items()} == {
        name: array.tobytes() for name, array in apart.items()
    }


def test_a_sum_needs_memory_of_its_own_only_where_somebody_reads_what_its_branch_came_out_in(backend):
    ends = {"conv": Conv2d(2, 1), "batchnorm": BatchNorm(), "relu": ReLU(), "feedback": ErrorFeedback()}
    for kind, layer in ends.items():
        block = Residual([Conv2d(2, 3, padding=1), layer])
        Sequential([block, ReLU()], X.shape[1:], backend=backend)
        y = block.forward(X)
        assert (y is block._buffers.get("y")) == (kind in ("relu", "feedback")), kind
        assert np.shares_memory(y, layer.forward(X)) == (kind not in ("relu", "feedback")), kind


def test_a_loss_keeps_its_error_under_a_block_that_hands_on(backend):
    network = Sequential([Linear(3), Residual([ErrorFeedback()])], (4,), backend=backend)
    x = np.random.default_rng(0).normal(size=(6, 4))
    result = CrossEntropy(backend)(network.forward(x), LABELS[:6])
    error = result.error.copy()
    RULES["bp"](network).backward(result)
    assert (result.error == error).all()
    np.testing.assert_allclose(network["linear1"].dW, x.T @ (2 * error), rtol=1e-12)


def passes():
    """Yield each rule outside of a graph and in one, most as slow ones: the doctor trains such a net by all of them."""
    for rule in RULES:
        if rule not in REFUSED:
            few = () if rule in ("bp", "fdfa") else pytest.mark.slow
            yield pytest.param(rule, False, id=rule, marks=few)
            yield pytest.param(rule, True, id=f"{rule} in a graph", marks=few)


@pytest.mark.parametrize(("rule", "cuda_graph"), list(passes()))
def test_a_residual_net_trains_on_cuda_as_on_the_cpu(rule, cuda_graph, stand_in):
    cuda = CupyBackend("float64", cuda_graph=cuda_graph)
    losses, arrays = trained(cuda, rule)
    expected_losses, expected = trained(Reference(cuda), rule)
    np.testing.assert_allclose(losses, expected_losses, rtol=1e-9)
    assert arrays.keys() == expected.keys()
    for name, array in expected.items():
        # A bias in front of a normalisation has no gradient but rounding.
        assert np.abs(arrays[name] - array).max() <= 1e-8 * max(np.abs(array).max(), 1e-3), name


def test_float32_stays_float32_in_a_residual_net():
    trainer = make_trainer(NumpyBackend("float32"), "bp")
    for _ in trainer.run(1):
        pass
    found = [trainer.network.weights.values, *trainer.network.tree()[0]._buffers.values()]
    found += [array for layer in trainer.network.tree() for array in layer._buffers.values()]
    assert {array.dtype for array in found if array.dtype != np.uint8} == {np.dtype("float32")}


def test_nothing_in_a_step_copies_to_the_host(stand_in):
    trainer = make_trainer(CupyBackend("float64"), "bp")
    x, labels = (trainer.network.backend.asarray(array) for array in (X[:6], LABELS[:6]))
    with trainer.network.computing():
        trainer.step(x, labels)
        with stand_in.no_host_copies():
            trainer.step(x, labels)

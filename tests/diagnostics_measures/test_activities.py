"""Norms, saturated and dead units, effective ranks, and what a linear reader makes of a layer."""

import numpy as np
import pytest

from bdfa_np.backend.cpu.backend import NumpyBackend
from bdfa_np.diagnostics.rank import effective_rank
from bdfa_np.diagnostics.separability import probe_error, standardised_products
from bdfa_np.diagnostics.structure import activations

BACKEND = NumpyBackend("float64")


@pytest.mark.parametrize(
    ("rows", "rank"),
    [
        ([[3, 0], [0, 4]], 49 / 25),
        ([[1, 2, 3], [2, 4, 6]], 1),
        (np.eye(7), 7),
        ([[2, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 0]], 16 / 6),
    ],
)
def test_the_effective_rank_is_the_one_worked_by_hand(rows, rank):
    a = np.array(rows, float)
    assert effective_rank(BACKEND, a) == pytest.approx(rank, rel=1e-6)
    assert effective_rank(BACKEND, a.T.copy()) == pytest.approx(rank, rel=1e-6)


@pytest.mark.parametrize("shape", [(5, 40), (40, 5), (9, 3, 3, 2)])
def test_the_effective_rank_is_that_of_the_singular_values(shape):
    a = np.random.default_rng(0).normal(size=shape)
    sigma = np.linalg.svd(a.reshape(shape[0], -1), compute_uv=False)
    assert effective_rank(BACKEND, a) == pytest.approx(sigma.sum() ** 2 / (sigma**2).sum(), rel=1e-9)


def test_by_blocks_it_is_the_same(monkeypatch):
    a = np.random.default_rng(0).normal(size=(6, 50))
    whole = effective_rank(BACKEND, a)
    monkeypatch.setattr("bdfa_np.diagnostics.rank.BLOCK", 64)
    assert effective_rank(BACKEND, a) == pytest.approx(whole, rel=1e-12)


@pytest.mark.parametrize("entry", [0.0, np.nan, np.inf])
def test_what_has_no_singular_values_has_no_rank(entry):
    with np.errstate(all="ignore"):
        assert np.isnan(effective_rank(BACKEND, np.full((3, 4), entry)))


def test_the_activity_of_a_layer_is_the_next_non_linearity_before_other_weights(nets):
    def named(net):
        return {name: layer.name for name, layer in activations(nets(net).network).items()}

    assert named("vectors") == {"linear1": "tanh1", "linear2": "sigmoid1", "linear3": "linear3"}
    assert named("skips") == {
        "conv1": "relu1",
        "residual1.conv1": "residual1.tanh1",
        "residual1.conv2": "tanh1",
        "residual1.conv3": "tanh1",
        "residual2.conv1": "relu2",
        "linear1": "linear1",
    }
    assert named("tokens") == {
        "linear1": "linear1",
        "residual1.linear1": "residual1.gelu1",
        "residual1.linear2": "residual1.linear2",
        "linear2": "tanh1",
        "linear3": "linear3",
    }


@pytest.mark.parametrize("net", ["vectors", "noisy", "images", "skips", "tokens"])
def test_norms_and_ranks_are_of_the_outputs_before_anybody_writes_over_them(nets, measure, probe, net):
    """Computed again layer by layer, on layers whose every output is copied."""
    values = measure(nets(net, "bp"), "activity", "rank").values
    model = nets(net, "bp")
    sources = activations(model.network)
    kept = {}
    for layer in model.network.tree():
        vars(layer)["forward"] = lambda x, train=True, layer=layer, forward=layer.forward: kept.setdefault(
            layer.name, forward(x.copy(), train).copy()
        )
    model.network.forward(probe.x)
    for place, source in enumerate(sources.values()):
        h = kept[source.name].reshape(len(probe.x), -1)
        sigma = np.linalg.svd(h, compute_uv=False)
        assert values["activity_norm"][place] == pytest.approx(np.linalg.norm(h, axis=1).mean(), rel=1e-12)
        assert values["activity_rank"][place] == pytest.approx(sigma.sum() ** 2 / (sigma**2).sum(), rel=1e-5)


def test_the_rank_of_signals_is_that_of_the_rules_deltas(nets, measure, probe):
    model = nets("images", "dfa")
    deltas = model.rule.deltas(model.loss(model.network.forward(probe.x), probe.labels))
    values = measure(nets("images", "dfa"), "rank").values
    for place, name in enumerate(["conv1", "conv2", "linear1"]):
        sigma = np.linalg.svd(deltas[name].reshape(len(probe.x), -1), compute_uv=False)
        assert values["signal_rank"][place] == pytest.approx(sigma.sum() ** 2 / (sigma**2).sum(), rel=1e-5)


def test_saturated_are_bounded_units_of_a_small_slope(nets, measure, probe):
    model = nets("vectors", "dfa")
    model.network.weights["linear1.W"][...] *= 6
    model.network.weights["linear2.b"][...] = [9, -9, 0, 0, 0]
    values = measure(model, "activity").values
    a = probe.x.reshape(12, -1) @ model.network.weights["linear1.W"] + model.network.weights["linear1.b"]
    share = (1 / np.cosh(a) ** 2 < 0.05).mean()
    assert 0.1 < share < 0.9
    assert values["saturated"][:2].tolist() == [share, 2 / 5]
    assert np.isnan(values["saturated"][2])
    assert np.isnan(values["dead"]).all()


def test_dead_are_rectified_units_that_no_image_moves(nets, measure):
    model = nets("relu", "dfa")
    model.network.weights["linear1.b"][:3] = -100
    values = measure(model, "activity").values
    assert values["dead"][0] == 3 / 7
    assert values["dead"][1] == 0
    assert np.isnan([values["dead"][2], *values["saturated"]]).all()


def test_of_feature_maps_a_channel_is_a_unit(nets, measure):
    model = nets("images", "dfa")
    model.network.weights["batchnorm1.beta"][:2] = -100
    values = measure(model, "activity").values
    assert values["dead"].tolist()[1] == 2 / 5
    assert values["saturated"][0] >= 0


def ridge_by_normal_equations(h, labels, held_out, K):
    """The same reader, solved for its weights and not for its images."""
    N = len(labels)
    kept = h[:N].std(axis=0) > 0
    Z = (h[:, kept] - h[:N, kept].mean(axis=0)) / h[:N, kept].std(axis=0)
    T = np.eye(K)[labels]
    A = np.linalg.solve(Z[:N].T @ Z[:N] + kept.sum() * np.eye(kept.sum()), Z[:N].T @ (T - T.mean(axis=0)))
    return ((Z[N:] @ A + T.mean(axis=0)).argmax(axis=1) != held_out).mean()


@pytest.mark.parametrize("units", [3, 60])
def test_a_ridge_probe_is_the_one_of_the_normal_equations(units):
    generator = np.random.default_rng(4)
    labels, held_out = generator.integers(5, size=40), generator.integers(5, size=50)
    h = generator.normal(size=(90, units)) * generator.uniform(0.01, 100, units) + generator.normal(size=units)
    h += 3 * np.eye(5, units)[np.concatenate([labels, held_out])] * h.std(axis=0)
    h[:, 0] = 7
    error = probe_error(BACKEND, h, labels, held_out, 5)
    assert error == ridge_by_normal_equations(h, labels, held_out, 5)
    assert 0.1 < error < 0.8


def test_a_ridge_probe_by_blocks_is_the_same(monkeypatch):
    h = np.random.default_rng(4).normal(size=(9, 50))
    whole = standardised_products(BACKEND, h, 5)
    monkeypatch.setattr("bdfa_np.diagnostics.separability.BLOCK", 64)
    np.testing.assert_allclose(standardised_products(BACKEND, h, 5), whole, rtol=1e-12)


def test_classes_that_lie_apart_are_read_without_error_and_constants_tell_nothing():
    labels = np.arange(20) % 4
    apart = np.eye(4)[np.concatenate([labels, labels])] + 0.01 * np.random.default_rng(0).normal(size=(40, 4))
    assert probe_error(BACKEND, apart, labels, labels, 4) == 0
    assert probe_error(BACKEND, np.ones((40, 3)), labels, labels, 4) == 0.75


def test_the_probe_reads_the_net_in_use_on_images_that_it_did_not_learn_from(nets, measure, probe):
    model = nets("noisy", "dfa")
    values = measure(model, "probe").values
    both = np.concatenate([probe.x, probe.held_out_x])
    logits = model.network.forward(both, train=False)
    expected = ridge_by_normal_equations(logits, probe.labels, probe.held_out_labels, 4)
    assert values["probe_error"][-1] == expected

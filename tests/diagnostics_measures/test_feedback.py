"""The angle of B to the weights that it stands for."""

import numpy as np
import pytest

from bdfa_np.diagnostics.feedback import mean_jacobians


def between(a, b):
    return np.degrees(np.arccos((a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum())))


def jacobian_by_differences(network, site, x, directions):
    """Return the mean over images of ∂o/∂h v (K,) for some v, each image's own, by central differences at a site.

    The net goes forward as in training, and the batch's statistics are the ones of the images as they are: what
    enters at the site goes up through a net in use whose running averages are this batch's.
    """
    place = network.layers.index(site)
    network.forward(x)
    h = site.h.copy()
    for layer in network.tree():
        if layer.kind == "batchnorm":
            layer.running_mean[...] = layer.mean
            layer.running_variance[...] = 1 / layer.inverse_deviation**2 - layer.epsilon

    def above(h):
        for layer in network.layers[place + 1 :]:
            h = layer.forward(h, train=False)
        return h.sum(axis=0)

    found = []
    for direction in directions:
        step = 1e-7 * direction.reshape(h.shape[1:])
        found.append((above(h + step).copy() - above(h - step)) / 2e-7 / len(x))
    return np.stack(found)


def test_in_a_straight_net_it_is_the_angle_to_the_product_of_the_weights(nets, measure):
    model = nets("straight", "dfa")
    W2, W3 = (model.network.weights[f"linear{number}.W"] for number in (2, 3))
    B = model.rule.B
    values = measure(model, "feedback").values
    expected = [between(B["feedback1"], (W2 @ W3).T), between(B["feedback2"], W3.T)]
    np.testing.assert_allclose(values["feedback_angle"][:2], expected, rtol=1e-12)
    norms = [np.linalg.norm(B["feedback1"]), np.linalg.norm(B["feedback2"])]
    np.testing.assert_allclose(values["feedback_norm"][:2], norms, rtol=1e-12)
    assert np.isnan(values["feedback_angle"][2])
    assert np.isnan(values["feedback_norm"][2])


@pytest.mark.parametrize("net", ["vectors", "images", "skips", "tokens"])
def test_the_jacobian_is_that_of_central_differences(nets, probe, net):
    """Through slopes, pooling, skips, tokens and batch normalisation."""
    network = nets(net, "dfa").network
    sites = [layer for layer in network.layers if layer.kind == "feedback"]
    network.forward(probe.x)
    found = mean_jacobians(network, [site.name for site in sites])
    for site in sites:
        J = found[site.name]
        directions = np.random.default_rng(0).normal(size=(5, J.shape[1]))
        expected = jacobian_by_differences(network, site, probe.x, directions)
        np.testing.assert_allclose(directions @ J.T, expected, atol=1e-6 * np.abs(expected).max())


def test_with_dropout_it_is_the_jacobian_under_the_masks_of_the_pass(nets, probe):
    network = nets("noisy", "dfa").network
    network.forward(probe.x)
    dropped = network["dropout3"].mask.copy()
    slope = network["gelu1"].slope.copy()
    W2, W3 = (network.weights[f"linear{number}.W"] for number in (2, 3))
    factors = (dropped * slope).mean(axis=0)
    found = mean_jacobians(network, ["feedback1"])["feedback1"]
    np.testing.assert_allclose(found, (W2 * factors @ W3).T, rtol=1e-12)


@pytest.mark.parametrize(("images", "classes"), [(12, 23), (3, 40)])
def test_with_many_classes_each_row_is_the_mean_over_some_images(nets, images, classes):
    network = nets("vectors", "dfa", classes=classes).network
    one = np.random.default_rng(2).normal(size=(1, *network.input_shape))
    network.forward(np.repeat(one, images, axis=0))
    found = mean_jacobians(network, ["feedback1", "feedback2"])
    expected = jacobian_by_differences(network, network["feedback1"], one, np.eye(7))
    np.testing.assert_allclose(found["feedback1"].T, expected, atol=1e-7)
    np.testing.assert_allclose(found["feedback2"], network.weights["linear3.W"].T, rtol=1e-12)


def test_layerwise_feedback_is_compared_with_the_weights_of_its_layer(nets, measure):
    model = nets("skips", "fa")
    values = measure(model, "feedback").values
    names = [name.removesuffix(".W") for name in model.network.weights if name.endswith(".W")]
    assert np.isnan(values["feedback_angle"][0])  # below it nothing is sent
    for place, name in enumerate(names[1:], start=1):
        expected = between(model.rule.B[name], model.network.weights[f"{name}.W"])
        assert values["feedback_angle"][place] == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("gradient", ["usf", "brsf", "frsf"])
def test_of_rules_with_the_signs_of_the_weights_it_is_the_angle_of_what_the_signal_passes(nets, measure, gradient):
    model = nets("vectors", gradient)
    W = model.network.weights["linear3.W"]
    model.network.forward(np.zeros((2, *model.network.input_shape)))
    V = model.rule.matrix(model.network["linear3"])
    assert (np.sign(V) == np.sign(W)).all()
    angle = measure(nets("vectors", gradient), "feedback").values["feedback_angle"][2]
    assert angle == pytest.approx(between(V, W), rel=1e-10)
    assert angle < 60


def test_of_a_product_of_two_matrices_it_is_the_angle_of_the_product(nets, measure):
    model = nets("vectors", "pfa")
    M, R = model.rule.M["linear3"], model.rule.B["linear3"]
    values = measure(model, "feedback").values
    assert values["feedback_angle"][2] == pytest.approx(between((M @ R).T, model.network.weights["linear3.W"]))
    assert values["feedback_norm"][2] == pytest.approx(np.linalg.norm(M @ R))


def test_the_matrix_that_draws_the_input_is_compared_with_the_lowest_weights(nets, measure):
    model = nets("vectors", "bfa")
    values = measure(model, "feedback").values
    expected = between(model.rule.B["linear1"], model.network.weights["linear1.W"])
    assert values["feedback_angle"][0] == pytest.approx(expected)


def test_a_site_that_ends_a_block_of_several_layers_belongs_to_the_highest_of_the_branch(nets, measure):
    model = nets("skips", "dfa")
    names = np.array([name for name in model.network.weights if name.endswith(".W")])
    has = names[np.isfinite(measure(model, "feedback").values["feedback_angle"])]
    assert has.tolist() == ["residual1.conv2.W", "residual2.conv1.W"]


def test_a_rule_from_outside_may_hold_what_it_likes(nets, measure, tmp_path):
    (tmp_path / "odd.py").write_text(
        "from bdfa_np import BP\n\n\nclass Odd(BP):\n"
        "    def __init__(self, network):\n        super().__init__(network)\n"
        "        held = self.backend.asarray(__import__('numpy').full((2, 3), 2.0))\n"
        "        self.B = {'linear2': held, 'linear3': network.weights['linear3.W'], 'elsewhere': held}\n"
    )
    values = measure(nets("vectors", tmp_path / "odd.py"), "feedback").values
    assert values["feedback_angle"][2] == 0
    assert np.isnan(values["feedback_angle"][:2]).all()
    assert values["feedback_norm"][1] == pytest.approx(24**0.5)


def test_what_all_classes_have_in_common_and_the_rank_are_those_of_the_rows_of_b(nets, measure):
    model = nets("straight", "dfa")
    B = model.rule.B["feedback1"]
    values = measure(model, "feedback").values
    classes = len(B)
    assert values["feedback_common"][0] == pytest.approx(classes * (B.mean(axis=0) ** 2).sum() / (B**2).sum())
    singular = np.linalg.svd(B, compute_uv=False)
    assert values["feedback_rank"][0] == pytest.approx(singular.sum() ** 2 / (singular**2).sum())
    assert np.isnan(values["feedback_common"][2])
    assert np.isnan(values["feedback_rank"][2])


def test_one_row_for_all_classes_is_all_in_common_and_rows_that_cancel_out_are_nothing(nets, measure):
    model = nets("straight", "dfa")
    B = model.rule.B["feedback1"]
    B[...] = B[:1]
    values = measure(model, "feedback").values
    assert values["feedback_common"][0] == pytest.approx(1)
    assert values["feedback_rank"][0] == pytest.approx(1)
    B[...] = np.where(np.arange(len(B)) < 2, 1, 0)[:, None] * B[:1]
    B[1] *= -1
    assert measure(model, "feedback").values["feedback_common"][0] == pytest.approx(0, abs=1e-12)


def test_layerwise_rules_have_neither(nets, measure):
    values = measure(nets("straight", "fa"), "feedback").values
    assert np.isnan(values["feedback_common"]).all()
    assert np.isnan(values["feedback_rank"]).all()
    assert np.isnan(values["feedback_fit"]).all()


@pytest.mark.parametrize("target", ["torch", "label", "mixed", "centred"])
def test_the_fit_is_the_mean_of_sigma_of_what_bdfa_ascends(nets, probe, measure, target):
    model = nets("vectors", "bdfa", feedback_target=target)
    network = model.network
    values = measure(model, "feedback").values["feedback_fit"]
    result = model.loss(network.forward(probe.x), probe.labels)
    for k, site in enumerate(reversed(model.rule.sites), start=1):
        Y = {
            "torch": np.where(result.targets, 1, 0.25**k * result.outputs),
            "label": result.targets,
            "mixed": result.targets + 0.25 * result.probabilities,
            "centred": result.targets - 1 / result.targets.shape[1],
        }[target]
        s = ((Y @ model.rule.B[site.name]) * site.h.reshape(len(probe.x), -1)).sum(axis=1)
        expected = (1 / (1 + np.exp(-s))).mean()
        assert values[len(model.rule.sites) - k] == pytest.approx(expected, rel=1e-10)
    assert np.isnan(values[-1])

"""What is drawn is what was computed: by hand, by another library, or by the net itself."""

import re
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pytest

from bdfa_np import Config, build_model, figures, load_dataset
from bdfa_np.data.preprocess.yuv import WEIGHTS
from bdfa_np.figures.embedding import principal
from bdfa_np.figures.parts import weights
from bdfa_np.figures.parts.scale import Scale
from bdfa_np.losses import MeanSquaredError


def arrays(axes):
    return [np.asarray(image.get_array()) for image in axes.images]


def mlp(rule, **options):
    """Return a net for images of 2x3 pixels, with two hidden units and three classes, its numbers set by hand."""
    settings = {"num_layers": 1, "num_hidden": 2, "gradient": rule, "backend": "numpy", "init": "uniform"}
    return build_model(Config(**{**settings, **options}), (2, 3, 1), 3, dtype="float64")


@pytest.fixture
def axes():
    made = plt.figure().add_subplot()
    yield made
    plt.close("all")


def test_features_are_the_columns_of_w_as_images_the_largest_norm_first(digits_bfa, subject, axes):
    model = mlp("bp")
    model.network["linear1"].W[...] = np.arange(12.0).reshape(6, 2) * [1, -1]
    figures.features(subject(digits_bfa, model), axes=axes)
    expected = [[[-1, -3, -5], [-7, -9, -11]], [[0, 2, 4], [6, 8, 10]]]
    np.testing.assert_array_equal(arrays(axes), expected)
    assert "all 2 units" in axes.get_title()
    low, high = axes.images[0].get_clim()
    assert low == -high < 0


def test_the_first_units_are_drawn_where_they_are_asked_for(digits_bfa, subject, axes):
    model = subject(digits_bfa).runs[0].model()
    figures.features(digits_bfa, axes=axes, order="first", count=3)
    np.testing.assert_array_equal(arrays(axes), model.network["linear1"].W.T[:3].reshape(3, 28, 28))
    assert "the first 3 of 10 units" in axes.get_title()


def test_kernels_of_three_channels_are_colours_with_grey_for_zero(colours_conv, subject, axes):
    model = subject(colours_conv).runs[0].model()
    W = model.network["conv1"].W  # (5, 5, 3, channels)
    W[...] = 0
    W[0, 0, 0, 4], W[0, 0, 2, 4] = 2, -2
    figures.features(subject(colours_conv, model), axes=axes, count=1)
    (kernel,) = arrays(axes)
    np.testing.assert_allclose(kernel[0, 0], [1, 0.5, 0])
    np.testing.assert_allclose(kernel[1:], 0.5)


def test_weights_of_yuv_are_turned_into_those_that_red_green_and_blue_have():
    class Yuv:
        class preprocessing:
            format = "yuv"

    w, rgb = np.random.default_rng(0).normal(size=(2, 1, 1, 3))
    of_rgb = weights.in_colours(Yuv, w.reshape(1, 1, 1, 3)).ravel()
    assert of_rgb @ rgb.ravel() == pytest.approx(w.ravel() @ (WEIGHTS @ rgb.ravel()))


def test_half_a_per_cent_of_outliers_do_not_leave_the_rest_grey():
    values = np.ones(1000)
    values[3] = -500
    scale = Scale.signed(values, "weight")
    assert (scale.lowest, scale.highest, scale.cut) == (-1, 1, True)
    assert (Scale.signed(np.zeros(4), "weight").highest, Scale.signed(np.zeros(4), "weight").cut) == (1, False)


def test_signs_are_told_apart_by_hue_and_in_greyscale():
    import matplotlib

    colours = matplotlib.colormaps[Scale.signed(np.ones(1), "").colours](np.linspace(0, 1, 101))[:, :3]
    lightness = colours @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(lightness) > 0).all()
    assert np.ptp(colours[50]) < 0.03  # grey at 0
    assert colours[0, 2] - colours[0, 0] > 0.2
    assert colours[-1, 0] - colours[-1, 2] > 0.5


def test_a_direct_rules_feedback_is_b_times_w_transposed_a_class_an_image(digits_bfa, subject, axes):
    model = mlp("dfa")
    B, W = model.rule.B["feedback1"], model.network["linear1"].W
    figures.feedback(subject(digits_bfa, model), axes=axes)
    np.testing.assert_allclose(arrays(axes), (B @ W.T).reshape(3, 2, 3))
    assert "row of B at feedback1, carried to the input by W of linear1" in " ".join(axes.get_title().split())


def test_feedback_that_has_learnt_stands_below_what_the_seed_draws(digits_bfa, subject, axes):
    model = mlp("bdfa")
    B, W = model.rule.B["feedback1"], model.network["linear1"].W
    began = B.copy()
    B += 1
    figures.feedback(subject(digits_bfa, model), axes=axes)
    np.testing.assert_allclose(arrays(axes), np.reshape([began @ W.T, B @ W.T], (6, 2, 3)))
    assert [text.get_text() for text in axes.texts if text.get_ha() == "right"] == ["as drawn", "trained"]


def test_a_layerwise_rules_feedback_is_the_product_of_its_matrices(digits_bfa, subject, axes):
    model = mlp("fa", num_layers=2)
    network, B = model.network, model.rule.B
    figures.feedback(subject(digits_bfa, model), axes=axes)
    expected = B["linear3"].T @ B["linear2"].T @ network["linear1"].W.T
    np.testing.assert_allclose(arrays(axes), expected.reshape(3, 2, 3))


def test_under_usf_it_is_the_product_of_signs(digits_bfa, subject, axes):
    model = mlp("usf")
    W1, W2 = (model.network[name].W for name in ("linear1", "linear2"))
    figures.feedback(subject(digits_bfa, model), axes=axes)
    expected = model.rule.s["linear2"] * np.sign(W2).T @ W1.T
    np.testing.assert_allclose(arrays(axes), expected.reshape(3, 2, 3))


def test_under_bfa_it_is_the_lowest_b_itself(digits_bfa, subject, axes):
    B = subject(digits_bfa).runs[0].model().rule.B["linear1"]
    figures.feedback(digits_bfa, axes=axes)
    order = np.argsort(-np.linalg.norm(B.astype(float), axis=0), kind="stable")
    np.testing.assert_array_equal(arrays(axes), B.T[order].reshape(10, 28, 28))


def test_through_a_convolution_and_a_pool_it_is_the_transposed_convolution_of_the_unpooled(colours_conv, subject):
    from bdfa_np.figures.feedback import carried

    model = subject(colours_conv).runs[0].model()
    rule, network = model.rule, model.network
    site = rule.sites[0]
    conv, pool = network["conv1"], next(layer for layer in network.layers if layer.kind == "pool")
    assert [layer.kind for layer in network.layers[: network.layers.index(site)]] == ["conv", "relu", "pool"]
    h = rule.B[site.name].reshape(10, *site.input_shape)
    expected = conv.project_feedback(pool.unpool(h), conv.W)
    np.testing.assert_allclose(carried(model, rule), expected, rtol=1e-5, atol=1e-6)


def test_digits_are_what_the_feedback_phase_of_the_paper_generates(digits_bfa, subject, axes):
    model = subject(digits_bfa).runs[0].model()
    B1, B2, B3 = (model.rule.B[name].astype(np.float64) for name in ("linear1", "linear2", "linear3"))
    t = np.eye(10)
    g1 = np.tanh(np.tanh(t @ B3.T) @ B2.T)  # Luo, eq. 23-24
    x = 1 / (1 + np.exp(-g1 @ B1.T))  # eq. 25
    figures.digits(digits_bfa, axes=axes)
    drawn = np.array(arrays(axes))
    np.testing.assert_allclose(drawn[[0, 1, 2, 3, 4, 10, 11, 12, 13, 14]], 255 * x.reshape(10, 28, 28), atol=1e-2)
    raw, _, labels = subject(digits_bfa).runs[0].test_set()
    means = [raw[labels == label, ..., 0].mean(axis=0) for label in range(10)]
    np.testing.assert_allclose(drawn[[5, 6, 7, 8, 9, 15, 16, 17, 18, 19]], means, atol=1e-3)
    assert "".join(text.get_text() for text in axes.child_axes[0].get_xticklabels()) == "0255"


def test_errors_are_those_whose_wrong_class_had_the_largest_output(digits_bfa, subject, axes):
    model = subject(digits_bfa).runs[0].model()
    raw, prepared, labels = subject(digits_bfa).runs[0].test_set()
    figures.errors(digits_bfa, axes=axes, count=4)
    outputs = 1 / (1 + np.exp(-model.network.predict(prepared)))
    wrong = np.flatnonzero(outputs.argmax(axis=1) != labels)
    order = wrong[np.argsort(-outputs[wrong].max(axis=1), kind="stable")][:4]
    np.testing.assert_array_equal(arrays(axes), raw[order, ..., 0])
    expected = [f"{labels[place]} → {outputs[place].argmax()}\n{outputs[place].max():.2f}" for place in order]
    assert [text.get_text() for text in axes.texts] == expected
    assert f"{len(wrong)} of them wrong" in axes.get_title()


def test_the_embedding_is_the_projection_on_the_two_directions_of_most_variance(digits_bfa, subject, axes):
    model = subject(digits_bfa).runs[0].model()
    _, prepared, labels = subject(digits_bfa).runs[0].test_set()
    h = np.tanh(prepared.reshape(100, -1) @ model.network["linear1"].W + model.network["linear1"].b)
    h = np.tanh(h @ model.network["linear2"].W + model.network["linear2"].b).astype(np.float64)
    values, vectors = np.linalg.eigh(np.cov(h.T))
    expected = (h - h.mean(axis=0)) @ vectors[:, :-3:-1]
    figures.embedding(digits_bfa, axes=axes)
    for label, points in enumerate(axes.collections):
        found = np.asarray(points.get_offsets())
        np.testing.assert_allclose(np.abs(found), np.abs(expected[labels == label]), atol=1e-4)
    shares = values[::-1] / values.sum()
    assert axes.get_xlabel() == f"component 1: {shares[0]:.0%} of variance"
    assert axes.get_ylabel() == f"component 2: {shares[1]:.0%} of variance"


@pytest.mark.oracle
def test_the_embedding_is_that_of_scikit_learn():
    from sklearn.decomposition import PCA

    values = np.random.default_rng(0).normal(size=(40, 7)) * np.arange(1, 8)
    oracle = PCA(2)
    expected = oracle.fit_transform(values)
    places, shares = principal(values)
    np.testing.assert_allclose(np.abs(places), np.abs(expected), rtol=1e-9)
    np.testing.assert_allclose(shares, oracle.explained_variance_ratio_)


def test_samples_of_one_number_or_without_variance_are_embedded_too():
    places, shares = principal(np.array([[1.0], [3.0], [2.0]]))
    np.testing.assert_allclose(places, [[-1, 0], [1, 0], [0, 0]], atol=1e-12)
    assert shares == pytest.approx((1, 0))
    assert principal(np.ones((4, 3)))[1] == (0, 0)


def test_a_picture_changes_no_weights(digits_bfa, subject):
    one = subject(digits_bfa)
    model = one.runs[0].model()
    state = {name: array.copy() for name, array in model.state()["weights"].items()}
    figures.digits(subject(digits_bfa, model))
    assert all(np.array_equal(array, state[name]) for name, array in model.state()["weights"].items())


def test_normalised_whitened_and_yuv_samples_are_undone_to_what_they_were():
    from bdfa_np.data import ZCA, Normalization, Preprocessing
    from bdfa_np.data.preprocess.raw_values import RawValues

    images = load_dataset("mnist-5k").train_images[:60, 10:14, 10:14].repeat(3, axis=3) // [1, 2, 3]
    images = images.astype(np.uint8)
    raw, names = RawValues.of(images), ("a", "b")
    for kind in ("scale", "simple", "channel", "image"):
        done = Preprocessing((4, 4, 3), names, raw, normalization=Normalization.fit(kind, images))
        np.testing.assert_allclose(done.undo(done.apply(images)), images, atol=1e-3)
    yuv = Preprocessing(
        (4, 4, 3), names, raw, normalization=Normalization("scale", np.array(0.0), np.array(255.0)), format="yuv"
    )
    np.testing.assert_allclose(yuv.undo(yuv.apply(images)), images, atol=1e-3)
    zca = ZCA.fit(images)
    whitened = zca.apply(images, np.empty(images.shape, np.float32))
    undone = Preprocessing((4, 4, 3), names, raw, whitening=zca).undo(whitened)
    np.testing.assert_allclose(undone, images, atol=0.1)
    with pytest.raises(ValueError, match="without the way back"):
        Preprocessing((4, 4, 3), names, raw, whitening=zca.one_way()).undo(np.zeros((1, 4, 4, 3)))


def test_feedback_that_nothing_is_carried_through_has_a_row_a_unit(digits_bfa, subject, axes):
    settings = Config(network="lenet5", gradient="fa", backend="numpy")
    model = build_model(settings, (28, 28, 1), 10)
    figures.feedback(subject(digits_bfa, model), axes=axes)
    B = model.rule.B["conv2"]
    np.testing.assert_array_equal(arrays(axes), [B.reshape(-1, 16).T])
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("input of the layer", "unit")


def test_an_output_of_a_net_that_diverged_fits_under_its_image(digits_bfa, subject, axes):
    model = subject(digits_bfa).runs[0].model()
    model.network.weights.values *= np.float32(1e18)
    diverged = replace(model, loss=MeanSquaredError(model.backend))
    figures.errors(subject(digits_bfa, diverged), axes=axes, count=1)
    assert re.fullmatch(r"\d → \d\n-?\d(\.\d)?e\+\d\d", axes.texts[0].get_text())

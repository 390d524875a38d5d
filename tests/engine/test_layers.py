"""Layers one by one, where hand-worked numbers or their random streams say what they must do."""

import numpy as np
import pytest

from bdfa_np import Config, Flatten, Linear, Sequential, build_model
from bdfa_np.backend.cpu.backend import NumpyBackend
from bdfa_np.errors import ConfigError
from bdfa_np.layers import BatchNorm, Conv2d, Dropout, MaxPool2d


def alone(layer, shape, **options):
    options.setdefault("backend", NumpyBackend("float64"))
    return Sequential([layer], shape, **options)[f"{layer.kind}1"]


def test_a_convolution_is_the_sum_over_each_window():
    layer = alone(Conv2d(1, 2, padding=1), (2, 2, 1))
    layer.W[:, :, 0, 0] = [[1, 10], [100, 1000]]
    layer.b[...] = 0.5
    x = np.array([[1.0, 2.0], [3.0, 4.0]]).reshape(1, 2, 2, 1)
    expected = [[1000, 2100, 200], [3010, 4321, 402], [30, 43, 4]]
    np.testing.assert_allclose(layer.forward(x)[0, :, :, 0], np.array(expected) + 0.5)


@pytest.mark.parametrize("channels", [2, 6])  # which are convolved in different ways
def test_a_batch_cut_into_blocks_gives_what_it_gives_whole(monkeypatch, channels):
    x, found = np.random.default_rng(0).normal(size=(7, 6, 5, channels)), []
    for limit in (10**9, 1, 3000):  # bytes: the whole batch, one image, a few
        for way in ("convolution", "few_channels"):
            monkeypatch.setattr(f"bdfa_np.backend.cpu.{way}.COLUMNS_BYTES", limit)
        layer = alone(Conv2d(4, 3, padding=1), (6, 5, channels), rng=1)
        y = layer.forward(x).copy()
        found.append((y, layer.backward(np.cos(y)).copy(), layer.dW.copy(), layer.db.copy()))
    for other in found[1:]:
        for whole, cut in zip(found[0], other, strict=True):
            np.testing.assert_allclose(cut, whole, rtol=1e-12, atol=1e-14)


def test_pooling_takes_the_first_of_equal_entries_and_leaves_out_what_fills_no_window():
    layer = alone(MaxPool2d(2, 2), (3, 3, 1))
    x = np.array([[5.0, 5, 9], [5, 1, 9], [9, 9, 9]]).reshape(1, 3, 3, 1)
    assert layer.forward(x).ravel().tolist() == [5]
    assert layer.backward(np.full((1, 1, 1, 1), 2.0)).reshape(3, 3).tolist() == [[2, 0, 0], [0, 0, 0], [0, 0, 0]]


def test_pooling_hands_a_number_that_is_none_on_wherever_it_stands():
    layer = alone(MaxPool2d(2), (2, 2, 1))
    for place in range(4):
        x = np.ones((1, 2, 2, 1))
        x.ravel()[place] = np.nan
        assert np.isnan(layer.forward(x)).all()


def test_batch_normalisation_gives_mean_beta_and_deviation_gamma():
    layer = alone(BatchNorm(), (4, 4, 3))
    layer.gamma[...], layer.beta[...] = [1, 2, 3], [0, -1, 5]
    x = np.random.default_rng(0).normal(3, 2, (10, 4, 4, 3))
    y = layer.forward(x)
    np.testing.assert_allclose(y.mean(axis=(0, 1, 2)), layer.beta, atol=1e-12)
    np.testing.assert_allclose(y.std(axis=(0, 1, 2)), layer.gamma, rtol=1e-5)


def test_batch_normalisation_in_use_takes_the_running_averages_and_changes_none():
    layer = alone(BatchNorm(momentum=0.25), (3,))
    x = np.random.default_rng(0).normal(3, 2, (50, 3))
    layer.forward(x)
    np.testing.assert_allclose(layer.running_mean, 0.25 * x.mean(axis=0))
    np.testing.assert_allclose(layer.running_variance, 0.75 + 0.25 * x.var(axis=0, ddof=1))
    before = {name: array.copy() for name, array in layer.state().items()}
    y = layer.forward(x, train=False)
    np.testing.assert_allclose(y, (x - layer.running_mean) / np.sqrt(layer.running_variance + 1e-5))
    assert all((layer.state()[name] == before[name]).all() for name in before)


def test_without_bias_batch_normalisation_has_no_beta():
    assert list(Sequential([BatchNorm(bias=False)], (3,)).weights) == ["batchnorm1.gamma"]


def test_dropout_keeps_the_mean_and_drops_as_often_as_it_says():
    layer = alone(Dropout(0.25), (1000,), backend=NumpyBackend())
    y = layer.forward(np.ones((100, 1000), np.float32))
    assert set(np.unique(y)) == {np.float32(0), np.float32(1 / 0.75)}
    assert abs((y == 0).mean() - 0.25) < 0.01
    grad = layer.backward(np.ones_like(y))
    assert (grad == y).all()


def test_dropout_does_nothing_in_use():
    layer = alone(Dropout(0.5), (10,))
    x = np.random.default_rng(0).normal(size=(4, 10))
    layer.forward(x)
    assert (layer.forward(x, train=False) == x).all()
    assert (layer.backward(x) == x).all()


def test_dropout_masks_differ_between_passes_and_layers_and_follow_from_the_seed():
    def masks(seed):
        network = Sequential([Dropout(0.5), Dropout(0.5)], (200,), rng=seed)
        found = []
        for _ in range(2):
            network.forward(np.ones((1, 200), np.float32))
            found += [layer.mask.copy() for layer in network]
        return found

    first = masks(1)
    assert all((a == b).all() for a, b in zip(first, masks(1), strict=True))
    assert len({mask.tobytes() for mask in [*first, *masks(2)]}) == 8


def test_a_pass_in_use_moves_no_dropout_mask():
    def second_mask(with_test_pass):
        network = Sequential([Flatten(), Dropout(0.5), Linear(2)], (50,))
        x = np.ones((1, 50), np.float32)
        network.forward(x)
        if with_test_pass:
            network.predict(x)
        network.forward(x)
        return network["dropout1"].mask

    assert (second_mask(True) == second_mask(False)).all()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Conv2d(0, 3), "Conv2d needs"),
        (lambda: Conv2d(3, 3, padding=-1), "Conv2d needs"),
        (lambda: Conv2d(3, 3, initial="x"), "initial must be one of"),
        (lambda: alone(Conv2d(3, 5), (4, 9, 1)), "no 5x5 window fits"),
        (lambda: alone(Conv2d(3, 5), (20,)), "takes images"),
        (lambda: MaxPool2d(0), "MaxPool2d needs"),
        (lambda: MaxPool2d(16), "MaxPool2d needs"),
        (lambda: alone(MaxPool2d(3), (2, 9, 1)), "no 3x3 window fits"),
        (lambda: alone(MaxPool2d(3), (20,)), "takes images"),
        (lambda: Dropout(1.0), "dropout probability"),
        (lambda: Dropout(-0.1), "dropout probability"),
    ],
)
def test_layers_that_cannot_be_are_refused_with_the_reason(make, message):
    with pytest.raises(ValueError, match=message):
        make()


CONV_BLOCK = ["conv", "tanh", "pool", "feedback"]
FULL_BLOCK = ["linear", "tanh", "feedback"]


def kinds(**options):
    return [layer.kind for layer in build_model(Config(**options), (28, 28, 1), 10).network]


def test_conv_has_the_layers_of_the_original():
    assert kinds(network="conv") == [*CONV_BLOCK * 3, "flatten", *FULL_BLOCK * 2, "linear"]
    network = build_model(Config(network="conv"), (32, 32, 3), 10).network
    shapes = {name: network.weights[name].shape for name in network.weights if name.endswith("W")}
    assert list(shapes.values()) == [
        (5, 5, 3, 96),
        (5, 5, 96, 128),
        (5, 5, 128, 256),
        (2304, 2048),
        (2048, 2048),
        (2048, 10),
    ]
    assert [layer.output_shape for layer in network if layer.kind == "pool"] == [(15, 15, 96), (7, 7, 128), (3, 3, 256)]


@pytest.mark.parametrize(
    ("network", "dropout", "probabilities"),
    [
        ("mlp", 1, [0.1, 0.5, 0.5]),
        ("mlp", 2, [0.1]),
        ("conv", 1, [0.1, 0.25, 0.25, 0.5, 0.5, 0.5]),
        ("conv", 2, [0.25, 0.25]),
    ],
)
def test_dropout_stands_where_the_original_has_it(network, dropout, probabilities):
    layers = build_model(Config(network=network, dropout=dropout), (28, 28, 1), 10).network.layers
    places = [i for i, layer in enumerate(layers) if layer.kind == "dropout"]
    assert [layers[i].probability for i in places] == probabilities
    for i in places:
        before = "input" if i == 0 else layers[i - 1].kind
        assert before == ({"mlp": "flatten", "conv": "input"}[network] if layers[i].probability == 0.1 else "tanh")


def test_batch_normalisation_stands_before_the_non_linearities_it_is_asked_for():
    norm = "batchnorm"
    assert kinds(batchnorm=1).count(norm) == 2
    full = kinds(network="conv", batchnorm=1)
    assert [full[i + 1] for i, kind in enumerate(full) if kind == norm] == ["tanh"] * 5
    second = build_model(Config(network="conv", batchnorm=2), (28, 28, 1), 10).network
    assert [layer.input_shape for layer in second if layer.kind == norm] == [(13, 13, 128)]
    epsilons = [
        layer.epsilon
        for layer in build_model(Config(network="conv", batchnorm=1), (28, 28, 1), 10).network
        if layer.kind == norm
    ]
    assert epsilons == [1e-3, 1e-3, 1e-3, 1e-5, 1e-5]


def test_without_bias_no_layer_has_one():
    network = build_model(Config(network="conv", batchnorm=1, bias=False), (28, 28, 1), 10).network
    assert {name.split(".")[1] for name in network.weights} == {"W", "gamma"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batchnorm": 2}, "--batchnorm 2 has no part in --network mlp, only in conv: choose from 0, 1"),
        ({"network": "conv", "num_hidden": 100}, "--num-hidden has no part in --network conv"),
        ({"network": "conv", "num_layers": 3}, "--num-layers has no part in --network conv"),
        ({"dropout": 3}, "--dropout 3: choose from 0, 1, 2"),
    ],
)
def test_options_that_a_net_does_not_have_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        Config(**options).resolve()


def test_images_too_small_for_conv_are_refused_in_one_line():
    with pytest.raises(
        ConfigError, match=r"--network conv does not fit samples of shape \(14, 14, 1\): images of 15x15"
    ):
        build_model(Config(network="conv"), (14, 14, 1), 10)

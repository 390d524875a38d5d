"""``push_forward`` of every layer: against central differences, against ``backward``, and disturbing neither."""

import numpy as np
import pytest
from layer_checks import (
    LAYERS,
    Bound,
    check_central_differences,
    check_gradients,
    check_nothing_is_disturbed,
    check_transposed,
)

import bdfa_np.layers
from bdfa_np import Layer, Sequential, Tanh
from bdfa_np.backend.cpu.backend import NumpyBackend
from bdfa_np.errors import ExtensionError
from bdfa_np.layers import BatchNorm, Container, MaxPool2d

every_layer = pytest.mark.parametrize("name", LAYERS)
in_training_and_in_use = pytest.mark.parametrize("train", [True, False], ids=["in training", "in use"])


@in_training_and_in_use
@every_layer
def test_a_layers_tangent_is_its_derivative_in_a_direction(name, train, backend):
    check_central_differences(Bound(*LAYERS[name], backend, train))


@in_training_and_in_use
@every_layer
def test_a_layers_backward_is_the_transpose_of_its_push_forward(name, train, backend):
    check_transposed(Bound(*LAYERS[name], backend, train))


@in_training_and_in_use
@every_layer
def test_a_layers_parameters_get_the_gradient_that_central_differences_give(name, train, backend):
    check_gradients(Bound(*LAYERS[name], backend, train))


@in_training_and_in_use
@every_layer
def test_tangents_and_gradients_do_not_disturb_each_other(name, train, backend):
    check_nothing_is_disturbed(Bound(*LAYERS[name], backend, train))


@every_layer
def test_a_tangent_stays_in_float32(name):
    bound = Bound(*LAYERS[name], NumpyBackend("float32"), True)
    bound.layer.forward(bound.x.astype("float32"))
    assert bound.layer.push_forward(bound.dx.astype("float32")).dtype == np.float32


@every_layer
def test_a_smaller_batch_after_a_larger_one_has_its_own_tangents(name, backend):
    bound = Bound(*LAYERS[name], backend, False)
    bound.forward(bound.x)
    whole = bound.layer.push_forward(bound.dx).copy()
    bound.forward(bound.x[:4])
    np.testing.assert_allclose(bound.layer.push_forward(bound.dx[:4]), whole[:4], rtol=1e-12, atol=1e-14)


def test_every_kind_of_layer_is_among_those_that_are_checked(backend):
    kinds = {type(make()) for make, _ in LAYERS.values()}
    public = [getattr(bdfa_np.layers, name) for name in bdfa_np.layers.__all__]
    layers = {kind for kind in public if isinstance(kind, type) and issubclass(kind, Layer)}
    assert layers - kinds == {Layer, Container}


def test_the_tangent_of_a_batchs_normalisation_has_mean_0_and_nothing_along_the_normalised(backend):
    bound = Bound(BatchNorm, (5,), backend, True)
    bound.forward(bound.x)
    dy = bound.layer.push_forward(bound.dx)
    np.testing.assert_allclose(dy.sum(axis=0), 0, atol=1e-13)
    # x̂ has the length √M all but ε: only its direction is fixed.
    np.testing.assert_allclose((dy * (bound.x - bound.x.mean(axis=0))).sum(axis=0), 0, atol=1e-4)


def test_pooling_hands_on_the_tangent_of_the_first_of_equal_entries(backend):
    layer = MaxPool2d(2)
    Sequential([layer], (2, 2, 1), backend=backend)
    layer.forward(np.full((1, 2, 2, 1), 3.0))
    assert layer.push_forward(np.array([[[[5.0], [6.0]], [[7.0], [8.0]]]])).item() == 5


def test_a_layer_from_outside_that_cannot_push_forward_is_named(backend):
    class Halved(Layer):
        kind = "halved"

        def forward(self, x, train=True):
            return x / 2

    network = Sequential([Tanh(), Halved()], (3,), backend=backend)
    network.forward(np.ones((2, 3)))
    with pytest.raises(ExtensionError, match=r"^halved1: Halved has no push_forward\(dx\), which a rule needs"):
        network.push_forward(np.ones((2, 3)))

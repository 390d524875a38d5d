"""Gradients of each kind of layer against central differences, and float32 against float64."""

import numpy as np

STEP = 1e-5
TOLERANCE = 1e-7


def central_difference(function, x):
    """Return the gradient of a scalar function at x, entry by entry; x is changed in place and restored."""
    gradient = np.empty_like(x)
    for index in np.ndindex(*x.shape):
        kept, sides = x[index], []
        for step in (STEP, -STEP):
            x[index] = kept + step
            sides.append(function())
        x[index] = kept
        gradient[index] = (sides[0] - sides[1]) / (2 * STEP)
    return gradient


def relative_error(actual, expected):
    return np.abs(actual - expected).max() / np.abs(expected).max()


def test_backward_is_the_transposed_jacobian(bound):
    network, x, direction = bound()
    (layer,) = network.layers

    def value():
        return float((layer.forward(x) * direction).sum())

    value()
    grad_x = layer.backward(direction.copy()).copy()
    assert relative_error(grad_x, central_difference(value, x)) < TOLERANCE
    for parameter in network.weights:
        numeric = central_difference(value, network.weights[parameter])
        assert relative_error(network.weights.gradient(parameter), numeric) < TOLERANCE


def test_parameter_gradients_add_up_over_two_backward_passes(bound):
    network, x, direction = bound()
    (layer,) = network.layers
    layer.forward(x)
    layer.backward(direction)
    once = network.weights.gradients.copy()
    assert layer.backward(direction, need_grad_in=False) is None
    np.testing.assert_allclose(network.weights.gradients, 2 * once, rtol=1e-12)


def test_float32_stays_float32_and_near_float64(bound):
    found, held = [], {}
    for dtype in ("float32", "float64"):
        network, x, direction = bound(dtype)
        (layer,) = network.layers
        given = {"x": x, "direction": direction, "weights": network.weights.values}
        for name, array in given.items():  # both precisions have the same numbers
            array[...] = held.setdefault(name, array.copy())
        passed = [layer.forward(x).copy(), layer.push_forward(x).copy(), layer.backward(direction).copy()]
        found.append([*passed, network.weights.gradients.copy()])
    for single, double in zip(*found, strict=True):
        assert (single.dtype, double.dtype) == ("float32", "float64")
        if double.size:
            assert relative_error(single, double) < 2e-5


def test_what_a_layer_returns_is_contiguous_as_kernels_need_it(bound):
    network, x, direction = bound()
    (layer,) = network.layers
    for array in (layer.forward(x), layer.push_forward(x), layer.backward(direction)):
        assert array.flags.c_contiguous

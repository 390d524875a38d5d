"""Optimizers: hand-worked steps of Torch7's formulas, over many blocks, and their saved state."""

import math

import numpy as np
import pytest

from bdfa_np import Linear, Sequential
from bdfa_np.backend.numpy_backend import BLOCK
from bdfa_np.optim import OPTIMIZERS, SGD, Adam, RMSprop

GRADIENTS = [np.array([0.5, -2.0]), np.array([1.0, 0.25]), np.array([-3.0, 0.0])]
START = np.array([1.0, -1.0])


def make_vector(backend, size=2):
    vector = Sequential([Linear(1, bias=False)], (size,), backend=backend).weights
    if size == 2:
        vector.values[...] = START
    return vector


def run(optimizer, vector, gradients):
    path = []
    for gradient in gradients:
        vector.gradients[...] = gradient
        optimizer.step()
        path.append(vector.values.copy())
    return np.array(path)


def by_hand(update, gradients=GRADIENTS):
    """Follow an update(w, g, t, state) for each scalar on its own, with Python's floats; t counts from 1."""
    columns = []
    for index, start in enumerate(START):
        w, state, path = float(start), {}, []
        for t, gradient in enumerate(gradients, start=1):
            w = update(w, float(gradient[index]), t, state)
            path.append(w)
        columns.append(path)
    return np.array(columns).T


def sgd_with_everything(w, g, t, state):
    g += 0.1 * w
    state["m"] = g if t == 1 else 0.9 * state["m"] + (1 - 0.9) * g
    return w - 0.5 / (1 + (t - 1) * 0.2) * state["m"]


def rmsprop(w, g, t, state):
    del t
    g += 0.1 * w
    state["v"] = 0.99 * state.get("v", 0.0) + 0.01 * g * g
    return w - 0.5 * g / (math.sqrt(state["v"]) + 1e-8)


def adam(w, g, t, state):
    g += 0.1 * w
    state["m"] = 0.9 * state.get("m", 0.0) + 0.1 * g
    state["v"] = 0.999 * state.get("v", 0.0) + 0.001 * g * g
    rate = 0.5 / (1 + (t - 1) * 0.2)
    return w - rate * math.sqrt(1 - 0.999**t) / (1 - 0.9**t) * state["m"] / (math.sqrt(state["v"]) + 1e-8)


@pytest.mark.parametrize(
    ("kind", "options", "update"),
    [
        (SGD, {}, lambda w, g, _t, _state: w - 0.5 * g),
        (SGD, {"momentum": 0.9, "weight_decay": 0.1, "lr_decay": 0.2}, sgd_with_everything),
        (RMSprop, {"weight_decay": 0.1}, rmsprop),
        (Adam, {"weight_decay": 0.1, "lr_decay": 0.2}, adam),
    ],
    ids=["sgd", "sgd with everything", "rmsprop", "adam"],
)
def test_steps_are_those_of_the_written_formula(backend, kind, options, update):
    vector = make_vector(backend)
    path = run(kind([vector], 0.5, **options), vector, GRADIENTS)
    np.testing.assert_allclose(path, by_hand(update), rtol=1e-13)


def test_adam_adds_epsilon_before_the_bias_correction(backend):
    # With a gradient as small as epsilon the two placements differ by a factor of some thirty.
    vector = make_vector(backend)
    vector.gradients[...] = 1e-8
    Adam([vector], 1.0).step()
    root = math.sqrt(0.001) * 1e-8
    expected = math.sqrt(0.001) / 0.1 * 1e-9 / (root + 1e-8)
    np.testing.assert_allclose(START - vector.values, expected, rtol=1e-6)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_vector_of_many_blocks_is_updated_as_its_parts_would_be(backend, name):
    size = 2 * BLOCK + 17
    options = dict.fromkeys(OPTIMIZERS[name].options, 0.1)
    whole = make_vector(backend, size)
    optimizer = OPTIMIZERS[name]([whole], 0.01, **options)
    gradients = np.random.default_rng(0).normal(size=(3, size))
    start = whole.values.copy()
    run(optimizer, whole, gradients)
    for part in (slice(0, 5), slice(BLOCK - 2, BLOCK + 3), slice(size - 5, size)):
        vector = make_vector(backend, 5)
        vector.values[...] = start[part]
        run(OPTIMIZERS[name]([vector], 0.01, **options), vector, gradients[:, part])
        np.testing.assert_array_equal(whole.values[part], vector.values)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_training_two_vectors_together_is_training_each(backend, name):
    first, second, alone = make_vector(backend), make_vector(backend), make_vector(backend)
    together, single = OPTIMIZERS[name]([first, second], 0.1), OPTIMIZERS[name]([alone], 0.1)
    for gradient in GRADIENTS:
        for vector in (first, second, alone):
            vector.gradients[...] = gradient
        together.step()
        single.step()
    assert (first.values == alone.values).all()
    assert (second.values == alone.values).all()


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_state_saved_half_way_and_loaded_elsewhere_goes_on_bit_for_bit(backend, name):
    options = dict.fromkeys(OPTIMIZERS[name].options, 0.1)
    vector, other = make_vector(backend), make_vector(backend)
    optimizer, successor = (OPTIMIZERS[name]([v], 0.1, **options) for v in (vector, other))
    run(optimizer, vector, GRADIENTS[:2])
    other.values[...] = vector.values
    successor.load_state({key: value.copy() for key, value in optimizer.state().items()})
    successor.steps = optimizer.steps
    assert (run(optimizer, vector, GRADIENTS[2:]) == run(successor, other, GRADIENTS[2:])).all()


def test_state_of_another_optimizer_or_size_is_refused(backend):
    optimizer = RMSprop([make_vector(backend)], 0.1)
    with pytest.raises(ValueError, match=r"missing: 0\.v; unknown: 0\.m"):
        optimizer.load_state({"0.m": np.zeros(2)})
    with pytest.raises(ValueError, match=r"0\.v has 3 entries where 2 are wanted"):
        optimizer.load_state({"0.v": np.zeros(3)})


@pytest.mark.parametrize(("name", "option"), [("rmsprop", "momentum"), ("rmsprop", "lr_decay"), ("adam", "momentum")])
def test_an_option_that_an_optimizer_does_not_have_is_refused(backend, name, option):
    with pytest.raises(ValueError, match=f"{name} has no {option}"):
        OPTIMIZERS[name]([make_vector(backend)], 0.1, **{option: 0.5})


def test_a_vector_without_gradients_is_refused(backend):
    network = Sequential([Linear(1)], (2,), backend=backend)
    with pytest.raises(ValueError, match="vector that has gradients"):
        SGD([network.feedback], 0.1)


def test_the_rate_falls_with_steps_and_follows_a_changed_learning_rate(backend):
    vector = make_vector(backend)
    optimizer = SGD([vector], 0.5, lr_decay=0.5)
    assert optimizer.rate == 0.5
    run(optimizer, vector, GRADIENTS[:2])
    assert optimizer.rate == 0.25
    optimizer.learning_rate /= 2
    assert optimizer.rate == 0.125

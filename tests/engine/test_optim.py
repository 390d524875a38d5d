"""Optimizers: hand-worked steps of Torch7's formulas, over many blocks, and their saved state."""

import inspect
import math
import re
import tracemalloc

import numpy as np
import pytest

from bdfa_np import FA, Linear, Sequential
from bdfa_np.backend.cpu import compiling
from bdfa_np.backend.cpu.backend import NumpyBackend
from bdfa_np.backend.cpu.elementwise import BLOCK
from bdfa_np.optim import ASGD, NAG, OPTIMIZERS, SGD, Adadelta, Adagrad, Adam, Adamax, AdamW, RMSprop, Rprop

# Signs that stay, turn and stay turned; a gradient of 0, and one after it.
GRADIENTS = np.array([[0.5, -2.0], [1.0, 0.25], [-3.0, 0.0], [-2.0, 0.5], [-1.0, 0.75], [0.25, -1.0]])
START = np.array([1.0, -1.0])


def make_vector(backend, size=2):
    vector = Sequential([Linear(1, bias=False)], (size,), backend=backend).weights
    if size == 2:
        vector.values[...] = START
    return vector


def make(name, vectors, learning_rate=0.1):
    """Make an optimizer with a bit of everything that it has."""
    return OPTIMIZERS[name](vectors, learning_rate, **dict.fromkeys(OPTIMIZERS[name].options, 0.1))


def make_plain(name, vectors, learning_rate):
    """Make an optimizer with nothing that it can do without."""
    return OPTIMIZERS[name](vectors, learning_rate, **({"momentum": 0.9} if name == "nag" else {}))


def run(optimizer, vector, gradients):
    path = []
    for gradient in gradients:
        optimizer.look_ahead()
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


def sgd_as_pytorch(w, g, t, state):
    del t
    state["m"] = 0.9 * state.get("m", 0.0) + g
    return w - 0.5 * state["m"]


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


def adamw(w, g, t, state):
    w *= 1 - 0.5 * 0.1
    state["m"] = 0.9 * state.get("m", 0.0) + 0.1 * g
    state["v"] = 0.999 * state.get("v", 0.0) + 0.001 * g * g
    return w - 0.5 * state["m"] / (1 - 0.9**t) / (math.sqrt(state["v"] / (1 - 0.999**t)) + 1e-8)


def nag(w, g, t, state):
    v = state.get("v", 0.0)
    g += 0.1 * (w + 0.9 * v)
    state["v"] = 0.9 * v - 0.5 / (1 + (t - 1) * 0.2) * g
    return w + state["v"]


def adamax(w, g, t, state):
    g += 0.1 * w
    state["m"] = 0.9 * state.get("m", 0.0) + 0.1 * g
    state["u"] = max(0.999 * state.get("u", 0.0), abs(g) + 1.2e-38)
    return w - 0.5 / (1 - 0.9**t) * state["m"] / state["u"]


def adagrad(w, g, t, state):
    g += 0.1 * w
    state["variance"] = state.get("variance", 0.0) + g * g
    return w - 0.5 / (1 + (t - 1) * 0.2) * g / (math.sqrt(state["variance"]) + 1e-10)


def adadelta(w, g, t, state):
    del t
    g += 0.1 * w
    state["grads"] = 0.9 * state.get("grads", 0.0) + (1 - 0.9) * g * g
    delta = math.sqrt(state.get("deltas", 0.0) + 1e-6) / math.sqrt(state["grads"] + 1e-6) * g
    state["deltas"] = 0.9 * state.get("deltas", 0.0) + (1 - 0.9) * delta * delta
    return w - 0.5 * delta


def asgd(w, g, t, state, t0=1e6):
    """Follow Torch7, which keeps this step's η and μ from the last one."""
    g += 0.1 * w
    eta, mu = state.get("eta", 0.5), state.get("mu", 1.0)
    w = (1 - 1e-4 * eta) * w - eta * g
    state["ax"] = w if mu == 1 else state["ax"] + mu * (w - state["ax"])
    state["eta"], state["mu"] = 0.5 / (1 + 1e-4 * 0.5 * t) ** 0.75, 1 / max(1, t - t0)
    return w


def rprop(w, g, t, state):
    del t
    last = state.get("g", 0.0) * g
    change = 1.2 if last > 0 else 0.5 if last < 0 else 1
    state["step"] = min(max(state.get("step", 0.5) * change, 1e-6), 50.0)
    state["g"] = 0.0 if last < 0 else g
    return w - (state["g"] > 0) * state["step"] + (state["g"] < 0) * state["step"]


@pytest.mark.parametrize(
    ("kind", "options", "update"),
    [
        (SGD, {}, lambda w, g, _t, _state: w - 0.5 * g),
        (SGD, {"momentum": 0.9, "weight_decay": 0.1, "lr_decay": 0.2}, sgd_with_everything),
        (SGD, {"momentum": 0.9, "dampening": 0.0}, sgd_as_pytorch),
        (RMSprop, {"weight_decay": 0.1}, rmsprop),
        (Adam, {"weight_decay": 0.1, "lr_decay": 0.2}, adam),
        (AdamW, {"weight_decay": 0.1}, adamw),
        (NAG, {"momentum": 0.9, "weight_decay": 0.1, "lr_decay": 0.2}, nag),
        (Adamax, {"weight_decay": 0.1}, adamax),
        (Adagrad, {"weight_decay": 0.1, "lr_decay": 0.2}, adagrad),
        (Adadelta, {"weight_decay": 0.1}, adadelta),
        (ASGD, {"weight_decay": 0.1}, asgd),
        (Rprop, {}, rprop),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_steps_are_those_of_the_written_formula(backend, kind, options, update):
    vector = make_vector(backend)
    path = run(kind([vector], 0.5, **options), vector, GRADIENTS)
    np.testing.assert_allclose(path, by_hand(update), rtol=1e-13, atol=1e-15)


def test_adam_adds_epsilon_before_the_bias_correction(backend):
    # With a gradient as small as epsilon the two placements differ by a factor of some thirty.
    vector = make_vector(backend)
    vector.gradients[...] = 1e-8
    Adam([vector], 1.0).step()
    root = math.sqrt(0.001) * 1e-8
    expected = math.sqrt(0.001) / 0.1 * 1e-9 / (root + 1e-8)
    np.testing.assert_allclose(START - vector.values, expected, rtol=1e-6)


def test_nag_moves_to_the_look_ahead_point_once_and_ends_at_the_iterate(backend):
    vector = make_vector(backend)
    optimizer = NAG([vector], 0.5, momentum=0.8)
    (w,) = run(optimizer, vector, [[1.0, 2.0]])
    np.testing.assert_allclose(w, START - [0.5, 1.0])
    optimizer.look_ahead()
    optimizer.look_ahead()
    np.testing.assert_allclose(vector.values, w - 0.8 * np.array([0.5, 1.0]))
    optimizer.load_state(optimizer.state())  # as the weights loaded with it are the iterate, it must move again
    vector.values[...] = w
    optimizer.look_ahead()
    np.testing.assert_allclose(vector.values, w - 0.8 * np.array([0.5, 1.0]))


def test_nag_refuses_a_step_whose_gradient_was_not_taken_at_the_look_ahead_point(backend):
    vector = make_vector(backend)
    optimizer = NAG([vector], 0.5, momentum=0.8)
    for _ in range(2):
        with pytest.raises(RuntimeError, match=r"call look_ahead\(\) before the forward pass"):
            optimizer.step()
        run(optimizer, vector, GRADIENTS[:1])


def test_nag_without_momentum_is_refused(backend):
    with pytest.raises(ValueError, match="nag needs a momentum greater than 0"):
        NAG([make_vector(backend)], 0.1, momentum=0.0)
    with pytest.raises(TypeError, match="NAG needs momentum, by name"):
        NAG([make_vector(backend)], 0.1)
    assert [name for name in OPTIMIZERS if OPTIMIZERS[name].needs_momentum] == ["nag"]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_between_steps_only_nag_moves_the_weights(backend, name):
    vector = make_vector(backend)
    optimizer = make(name, [vector])
    run(optimizer, vector, GRADIENTS[:1])
    before = vector.values.copy()
    optimizer.look_ahead()
    assert (vector.values != before).all() == (name == "nag")


def test_adamax_divides_by_no_zero_where_a_gradient_has_always_been_zero():
    vector = make_vector(NumpyBackend())  # float32, in which ε is next to the smallest normal number
    path = run(Adamax([vector], 0.1), vector, np.zeros((3, 2)))
    assert (path == START).all()


def test_adadeltas_rate_multiplies_its_step_and_not_what_it_remembers(backend):
    paths, states = [], []
    for rate in (1.0, 0.25):
        vector = make_vector(backend)
        optimizer = Adadelta([vector], rate)
        paths.append(run(optimizer, vector, GRADIENTS) - START)
        states.append(optimizer.state())
    np.testing.assert_allclose(paths[1], 0.25 * paths[0], rtol=1e-13, atol=1e-15)
    assert all((states[0][key] == states[1][key]).all() for key in states[0])


def test_asgd_averages_the_weights_in_its_state_from_step_t0_on(backend, monkeypatch):
    monkeypatch.setattr(ASGD, "average_from", 1)
    vector, averages = make_vector(backend), []
    optimizer = ASGD([vector], 0.5, weight_decay=0.1)
    path = []
    for gradient in GRADIENTS:
        path += list(run(optimizer, vector, [gradient]))
        averages.append(optimizer.state()["0.ax"].copy())

    def average(w, g, t, state):
        state["w"] = asgd(state.get("w", w), g, t, state, t0=1)
        return state["ax"]

    np.testing.assert_allclose(averages, by_hand(average), rtol=1e-13)
    np.testing.assert_allclose(path, by_hand(asgd), rtol=1e-13)
    assert [(a == w).all() for a, w in zip(averages, path, strict=True)] == [True] * 3 + [False] * 3


@pytest.mark.parametrize(
    ("first", "gradients", "expected"), [(49.0, [1, 1, 1], 50), (60.0, [1], 50), (1e-6, [1, -1], 1e-6)]
)
def test_rprops_steps_stay_within_their_bounds(backend, first, gradients, expected):
    vector = make_vector(backend)
    optimizer = Rprop([vector], first)
    run(optimizer, vector, gradients)
    assert (optimizer.state()["0.delta"] == expected).all()


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_goes_down_a_quadratic(backend, name):
    vector, steepness = make_vector(backend), np.array([1.0, 10.0])
    rate = {"sgd": 0.05, "nag": 0.02, "asgd": 0.05, "adagrad": 0.5, "adadelta": 5.0}.get(name, 0.02)
    optimizer = make_plain(name, [vector], rate)
    for _ in range(200):
        optimizer.look_ahead()
        vector.gradients[...] = steepness * vector.values
        optimizer.step()
    assert (steepness * vector.values**2).sum() < 1e-2 * (steepness * START**2).sum()


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_step_needs_memory_for_a_few_blocks_however_long_the_vector_is(name, monkeypatch):
    monkeypatch.setattr(compiling, "COMPILE_AFTER", float("inf"))  # a compiler needs memory of its own
    vector = make_vector(NumpyBackend(), 40 * BLOCK)
    optimizer = make(name, [vector])
    vector.gradients[...] = 0.5
    tracemalloc.start()
    optimizer.look_ahead()
    optimizer.step()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10 * BLOCK * 4  # adadelta and rprop take nine blocks, of forty


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_step_leaves_the_gradients_as_they_are_but_for_weight_decay(backend, name):
    vector = make_vector(backend)
    optimizer = make_plain(name, [vector], 0.1)
    for gradient in GRADIENTS:
        run(optimizer, vector, [gradient])
        assert (vector.gradients == gradient).all()


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_vector_of_many_blocks_is_updated_as_its_parts_would_be(backend, name):
    size = 2 * BLOCK + 17
    whole = make_vector(backend, size)
    optimizer = make(name, [whole])
    gradients = np.random.default_rng(0).normal(size=(3, size))
    start = whole.values.copy()
    run(optimizer, whole, gradients)
    for part in (slice(0, 5), slice(BLOCK - 2, BLOCK + 3), slice(size - 5, size)):
        vector = make_vector(backend, 5)
        vector.values[...] = start[part]
        run(make(name, [vector]), vector, gradients[:, part])
        np.testing.assert_array_equal(whole.values[part], vector.values)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_training_two_vectors_together_is_training_each(backend, name):
    first, second, alone = make_vector(backend), make_vector(backend), make_vector(backend)
    together, single = make(name, [first, second]), make(name, [alone])
    for gradient in GRADIENTS:
        together.look_ahead()
        single.look_ahead()
        for vector in (first, second, alone):
            vector.gradients[...] = gradient
        together.step()
        single.step()
    assert (first.values == alone.values).all()
    assert (second.values == alone.values).all()


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_state_saved_half_way_and_loaded_elsewhere_goes_on_bit_for_bit(backend, name, monkeypatch):
    monkeypatch.setattr(ASGD, "average_from", 1)
    vector, other = make_vector(backend), make_vector(backend)
    optimizer, successor = make(name, [vector]), make(name, [other])
    run(optimizer, vector, GRADIENTS[:2])
    other.values[...] = vector.values
    successor.load_state({key: value.copy() for key, value in optimizer.state().items()})
    successor.steps = optimizer.steps
    assert (run(optimizer, vector, GRADIENTS[2:]) == run(successor, other, GRADIENTS[2:])).all()
    ours, theirs = optimizer.state(), successor.state()
    assert all((ours[key] == theirs[key]).all() for key in ours)


def test_dampening_that_equals_the_momentum_is_what_is_done_without_it(backend):
    vectors = [make_vector(backend) for _ in range(2)]
    optimizers = [SGD(vectors[:1], 0.5, momentum=0.9), SGD(vectors[1:], 0.5, momentum=0.9, dampening=0.9)]
    paths = [run(optimizer, vector, GRADIENTS) for optimizer, vector in zip(optimizers, vectors, strict=True)]
    assert (paths[0] == paths[1]).all()


def test_adamws_penalty_is_no_part_of_what_adam_scales(backend):
    vector = make_vector(backend)
    vector.gradients[...] = 0
    optimizer = AdamW([vector], 0.5, weight_decay=0.1)
    for _ in range(3):
        optimizer.step()
    np.testing.assert_allclose(vector.values, START * 0.95**3, rtol=1e-15)
    assert not any(array.any() for array in optimizer.state().values())
    assert not vector.gradients.any()


@pytest.mark.parametrize("name", ["nag", "adamw", "adamax", "adagrad", "adadelta", "asgd", "rprop"])
def test_a_run_that_is_resumed_comes_to_the_same_bits(bdfa, result, tmp_path, name):
    options = ["--gradient", "bfa", "--optimization", name, *(["--momentum", "0.9"] if name == "nag" else [])]
    bdfa.train(tmp_path / "whole", *options, "--epochs", "2")
    bdfa.train(tmp_path / "parts", *options, "--epochs", "1")
    bdfa.resume(tmp_path / "parts", "--epochs", "2")
    assert result(tmp_path / "parts") == result(tmp_path / "whole")


def test_state_of_another_optimizer_or_size_is_refused(backend):
    optimizer = RMSprop([make_vector(backend)], 0.1)
    with pytest.raises(ValueError, match=r"missing: 0\.v; unknown: 0\.m"):
        optimizer.load_state({"0.m": np.zeros(2)})
    with pytest.raises(ValueError, match=r"0\.v has the shape \(3,\) where \(2,\) is wanted"):
        optimizer.load_state({"0.v": np.zeros(3)})


def test_the_options_of_each_optimizer_are_those_of_torch7():
    having = {
        o: [n for n in OPTIMIZERS if o in OPTIMIZERS[n].options]
        for o in ("lr_decay", "momentum", "dampening", "weight_decay")
    }
    assert having["dampening"] == ["sgd"]
    assert having["lr_decay"] == ["sgd", "nag", "adam", "adagrad"]
    assert having["momentum"] == ["sgd", "nag"]
    assert having["weight_decay"] == [name for name in OPTIMIZERS if name != "rprop"]
    rates = {name: OPTIMIZERS[name].default_learning_rate for name in OPTIMIZERS}
    assert rates == dict.fromkeys(OPTIMIZERS, 1e-4) | {"adadelta": 1.0, "rprop": 0.1}


@pytest.mark.parametrize(
    ("name", "option"),
    [("rmsprop", "momentum"), ("rmsprop", "lr_decay"), ("adam", "momentum"), ("rprop", "weight_decay")],
)
def test_an_option_that_an_optimizer_does_not_have_is_refused(backend, name, option):
    with pytest.raises(TypeError, match=f"takes no {option}; it takes vectors"):
        OPTIMIZERS[name]([make_vector(backend)], 0.1, **{option: 0.0})


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_optimizer_shows_and_documents_the_arguments_that_it_takes_and_no_others(name):
    kind = OPTIMIZERS[name]
    signature = inspect.signature(kind).parameters
    assert list(signature)[:2] == ["vectors", "learning_rate"]
    assert set(list(signature)[2:]) == kind.options
    assert signature["learning_rate"].default == kind.default_learning_rate
    documented = re.findall(r"^(\w+) : .*?(?:, default (\S+))?$", inspect.getdoc(kind), re.MULTILINE)
    assert [argument for argument, _ in documented] == list(signature)
    for argument, default in documented:
        expected = signature[argument].default
        assert (float(default) if default else None) == (None if expected is inspect.Parameter.empty else expected)


def test_a_vector_without_gradients_is_refused(backend):
    network = Sequential([Linear(1)], (2,), backend=backend)
    with pytest.raises(ValueError, match="vector that has gradients"):
        SGD([FA(network).feedback], 0.1)


def test_the_rate_falls_with_steps_and_follows_a_changed_learning_rate(backend):
    vector = make_vector(backend)
    optimizer = SGD([vector], 0.5, lr_decay=0.5)
    assert optimizer.rate == 0.5
    run(optimizer, vector, GRADIENTS[:2])
    assert optimizer.rate == 0.25
    optimizer.learning_rate /= 2
    assert optimizer.rate == 0.125

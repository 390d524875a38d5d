"""The network: shapes, names, flat vectors, initial values and what is refused."""

import doctest
from dataclasses import replace

import numpy as np
import pytest

import bdfa_np.model
import bdfa_np.network
import bdfa_np.parameters
import bdfa_np.random_streams
from bdfa_np import BP, DFA, Config, ErrorFeedback, Flatten, Linear, ReLU, Sequential, Tanh, build_model
from bdfa_np.backend import make_backend
from bdfa_np.backend.cpu.backend import NumpyBackend
from bdfa_np.errors import BackendError
from bdfa_np.random_streams import Streams
from bdfa_np.rules.direct.bdfa import miss_of


def make_network(**options):
    return Sequential([Flatten(), Linear(5), Tanh(), ErrorFeedback(), Linear(3)], (2, 2, 1), **options)


@pytest.mark.parametrize(
    "module", [bdfa_np.network, bdfa_np.model, bdfa_np.parameters, bdfa_np.random_streams], ids=lambda m: m.__name__
)
def test_examples_in_docstrings_do_what_they_show(module):
    outcome = doctest.testmod(module)
    assert outcome.attempted > 0
    assert outcome.failed == 0


def test_layers_are_named_by_kind_and_number():
    network = make_network()
    assert [layer.name for layer in network] == ["flatten1", "linear1", "tanh1", "feedback1", "linear2"]
    assert network["linear2"].output_shape == (3,)
    with pytest.raises(KeyError, match="no layer 'linear3'; there are flatten1, linear1"):
        network["linear3"]


def test_weights_and_gradients_are_views_of_two_flat_vectors():
    network = make_network()
    assert list(network.weights) == ["linear1.W", "linear1.b", "linear2.W", "linear2.b"]
    assert network.weights.values.size == 4 * 5 + 5 + 5 * 3 + 3
    network.weights.values[...] = np.arange(network.weights.values.size)
    assert (network["linear1"].W.ravel() == np.arange(20)).all()
    assert (network["linear2"].b == [40, 41, 42]).all()
    network["linear2"].dW[...] = 7
    assert (network.weights.gradients == 7).sum() == 15


def test_forward_is_the_written_formula(backend):
    network = make_network(backend=backend, rng=4)
    x = np.random.default_rng(0).normal(size=(6, 2, 2, 1))
    first, second = network["linear1"], network["linear2"]
    expected = np.tanh(x.reshape(6, 4) @ first.W + first.b) @ second.W + second.b
    np.testing.assert_allclose(network.forward(x), expected, rtol=1e-14)


def test_predict_returns_arrays_of_its_own_where_forward_reuses_its_buffer():
    network = make_network()
    x, other = np.ones((2, 2, 2, 1), np.float32), np.zeros((2, 2, 2, 1), np.float32)
    predicted, forwarded = network.predict(x), network.forward(x)
    kept = predicted.copy()
    again = network.forward(other)
    assert np.shares_memory(forwarded, again)
    assert (predicted == kept).all()


def test_a_smaller_batch_uses_the_front_of_the_same_memory():
    network = make_network()
    large = network.forward(np.ones((8, 2, 2, 1), np.float32))
    small = network.forward(np.ones((3, 2, 2, 1), np.float32))
    assert small.shape == (3, 3)
    assert np.shares_memory(large, small)


def test_inputs_of_another_precision_are_brought_to_the_networks():
    assert make_network().forward(np.ones((2, 2, 2, 1), np.float64)).dtype == np.float32
    assert make_network(backend=NumpyBackend("float64")).forward(np.ones((2, 2, 2, 1), np.float32)).dtype == np.float64


def test_inputs_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"samples have the shape \(4,\); this network takes \(2, 2, 1\)"):
        make_network().forward(np.ones((3, 4), np.float32))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Sequential([], (2,)), "at least one layer"),
        (lambda: Sequential([Linear(3)], (2, 2, 1)), r"put Flatten\(\) before it"),
        (lambda: Linear(0), "at least one unit"),
        (lambda: Linear(3, initial="ones"), "initial must be one of"),
        (lambda: Sequential([Linear(3)], (2,), rng=-1), "seed must be 0 or more"),
        (lambda: NumpyBackend("float16"), "dtype must be one of float32, float64"),
    ],
)
def test_what_cannot_be_built_is_refused_with_the_reason(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_layer_can_stand_in_one_network_only():
    layer = Linear(3)
    Sequential([layer], (2,))
    with pytest.raises(ValueError, match="linear1 stands in a network already"):
        Sequential([layer], (2,))


def test_feedback_can_be_given_only_to_layers_that_can_hold_it():
    network = make_network()
    with pytest.raises(ValueError, match="tanh1 cannot have feedback weights"):
        BP(network).draw_feedback([network["tanh1"]])


def test_asking_a_layer_without_feedback_for_a_projection_is_an_error():
    with pytest.raises(NotImplementedError, match="tanh1 has no place for feedback weights"):
        make_network()["tanh1"].project_feedback(np.ones((2, 5)), np.ones((5, 5)))


def test_uniform_weights_and_biases_lie_within_one_over_the_root_of_fan_in():
    network = Sequential([Linear(2000), Linear(50)], (25,))
    for name, fan_in in (("linear1", 25), ("linear2", 2000)):
        for values in (network[name].W, network[name].b):
            bound = fan_in**-0.5
            assert 0.9 * bound < np.abs(values).max() <= bound


@pytest.mark.parametrize("nonlin", ["tanh", "sigm", "relu"])
@pytest.mark.parametrize("gradient", ["bp", "fa", "dfa", "bfa", "bdfa"])
def test_mlp_weights_start_at_zero_only_where_errors_need_not_travel_through_them(gradient, nonlin):
    network = build_model(Config(gradient=gradient, nonlin=nonlin, num_hidden=8), (2, 2, 1), 3).network
    starts_at_zero = gradient != "bp" and nonlin != "relu"
    assert bool((network.weights.values == 0).all()) is starts_at_zero
    assert bool((network.weights.values != 0).all()) is not starts_at_zero


def test_mlp_has_the_layers_that_its_options_say():
    network = build_model(Config(num_layers=3, num_hidden=8, bias=False, nonlin="relu"), (4, 4, 3), 7).network
    block = ["linear", "relu", "feedback"]
    assert [layer.kind for layer in network] == ["flatten", *block, *block, *block, "linear"]
    assert [network.weights[name].shape for name in network.weights] == [(48, 8), (8, 8), (8, 8), (8, 7)]
    assert isinstance(network.layers[2], ReLU)


def test_float32_and_float64_start_from_the_same_numbers():
    config = Config(gradient="bp", num_hidden=8)
    single, double = (build_model(config, (2, 2, 1), 3, dtype=dtype).network for dtype in ("float32", "float64"))
    assert (single.weights.values == double.weights.values.astype(np.float32)).all()


def test_parameters_of_the_same_shape_start_from_different_numbers():
    network = Sequential([Linear(4), Linear(4), ErrorFeedback(), Linear(4), ErrorFeedback()], (4,))
    drawn = [*network.weights.state().values(), *DFA(network).feedback.state().values()]
    matrices = [values / np.abs(values).max() for values in drawn if values.ndim == 2]
    assert len({values.tobytes() for values in matrices}) == 5


def test_the_seed_decides_every_initial_value():
    def start(seed):
        model = build_model(Config(gradient="fa", nonlin="relu", num_hidden=8, seed=seed), (2, 2, 1), 3)
        return np.concatenate([model.network.weights.values, model.rule.feedback.values])

    assert (start(1) == start(1)).all()
    assert (start(1) != start(2)).all()


def test_a_streams_numbers_depend_on_seed_name_and_key_alone():
    first = Streams(3).generator("order", 5).random(4)
    streams = Streams(3)
    streams.generator("dropout").random(100)
    assert (streams.generator("order", 5).random(4) == first).all()
    others = [Streams(4).generator("order", 5), streams.generator("order", 6), streams.generator("weights", 5)]
    for other in others:
        assert (other.random(4) != first).all()


def test_a_streams_numbers_are_those_of_the_first_release():
    # A run can be repeated with a later version only if these never change.
    words = Streams(0).generator("order", 1).bit_generator.random_raw(3)
    assert [int(word) >> 40 for word in words] == [14885703, 14740836, 11552176]


def test_state_goes_out_by_name_and_comes_back_whole_or_not_at_all():
    network, other = make_network(rng=1), make_network(rng=2)
    state = network.weights.state()
    other.weights.load_state(state)
    assert (other.weights.values == network.weights.values).all()
    before = other.weights.values.copy()
    with pytest.raises(ValueError, match=r"missing: linear2\.b; unknown: extra"):
        other.weights.load_state({**{k: v for k, v in state.items() if k != "linear2.b"}, "extra": state["linear2.b"]})
    with pytest.raises(ValueError, match=r"linear2\.b has the shape \(4,\) where \(3,\) is wanted"):
        other.weights.load_state({**state, "linear1.W": state["linear1.W"] * 2, "linear2.b": np.zeros(4)})
    assert (other.weights.values == before).all()


def test_finiteness_is_seen_in_weights_and_feedback():
    rule = DFA(make_network())
    for holder, spoiled in ((rule.network, rule.network.weights), (rule, rule.feedback)):
        assert holder.all_finite()
        spoiled.values[0] = np.inf
        assert not holder.all_finite()


def test_an_explicit_backend_that_cannot_run_is_never_replaced():
    with pytest.raises(BackendError, match="--backend cupy cannot be used"):
        make_backend("cupy")
    with pytest.raises(BackendError, match="unknown backend 'tpu'"):
        make_backend("tpu")
    with pytest.raises(BackendError):
        build_model(replace(Config(), backend="cupy"), (2, 2, 1), 3)
    assert make_backend("auto").name == "numpy"


def test_matrix_kernels_accumulate_where_asked(backend):
    generator = np.random.default_rng(0)
    a, b = generator.normal(size=(3, 4)), generator.normal(size=(4, 2))
    out, total = np.ones((3, 2)), np.ones(4)
    np.testing.assert_allclose(backend.matmul(a, b, out, accumulate=True), 1 + a @ b)
    np.testing.assert_allclose(backend.matmul(a, b, out), a @ b)
    np.testing.assert_allclose(backend.column_sum(a, total, accumulate=True), 1 + a.sum(axis=0))
    np.testing.assert_allclose(backend.column_sum(a, total), a.sum(axis=0))


def test_each_row_is_multiplied_with_its_own(backend):
    generator = np.random.default_rng(0)
    a, b, out = generator.normal(size=(3, 4)), generator.normal(size=(3, 4)), np.full(3, np.nan)
    assert backend.row_dots(a, b, out=out) is out
    for i in range(3):
        np.testing.assert_allclose(out[i], sum(a[i, j] * b[i, j] for j in range(4)), rtol=1e-14)


def test_a_miss_is_what_a_sigmoid_lacks_of_one_and_cannot_overflow(backend):
    s, miss = np.array([-1000.0, -2.0, 0.0, 0.5, 1000.0]), np.empty(5)
    backend.elementwise(miss_of, (s,), (miss,))
    np.testing.assert_allclose(miss[1:4], 1 - 1 / (1 + np.exp(-s[1:4])), rtol=1e-14)
    assert miss[[0, 4]].tolist() == [1, 0]

"""What one writes out of habit from PyTorch is answered with a sentence that says what to write here."""

import copy
import pickle

import numpy as np
import pytest

from bdfa_np import (
    BFA,
    DFA,
    NAG,
    SGD,
    Adam,
    Batches,
    Config,
    Conv2d,
    CrossEntropy,
    Dropout,
    ErrorFeedback,
    Flatten,
    Linear,
    MaxPool2d,
    RMSprop,
    Rprop,
    Sequential,
    Tanh,
    alignment_angle,
    build_model,
)
from bdfa_np.backend import make_backend
from bdfa_np.errors import UsageError
from bdfa_np.random_streams import Streams


@pytest.fixture
def network() -> Sequential:
    return Sequential([Flatten(), Linear(20), Tanh(), ErrorFeedback(), Linear(10)], (4, 4, 1))


@pytest.fixture
def loss(network):
    return CrossEntropy(network.backend)


x = np.random.default_rng(0).random((6, 4, 4, 1), dtype=np.float32)
labels = np.arange(6)


@pytest.mark.parametrize("layer", [Linear(3), Conv2d(3, 3), Tanh(), MaxPool2d(2), Dropout(0.5), Flatten()])
def test_a_layer_outside_of_a_network_says_that_it_has_to_be_put_into_one(layer):
    with pytest.raises(UsageError, match=rf"{type(layer).__name__}\(.*\) stands in no network yet.*Sequential\("):
        layer.forward(np.zeros((1, 8, 8, 1)))


def test_weights_that_are_not_there_yet_are_told_apart_from_names_that_do_not_exist(network):
    for name in ("W", "b", "dW", "backend", "output_shape"):
        with pytest.raises(UsageError, match=f"has no '{name}'"):
            getattr(Linear(3), name)
        assert not hasattr(Linear(3), name)
    with pytest.raises(AttributeError, match="'Linear' object has no attribute 'wieghts'") as told:
        network["linear1"].wieghts  # noqa: B018
    assert not isinstance(told.value, UsageError)
    with pytest.raises(UsageError, match=r"linear1 has no 'x' before a batch went forward: call network.forward"):
        network["linear1"].backward(np.zeros((6, 20), np.float32))


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("parameters", "network.weights"),
        ("train", r"forward\(x\) in training, predict"),
        ("eval", r"predict\(x\) in use"),
        ("state_dict", r"network.weights.state\(\)"),
        ("load_state_dict", "network.weights.load_state"),
        ("zero_grad", r"network.forget_gradients\(\)"),
        ("to", "backend=make_backend"),
        ("cuda", "backend=make_backend"),
        ("numpy", r"network.weights.state\(\)"),
        ("backward", r"rule.backward\(loss\("),
    ],
)
def test_a_network_and_a_model_answer_what_they_have_under_another_name(network, name, advice):
    with pytest.raises(UsageError, match=advice):
        getattr(network, name)
    assert not hasattr(network, name)
    model = build_model(Config(num_hidden=5), (4, 4, 1), 10)
    with pytest.raises(UsageError, match=f"^Model has no '{name}'"):
        getattr(model, name)


def test_advice_that_names_an_attribute_names_one_that_exists(network, loss):
    rule, optimizer = DFA(network), SGD(network.weights)
    network.forward(x)
    for name in ("forget_gradients", "predict", "tree", "layers", "load_state", "state"):
        assert f"network.{name}" in " ".join(network.habits.values()) or hasattr(network, name)
        assert hasattr(network, name)
    assert network.weights.state().keys() == set(network.weights)
    assert make_backend("numpy", "float64").dtype == "float64"
    assert hasattr(rule, "trained")
    assert hasattr(optimizer, "learning_rate")
    assert isinstance(loss(network.forward(x), labels).value, float)


def test_networks_layers_and_models_are_not_called_and_say_what_is(network):
    with pytest.raises(TypeError, match=r"network.forward\(x\) in training, network.predict\(x\) in use"):
        network(x)
    with pytest.raises(TypeError, match=r"linear1.forward\(x, train=True\)"):
        network["linear1"](x)
    with pytest.raises(TypeError, match=r"model.predict\(x\)"):
        build_model(Config(num_hidden=5), (4, 4, 1), 10)(x)


def test_one_sample_is_told_from_samples_of_another_shape(network):
    with pytest.raises(ValueError, match=r"x\[None\] is a batch of one"):
        network.forward(x[0])
    with pytest.raises(ValueError, match="this network takes"):
        network.forward(x[:, :2])


def test_objects_can_be_copied_pickled_and_listed_as_ever(network, loss):
    layer = Linear(3)
    assert repr(pickle.loads(pickle.dumps(layer))) == repr(copy.deepcopy(layer)) == "Linear(3)"
    result = loss(network.forward(x), labels)
    assert pickle.loads(pickle.dumps(result)).value == result.value
    assert copy.copy(network).layers == network.layers
    assert "forward" in dir(network)
    assert "parameters" not in dir(network)


def test_an_optimizer_takes_a_networks_weights_as_they_are(network, loss):
    rule = DFA(network)
    one, listed = SGD(network.weights, 0.1), SGD([network.weights], 0.1)
    start = network.weights.values.copy()
    rule.backward(loss(network.forward(x), labels))
    one.step()
    moved = network.weights.values.copy()
    assert not np.array_equal(moved, start)
    network.weights.values[...] = start
    listed.step()
    np.testing.assert_array_equal(network.weights.values, moved)


@pytest.mark.parametrize(
    ("make", "advice"),
    [
        (lambda net: SGD(net, 0.1), r"not a Sequential: write SGD\(network.weights, \.\.\.\)"),
        (lambda net: SGD(DFA(net), 0.1), r"not a DFA: write SGD\(network.weights"),
        (lambda net: SGD([net["linear1"].W], 0.1), r"not a list: write SGD\(network.weights"),
        (lambda net: SGD(net.weights, lr=0.1), r"no lr: the rate is called learning_rate.*SGD\(network.weights, 0.1\)"),
        (lambda net: SGD(net.weights, 0.1, 0.9), "the others by name: momentum="),
        (lambda net: SGD(net.weights, 0.1, nesterov=True), r"NAG\(network.weights, 0.1, momentum=0.9\)"),
        (lambda net: Adam(net.weights, betas=(0.9, 0.99)), "set optimizer.beta1 and optimizer.beta2"),
        (lambda net: RMSprop(net.weights, alpha=0.9), "set optimizer.alpha once it is made"),
        (lambda net: Adam(net.weights, eps=1e-5), "set optimizer.epsilon once"),
        (lambda net: Adam(net.weights, amsgrad=True), "Adam takes no amsgrad; it takes vectors, learning_rate"),
        (lambda net: Rprop(net.weights, 0.1, weight_decay=0.1), "Rprop takes no weight_decay; it takes vectors"),
        (lambda net: NAG(net.weights, 0.1), "NAG needs momentum, by name: momentum=0.9"),
    ],
)
def test_an_optimizer_says_what_to_write_for_what_it_does_not_take(network, make, advice):
    with pytest.raises(TypeError, match=advice):
        make(network)


def test_a_constant_that_is_set_on_an_optimizer_is_the_one_that_it_steps_by(network):
    optimizer = Adam(network.weights, 0.1)
    optimizer.beta1 = 0.8
    assert optimizer.constants()["gain1"] == pytest.approx(0.2)


def test_an_optimizer_of_nothing_is_refused(network):
    with pytest.raises(ValueError, match="nothing to train"):
        SGD([], 0.1)
    with pytest.raises(ValueError, match="has gradients"):
        SGD(DFA(network).feedback, 0.1)


def test_images_in_place_of_logits_are_noticed_by_the_loss_or_by_the_rule(network, loss):
    with pytest.raises(ValueError, match=r"logits \(N, K\), and not an array of shape \(6, 4, 4, 1\).*network.forward"):
        loss(x, labels)
    with pytest.raises(ValueError, match=r"not an array of shape \(6,\).*in this order"):
        loss(labels, network.forward(x))
    with pytest.raises(ValueError, match="not a list"):
        loss([1.0], labels)
    with pytest.raises(ValueError, match=r"of 16 outputs, and this network has 10.*loss\(network.forward"):
        DFA(network).backward(loss(x.reshape(6, -1), labels))


@pytest.mark.parametrize(
    ("given", "advice"),
    [
        (labels.astype(float), r"not float64 numbers: labels.astype\('int64'\)"),
        (np.eye(10)[labels], r"one-hot rows of shape \(6, 10\): labels.argmax\(axis=1\)"),
        (labels.tolist(), r"not a list: numpy.asarray\(labels\)"),
        (labels[:, None], r"a column of shape \(6, 1\): labels.ravel\(\)"),
        (labels.astype(str), r"numpy.unique\(labels, return_inverse=True\)\[1\]"),
        (labels[:4], r"one a sample, not of shape \(4,\)"),
        (labels + 8, "these are from 8 to 13"),
    ],
)
def test_labels_of_another_kind_are_refused_with_what_makes_them_classes(network, loss, given, advice):
    with pytest.raises(ValueError, match=advice):
        loss(network.forward(x), given)


def test_the_advice_on_labels_works_when_followed(network, loss):
    logits = network.predict(x)
    wanted = loss(logits, labels).value
    assert loss(logits, labels.astype(float).astype("int64")).value == wanted
    assert loss(logits, np.eye(10)[labels].argmax(axis=1)).value == wanted
    assert loss(logits, np.asarray(labels.tolist())).value == wanted
    assert loss(logits, labels[:, None].ravel()).value == wanted
    assert loss(logits, np.unique(labels.astype(str), return_inverse=True)[1]).value == wanted


def test_a_single_label_is_drawn_from_a_list_and_said_so():
    rule = BFA(Sequential([Flatten(), Linear(20), Tanh(), Linear(10)], (4, 4, 1)))
    with pytest.raises(ValueError, match=r"write generate\(\[3\]\)"):
        rule.generate(3)
    np.testing.assert_array_equal(rule.generate([3]), rule.generate(np.array([3])))
    for wrong in (10, -1):
        with pytest.raises(ValueError, match=r"within 0..9"):
            rule.generate([wrong])


@pytest.mark.parametrize(("name", "advice"), [("backward", "rule.backward"), ("item", "result.value")])
def test_a_loss_result_says_who_goes_backward(network, loss, name, advice):
    with pytest.raises(UsageError, match=advice):
        getattr(loss(network.forward(x), labels), name)


def test_an_optimizer_a_rule_a_loss_and_a_vector_say_where_the_rest_is(network, loss):
    for one, name, advice in (
        (SGD(network.weights), "zero_grad", r"network.forget_gradients\(\)"),
        (SGD(network.weights), "param_groups", "optimizer.learning_rate"),
        (DFA(network), "step", r"optimizer.step\(\)"),
        (loss, "forward", r"loss\(logits, labels\)"),
        (network.weights, "numpy", r"state\(\)"),
    ):
        with pytest.raises(UsageError, match=advice):
            getattr(one, name)


def test_the_angle_to_the_signal_of_a_net_that_starts_at_zero_is_explained(loss):
    layers = [Flatten(), Linear(20, initial="zero"), Tanh(), ErrorFeedback(), Linear(10, initial="zero")]
    network = Sequential(layers, (4, 4, 1))
    result = loss(network.forward(x), labels)
    from bdfa_np import BP

    exact, sent = BP(network).deltas(result), DFA(network).deltas(result)
    with pytest.warns(RuntimeWarning, match="weights start at zero.*measure after a step"):
        assert np.isnan(alignment_angle(exact["linear1"], sent["linear1"]))


def test_signals_on_a_device_are_brought_to_the_host():
    class OnDevice:
        def __init__(self, values):
            self.values = values
            self.__cuda_array_interface__ = {"version": 3}

        def __array__(self, *_, **__):
            raise TypeError("Implicit conversion to a NumPy array is not allowed")

        def get(self):
            return np.array(self.values)

    assert alignment_angle(OnDevice([1.0, 0.0]), OnDevice([0.0, 2.0])) == pytest.approx(90)


def test_batches_are_shuffled_by_a_seed_as_by_its_streams():
    images = np.arange(40.0).reshape(20, 2)
    classes = np.arange(20)
    by_seed, by_streams = Batches(images, classes, 20, streams=3), Batches(images, classes, 20, streams=Streams(3))
    (_, one), (_, other) = next(by_seed.epoch(1)), next(by_streams.epoch(1))
    np.testing.assert_array_equal(one, other)
    assert not np.array_equal(one, classes)

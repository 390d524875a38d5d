"""The tangent of a whole net: from its input, and from what enters at layers, those inside of others among them."""

import numpy as np
import pytest

from bdfa_np import Container, ErrorFeedback, Flatten, Linear, Sequential, Tanh
from bdfa_np.errors import ExtensionError

RNG = np.random.default_rng(5)
X, DX = RNG.normal(size=(2, 6, 2, 3, 1))
DH, INNER = RNG.normal(size=(6, 5)), RNG.normal(size=(6, 5))


class Summed(Container):
    """``y = x + F(x)``."""

    kind = "summed"

    def forward(self, x, train=True):
        (branch,) = self.branches()
        return x + self.through(branch, x, train)

    def carry_forward(self, tangent, walk):
        (branch,) = self.branches()
        within = walk(branch, tangent)
        if tangent is None or within is None:
            return within
        return tangent + within


def make_network(backend, *inside):
    inside = inside or (Linear(5), Tanh(), ErrorFeedback())
    layers = [Flatten(), Linear(5), Tanh(), ErrorFeedback(), Summed(inside), ErrorFeedback(), Linear(4)]
    network = Sequential(layers, X.shape[1:], backend=backend, rng=3)
    network.forward(X)
    return network


def differences(network, change):
    """Return central differences of the logits when ``change(step)`` has been made."""
    step = 1e-6
    change(step)
    above = network.forward(X).copy()
    change(-step)
    below = network.forward(X).copy()
    change(0)
    network.forward(X)
    return (above - below) / (2 * step)


def moved(layer, tangent):
    """Return a change of what a layer puts out, by a step in the direction of a tangent."""
    forward = type(layer).forward

    def change(step):
        layer.forward = lambda x, train=True: forward(layer, x, train) + step * tangent

    return change


def close(actual, expected, tolerance):
    assert np.abs(actual - expected).max() <= tolerance * np.abs(expected).max()


def test_a_tangent_of_the_input_comes_out_as_the_logits_derivative(backend):
    network = make_network(backend)
    pushed = network.push_forward(DX).copy()
    above, below = network.forward(X + 1e-6 * DX).copy(), network.forward(X - 1e-6 * DX).copy()
    close(pushed, (above - below) / 2e-6, 1e-8)


@pytest.mark.parametrize("name", ["linear1", "tanh1", "feedback1", "summed1", "feedback2", "linear2"])
def test_a_tangent_that_enters_at_a_layer_moves_what_lies_above(name, backend):
    network = make_network(backend)
    tangent = RNG.normal(size=(6, *network[name].output_shape))
    pushed = network.push_forward(entering={name: tangent}).copy()
    close(pushed, differences(network, moved(network[name], tangent)), 1e-8)


@pytest.mark.parametrize("name", ["summed1.linear1", "summed1.feedback1"])
def test_a_tangent_may_enter_inside_of_a_container(name, backend):
    network = make_network(backend)
    pushed = network.push_forward(entering={name: INNER}).copy()
    close(pushed, differences(network, moved(network[name], INNER)), 1e-8)


def test_tangents_that_enter_at_several_places_add_up(backend):
    network = make_network(backend)
    entering = {"feedback1": DH, "summed1.feedback1": INNER, "feedback2": DH}
    alone = [network.push_forward(entering={name: array}).copy() for name, array in entering.items()]
    alone.append(network.push_forward(DX).copy())
    close(network.push_forward(DX, entering), sum(alone), 1e-14)


def test_layers_below_the_first_that_a_tangent_enters_are_passed_over(backend):
    network = make_network(backend)
    assert list(network.tangents(entering={"summed1.feedback1": INNER})) == [
        *("summed1.feedback1", "summed1", "feedback2", "linear2"),
    ]


def test_the_tangents_of_layers_are_those_at_their_outputs_with_what_entered(backend):
    network = make_network(backend)
    found = network.tangents(DX, {"feedback1": DH})
    slope = 1 - network["tanh1"].y ** 2
    below = (DX.reshape(6, -1) @ network["linear1"].W) * slope
    close(found["tanh1"], below, 1e-14)
    close(found["feedback1"], below + DH, 1e-14)
    close(found["linear2"], network.push_forward(DX, {"feedback1": DH}), 0)


def test_what_enters_is_left_as_it_was_and_so_is_the_skip(backend):
    # A site first in a branch hands its tangent on: adding in place there would change what the skip carries.
    network = make_network(backend, ErrorFeedback(), Linear(5), Tanh())
    dx, inner, dh = DX.copy(), INNER.copy(), DH.copy()
    together = network.push_forward(dx, {"feedback1": dh, "summed1.feedback1": inner}).copy()
    parts = network.push_forward(dx, {"feedback1": dh}).copy() + network.push_forward(
        entering={"summed1.feedback1": inner}
    )
    close(together, parts, 1e-14)
    assert (dx == DX).all()
    assert (inner == INNER).all()
    assert (dh == DH).all()


def test_a_tangent_of_another_type_is_brought_to_the_nets(backend):
    network = make_network(backend)
    close(network.push_forward(DX.astype("float32")), network.push_forward(DX), 1e-6)


@pytest.mark.parametrize(
    ("dx", "entering", "message"),
    [
        (None, None, "no tangent enters: give dx, or one that enters at a layer's output"),
        (None, {}, "no tangent enters"),
        (DX[:1], None, r"dx has the shape \(1, 2, 3, 1\); a tangent here has \(6, 2, 3, 1\)"),
        (None, {"tanh1": DH[:, :1]}, r"what enters at tanh1 has the shape \(6, 1\); a tangent here has \(6, 5\)"),
    ],
)
def test_a_tangent_that_does_not_fit_is_refused(dx, entering, message, backend):
    with pytest.raises(ValueError, match=f"^{message}"):
        make_network(backend).push_forward(dx, entering)


def test_a_layer_that_there_is_not_is_named(backend):
    with pytest.raises(KeyError, match="no layer 'tanh9'; there are flatten1, linear1"):
        make_network(backend).push_forward(entering={"tanh9": DH})


def test_there_is_no_tangent_before_a_batch_went_forward(backend):
    network = Sequential([Linear(2)], (3,), backend=backend)
    with pytest.raises(ValueError, match="a tangent is one of the last forward pass, and there was none"):
        network.push_forward(np.ones((1, 3)))


def test_a_container_that_does_not_say_how_tangents_pass_is_named(backend):
    class Silent(Summed):
        carry_forward = Container.carry_forward

    network = Sequential([Silent([Linear(3)])], (3,), backend=backend)
    network.forward(np.ones((1, 3)))
    with pytest.raises(ExtensionError, match=r"^summed1: Silent has no carry_forward\(tangent, walk\), which a rule"):
        network.push_forward(np.ones((1, 3)))


def test_tangents_of_a_deep_net_take_turns_in_the_same_memory(backend):
    layers = [Linear(9) if place % 2 else Tanh() for place in range(12)]
    network = Sequential(layers, (9,), backend=backend)
    network.forward(np.ones((4, 9)))
    network.push_forward(np.ones((4, 9)))
    assert len(backend._lender.bytes_held()) == 2
